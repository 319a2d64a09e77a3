"""Dumps: what a debugger would show of a machine, an enabler, a transaction.

They are in the shape of the debugger's extensions: the machine of `!dma` (adapters with their map registers; its page
shows the layout), an enabler of `!wdfkd.wdfdmaenabler` (with its transactions and common buffers), a transaction of
`!wdfkd.wdfdmatransaction`; of the latter two only what they show is documented, not how. Where those print addresses,
these print names, as logs have them: two runs of a scenario give the same dump. Then comes what no debugger has: who
waits for whom, each wait with its verdict (`Verdict`).
"""

from collections.abc import Iterator
from dataclasses import asdict, is_dataclass
from typing import Any

from wdfdma._core import Core
from wdfdma._native import lib
from wdfdma.dumping.parts import show_all, show_enabler, show_transaction
from wdfdma.dumping.scene import Scene, Section
from wdfdma.enums import Constant
from wdfdma.views import read_world, to_number
from wdfdma.waits import FEW, Wait, judge_machine, judge_waits


def dump_machine(core: Core, html: bool = False, title: str = "") -> str:
    """All of a machine, halted or not, as text or as a page of HTML. Errors: ClosedError."""
    return _render(show_all(read_scene(core)), html, title or "Dump of a machine")


def dump_enabler(core: Core, handle: Any, html: bool = False) -> str:
    """An enabler with its transactions and common buffers; the handle is a live one's."""
    scene = read_scene(core)
    enabler = scene.world.enablers[to_number(handle)]
    return _render([show_enabler(scene, enabler)], html, f"Dump of {enabler.name}")


def dump_transaction(core: Core, handle: Any, html: bool = False) -> str:
    """A transaction, what it waits for and who waits for it; the handle is a live one's."""
    scene = read_scene(core)
    item = scene.world.transactions[to_number(handle)]
    return _render([show_transaction(scene, item)], html, f"Dump of {item.name}")


def make_document(core: Core) -> dict[str, Any]:
    """What a machine's dump says, for JSON: objects by their names."""
    scene = read_scene(core)
    world = scene.world
    return {
        "machine": _simplify(world.state),
        "objects": world.objects,
        "halted": scene.halted or None,
        "adapters": [_simplify(item) for item in world.adapters.values()],
        "map_registers": [_simplify(item) for item in world.runs],
        "enablers": [_simplify(item) for item in world.enablers.values()],
        "transactions": [_simplify(item) for item in world.transactions.values()],
        "common_buffers": [_simplify(item) for item in world.buffers.values()],
        "verdict": judge_machine(scene.waits).value,
        "waits": [_show_wait(wait) for wait in scene.waits],
    }


def _show_wait(wait: Wait) -> dict[str, Any]:
    """In JSON, those before it and those who hold are counted, and of each the first few named."""
    return {
        "transaction": wait.transaction,
        "waiting": wait.waiting.label,
        "adapter": wait.adapter,
        "registers": wait.registers,
        "position": wait.position,
        "behind": list(wait.line[: min(wait.position, FEW)]),
        "behind_count": wait.position,
        "holders": list(wait.holders[:FEW]),
        "holder_count": len(wait.holders),
        "verdict": wait.verdict.value,
        "reason": wait.reason,
    }


def render_text(sections: list[Section]) -> str:
    """The sections as lines, each level further in."""
    lines: list[str] = []
    for section in sections:
        lines.extend([*_render_lines(section, ""), ""])
    return "\n".join(lines)


def _render(sections: list[Section], html: bool, title: str) -> str:
    if not html:
        return render_text(sections)
    from wdfdma.dumping.html_page import render_html

    return render_html(sections, title)


def _render_lines(section: Section, margin: str) -> Iterator[str]:
    yield f"{margin}{section.title}"
    inner = f"{margin}   "
    width = max((len(name) for name, _ in section.fields), default=0) + 2
    for name, value in section.fields:
        yield f"{inner}{name + ':':<{width}}{value}"
    for line in section.lines:
        yield f"{inner}{line}"
    for part in section.parts:
        yield from _render_lines(part, inner)


def read_scene(core: Core) -> Scene:
    """Reads a machine and judges its waits. Errors: ClosedError."""
    machine = core.get_machine()
    world = read_world(machine)
    halted = core.make_bugcheck().summary if world.state["halted"] else ""
    waits = judge_waits(world)
    own: dict[str, list[Wait]] = {}
    for wait in waits:
        own.setdefault(wait.transaction, []).append(wait)
    return Scene(world, waits, own, halted)


_HANDLES = frozenset(("handle", "adapter", "enabler", "channel_handle"))


def _simplify(value: Any) -> Any:
    """Dataclasses and constants as JSON has them; handles are left out, for the names beside them."""
    if is_dataclass(value) and not isinstance(value, type):
        made = asdict(value)
        return {name: _simplify(item) for name, item in made.items() if not _is_handle(name, item)}
    if isinstance(value, Constant):
        return value.label
    if isinstance(value, dict):
        return {name: _simplify(item) for name, item in value.items() if not _is_handle(name, item)}
    if isinstance(value, tuple | list):
        return [_simplify(item) for item in value]
    return value


def _is_handle(name: str, value: Any) -> bool:
    return name in _HANDLES and isinstance(value, int)


def make_core(machine: Any) -> Core:
    """What the functions above ask for, of a machine that Python did not make; the caller keeps that."""
    core = Core()
    core.machine = machine
    core.halted = bool(lib.wdfdma_machine_get_state(machine).halted)
    return core
