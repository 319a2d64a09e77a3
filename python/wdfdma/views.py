"""What the library shows of one machine, read all at once: objects by their names, and who holds what.

It reads a machine of C's, so that it serves those that Python made and those that a scenario runs on, halted or not.
Objects come in the order of their labels, which is that of their making.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from wdfdma._native import NULL, ffi, lib
from wdfdma.enums import Direction, ObjectType, Op, Profile, TransactionState, Waiting
from wdfdma.pool import list_runs

# A transaction in one of these may have given back what it still names.
_STATES_AFTER = ("transfer_completed", "transfer_failed", "released", "deleted")
_NO_REGISTER = 0xFFFFFFFF
_DIRECTIONS = (Direction.READ, Direction.WRITE)


@dataclass(frozen=True, slots=True)
class RequestView:
    """A request for a channel and for [registers] map registers, that waits.

    [handle] is its transaction's; a WDM driver's request has none, nor has one whose transaction was deleted.
    """

    handle: int
    name: str
    adapter: int
    registers: int
    waiting: Waiting


@dataclass(frozen=True, slots=True)
class RunView:
    """Map registers that were granted together, to an adapter and for a transaction.

    [handle] is the transaction's; 0 where none names them. Then a WDM driver holds them or, where none ever had the
    adapter's address, they are [lost]: nobody will give them back.
    """

    first: int
    length: int
    adapter: int
    handle: int
    holder: str
    lost: bool


@dataclass(frozen=True, slots=True)
class AdapterView:
    """An adapter, who owns its channel, and who waits for that. [info] is wdfdma_adapter_info."""

    handle: int
    name: str
    owner: str
    info: dict[str, Any]
    channel_handle: int
    channel_owner: str
    waiters: tuple[RequestView, ...]


@dataclass(frozen=True, slots=True)
class EnablerView:
    """An enabler. [info] is wdfdma_enabler_info, by direction; [adapters] are names, by direction."""

    handle: int
    name: str
    owner: str
    info: dict[str, dict[str, Any]]
    adapters: dict[str, str]


@dataclass(frozen=True, slots=True)
class ChildView:
    """A transaction or a common buffer of an enabler. [info] is the structure of its _get_info."""

    handle: int
    name: str
    enabler: int
    owner: str
    info: dict[str, Any]


@dataclass(frozen=True, slots=True)
class World:
    """All of a machine that has to do with DMA, at one moment. [queue] is the line for map registers."""

    state: dict[str, Any]
    objects: dict[str, int]
    adapters: dict[int, AdapterView]
    enablers: dict[int, EnablerView]
    transactions: dict[int, ChildView]
    buffers: dict[int, ChildView]
    runs: tuple[RunView, ...]
    queue: tuple[RequestView, ...]


def read_world(machine: Any) -> World:
    """Reads a machine of C's. Takes time in proportion to its objects, requests and runs."""
    enablers = dict(_read_enablers(machine))
    transactions = dict(_read_transactions(machine))
    adapters = dict(_read_adapters(machine, _find_owners(enablers)))
    state = lib.wdfdma_machine_get_state(machine)
    objects = {kind.label: state.objects[kind] for kind in ObjectType if kind != ObjectType.NONE}
    return World(
        state=_read_fields(state) | {"halted": bool(state.halted), "op": Op(state.op)},
        objects={kind: count for kind, count in objects.items() if count},
        adapters=adapters,
        enablers=enablers,
        transactions=transactions,
        buffers=dict(_read_buffers(machine)),
        runs=tuple(_read_runs(machine, adapters, transactions)),
        queue=_copy_requests(lib.wdfdma_pool_copy_requests, machine),
    )


def to_number(handle: Any) -> int:
    """A handle as a number; 0 for none."""
    return int(ffi.cast("uintptr_t", handle))


def name_handle(kind: ObjectType, handle: Any) -> str:
    """What an object is called in logs, or `none`.

    >>> name_handle(ObjectType.DEVICE, NULL)
    'none'
    """
    label = lib.wdfdma_object_get_label(ffi.cast("WDFOBJECT", handle))
    return "none" if handle == NULL else f"{kind.label} {label}"


def _list_objects(machine: Any, kind: ObjectType) -> list[Any]:
    """The handles of all objects of a type, by their labels."""
    count = lib.wdfdma_machine_copy_objects(machine, kind, NULL, 0)
    handles = ffi.new("WDFOBJECT[]", count)
    lib.wdfdma_machine_copy_objects(machine, kind, handles, count)
    return sorted(
        handles, key=lambda handle: (lib.wdfdma_object_get_label(handle), to_number(handle))
    )


def _read_fields(struct: Any) -> dict[str, Any]:
    """The plain fields of a structure: no handles, no arrays."""
    return {
        name: getattr(struct, name)
        for name, field in ffi.typeof(struct).item.fields
        if field.type.kind == "primitive"
    }


def _copy_requests(copy: Any, of: Any) -> tuple[RequestView, ...]:
    copied = ffi.new("wdfdma_waiter_info[]", copy(of, NULL, 0))
    copy(of, copied, len(copied))
    return tuple(_make_request(item) for item in copied)


def _make_request(item: Any) -> RequestView:
    if item.transaction != NULL:
        name = name_handle(ObjectType.TRANSACTION, item.transaction)
    else:
        name = _name_stranger(item.adapter)
    return RequestView(
        to_number(item.transaction),
        name,
        to_number(item.adapter),
        item.registers,
        Waiting(item.waiting),
    )


