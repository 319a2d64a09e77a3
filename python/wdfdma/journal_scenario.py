"""The scenario of a journal: its enablers, buffers and transactions, its calls, and reactions for its callbacks.

A callback is a reaction of the transaction's, and all that one outermost call led to are given before it, in the order
in which they began: that is the order in which the script takes them.
"""

from collections.abc import Callable
from typing import Any

from wdfdma.enums import Direction, Event, Irql, ObjectType, Op
from wdfdma.journal import Call, Callback, Journal, Mark
from wdfdma.journal_faults import PlanEvent, place_faults
from wdfdma.journal_world import EARLIER, NO_LIMIT, Step, WorldReader
from wdfdma.operations import OPERATIONS, Operand, OperandKind
from wdfdma.problems import Problem, ScenarioError
from wdfdma.scenario import Scenario

_BY_NUMBER = {operation.number: operation for operation in OPERATIONS.values()}
_OBJECTS = (OperandKind.TRANSACTION, OperandKind.ENABLER)


def make_journal(calls: list[Call], where: str) -> Journal:
    """The journal of its outermost calls. Errors: ScenarioError where it does not begin with a machine."""
    if not calls or calls[0].kind != Mark.MACHINE:
        raise ScenarioError([Problem("", "a journal without its machine")], where)
    reader = JournalReader()
    source = reader.read(calls)
    return Journal(Scenario.parse(source, where), reader.omitted, _is_whole(calls))


def _is_whole(calls: list[Call]) -> bool:
    last = calls[-1].callbacks
    return not last or (last[-1].has_left and _is_whole_within(last[-1]))


def _is_whole_within(callback: Callback) -> bool:
    return not callback.calls or _is_whole(callback.calls)


