"""The parts of a dump: what is said of a machine, its adapters and map registers, its enablers, who waits for whom."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from wdfdma._native import ffi
from wdfdma.dumping.scene import Scene, Section
from wdfdma.enums import Irql
from wdfdma.views import AdapterView, ChildView, EnablerView, RunView, World
from wdfdma.waits import Verdict, Wait, judge_machine

_SHOWN = 12  # names in a row


def show_all(scene: Scene) -> list[Section]:
    """The parts of a machine's dump."""
    world = scene.world
    adapters = [_show_adapter(scene, adapter) for adapter in world.adapters.values()]
    return [
        _show_machine(scene),
        Section("DMA adapters", lines=[] if adapters else ["none"], parts=adapters),
        Section("Map registers", lines=list(_list_registers(world))),
        *(show_enabler(scene, enabler) for enabler in world.enablers.values()),
        Section("Wait-for graph", lines=_list_waits(scene)),
    ]


def _show_machine(scene: Scene) -> Section:
    world = scene.world
    state = world.state
    total, free = state["map_registers"], state["free_registers"]
    fields = [
        ("Map registers", f"{total - free} held, {free} free, {total} in the pool"),
        ("Most ever held", str(total - state["least_free_registers"])),
        ("Mappings", f"{state['mappings']} live"),
        ("Objects", ", ".join(f"{count} {kind}" for kind, count in world.objects.items())),
        ("IRQL", Irql(state["irql"]).name),
        ("Time", f"step {state['step']}, {state['time_ns']} ns"),
        ("Callbacks in progress", str(state["depth"])),
        ("Waits", _summarize(scene.waits)),
    ]
    if scene.halted:
        fields.insert(0, ("Halted", scene.halted))
        fields.append(("Note", "the machine has halted: nobody is served any more"))
    return Section("Machine", fields)


def _summarize(waits: list[Wait]) -> str:
    verdict = judge_machine(waits)
    if verdict is Verdict.NOBODY_WAITS:
        return str(verdict)
    return f"{len(waits)}; the worst is {verdict}"


def _show_adapter(scene: Scene, adapter: AdapterView) -> Section:
    info = adapter.info
    runs = scene.runs_by_adapter.get(adapter.handle, [])
    kind = "bus master" if info["master"] else "system DMA controller"
    gathers = "scatter-gather" if info["scatter_gather"] else "one element at a time"
    needs = "" if info["needs_map_registers"] else ", which it does not need"
    fields = [
        ("Device", f"{kind}, {gathers}, {info['address_width']} bits, version {info['version']}"),
        ("Maximum length", f"{info['maximum_length']} bytes"),
        (
            "Map registers",
            f"{info['registers_held']} allocated, {info['map_registers']} max{needs}",
        ),
        ("Scatter-gather lists", f"{info['lists_held']} held"),
        ("Common buffers", f"{info['common_buffers_held']} allocated"),
        ("Adapter channel", _describe_channel(adapter)),
        ("Waiting", _join([item.name for item in adapter.waiters]) or "nobody"),
    ]
    if info["transferring"]:
        fields.append(("Controller", "a transfer runs"))
    parts = [Section(f"Map register file: {_span(run)}", [("Holder", run.holder)]) for run in runs]
    title = f"{adapter.name.capitalize().replace(' ', ': ')}     Owner: {adapter.owner}"
    return Section(title, fields, parts=parts)


def _describe_channel(adapter: AdapterView) -> str:
    if not adapter.info["channel_owned"]:
        return "free"
    return f"owned by {adapter.channel_owner}"


def _span(run: RunView) -> str:
    last = run.first + run.length - 1
    return str(run.first) if run.length == 1 else f"{run.first}..{last}"


def _list_registers(world: World) -> Iterator[str]:
    """All registers of the pool, held and free, lowest first."""
    at = 0
    end = RunView(world.state["map_registers"], 0, 0, 0, "", False)
    for run in (*world.runs, end):
        if run.first > at:
            gap = RunView(at, run.first - at, 0, 0, "", False)
            yield f"{_span(gap)}: free"
        if run.length:
            yield f"{_span(run)}: {run.holder}"
        at = run.first + run.length
    if at == 0:
        yield "none"


def show_enabler(scene: Scene, enabler: EnablerView) -> Section:
    """An enabler, its transactions and its common buffers."""
    info = enabler.info["read"]
    profile = ffi.string(ffi.cast("WDF_DMA_PROFILE", int(info["profile"])))
    fields = [
        ("Profile", str(profile)),
        ("DMA version", str(info["version"])),
        ("Maximum length", f"{info['maximum_length']} bytes"),
    ]
    for direction in _list_directions(enabler):
        name = f"Adapter ({direction})" if direction else "Adapter"
        fields.append((name, _describe_adapter(enabler, direction or "read")))
    parts = [
        *(
            show_transaction(scene, item)
            for item in scene.transactions_by_enabler.get(enabler.handle, ())
        ),
        *(_show_buffer(item) for item in scene.buffers_by_enabler.get(enabler.handle, ())),
    ]
    number = enabler.name.rpartition(" ")[2]
    return Section(f"WDFDMAENABLER: {number}     Owner: {enabler.owner}", fields, parts=parts)


