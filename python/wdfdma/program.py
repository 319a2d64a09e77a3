"""Scenarios as byte programs, which the C library runs in one call."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wdfdma.enums import AllocationAction, Argument, Direction, Event, Irql, Profile
from wdfdma.operations import OPERATIONS, OperandKind

if TYPE_CHECKING:
    from wdfdma.scenario import BufferPart, Enabler, MachineSettings, Scenario

# Where the operands of a program begin, with the place in the scenario that each comes from, and what stands there.
Marks = list[tuple[int, str, Any]]

_MAGIC = b"WDP\x01"
_PROFILES = {profile.label: int(profile) for profile in Profile}
_DIRECTIONS = {direction.label: int(direction) for direction in Direction}
_EVENTS = {event.label: int(event) for event in Event}
_ARGUMENTS = {argument.label: int(argument) for argument in Argument}
_ACTIONS = {action.label: int(action) - 1 for action in AllocationAction}
_IRQLS = {irql.label: int(irql) for irql in Irql}

_STEPS = int(OperandKind.STEPS)
_SIGNED = int(OperandKind.SIGNED)
_TRANSLATIONS = {
    int(OperandKind.DIRECTION): _DIRECTIONS,
    int(OperandKind.EVENT): _EVENTS,
    int(OperandKind.IRQL): _IRQLS,
    int(OperandKind.ARGUMENT): _ARGUMENTS,
    int(OperandKind.ACTION): _ACTIONS,
}

# For each operation: its byte, and for each operand the key, the kind, and what stands for a name.
_LAYOUTS = {
    name: (
        operation.number,
        [
            (operand.name, int(operand.kind), _TRANSLATIONS.get(int(operand.kind)))
            for operand in operation.operands
        ],
    )
    for name, operation in OPERATIONS.items()
}


def compile_scenario(scenario: "Scenario", marks: Marks | None = None) -> bytes:
    """The program of a scenario; [marks] receives where its operands lie."""
    out = bytearray(_MAGIC)
    _write_machine(out, scenario.machine)
    _write_number(out, len(scenario.enablers))
    for index, enabler in enumerate(scenario.enablers):
        _mark(marks, out, f"enablers[{index}]")
        _write_enabler(out, enabler)
    _write_number(out, len(scenario.buffers))
    for index, buffer in enumerate(scenario.buffers):
        _mark(marks, out, f"buffers[{index}]")
        _write_buffer(out, buffer)
    _write_steps(out, scenario.steps, "steps", marks)
    return bytes(out)


def find_place(scenario: "Scenario", offset: int) -> tuple[str, Any]:
    """The place in the scenario that the byte [offset] of its program comes from, and what stands there."""
    marks: Marks = [(0, "machine", None)]
    compile_scenario(scenario, marks)
    _, place, value = max((mark for mark in marks if mark[0] <= offset), key=lambda mark: mark[0])
    return place, value


def _mark(marks: Marks | None, out: bytearray, place: str) -> None:
    if marks is not None:
        marks.append((len(out), place, None))


def _write_number(out: bytearray, number: int) -> None:
    """LEB128, seven bits at a time, the lowest first."""
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)


def _write_machine(out: bytearray, machine: "MachineSettings") -> None:
    _write_number(out, machine.map_registers)
    _write_number(out, machine.granted_registers)
    _write_number(out, machine.physical_address_bits)
    out.append(machine.force_map_registers | machine.verifier << 1)


def _write_enabler(out: bytearray, enabler: "Enabler") -> None:
    out.append(_PROFILES[enabler.profile])
    _write_number(out, enabler.maximum_length)
    out.append(enabler.dma_version)
    out.append(enabler.address_width)
    elements = enabler.maximum_elements
    _write_number(out, 0 if elements is None else elements + 1)
    out.append(enabler.single_transfer | (not enabler.configured) << 1)


def _write_buffer(out: bytearray, buffer: "Sequence[BufferPart]") -> None:
    _write_number(out, len(buffer))
    for part in buffer:
        _write_number(out, part.offset)
        _write_number(out, part.length)
        for pfn in part.pfns:
            _write_number(out, pfn)


def _write_steps(out: bytearray, steps: Sequence[Any], place: str, marks: Marks | None) -> None:
    append = out.append
    for index, step in enumerate(steps):
        number, operands = _LAYOUTS[step.op]
        if marks is not None:
            marks.append((len(out), f"{place}[{index}]", step.op))
        append(number)
        for name, kind, numbers in operands:
            if marks is not None:
                marks.append((len(out), f"{place}[{index}].{name}", getattr(step, name)))
            value = getattr(step, name)
            if numbers is not None:
                append(numbers[value])
            elif kind == _STEPS:
                _write_nested(out, value, f"{place}[{index}].{name}", marks)
            else:
                if kind == _SIGNED:
                    value = 2 * value if value >= 0 else -2 * value - 1
                while value > 127:
                    append(value & 127 | 128)
                    value >>= 7
                append(value)


def _write_nested(out: bytearray, steps: Sequence[Any], place: str, marks: Marks | None) -> None:
    inner = bytearray()
    inner_marks: Marks | None = None if marks is None else []
    _write_steps(inner, steps, place, inner_marks)
    _write_number(out, len(inner))
    if marks is not None and inner_marks is not None:
        marks.extend((len(out) + offset, *mark) for offset, *mark in inner_marks)
    out += inner
