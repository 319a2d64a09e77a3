"""Maps of coverage as C counts into them."""

from typing import Any

from wdfdma._native import NULL, ffi, lib, read_string
from wdfdma.coverage import Coverage
from wdfdma.status import Status


class CoverageMap:
    """Counters for what calls do, that any number of machines count into: `Machine(coverage=map)`.

    It is used by one thread at a time, as those machines are.

    >>> from wdfdma import Machine
    >>> counters = CoverageMap()
    >>> for _ in range(3):
    ...     with Machine(coverage=counters) as machine:
    ...         _ = machine.device().enabler().transaction()
    >>> counters.read().cells["create", "no transaction", "STATUS_SUCCESS"]
    3
    """

    __slots__ = ("_handle",)

    def __init__(self) -> None:
        out = ffi.new("wdfdma_coverage **")
        Status(lib.wdfdma_coverage_create(out)).check("wdfdma_coverage_create")
        self._handle = ffi.gc(out[0], lib.wdfdma_coverage_destroy)

    @property
    def native(self) -> Any:
        """The map for C, which lives as long as this object and the machines that count into it."""
        return self._handle

    def attach(self, machine: Any) -> None:
        """Has a machine of C's count into the map. Errors: StatusError in a callback, and on a halted machine."""
        status = lib.wdfdma_machine_set_coverage(machine, self._handle)
        Status(status).check("wdfdma_machine_set_coverage")

    def read(self) -> Coverage:
        """What has been counted so far."""
        count = lib.wdfdma_coverage_copy_reached(self._handle, NULL, 0)
        found = ffi.new("wdfdma_coverage_cell[]", count)
        lib.wdfdma_coverage_copy_reached(self._handle, found, count)
        cells = {
            (
                read_string(cell.operation),
                read_string(cell.standing),
                read_string(cell.outcome),
            ): int(cell.count)
            for cell in found
        }
        count = lib.wdfdma_coverage_copy_goals(self._handle, NULL, 0)
        goals = ffi.new("wdfdma_goal[]", count)
        lib.wdfdma_coverage_copy_goals(self._handle, goals, count)
        return Coverage(cells, {_read_name(goal.name): int(goal.count) for goal in goals})

    def clear(self) -> None:
        """Sets all counters to 0."""
        lib.wdfdma_coverage_clear(self._handle)


def _read_name(chars: Any) -> str:
    return str(ffi.string(chars).decode("utf-8", "replace"))
