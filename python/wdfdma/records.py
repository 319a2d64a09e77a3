"""Log records as a scenario shows them."""

import struct
from collections.abc import Callable
from typing import Any

from wdfdma._native import NULL, ffi, lib, read_string
from wdfdma.enums import (
    BugCheckCode,
    CompletionStatus,
    Direction,
    Event,
    ObjectType,
    Op,
    RecordKind,
    TransactionState,
    WdfViolation,
)
from wdfdma.operations import OPERATIONS, ResultKind
from wdfdma.status import Status

Record = dict[str, Any]


def _make_layout() -> struct.Struct:
    """The layout of wdfdma_log_record."""
    codes = {("u", 8): "Q", ("u", 4): "I", ("i", 4): "i", ("u", 2): "H"}
    record = ffi.typeof("wdfdma_log_record")
    form = "<"
    for _, field in record.fields:
        item, count = field.type, 1
        if item.kind == "array":
            item, count = item.item, item.length
        form += f"{count}{codes[item.cname[0], ffi.sizeof(item)]}"
    layout = struct.Struct(form)
    assert layout.size == ffi.sizeof(record)
    return layout


LAYOUT = _make_layout()
RECORD_BYTES = LAYOUT.size

_OP = int(RecordKind.OP)
_EVENT = int(RecordKind.EVENT)
_ELEMENT = int(RecordKind.ELEMENT)
_LEAVE = int(RecordKind.LEAVE)
_BREAK = int(RecordKind.BREAK)
_BUGCHECK = int(RecordKind.BUGCHECK)
_SNAPSHOT = int(RecordKind.SNAPSHOT)
_STATE = int(RecordKind.STATE)

_STATUS = int(ResultKind.STATUS)
_NUMBER = int(ResultKind.NUMBER)
_BOOLEAN = int(ResultKind.BOOLEAN)
_TWO_NUMBERS = int(ResultKind.TWO_NUMBERS)
_DIRECTION = int(ResultKind.DIRECTION)
_ADDRESS = int(ResultKind.ADDRESS)

_OPS = {int(op): op.label for op in Op}
_EVENTS = {int(event): event.label for event in Event}
_STATES = {int(state): state.label for state in TransactionState}
_DIRECTIONS = {int(direction): direction.label for direction in Direction}
_COMPLETIONS = {int(status): status.label for status in CompletionStatus}
_STATUSES = {int(status): status.name for status in Status}
_RESULTS = {
    operation.number: (operation.results, operation.object_key) for operation in OPERATIONS.values()
}


def render_log(data: bytes) -> list[Record]:
    """The records in [data], the bytes of a log."""
    records: list[Record] = []
    elements: list[list[int]] = []
    states: dict[str, Record] = {}
    for _, v0, v1, v2, v3, v4, _, label, status, kind, code in LAYOUT.iter_unpack(data):
        if kind == _STATE:
            states[str(label)] = {
                "state": _STATES[code],
                "bytes_transferred": v0,
                "transfer_length": v1,
            }
        elif kind == _SNAPSHOT:
            states = {}
            records.append({"snapshot": {"free_registers": v0, "transactions": states}})
        elif kind == _OP:
            records.append(_render_op(code, label, status, v0, v1))
        elif kind == _EVENT:
            record = _EVENT_RENDERERS[code](label, v0, v1)
            elements = record.get("elements", elements)
            records.append(record)
        elif kind == _ELEMENT:
            elements.append([v0, v1])
        elif kind == _LEAVE:
            records.append({"event": "leave", "of": _EVENTS[code], "transaction": label})
        elif kind == _BREAK:
            records.append({"event": "break", "op": _OPS.get(code, "none")})
        elif kind == _BUGCHECK:
            records.append(render_bugcheck(status & 0xFFFFFFFF, (v0, v1, v2, v3), v4, code, label))
    return records


def _render_op(code: int, label: int, status: int, v0: int, v1: int) -> Record:
    name = _OPS.get(code, "none")
    known = _RESULTS.get(code)
    if known is None:
        return {"op": name, "object": label, "status": _name_status(status), "returns": v0}
    results, object_key = known
    record: Record = {"op": name, object_key: label} if object_key else {"op": name}
    if results & _DIRECTION:
        record["direction"] = _DIRECTIONS[v1]
    if results & _TWO_NUMBERS:
        record["map_registers"] = v0
        record["elements"] = v1
    elif results & _ADDRESS:
        record["address"] = v0
        record["length"] = v1
    elif results & _NUMBER:
        record["returns"] = v0
    elif results & _BOOLEAN:
        record["returns"] = v0 != 0
    if results & _STATUS:
        record["status"] = _name_status(status)
    return record


def _name_status(status: int) -> str:
    return _STATUSES.get(status) or Status(status).name


def _render_program_dma(label: int, v0: int, _v1: int) -> Record:
    return {
        "event": "program_dma",
        "transaction": label,
        "direction": _DIRECTIONS[v0],
        "elements": [],
    }


def _render_reserve_dma(label: int, _v0: int, _v1: int) -> Record:
    return {"event": "reserve_dma", "transaction": label}


def _render_configure(label: int, v0: int, v1: int) -> Record:
    return {"event": "configure_dma_channel", "transaction": label, "offset": v0, "length": v1}


def _render_complete(label: int, v0: int, v1: int) -> Record:
    return {
        "event": "dma_transfer_complete",
        "transaction": label,
        "direction": _DIRECTIONS[v0],
        "status": _COMPLETIONS[v1],
    }


_EVENT_RENDERERS: dict[int, Callable[[int, int, int], Record]] = {
    int(Event.PROGRAM_DMA): _render_program_dma,
    int(Event.RESERVE_DMA): _render_reserve_dma,
    int(Event.CONFIGURE_DMA_CHANNEL): _render_configure,
    int(Event.DMA_TRANSFER_COMPLETE): _render_complete,
}


def get_rule_name(rule: int) -> str:
    """The name of a rule of ours."""
    name = lib.wdfdma_rule_get_name(rule)
    return str(rule) if name == NULL else read_string(name)


def render_bugcheck(
    code: int, parameters: tuple[int, ...], rule: int, object_type: int, label: int
) -> Record:
    """The record of a bug check: handles by the labels of their objects."""
    shown: list[Any] = list(parameters)
    if rule:
        shown = [get_rule_name(rule)]
    elif code == BugCheckCode.WDF_VIOLATION and object_type:
        shown[1] = f"{ObjectType(object_type).label} {label}"
        if parameters[0] == WdfViolation.DMA_FATAL_ERROR:
            shown[2:] = [_STATES.get(parameters[2], parameters[2])]
    return {"event": "bugcheck", "code": BugCheckCode(code).name, "parameters": shown}


def format_record(record: Record) -> str:
    """A record in a line.

    >>> format_record({"op": "execute", "transaction": 0, "status": "STATUS_SUCCESS"})
    'execute: transaction 0, status STATUS_SUCCESS'
    """
    if "snapshot" in record:
        snapshot = record["snapshot"]
        states = (
            f"; transaction {number} {state['state']} {state['bytes_transferred']}+{state['transfer_length']}"
            for number, state in snapshot["transactions"].items()
        )
        return f"    {snapshot['free_registers']} registers free{''.join(states)}"
    head = record.get("event", record.get("op"))
    rest = [f"{key} {value}" for key, value in record.items() if value is not head]
    return f"{'* ' if 'event' in record else ''}{head}: {', '.join(rest)}"
