"""The pool on the page of a violation: what is free, who holds which run, who waits for what, in order."""

from collections.abc import Iterable
from typing import Any, cast

from wdfdma._core import Core
from wdfdma._native import NULL, ffi, lib
from wdfdma.enabler import DmaEnabler
from wdfdma.enums import Direction, ObjectType, Waiting
from wdfdma.explain import wrap
from wdfdma.objects import WdfObject
from wdfdma.pool import Pool, Run
from wdfdma.transaction import DmaTransaction

_MOST = 32


def name_object(item: WdfObject) -> str:
    """A live object as logs name it.

    >>> from wdfdma import Machine
    >>> with Machine() as machine:
    ...     name_object(machine.device().enabler())
    'enabler 0'
    """
    return f"{ObjectType(lib.wdfdma_object_get_type(item._handle)).label} {item.label}"


def describe_pool(core: Core) -> list[str]:
    """The lines about the pool, the first without an indent."""
    machine = core.get_machine()
    state = lib.wdfdma_machine_get_state(machine)
    runs = Pool(core).runs()
    lines = [f"The pool: {state.free_registers} of {state.map_registers} registers free"]
    lines += wrap(_join(_list_free(runs, state.map_registers)) or "none", "free")
    lines += _label(_list_holders(core, runs) or ["none"], "held")
    copy = lib.wdfdma_pool_copy_requests
    waiters = _list_waiters(core, copy, machine, "has its channel meanwhile")
    lines += _label(waiters or ["nobody"], "waiting")
    queues = [row for item in _live(core, DmaEnabler) for row in _list_queues(core, item)]
    return [*lines, *_label(queues or ["nobody waits for one"], "channels")]


def _live(core: Core, kind: Any) -> list[Any]:
    """The live objects of a class, by their labels."""
    found = [item for item in core.objects.values() if isinstance(item, kind) and item.is_live]
    return sorted(found, key=lambda item: item.label)


def _label(rows: list[str], label: str) -> list[str]:
    """Rows with one label in front of the first; not more of them than one reads."""
    shown = rows if len(rows) <= _MOST else [*rows[:_MOST], f"... and {len(rows) - _MOST} more"]
    return [line for at, row in enumerate(shown) for line in wrap(row, " " if at else label)]


def _join(runs: Iterable[Run]) -> str:
    """Runs as one writes them."""
    names = [_name_run(run) for run in runs]
    more = [f"... and {len(names) - _MOST} more runs"] if len(names) > _MOST else []
    return ", ".join([*names[:_MOST], *more])


def _name_run(run: Run) -> str:
    return f"{run.first}" if run.length == 1 else f"{run.first}..{run.first + run.length - 1}"


def _list_free(held: list[Run], registers: int) -> list[Run]:
    """What lies between the runs that are held, which come lowest first."""
    free: list[Run] = []
    after = 0
    for run in [*held, Run(registers, 0)]:
        if run.first > after:
            free.append(Run(after, run.first - after))
        after = run.first + run.length
    return free


def _list_holders(core: Core, runs: list[Run]) -> list[str]:
    """Each run with the transaction that holds it."""
    holders: dict[int, DmaTransaction] = {}
    for item in _live(core, DmaTransaction):
        info = item.get_info()
        if info.waiting == Waiting.NOT and info.first_register is not None and info.registers:
            holders[info.first_register] = item
    return [
        f"{_name_run(run)}: {_describe_holder(core, run, holders.get(run.first))}" for run in runs
    ]


def _describe_holder(core: Core, run: Run, item: DmaTransaction | None) -> str:
    if item is None:
        owner = lib.wdfdma_pool_get_owner(core.get_machine(), run.first)
        who = "nobody" if owner == NULL else _name_handle(owner)
        return f"{who}, for no transaction"
    info = item.get_info()
    reserved = f", {info.reserved} reserved" if info.reserved else ""
    return f"{name_object(item)} of {name_object(item.enabler)}, {info.state.label}{reserved}"


def _name_handle(handle: Any) -> str:
    kind = ObjectType(lib.wdfdma_object_get_type(handle))
    return f"{kind.label} {lib.wdfdma_object_get_label(handle)}"


def _list_waiters(core: Core, copy: Any, of: Any, more: str = "") -> list[str]:
    """The requests of a queue of [of], in their order; [copy] is the library's call that copies it."""
    count = copy(of, NULL, 0)
    requests = ffi.new("wdfdma_waiter_info[]", count)
    copy(of, requests, count)
    rows = []
    for place, request in enumerate(requests, 1):
        item = cast("DmaTransaction | None", core.objects.get(request.transaction))
        who = f"a driver's call to {_name_handle(request.adapter)}"
        if item is not None:
            who = f"{name_object(item)} of {name_object(item.enabler)}"
        registers = "1 register" if request.registers == 1 else f"{request.registers} registers"
        rows.append(", ".join(part for part in (f"{place}. {who}", registers, more) if part))
    return rows


def _list_queues(core: Core, item: DmaEnabler) -> list[str]:
    """Who waits for the channel of an enabler and who has it; a duplex one has a channel for each direction."""
    rows: list[str] = []
    before = NULL
    for direction in (Direction.READ, Direction.WRITE):
        adapter = lib.wdfdma_enabler_get_adapter(item._handle, direction)
        queue = _list_waiters(core, lib.wdfdma_adapter_copy_waiters, adapter)
        if queue and adapter != before:
            rows.append(
                f"{name_object(item)}, {direction.label}: {_describe_owner(item, direction)}"
            )
            rows += queue
        before = adapter
    return rows


def _describe_owner(item: DmaEnabler, direction: Direction) -> str:
    info = item.get_info(direction)
    if info.channel_owner is not None:
        return f"{name_object(info.channel_owner)} has the channel"
    return f"{'a driver' if info.channel_owned else 'nobody'} has the channel"