def _list_directions(enabler: EnablerView) -> tuple[str, ...]:
    """Both directions where each has its adapter; otherwise nothing that tells them apart."""
    return ("",) if len(set(enabler.adapters.values())) == 1 else tuple(enabler.adapters)


def _describe_adapter(enabler: EnablerView, direction: str) -> str:
    info = enabler.info[direction]
    if not info["configured"]:
        return "not configured"
    return (
        f"{enabler.adapters[direction]}, fragment length {info['fragment_length']} bytes, "
        f"{info['map_registers']} map registers"
    )


def _show_buffer(item: ChildView) -> Section:
    fields = [
        ("Length", f"{item.info['length']} bytes"),
        ("Logical address", f"0x{item.info['logical']:X}"),
    ]
    return Section(f"WDFCOMMONBUFFER: {item.name.rpartition(' ')[2]}", fields)


def show_transaction(scene: Scene, item: ChildView) -> Section:
    """A transaction, what it waits for and who waits for it."""
    info = item.info
    held = scene.runs_by_holder.get(item.handle, [])
    settings = [
        name.replace("_", " ")
        for name in ("immediate_execution", "single_transfer", "stopped", "bounces")
        if info[name]
    ]
    offset = info["device_address_offset"]
    fields = [
        ("Enabler", item.owner),
        ("State", info["state"].label),
        ("Direction", info["direction"].label),
        ("Length", f"{info['length']} bytes, {info['bytes_transferred']} transferred"),
        (
            "Current transfer",
            f"{info['transfer_length']} bytes, {info['remaining']} not mapped yet",
        ),
        ("Maximum fragment", f"{info['maximum_fragment']} bytes"),
        ("Map register base", ", ".join(_span(run) for run in held) or _describe_base(info)),
        ("Reserved", f"{info['reserved']} map registers" if info["reserved"] else "nothing"),
        *([("Device address offset", f"{offset} bytes")] if offset else []),
        ("Settings", ", ".join(settings) or "none"),
        *(("Waits", _without_name(wait)) for wait in scene.own_waits.get(item.name, ())),
        ("Waited for by", _join_waiting_for(scene, item) or str(Verdict.NOBODY_WAITS)),
    ]
    return Section(f"WDFDMATRANSACTION: {item.name.rpartition(' ')[2]}", fields)


def _describe_base(info: dict[str, Any]) -> str:
    return "NULL, which is granted" if info["holds_base"] else "none"


def _without_name(wait: Wait) -> str:
    return str(wait).removeprefix(f"{wait.transaction} waits ")


def _join_waiting_for(scene: Scene, item: ChildView) -> str:
    """Whose way it is in: as a holder, or before them in a queue.

    Where there is but one row of them, none of whom stands twice in it, no more of it is read than is shown.
    """
    rows = scene.waiters_by_holder.get(item.name, [])
    own = scene.own_waits.get(item.name, [])
    if not rows and len(own) == 1 and id(own[0].line) not in scene.lines_with_doubles:
        after = own[0].position + 1
        return _join(own[0].line[after : after + _SHOWN], len(own[0].line) - after)
    if len(rows) == 1 and not own:
        return _join(list(islice(rows[0], _SHOWN)), len(rows[0]))
    found = [name for row in rows for name in row]
    for wait in own:
        found.extend(wait.line[wait.position + 1 :])
    return _join(list(dict.fromkeys(found)))


def _list_waits(scene: Scene) -> list[str]:
    if not scene.waits:
        return [str(Verdict.NOBODY_WAITS)]
    lines = []
    for wait in scene.waits:
        lines.append(str(wait))
        if wait.position:
            before = wait.line[: min(wait.position, _SHOWN)]
            lines.append(f"   behind: {_join(before, wait.position)}")
        for name in wait.holders[:_SHOWN]:
            lines.append(f"   held by: {_describe_holder(scene, name)}")
        if len(wait.holders) > _SHOWN:
            lines.append(f"   held by: {len(wait.holders) - _SHOWN} more")
    return lines


def _join(names: Sequence[str], count: int | None = None) -> str:
    """Names in a line, as many as one likes to read, the first of [count]."""
    count = len(names) if count is None else count
    more = f" and {count - _SHOWN} more" if count > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _describe_holder(scene: Scene, name: str) -> str:
    """A holder's name, and what it does: a reservation stays until it is freed, whatever else ends."""
    found = scene.transactions_by_name.get(name)
    if found is None:
        return name
    info = found.info
    kept = f", and reserved {info['reserved']}" if info["reserved"] and info["holds_base"] else ""
    return f"{name}, in state {info['state'].label}{kept}"
