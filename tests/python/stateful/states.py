"""How a machine stands, in the words of `wdfdma.views`: by the library, and by the model.

Both are read whole: each transaction with all that a debugger shows of it, each adapter with its channel and its
queue, the line for map registers, and the runs that are held.
"""

from __future__ import annotations

from typing import Any

from model import Model, Transaction
from model.packet import PacketTransaction
from model.pool import Adapter, Request, Run
from model.scatter_gather import ScatterGatherTransaction
from wdfdma.views import World, read_world

State = dict[str, Any]

_PLACES = ("pool", "channel")  # where a request waits, as `Waiting` calls it


def read_library(machine: Any) -> State:
    """How a machine of C's stands."""
    world = read_world(machine)
    return {
        "free_registers": world.state["free_registers"],
        "runs": [(run.first, run.length) for run in world.runs],
        "queue": [(_get_number(waiter.name), waiter.registers) for waiter in world.queue],
        "adapters": [_show_adapter(world, handle) for handle in world.adapters],
        "transactions": {
            _get_number(child.name): {
                **{name: value for name, value in child.info.items() if name != "label"},
                **{name: child.info[name].label for name in ("state", "direction", "waiting")},
            }
            for child in world.transactions.values()
        },
    }


def _get_number(name: str) -> int | None:
    """Whose a request is: None once its transaction is deleted."""
    kind, _, number = name.partition(" ")
    return int(number) if kind == "transaction" else None


def _show_adapter(world: World, handle: int) -> State:
    adapter = world.adapters[handle]
    return {
        "channel": _get_number(adapter.channel_owner),
        "owned": adapter.info["channel_owned"],
        "waiters": [(_get_number(waiter.name), waiter.registers) for waiter in adapter.waiters],
        "transferring": adapter.info["transferring"],
        "map_registers": adapter.info["map_registers"],
        "needs_map_registers": adapter.info["needs_map_registers"],
    }


def read_model(model: Model) -> State:
    """How the model stands."""
    waiting = _find_waiting(model)
    return {
        "free_registers": model.pool.free(),
        "runs": sorted((run.first, run.count) for run in model.pool.held),
        "queue": [_show_request(request) for request in model.pool.waiting],
        "adapters": [_show_model_adapter(adapter) for adapter in model.adapters()],
        "transactions": {
            number: _show_transaction(item, waiting.get(number, []))
            for number, item in model.transactions.items()
        },
    }


def _find_waiting(model: Model) -> dict[int | None, list[tuple[int, str, int]]]:
    """The requests of each transaction that wait: since when, where, and for how many registers."""
    found: dict[int | None, list[tuple[int, str, int]]] = {}
    queues = (model.pool.waiting, *(adapter.queue for adapter in model.adapters()))
    for place, queue in enumerate(queues):
        for request in queue:
            where = _PLACES[min(place, 1)]
            found.setdefault(_get_owner(request), []).append(
                (request.arrival, where, request.count)
            )
    return found


def _show_request(request: Request) -> tuple[int | None, int]:
    return _get_owner(request), request.count


def _get_owner(request: Request) -> int | None:
    assert isinstance(request.owner, Transaction)
    return None if request.owner.deleted else request.owner.number


def _show_model_adapter(adapter: Adapter) -> State:
    return {
        "channel": adapter.channel and _get_owner(adapter.channel),
        "owned": adapter.channel is not None,
        "waiters": [_show_request(request) for request in adapter.queue],
        "transferring": adapter.running is not None,
        "map_registers": adapter.map_registers,
        "needs_map_registers": adapter.needs_registers,
    }


def _show_transaction(item: Transaction, waiting: list[tuple[int, str, int]]) -> State:
    run, holds_base, bounces = _find_held(item)
    _, where, asked = min(waiting, default=(0, "not", 0))
    return {
        "state": item.state,
        "direction": item.direction,
        "waiting": where,
        "length": item.length,
        "bytes_transferred": item.transferred,
        "transfer_length": item.fragment,
        "remaining": item.remaining,
        "maximum_fragment": item.maximum_fragment,
        "reserved": item.reserved,
        "first_register": run.first if run and run.count else None,
        "registers": asked or (run.count if run else 0),
        "device_address_offset": getattr(item, "device_address_offset", 0),
        "holds_base": holds_base,
        "bounces": bounces,
        "immediate_execution": item.immediate,
        "single_transfer": item.single,
        "stopped": getattr(item, "stopped", False),
    }


def _find_held(item: Transaction) -> tuple[Run | None, bool, bool]:
    """The registers that it holds, whether that is a base or a list, and whether its bytes go through them."""
    if isinstance(item, ScatterGatherTransaction):
        run = item.list.run if item.list else None
        return run, item.list is not None, item.list is not None and bool(item.bounces)
    assert isinstance(item, PacketTransaction)
    return item.run, item.run is not None, item.is_mapped and bool(item.bounces)
