"""Journals: the calls of a driver as they were written down before they ran, read as a tree."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from wdfdma.enums import Constant, Event, ObjectType, Op, _read_type
from wdfdma.problems import Problem, ScenarioError

if TYPE_CHECKING:
    from wdfdma.scenario import Scenario

MAGIC = b"WDJ\x01"
FIRST_FUNCTION = 256  # past all ops
_HEAD_BYTES = 16
_NUMBER_BITS = 64


class Mark(Constant, members=_read_type("wdfdma_journal_mark", "WDFDMA_JOURNAL_")):
    """The kinds of a journal's entries that are no calls of an op."""


@dataclass(slots=True)
class Callback:
    """A callback of the transaction [label], with the calls that the driver made in it."""

    event: Event
    label: int
    calls: "list[Call]" = field(default_factory=list)
    returns: bool = True
    has_left: bool = False


@dataclass(slots=True)
class Call:
    """A call: its op, or a mark, its values, the MDLs that it has, and the callbacks that it made.

    A part of a chain is its label, its offset, its length, its page frame numbers. [made] is the label of what it made,
    and its handle.
    """

    kind: int
    values: tuple[int, ...]
    parts: list[tuple[int, ...]] = field(default_factory=list)
    callbacks: list[Callback] = field(default_factory=list)
    information: int | None = None
    made: tuple[ObjectType, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Journal:
    """What a journal tells: the scenario of it, and what no scenario can say, a line for each.

    [is_whole] is False where the last call did not return, as where the process has crashed in it.
    """

    scenario: "Scenario"
    omitted: list[str]
    is_whole: bool


def is_journal(path: Path) -> bool:
    """Whether a file is a journal. Errors: OSError."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def read_journal(path: str | Path) -> Journal:
    """The scenario of what a driver did, from the journal in a file. Errors: ScenarioError, OSError."""
    from wdfdma.journal_scenario import make_journal

    calls = read_calls(read_written(Path(path)), str(path))
    try:
        return make_journal(calls, str(path))
    except ScenarioError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # Its entries have a form, but no values that a library wrote.
        raise _refuse(f"a damaged journal: {type(error).__name__}: {error}", str(path)) from error


def read_written(path: Path) -> bytes:
    """What is written of a journal's file, which is longer.

    Errors: ScenarioError for a file that is none, or shorter than its head says; OSError.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if head[:4] != MAGIC or len(head) < _HEAD_BYTES:
            raise _refuse("not a journal", str(path))
        length = int.from_bytes(head[8:16], "little")
        room = path.stat().st_size - _HEAD_BYTES
        if length > room:
            problem = f"its head tells of {length} bytes, and {room} follow it"
            raise _refuse(f"a journal that is damaged or cut off: {problem}", str(path))
        return head + file.read(length)


def copy_written(path: Path) -> bytes:
    """The same; nothing where there is no journal, or one that its driver has damaged."""
    try:
        return read_written(path)
    except (FileNotFoundError, ScenarioError):
        return b""


def _refuse(message: str, where: str) -> ScenarioError:
    return ScenarioError([Problem("", message)], where)


def read_calls(data: bytes, where: str) -> list[Call]:
    """The outermost calls of a journal, its machine first. Errors: ScenarioError where it is none."""
    if data[:4] != MAGIC or len(data) < _HEAD_BYTES:
        raise _refuse("not a journal", where)
    try:
        return _build_calls(_read_entries(data))
    except (IndexError, ValueError):
        problem = "no whole journal: an entry is cut off, or its begin is in a callback"
        raise _refuse(problem, where) from None


def _build_calls(entries: list[tuple[int, tuple[int, ...]]]) -> list[Call]:
    """The tree of a journal's entries. Errors: IndexError, ValueError where it is none."""
    outermost: list[Call] = []
    lists = [outermost]
    open_callbacks: list[Callback] = []
    parts: list[tuple[int, ...]] = []
    information: int | None = None
    for kind, values in entries:
        calls = lists[-1]
        if kind == Mark.ENTER:
            callback = Callback(Event(values[0]), values[1])
            calls[-1].callbacks.append(callback)
            open_callbacks.append(callback)
            lists.append(callback.calls)
        elif kind == Mark.LEAVE:
            open_callbacks.pop().has_left = True
            lists.pop()
        elif kind == Mark.ANSWER:
            calls[-1].callbacks[-1].returns = False
        elif kind == Mark.MADE:
            calls[-1].made = (ObjectType(values[0]), values[1], values[2])
        elif kind == Mark.PART:
            parts.append(values[1:])
        elif kind == Mark.DRIVER:
            continue  # it shows in what the driver does
        elif kind == Mark.INFORMATION:
            information = values[0]
        else:
            calls.append(Call(kind, values, parts, information=information))
            parts, information = [], None
    return outermost


def _read_entries(data: bytes) -> list[tuple[int, tuple[int, ...]]]:
    end = _HEAD_BYTES + int.from_bytes(data[8:16], "little")
    entries = []
    at = _HEAD_BYTES
    while at < end:
        kind = data[at]
        count, at = _read_number(data, at + 1)
        values = []
        for _ in range(count):
            value, at = _read_number(data, at)
            values.append(value)
        entries.append((kind, tuple(values)))
    return entries


def _read_number(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return number, at
        if shift > _NUMBER_BITS:
            raise ValueError("a number of more than 64 bits")


def find_last_call(path: Path) -> int:
    """The number of the op that is the last in a journal's file, 0 where there is none: no file, or no call.

    Where a process has ended, it was in this call, or in what came after it. The function of a driver under test that
    a workload has called, and that has called nothing since, is FIRST_FUNCTION and more, add_device being the first.
    """
    if not is_journal(path):
        return 0
    try:
        entries = _read_entries(read_written(path))
    except (IndexError, ValueError):
        return 0
    for kind, values in reversed(entries):
        if kind < Mark.MACHINE:
            return kind
        if kind == Mark.DRIVER:
            return FIRST_FUNCTION + values[0]
        if kind in (Mark.OTHER, Mark.WRONG):
            return values[0]
        if kind == Mark.ENABLER:
            return int(Op.ENABLER_CREATE)
        if kind == Mark.CHANNEL:
            return int(Op.ENABLER_CONFIGURE_SYSTEM_PROFILE)
    return 0


def name_kind(kind: int) -> str:
    """An entry's kind in a word."""
    return Mark(kind).label if kind in set(Mark) else Op(kind).label
