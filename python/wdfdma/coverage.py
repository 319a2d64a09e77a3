"""Coverage of behaviour: which calls were met in which state with which outcome, and which goals were reached."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from wdfdma._native import NULL, ffi, lib, read_string

if TYPE_CHECKING:
    from pathlib import Path

    import numpy

Cell = tuple[str, str, str]
_MOST = 2**64 - 1


class CellUse(IntEnum):
    """Whether a cell can be reached, and by whom."""

    IMPOSSIBLE = 0  # by no driver
    RIGHT = 1  # by one that makes no mistake
    MISUSE = 2  # only by a mistake

    @property
    def label(self) -> str:
        """The name in lower case."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class CellInfo:
    """A cell of the matrix: [operation] began on a transaction that stood so, and had this outcome."""

    operation: str
    standing: str
    outcome: str
    use: CellUse

    @property
    def key(self) -> Cell:
        """Its place in `Coverage.cells`."""
        return self.operation, self.standing, self.outcome


@dataclass(frozen=True, slots=True)
class GoalInfo:
    """A situation that should come about sometimes, in words; a user's own has none."""

    name: str
    words: str


@cache
def list_cells() -> tuple[CellInfo, ...]:
    """All cells that can be reached, in the order of the table.

    >>> list_cells()[0].operation
    'create'
    """
    count = lib.wdfdma_coverage_copy_cells(NULL, NULL, 0)
    cells = ffi.new("wdfdma_coverage_cell[]", count)
    lib.wdfdma_coverage_copy_cells(NULL, cells, count)
    return tuple(
        CellInfo(
            read_string(cell.operation),
            read_string(cell.standing),
            read_string(cell.outcome),
            CellUse(cell.use),
        )
        for cell in cells
    )


@cache
def list_goals() -> tuple[GoalInfo, ...]:
    """The goals of the library, in the order of its table.

    >>> list_goals()[0].words
    'a Cancel returned TRUE while two or more waited'
    """
    count = lib.wdfdma_coverage_copy_goals(NULL, NULL, 0)
    goals = ffi.new("wdfdma_goal[]", count)
    lib.wdfdma_coverage_copy_goals(NULL, goals, count)
    return tuple(GoalInfo(read_string(goal.name), read_string(goal.words)) for goal in goals)


@cache
def _find_uses() -> Mapping[Cell, CellUse]:
    return {cell.key: cell.use for cell in list_cells()}


def get_use(cell: Cell) -> CellUse:
    """Whether (operation, standing, outcome) can be reached.

    >>> get_use(("cancel", "created", "TRUE")).label
    'impossible'
    """
    return _find_uses().get(cell, CellUse.IMPOSSIBLE)


@dataclass(frozen=True, slots=True)
class Share:
    """How many of how many."""

    reached: int
    all: int

    @property
    def percent(self) -> float:
        """In per cent; 100 of nothing."""
        return 100 * self.reached / self.all if self.all else 100.0

    def __str__(self) -> str:
        return f"{self.reached} of {self.all} ({self.percent:.1f} %)"


def _add(one: Mapping[Any, int], other: Mapping[Any, int]) -> dict[Any, int]:
    keys = one.keys() | other.keys()
    return {key: min(one.get(key, 0) + other.get(key, 0), _MOST) for key in keys}


