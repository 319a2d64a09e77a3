"""What the parts of the pytest plugin keep on a run and on each test."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from wdfdma.pytest_bench import Bench
    from wdfdma.pytest_faults import FaultChoice


@dataclass(frozen=True)
class Options:
    """The command line: lines of scenario files to run by file (None: all), the faults given, and so on."""

    seed: int | None = None
    artifacts: Path | None = None
    coverage: Path | None = None
    replay: dict[Path, set[int | None]] = field(default_factory=dict)
    choices: "list[FaultChoice]" = field(default_factory=list)
    every_fault: bool = False
    arguments: list[str] = field(default_factory=list)  # what a test needs to do the same again


OPTIONS = pytest.StashKey[Options]()
BENCH: "pytest.StashKey[Bench]" = pytest.StashKey()  # the machines of the test's last run
CHOICE: "pytest.StashKey[FaultChoice]" = pytest.StashKey()  # the one fault of this run
COUNTING = pytest.StashKey[bool]()  # this run counts what faults could hit
