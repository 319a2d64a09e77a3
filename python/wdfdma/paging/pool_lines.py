"""The pool on the page of a violation: what is free, who holds which run, who waits for what, in order."""

from collections.abc import Iterable

from wdfdma._core import Core
from wdfdma.circumstances import count
from wdfdma.explain import wrap
from wdfdma.views import AdapterView, EnablerView, RequestView, RunView, World, read_world

_MOST = 32


def describe_pool(core: Core, title: str = "The pool") -> list[str]:
    """The lines about the pool as it is, of any machine of C's; the first has the [title] and no indent.

    >>> from wdfdma import Machine
    >>> with Machine(map_registers=8) as machine:
    ...     print(describe_pool(machine._core)[0])
    The pool: 8 of 8 registers free
    """
    world = read_world(core.get_machine())
    registers = world.state["map_registers"]
    lines = [f"{title}: {world.state['free_registers']} of {registers} registers free"]
    lines += wrap(_join(_list_free(world.runs, registers)) or "none", "free")
    held = [
        f"{_name_run(run.first, run.length)}: {_describe_holder(world, run)}" for run in world.runs
    ]
    lines += _label(held or ["none"], "held")
    waiters = _list_waiters(world, world.queue, "has its channel meanwhile")
    lines += _label(waiters or ["nobody"], "waiting")
    queues = [row for item in world.enablers.values() for row in _list_queues(world, item)]
    return [*lines, *_label(queues or ["nobody waits for one"], "channels")]


def _label(rows: list[str], label: str) -> list[str]:
    """Rows with one label in front of the first; not more of them than one reads."""
    shown = rows if len(rows) <= _MOST else [*rows[:_MOST], f"... and {len(rows) - _MOST} more"]
    return [line for at, row in enumerate(shown) for line in wrap(row, " " if at else label)]


def _join(runs: list[tuple[int, int]]) -> str:
    """Runs as one writes them."""
    names = [_name_run(*run) for run in runs]
    more = [f"... and {len(names) - _MOST} more runs"] if len(names) > _MOST else []
    return ", ".join([*names[:_MOST], *more])


def _name_run(first: int, length: int) -> str:
    return f"{first}" if length == 1 else f"{first}..{first + length - 1}"


def _list_free(held: Iterable[RunView], registers: int) -> list[tuple[int, int]]:
    """What lies between the runs that are held, which come lowest first: first register and length."""
    free, after = [], 0
    for first, length in [*((run.first, run.length) for run in held), (registers, 0)]:
        if first > after:
            free.append((after, first - after))
        after = first + length
    return free


def _describe_holder(world: World, run: RunView) -> str:
    item = world.transactions.get(run.handle)
    if item is None:
        return f"{run.holder}, for no transaction"
    reserved = f", {item.info['reserved']} reserved" if item.info["reserved"] else ""
    return f"{item.name} of {item.owner}, {item.info['state'].label}{reserved}"


def _list_waiters(world: World, queue: Iterable[RequestView], more: str = "") -> list[str]:
    """The requests of a queue, in their order."""
    rows = []
    for place, request in enumerate(queue, 1):
        item = world.transactions.get(request.handle)
        who = request.name if item is None else f"{item.name} of {item.owner}"
        parts = (f"{place}. {who}", count(request.registers, "register"), more)
        rows.append(", ".join(part for part in parts if part))
    return rows


def _list_queues(world: World, item: EnablerView) -> list[str]:
    """Who waits for the channel of an enabler and who has it; a duplex one has a channel for each direction."""
    by_name = {adapter.name: adapter for adapter in world.adapters.values()}
    rows: list[str] = []
    before: AdapterView | None = None
    for direction, name in item.adapters.items():
        adapter = by_name.get(name)
        if adapter is not None and adapter.waiters and adapter is not before:
            owner = "nobody" if adapter.channel_owner == "none" else adapter.channel_owner
            rows.append(f"{item.name}, {direction}: {owner} has the channel")
            rows += _list_waiters(world, adapter.waiters)
        before = adapter
    return rows