class Coverage:
    """What was counted: a value, equal to another with the same counts.

    [cells] counts by (operation, standing, outcome), all above 0; [goals] by name, all of the library's and the user's,
    also those at 0. Counts stay at 2**64 - 1 when they reach it.

    >>> Coverage().reached(CellUse.RIGHT).reached
    0
    """

    __slots__ = ("_cells", "_goals")

    def __init__(
        self, cells: Mapping[Cell, int] | None = None, goals: Mapping[str, int] | None = None
    ) -> None:
        self._cells = {key: count for key, count in sorted((cells or {}).items()) if count}
        own = {goal.name: 0 for goal in list_goals()}
        self._goals = own | dict(sorted((goals or {}).items()))

    @property
    def cells(self) -> Mapping[Cell, int]:
        """Counts by (operation, standing, outcome): only what was met."""
        return MappingProxyType(self._cells)

    @property
    def goals(self) -> Mapping[str, int]:
        """How often each goal came about, by its name."""
        return MappingProxyType(self._goals)

    def merge(self, *others: "Coverage") -> "Coverage":
        """The sums of this and [others]; in which order does not matter.

        >>> one = Coverage({("cancel", "created", "a bug check"): 2})
        >>> one.merge(one, one).cells["cancel", "created", "a bug check"]
        6
        """
        cells: Mapping[Cell, int] = self._cells
        goals: Mapping[str, int] = self._goals
        for other in others:
            cells, goals = _add(cells, other._cells), _add(goals, other._goals)
        return Coverage(cells, goals)

    def reached(self, use: CellUse = CellUse.RIGHT) -> Share:
        """How many of the cells of this use were met."""
        wanted = [cell.key for cell in list_cells() if cell.use == use]
        return Share(sum(key in self._cells for key in wanted), len(wanted))

    def reached_goals(self) -> Share:
        """How many of the goals came about."""
        return Share(sum(count > 0 for count in self._goals.values()), len(self._goals))

    def matrix(
        self, operation: str
    ) -> "tuple[list[str], list[str], numpy.ndarray[Any, numpy.dtype[numpy.uint64]]]":
        """One operation as an array: its rows (standings), its columns (outcomes), counts of shape (rows, columns).

        Rows and columns are those of cells that can be reached or were. Errors: ValueError for an unknown operation.

        >>> rows, columns, counts = Coverage().matrix("cancel")
        >>> counts.shape == (len(rows), len(columns))
        True
        """
        import numpy

        keys = self.list_keys(operation)
        rows = list(dict.fromkeys(standing for _, standing, _ in keys))
        found = {key[2] for key in keys}
        columns = [name for name in _list_outcomes() if name in found]
        columns += sorted(found.difference(columns))  # of another version's file
        counts = numpy.zeros((len(rows), len(columns)), dtype=numpy.uint64)
        for key in keys:
            counts[rows.index(key[1]), columns.index(key[2])] = self._cells.get(key, 0)
        return rows, columns, counts

    def list_keys(self, operation: str) -> list[Cell]:
        """The cells of an operation that can be reached, then those that were and cannot. Errors: ValueError."""
        known = [cell.key for cell in list_cells() if cell.operation == operation]
        other = [key for key in self._cells if key[0] == operation and key not in _find_uses()]
        if not known and not other:
            raise ValueError(f"operation: there is no {operation!r}; see wdfdma.list_cells()")
        return known + other

    def save(self, folder: "str | Path") -> "Path":
        """Writes a file of its own into [folder], which is made where it is missing; returns its path.

        It is written in one piece, so that whoever reads the folder meanwhile sees all of it or none. Errors: OSError.
        """
        from wdfdma.coverage_files import save_coverage

        return save_coverage(self, folder)

    @classmethod
    def load(cls, path: "str | Path") -> "Coverage":
        """A file that `save` wrote, or the sum of all in a folder. Errors: CoverageError, OSError."""
        from wdfdma.coverage_files import load_coverage

        return load_coverage(path)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Coverage):
            return NotImplemented
        return self._cells == other._cells and self._goals == other._goals

    def __hash__(self) -> int:
        return hash((frozenset(self._cells.items()), frozenset(self._goals.items())))

    def __reduce__(self) -> tuple[Any, ...]:
        return Coverage, (self._cells, self._goals)

    def __repr__(self) -> str:
        return f"<Coverage cells {self.reached()}, goals {self.reached_goals()}>"


@cache
def _list_outcomes() -> tuple[str, ...]:
    """The outcomes, each where the table has it first."""
    count = lib.wdfdma_coverage_copy_outcomes(NULL, 0)
    names = ffi.new("const char *[]", count)
    lib.wdfdma_coverage_copy_outcomes(names, count)
    return tuple(read_string(name) for name in names)


def merge_all(parts: Iterable[Coverage]) -> Coverage:
    """The sum of any number, also of none."""
    return Coverage().merge(*parts)