def _name_stranger(adapter: Any) -> str:
    """Who is at an adapter with a request that no live transaction has."""
    info = ffi.new("wdfdma_adapter_info *")
    lib.wdfdma_adapter_get_info(adapter, info)
    name = name_handle(ObjectType.ADAPTER, adapter)
    return f"{'a WDM driver' if info.wdm else 'a deleted transaction'} on {name}"


def _read_enablers(machine: Any) -> Iterator[tuple[int, EnablerView]]:
    info = ffi.new("wdfdma_enabler_info *")
    for handle in _list_objects(machine, ObjectType.ENABLER):
        infos, adapters = {}, {}
        for direction in _DIRECTIONS:
            enabler = ffi.cast("WDFDMAENABLER", handle)
            lib.wdfdma_enabler_get_info(enabler, direction, info)
            infos[direction.label] = _read_fields(info) | {"profile": Profile(info.profile)}
            adapter = lib.wdfdma_enabler_get_adapter(enabler, direction)
            adapters[direction.label] = name_handle(ObjectType.ADAPTER, adapter)
        yield (
            to_number(handle),
            EnablerView(
                to_number(handle),
                name_handle(ObjectType.ENABLER, handle),
                name_handle(ObjectType.DEVICE, lib.wdfdma_object_get_parent(handle)),
                infos,
                adapters,
            ),
        )


def _find_owners(enablers: dict[int, EnablerView]) -> dict[str, str]:
    """Whose each adapter is, and for which directions."""
    directions: dict[tuple[str, str], list[str]] = {}
    for enabler in enablers.values():
        for direction, adapter in enabler.adapters.items():
            directions.setdefault((adapter, enabler.name), []).append(direction)
    return {
        adapter: f"{name} ({', '.join(found)})" for (adapter, name), found in directions.items()
    }


def _read_transactions(machine: Any) -> Iterator[tuple[int, ChildView]]:
    info = ffi.new("wdfdma_transaction_info *")
    for handle in _list_objects(machine, ObjectType.TRANSACTION):
        lib.wdfdma_transaction_get_info(ffi.cast("WDFDMATRANSACTION", handle), info)
        fields = _read_fields(info) | {
            "state": TransactionState(info.state),
            "direction": Direction(info.direction),
            "waiting": Waiting(info.waiting),
        }
        if info.first_register == _NO_REGISTER:
            fields["first_register"] = None
        yield (
            to_number(handle),
            ChildView(
                to_number(handle),
                name_handle(ObjectType.TRANSACTION, handle),
                to_number(info.enabler),
                name_handle(ObjectType.ENABLER, info.enabler),
                fields,
            ),
        )


def _read_buffers(machine: Any) -> Iterator[tuple[int, ChildView]]:
    info = ffi.new("wdfdma_common_buffer_info *")
    for handle in _list_objects(machine, ObjectType.COMMON_BUFFER):
        lib.wdfdma_common_buffer_get_info(ffi.cast("WDFCOMMONBUFFER", handle), info)
        parent = lib.wdfdma_object_get_parent(handle)
        name = name_handle(ObjectType.COMMON_BUFFER, handle)
        owner = name_handle(ObjectType.ENABLER, parent)
        number = to_number(handle)
        yield number, ChildView(number, name, to_number(parent), owner, _read_fields(info))


def _read_adapters(machine: Any, owners: dict[str, str]) -> Iterator[tuple[int, AdapterView]]:
    info = ffi.new("wdfdma_adapter_info *")
    for handle in _list_objects(machine, ObjectType.ADAPTER):
        lib.wdfdma_adapter_get_info(handle, info)
        name = name_handle(ObjectType.ADAPTER, handle)
        owner = name_handle(ObjectType.TRANSACTION, info.channel_owner)
        if info.channel_owned and info.channel_owner == NULL:
            owner = _name_stranger(handle)
        yield (
            to_number(handle),
            AdapterView(
                to_number(handle),
                name,
                owners.get(name, "a WDM driver"),
                _read_fields(info),
                to_number(info.channel_owner),
                owner,
                _copy_requests(lib.wdfdma_adapter_copy_waiters, handle),
            ),
        )


def _read_runs(
    machine: Any, adapters: dict[int, AdapterView], transactions: dict[int, ChildView]
) -> Iterator[RunView]:
    holders = _find_holders(transactions)
    for first, length in list_runs(machine):
        adapter = to_number(lib.wdfdma_pool_get_owner(machine, first))
        granted_to = adapters.get(adapter)
        holder = holders.get(first)
        if holder is not None:
            yield RunView(first, length, adapter, holder.handle, holder.name, False)
        elif granted_to is not None and not granted_to.info["wdm"]:
            name = f"nobody (lost by {granted_to.owner})"
            yield RunView(first, length, adapter, 0, name, True)
        else:
            name = "adapter gone" if granted_to is None else granted_to.name
            yield RunView(first, length, adapter, 0, f"a WDM driver on {name}", False)


def _find_holders(transactions: dict[int, ChildView]) -> dict[int, ChildView]:
    """Which transaction holds the run that begins with each register.

    Inside the callbacks of a grant, the one that gave the registers back still names them, and has settled.
    """
    found: dict[int, ChildView] = {}
    for item in transactions.values():
        first = item.info["first_register"]
        if first is None or not item.info["holds_base"]:
            continue
        if first not in found or found[first].info["state"].label in _STATES_AFTER:
            found[first] = item
    return found