class JournalReader(WorldReader):
    """Makes a scenario of calls."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting: dict[int, list[Step]] = {}  # reactions of transactions that are not made yet

    def read(self, calls: list[Call]) -> dict[str, Any]:
        """The scenario as JSON has it."""
        machine = self._read_machine(calls[0].values)
        steps: list[Step] = []
        events: list[PlanEvent] = []
        for call in calls[1:]:
            if call.kind in (Mark.FAULT, Mark.FAULTS_CLEARED):
                values = call.values if call.kind == Mark.FAULT else None
                events.append(PlanEvent(len(steps), values))
                continue
            body = self._read_call(call)
            steps += self._take_reactions(call, body)
            steps += body
        source = self._write(machine, steps)
        if events:
            source["faults"], omitted = place_faults(source, events)
            self.omitted += omitted
        return source

    def _write(self, machine: dict[str, Any], steps: list[Step]) -> dict[str, Any]:
        return {
            "format": "wdfdma-scenario/1",
            "machine": machine,
            "enablers": self.enablers,
            "buffers": [[_make_part(part) for part in buffer] for buffer in self.buffers],
            "steps": steps,
        }

    def _read_machine(self, values: tuple[int, ...]) -> dict[str, Any]:
        registers, most, bits, forces, verifier, depth = values
        settings = {
            "map_registers": registers,
            "physical_address_bits": bits,
            "force_map_registers": bool(forces),
            "verifier": bool(verifier),
            "maximum_depth": depth,
        }
        return (
            settings
            if most in (registers, NO_LIMIT)
            else settings | {"registers_per_adapter": most}
        )

    # ---- Reactions ----

    def _take_reactions(self, call: Call, body: list[Step]) -> list[Step]:
        """The reactions of all callbacks of an outermost call; of transactions that it makes they stand in its body."""
        inner = {step["transaction"] for step in _walk(body) if step["op"] == "create"}
        found: list[tuple[int, Step]] = []
        self._list_reactions(call, found)
        inner |= {
            step["transaction"] for _, on in found for step in on["do"] if step["op"] == "create"
        }
        for label, on in found:
            if label in inner:
                self._waiting.setdefault(label, []).append(on)
        for steps in (body, *(on["do"] for _, on in found)):
            self._place_waiting(steps)
        return [on for label, on in found if label not in inner]

    def _place_waiting(self, steps: list[Step]) -> None:
        for at in reversed(range(len(steps))):
            if steps[at]["op"] == "create":
                steps[at + 1 : at + 1] = self._waiting.pop(steps[at]["transaction"], [])

    def _list_reactions(self, call: Call, found: list[tuple[int, Step]]) -> None:
        for callback in call.callbacks:
            do = [step for inner in callback.calls for step in self._read_call(inner)]
            on = {"op": "on", "transaction": callback.label, "event": callback.event.label}
            found.append((callback.label, on | {"returns": callback.returns, "do": do}))
            for inner in callback.calls:
                self._list_reactions(inner, found)

    # ---- Calls ----

    def _read_call(self, call: Call) -> list[Step]:
        """The steps of a call, without its callbacks."""
        if call.made is not None:
            kind, label, handle = call.made
            self._made[handle] = (kind, label)
        special: dict[int, Callable[[Call], list[Step]]] = {
            Mark.ENABLER: self._read_enabler,
            Mark.CHANNEL: self._read_channel,
            Mark.ELEMENTS: self._read_elements,
            Mark.WRONG: self._read_wrong,
            Mark.REFERENCE: self._read_reference,
            Op.CREATE: self._read_create,
            Op.DELETE: self._read_delete,
            Op.INITIALIZE: self._read_initialize,
            Op.INITIALIZE_USING_REQUEST: self._read_using_request,
            Op.ALLOCATE_RESOURCES: self._read_allocate,
            Op.REQUEST_CREATE: self._read_request,
            Op.REQUEST_COMPLETE: self._read_complete,
            Op.MDL_READ: self._read_touch,
            Op.MDL_WRITE: self._read_touch,
            Op.FREE_MDL: self._read_free,
            Op.REMOVE_DEVICE: self._read_remove,
        }
        reader = special.get(call.kind)
        if reader is not None:
            return reader(call)
        if call.kind == Mark.OTHER or call.kind not in _BY_NUMBER:
            return self._omit(call, "no scenario has it")
        return self._read_plain(call)

    def _read_plain(self, call: Call) -> list[Step]:
        """A call whose values are its operands."""
        operation = _BY_NUMBER[call.kind]
        step: Step = {"op": operation.name}
        for operand, value in zip(operation.operands, call.values, strict=False):
            if operand.kind in _OBJECTS:
                step[operand.name] = self._made.get(value, (ObjectType.NONE, 0))[1]
            else:
                translated = _translate(operand, value)
                if translated is None:
                    return self._omit(call, f"{operand.name} {value}")
                step[operand.name] = translated
        return [step]

    def _read_create(self, call: Call) -> list[Step]:
        label = call.values[1]
        if call.values[0] not in self._made:
            return self._omit(call, EARLIER)
        self._created.append(label)
        return [{"op": "create", "transaction": label, "enabler": self._label(call.values[0])}]

    def _read_delete(self, call: Call) -> list[Step]:
        kind, label = call.values[1], self._label(call.values[0])
        if kind == ObjectType.TRANSACTION:
            return [{"op": "object_delete", "transaction": label}]
        if kind == ObjectType.ENABLER:
            return [{"op": "delete_enabler", "enabler": label}]
        return self._omit(call, f"of a {ObjectType(kind).label}")

    def _read_reference(self, call: Call) -> list[Step]:
        kind, label = self._made.get(call.values[0], (ObjectType.NONE, 0))
        if kind != ObjectType.TRANSACTION:
            return self._omit(call, f"of a {kind.label}")
        op = "object_reference" if call.values[1] else "object_dereference"
        return [{"op": op, "transaction": label}]

    def _read_initialize(self, call: Call) -> list[Step]:
        handle, offset, length, direction, has_callback = call.values
        step = {"op": "initialize", "transaction": self._label(handle), "buffer": 0}
        if not call.parts and not self.buffers:
            return self._omit(call, "without a buffer")
        wrong = [] if call.parts else [_pass_wrong(self._label(handle), "null_mdl")]
        if call.parts:
            step["buffer"] = self._find_buffer(call.parts)
        wrong += [] if has_callback else [_pass_wrong(self._label(handle), "null_callback")]
        if direction > 1 or max(offset, length) > NO_LIMIT:
            return self._omit(call, "operands out of range")
        place = {"offset": offset, "length": length, "direction": Direction(direction).label}
        return [*wrong, step | place]

    def _read_using_request(self, call: Call) -> list[Step]:
        handle, request, direction, has_callback = call.values
        if self._made.get(request, (0, 0))[0] != ObjectType.REQUEST or direction > 1:
            return self._omit(call, "a request that was not made here")
        label = self._label(handle)
        wrong = [] if has_callback else [_pass_wrong(label, "null_callback")]
        step = {"op": "initialize_using_request", "transaction": label}
        step |= {"request": self._label(request), "direction": Direction(direction).label}
        return [*wrong, step]

    def _read_allocate(self, call: Call) -> list[Step]:
        handle, direction, registers, has_callback = call.values
        if direction > 1:
            return self._omit(call, f"direction {direction}")
        label = self._label(handle)
        wrong = [] if has_callback else [_pass_wrong(label, "null_callback")]
        step = {"op": "allocate_resources", "transaction": label}
        return [
            *wrong,
            step | {"direction": Direction(direction).label, "map_registers": registers},
        ]

    def _read_wrong(self, call: Call) -> list[Step]:
        """A call with a handle that is stale, NULL, another object's, or that never was one."""
        op, handle = call.values
        operation = _BY_NUMBER.get(Op.OBJECT_DELETE if op == Op.OBJECT_CALL else op)
        if operation is None or operation.operands[0].kind != OperandKind.TRANSACTION:
            return self._omit(call, "with a wrong handle")
        step: Step = {"op": operation.name}
        for operand in operation.operands[1:]:
            step[operand.name] = _translate(operand, 0)
        kind, label = self._made.get(handle, (ObjectType.NONE, 0))
        if kind == ObjectType.TRANSACTION:
            return [step | {"transaction": label}]
        if not self._created or ("buffer" in step and not self.buffers):
            return self._omit(call, "with a wrong handle, before any right one")
        argument = "null_handle" if handle == 0 else "other_handle" if kind else "forged_handle"
        label = self._created[-1]
        return [_pass_wrong(label, argument), step | {"transaction": label}]


def _pass_wrong(label: int, argument: str) -> Step:
    return {"op": "pass_wrong", "transaction": label, "argument": argument}


def _walk(steps: list[Step]) -> list[Step]:
    return [inner for step in steps for inner in (step, *_walk(step.get("do", [])))]


def _make_part(part: tuple[int, ...]) -> dict[str, Any]:
    _, offset, length, *pfns = part
    return {"offset": offset, "length": length, "pfns": pfns}


def _translate(operand: Operand, value: int) -> Any:
    """An operand as a scenario has it; None for one that it cannot have."""
    if value > operand.maximum:
        return None
    if operand.kind == OperandKind.BOOLEAN:
        return bool(value)
    if operand.kind == OperandKind.DIRECTION:
        return Direction(value).label
    if operand.kind == OperandKind.EVENT:
        return Event(value).label
    if operand.kind == OperandKind.IRQL:
        known = any(value == level for level in Irql)
        return Irql(value).label if known else None
    return value
