"""What a machine says of coverage."""

from typing import TYPE_CHECKING

from wdfdma._core import Core
from wdfdma._native import lib

if TYPE_CHECKING:
    from wdfdma.coverage import Coverage
    from wdfdma.coverage_map import CoverageMap

_LONGEST_NAME = 100  # bytes


class MachineCoverage:
    """The part of a `Machine` that is about coverage."""

    __slots__ = ()
    _core: Core

    def collect_coverage(self, coverage: "bool | CoverageMap" = True) -> None:
        """Counts what calls do from now on: into a map of its own (True), into [coverage], or no more (False).

        While a machine counts, each of its calls goes the full way. Errors: StatusError in a callback and on a halted
        machine; ClosedError; TypeError.
        """
        from wdfdma._native import NULL
        from wdfdma.arguments import require_type
        from wdfdma.coverage_map import CoverageMap
        from wdfdma.status import Status

        machine = self._core.get_machine()
        if coverage is False:
            status = lib.wdfdma_machine_set_coverage(machine, NULL)
            Status(status).check("wdfdma_machine_set_coverage")
            self._core.coverage = None
            return
        found = (
            CoverageMap() if coverage is True else require_type("coverage", coverage, CoverageMap)
        )
        found.attach(machine)
        self._core.coverage = found

    def coverage(self) -> "Coverage":
        """What was counted so far, by all machines that share the map; of a closed machine too. Empty without a map.

        >>> from wdfdma import Machine
        >>> with Machine(coverage=True) as machine:
        ...     transaction = machine.device().enabler().transaction()
        ...     transaction.delete()
        >>> machine.coverage().cells["delete", "created", "returned"]
        1
        """
        from wdfdma.coverage import Coverage

        return Coverage() if self._core.coverage is None else self._core.coverage.read()

    def sometimes(self, name: str, condition: object) -> None:
        """Says that [condition] should be true sometimes: a goal of the user's own, in `Coverage.goals` by its name.

        Nothing on a machine without coverage. Errors: ValueError for no name, or one of more than 100 bytes.

        >>> from wdfdma import Machine
        >>> with Machine(coverage=True) as machine:
        ...     for count in range(3):
        ...         machine.sometimes("two went by", count == 2)
        >>> machine.coverage().goals["two went by"]
        1
        """
        chars = str(name).encode()
        if not 0 < len(chars) <= _LONGEST_NAME or b"\0" in chars:
            raise ValueError(f"name: {name!r} is not of 1 to {_LONGEST_NAME} bytes without a zero")
        lib.wdfdma_sometimes(self._core.get_machine(), chars, bool(condition))
