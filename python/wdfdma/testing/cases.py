"""Cases that a driver is put through, as bytes and in words, and what came of one."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from wdfdma._native import NULL, ffi, lib, read_string
from wdfdma.enums import ObjectType, Op
from wdfdma.journal import FIRST_FUNCTION
from wdfdma.rules import get_rule_info
from wdfdma.status import Status

_WORLD = 2**32 - 1
_LINE_BYTES = 256

FAILURES = (
    "none",
    "bug check",
    "violation",
    "leak",
    "never completed",
    "wrong data",
    "wrong information",
    "wrong status",
    "hardware",
    "livelock",
    "add device",
    "exception",
    "crash",
)
"""The kinds of failures, by the numbers of wdfdma_failure."""

EXCEPTION = FAILURES.index("exception")
CRASH = FAILURES.index("crash")

HANG = 2**32 - 1
"""The number of a crash that is none: the case was ended, since it took too long."""

_FIRST_EXIT_CODE = 1 << 16
_FUNCTIONS = ("add_device", "start_request", "cancel_request", "interrupt", "remove_device")

MOVES = (
    "start",
    "finish",
    "cancel",
    "interrupt",
    "take",
    "give",
    "power",
    "fault",
    "fast",
    "advance",
)
"""The kinds of moves, by the numbers of wdfdma_move: the rules of a case."""


def make_crash_number(code: int | None) -> int:
    """How a process ended, in the place of a rule: a signal's number, an exit code past those, or HANG for None."""
    if code is None:
        return HANG
    return -code if code < 0 else max(code, _FIRST_EXIT_CODE + (code & 0xFFFF))


def _name_crash(number: int, op: int) -> str:
    after = f" after {Op(op).label}" if op else ""
    if op >= FIRST_FUNCTION:
        after = f" in {_FUNCTIONS[op - FIRST_FUNCTION]}"
    if number == HANG:
        return f"hang{after}"
    if number >= _FIRST_EXIT_CODE:
        code = number - _FIRST_EXIT_CODE if number < 2 * _FIRST_EXIT_CODE else number
        return f"crash with exit code {code}{after}"
    try:
        return f"crash {signal.Signals(number).name}{after}"
    except ValueError:
        return f"crash by signal {number}{after}"


class Signature(NamedTuple):
    """What two failures have in common that are taken for the same bug: numbers of wdfdma_workload_result.

    A crash has how the process ended in the place of the rule (`make_crash_number`), and as its call the last one
    (`wdfdma.journal.find_last_call`).
    """

    failure: int
    rule: int
    object_type: int
    op: int

    def __str__(self) -> str:
        if self.failure == CRASH:
            return _name_crash(self.rule, self.op)
        parts = [FAILURES[self.failure]]
        if self.rule:
            parts.append(_name_rule(self.rule))
        if self.failure == EXCEPTION:
            return f"{parts[0]} #{self.op:08x}"
        if self.object_type:
            parts.append(ObjectType(self.object_type).name.lower())
        if self.op:
            parts.append(f"in {Op(self.op).name.lower()}")
        return " ".join(parts)

    @property
    def slug(self) -> str:
        """The signature as a part of a file's name."""
        text = "".join(char if char.isalnum() else "-" for char in str(self).lower())
        return "-".join(part for part in text.split("-") if part)


def _name_rule(rule: int) -> str:
    return get_rule_info(rule).name


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What came of a case. [move] is the move of the failure, an index; the number of moves: at the end.

    [expected] and [actual] belong to a failure of a request, [request] is the move that started it.
    """

    signature: Signature
    move: int
    moves: int
    request: int
    requests: int
    expected: int
    actual: int
    starts: int
    steps: int
    features: int
    detail: str = ""

    @property
    def has_failed(self) -> bool:
        """True where something is wrong with the driver."""
        return self.signature.failure != 0

    def __str__(self) -> str:
        if not self.has_failed:
            return "nothing is wrong"
        if self.signature.failure == CRASH:
            return str(self.signature)
        where = "at the end" if self.move >= self.moves else f"in move {self.move + 1}"
        return f"{self.signature}, {where}{_tell_numbers(self)}"


# What wdfdma_hardware_start answers, as what was wrong with the call; the device that leaves D0 says the same.
_MISUSES = {
    "STATUS_DEVICE_BUSY": "a channel was programmed while it was at work",
    "STATUS_DEVICE_NOT_READY": "it was at work or programmed without power",
    "STATUS_INVALID_PARAMETER": "it was programmed for no request that the driver has",
}


def _name_status(number: int) -> str:
    signed = (number & 0xFFFFFFFF) - (1 << 32 if number & 0x80000000 else 0)
    return Status(signed).name


def _tell_numbers(result: CaseResult) -> str:
    failure = FAILURES[result.signature.failure]
    status = _name_status(result.actual)
    if result.detail:
        return f": {result.detail}"
    if failure == "wrong information":
        return f": {result.actual} bytes, and not {result.expected}"
    if failure == "wrong data":
        return f": byte {result.actual} of {result.expected}"
    if failure == "hardware":
        return f": {_MISUSES.get(status, status)}"
    if failure in ("wrong status", "add device"):
        return f": {status}"
    return ""


def read_result(result: Any, detail: str = "") -> CaseResult:
    """A result of C's."""
    signature = Signature(result.failure, result.rule, result.object_type, result.op)
    return CaseResult(
        signature,
        result.move,
        result.moves,
        result.request,
        result.requests,
        result.expected,
        result.actual,
        result.starts,
        result.steps,
        result.features,
        detail,
    )


def write_result(result: CaseResult, out: Any) -> None:
    """The same for C."""
    for name, value in zip(("failure", "rule", "object_type", "op"), result.signature, strict=True):
        setattr(out, name, value)
    for name in ("move", "moves", "request", "requests", "expected", "actual", "starts", "steps"):
        setattr(out, name, getattr(result, name))
    out.features = result.features


def describe_case(case: bytes) -> Iterator[str]:
    """A line for the world of [case], and one for each of its moves.

    >>> print(*describe_case(bytes(12)), sep="; ")
    64 map registers, addresses of 36 bits, revision 0x00; start a read of 1 bytes at offset 0 in 1 MDL
    """
    out = ffi.new("char[]", _LINE_BYTES)
    source = ffi.from_buffer("uint8_t[]", case) if case else NULL
    for index in (_WORLD, *range(lib.wdfdma_workload_count_moves(source, len(case)))):
        lib.wdfdma_workload_describe(source, len(case), index, out, _LINE_BYTES)
        yield read_string(out)


def generate_case(seed: int) -> bytes:
    """A case by chance; the same [seed], the same case."""
    out = ffi.new("uint8_t[]", lib.WDFDMA_CASE_BYTES)
    size = lib.wdfdma_workload_generate(seed, out)
    return bytes(ffi.buffer(out, size))


def mutate_case(case: bytes, seed: int) -> bytes:
    """The case changed at a few places. Errors: ValueError for one that is too long."""
    if len(case) > lib.WDFDMA_CASE_BYTES:
        raise ValueError(f"a case of {len(case)} bytes, and not of {lib.WDFDMA_CASE_BYTES}")
    out = ffi.new("uint8_t[]", lib.WDFDMA_CASE_BYTES)
    ffi.memmove(out, case, len(case))
    size = lib.wdfdma_workload_mutate(seed, out, len(case))
    return bytes(ffi.buffer(out, size))
