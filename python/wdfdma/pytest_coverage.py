"""Coverage under pytest: what all machines of a process do is counted, and written when its tests are over."""

from pathlib import Path

import pytest

from wdfdma.collecting import get_collecting, start_collecting
from wdfdma.coverage_map import CoverageMap


class CoverageCollector:
    """The plugin of one process: under xdist each worker has one, and writes a file of its own.

    Errors: pytest.UsageError where there can be no such folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.counters = CoverageMap()
        self._before = get_collecting()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise pytest.UsageError(f"--wdfdma-coverage: {folder}: {error.strerror}") from None

    def pytest_sessionstart(self) -> None:
        """Machines that are made from now on are counted, whoever makes them."""
        start_collecting(self.counters)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Writes what was counted: nothing in a process that ran no machine, such as the first one of xdist's."""
        start_collecting(self._before)
        found = self.counters.read()
        if found.cells or any(found.goals.values()):
            found.save(self.folder)
