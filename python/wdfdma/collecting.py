"""Which map of coverage the machines that are made now count into, wherever they are made."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wdfdma.coverage_map import CoverageMap

_collecting: "ContextVar[CoverageMap | None]" = ContextVar("wdfdma_coverage", default=None)


@contextmanager
def collect_coverage(into: "CoverageMap | None") -> Iterator[None]:
    """Has every machine that is made in this block count into a map, for as long as it lives; None: no map.

    Machines of scenarios and of drivers under test are among them. One with a map of its own counts into that alone.

    >>> from wdfdma import CoverageMap, Machine, collect_coverage
    >>> with collect_coverage(CoverageMap()) as nothing, Machine() as machine:
    ...     _ = machine.device().enabler().transaction()
    ...     machine.coverage().cells["create", "no transaction", "STATUS_SUCCESS"]
    1
    """
    token = _collecting.set(into)
    try:
        yield
    finally:
        _collecting.reset(token)


def start_collecting(into: "CoverageMap | None") -> None:
    """As `collect_coverage`, until it is said otherwise."""
    _collecting.set(into)


def get_collecting() -> "CoverageMap | None":
    """The map that machines which are made now count into, or None."""
    return _collecting.get()


def attach_collecting(machine: Any) -> "CoverageMap | None":
    """Has a new machine of C's count into the map that is collected into, if there is one; returns it."""
    found = _collecting.get()
    if found is not None:
        found.attach(machine)
    return found
