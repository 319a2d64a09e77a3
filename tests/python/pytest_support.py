"""What the tests of the pytest plugin have in common: a little driver under test, and who runs its tests."""

from __future__ import annotations

import shlex
from typing import Any

# So that no run inside this process imports an extension anew.
import numpy  # noqa: F401
import pydantic  # noqa: F401
import pytest

import wdfdma.faults
import wdfdma.pytest_bench
import wdfdma.pytest_faults
import wdfdma.pytest_scenarios  # noqa: F401

PLUGIN = ("-p", "wdfdma.pytest_plugin")
HEAVY = ("wdfdma._ffi", "_cffi_backend", "numpy", "pydantic", "click", "rich", "hypothesis")
DRIVER = """
import numpy  # noqa: F401  (a run inside this process cannot load it once more)
import pytest
from wdfdma import BugCheck, Rule, StatusError

def prepare(machine):
    transaction = machine.device().enabler(maximum_length=8192, dma_version=3).transaction()
    if not transaction.initialize(machine.mdl(4096), program_dma=lambda *transfer: None).is_success:
        return None
    return transaction

def cycle(machine, releases=True):
    transaction = prepare(machine)
    if transaction is None:
        return
    if not transaction.execute().is_success:
        if releases:
            transaction.release()
        return
    if machine.state.waiting_pool:
        transaction.cancel()
    else:
        transaction.dma_completed()
    transaction.release()

def write_astray(machine):
    with pytest.raises(StatusError):
        machine.device_write(0x1000, b"x")
"""


def make_runner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a file of tests of a little driver, in an empty folder, and gives its runner."""
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):
        monkeypatch.delenv(name, raising=False)

    def run(source: str, *arguments: str, in_process: bool = True) -> pytest.RunResult:
        pytester.makepyfile(test_driver=DRIVER + source)
        runner = pytester.runpytest_inprocess if in_process else pytester.runpytest_subprocess
        return runner(*PLUGIN, "--strict-markers", *arguments)

    return run


def find_replay(result: pytest.RunResult) -> list[str]:
    """The words of the first command that says how to see it again."""
    line = next(line for line in result.outlines if line.startswith("  replay "))
    return shlex.split(line.removeprefix("  replay"))
