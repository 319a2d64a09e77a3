"""What a failing test leaves in the folder of --wdfdma-artifacts: for each machine the log, the page and the dump."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wdfdma.pytest_machine import Capture

if TYPE_CHECKING:
    from wdfdma.pytest_faults import FaultChoice

_LONGEST_NAME = 120


def make_folder(artifacts: Path, test: str, choices: "Sequence[FaultChoice]" = ()) -> Path:
    """The folder of a test, made with its parents: its name can be a file's on any system, and no two have the same.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     make_folder(Path(folder), "tests/test_read.py::test_short").name
    'tests-test_read.py-test_short'
    """
    name = "+".join([test, *(choice.argument for choice in choices)])
    plain = name.replace("::", "-").replace("/", "-")
    safe = re.sub(r"[^\w.-]+", "_", plain, flags=re.ASCII)[:_LONGEST_NAME]
    if safe != plain:
        safe += f"-{hashlib.sha256(name.encode('utf-8', 'backslashreplace')).hexdigest()[:8]}"
    folder = artifacts / safe
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def write_artifacts(
    artifacts: Path,
    test: str,
    choices: "Sequence[FaultChoice]",
    captures: Sequence[tuple[int, Capture]],
) -> Path:
    """Writes machine-N.log, machine-N.txt (the page) and machine-N.html (the dump). Errors: OSError."""
    folder = make_folder(artifacts, test, choices)
    for index, capture in captures:
        write_capture(folder / f"machine-{index}", capture)
    return folder


def write_capture(base: Path, capture: Capture) -> None:
    """Writes the three files whose names begin with [base]. Errors: OSError."""
    for suffix, text in ((".log", capture.log), (".txt", capture.page), (".html", capture.html)):
        base.with_name(f"{base.name}{suffix}").write_text(f"{text.rstrip()}\n", encoding="utf-8")
