"""Broken rules and bug checks as JSON has them: docs/json.md. Handles are as logs have them, so that runs compare."""

from dataclasses import asdict, replace
from typing import Any, TypeVar

from wdfdma._native import NULL, lib
from wdfdma.circumstances import Frame, NamedObject, ObjectState
from wdfdma.enums import ObjectType, Rule, TransactionState
from wdfdma.errors import BugCheck, read_bugcheck
from wdfdma.rules import Violation, get_rule_info, read_violations

_Named = TypeVar("_Named", Frame, NamedObject)


def copy_violations(machine: Any) -> list[Violation]:
    """The violations of a machine of C's that is about to go: without what tells it from others."""
    return [
        replace(
            item,
            parameters=_localize(machine, item.parameters),
            handle=lib.wdfdma_machine_localize(machine, item.handle),
            frames=_localize_handles(machine, item.frames),
            others=_localize_handles(machine, item.others),
        )
        for item in read_violations(machine)
    ]


def copy_bugcheck(machine: Any) -> BugCheck | None:
    """Why a machine of C's that is about to go halted, in the same way; None where it did not."""
    if lib.wdfdma_machine_get_bugcheck(machine) == NULL:
        return None
    error = read_bugcheck(machine)
    error.parameters = _localize(machine, error.parameters)
    error.handle = lib.wdfdma_machine_localize(machine, error.handle)
    error.frames = _localize_handles(machine, error.frames)
    error.others = _localize_handles(machine, error.others)
    return error


def _localize(machine: Any, numbers: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(lib.wdfdma_machine_localize(machine, number) for number in numbers)


def _localize_handles(machine: Any, items: tuple[_Named, ...]) -> tuple[_Named, ...]:
    return tuple(
        item._replace(handle=lib.wdfdma_machine_localize(machine, item.handle)) for item in items
    )


def make_record_entry(record: Violation | BugCheck, log_index: int) -> dict[str, Any]:
    """A record for JSON; [log_index] is how many records of the log, as JSON has it, come before it."""
    info = get_rule_info(record.rule) if record.rule != Rule.NONE else None
    entry: dict[str, Any] = {
        "rule": None if info is None else info.name,
        "severity": None if info is None else info.severity.label,
        "code": record.code.name,
        "parameters": list(record.parameters),
        "step": record.step,
        "time_ns": record.time_ns,
        "op": record.op.label if record.op else None,
        "routine": record.routine or None,
        "object": _make_object(record),
        "others": [_make_name(item) for item in record.others],
        "depth": record.depth,
        "callbacks": [_make_frame(frame) for frame in record.frames],
        "log_index": log_index,
        "free_registers": record.moment.free_registers,
        "waiting_pool": record.moment.waiting_pool,
        "waiting_channel": record.moment.waiting_channel,
        "irql": record.moment.irql,
    }
    if isinstance(record, Violation):
        entry["stopped"] = record.stopped
    return entry


def _make_object(record: Violation | BugCheck) -> dict[str, Any] | None:
    if not record.object_type:
        return None
    return {
        "type": record.object_type.label,
        "label": record.label,
        "handle": record.handle,
        "created_step": record.created_step,
        "state": None if record.state is None else _make_state(record.state, record.object_type),
    }


def _make_state(state: ObjectState, kind: ObjectType) -> dict[str, Any]:
    entry = asdict(state) | {"waiting": state.waiting.label}
    if kind == ObjectType.TRANSACTION:
        entry["state"] = TransactionState(state.state).label
    return entry


def _make_frame(frame: Frame) -> dict[str, Any]:
    own = frame.event < lib.WDFDMA_EVENT_COUNT
    return {
        "event": frame.event.label if own else None,
    } | _make_name(frame)


def _make_name(item: Frame | NamedObject) -> dict[str, Any]:
    return {"type": item.object_type.label, "label": item.label, "handle": item.handle}
