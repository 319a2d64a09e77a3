"""Coverage of many processes: fuzzing with workers, tests of pytest with and without xdist, state machines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from pytest_support import make_runner
from reader_driver import ReaderDriver
from wdfdma import Coverage, CoverageMap
from wdfdma.cli import cli
from wdfdma.cli_ends import MATCH
from wdfdma.coverage import CellUse
from wdfdma.testing.drivers import get_driver
from wdfdma.testing.fuzzing import FuzzOptions, fuzz_driver
from wdfdma.testing.state_machine import DmaStateMachine

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ("pytester",)

CREATED = ("create", "no transaction", "STATUS_SUCCESS")


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(cli, list(arguments), standalone_mode=False)
    assert result.exception is None
    assert result.return_value == MATCH, result.output
    return result.output


def test_workers_count_what_one_process_counts(tmp_path: Path) -> None:
    found = []
    for jobs in ("1", "2"):
        folder = tmp_path / jobs
        text = invoke(
            "fuzz", "packet", "--runs", "3500", "-j", jobs, "--coverage", str(folder), "--seed", "3"
        )
        assert "% of the cells" in text
        found.append(Coverage.load(folder))
    assert found[0] == found[1]
    assert found[0].goals["profile_packet"] > 3500
    assert found[0].reached(CellUse.RIGHT).reached > 40
    assert (
        found[0].reached(CellUse.MISUSE).reached <= 3
    )  # those that a wrong answer of the hardware leads to


def test_cases_of_another_process_are_counted(tmp_path: Path) -> None:
    counted = []
    for name, more in (("here", []), ("there", ["--isolate"])):
        folder = tmp_path / name
        arguments = ["fuzz", "packet", "--runs", "10", "--coverage", str(folder), *more]
        assert CliRunner().invoke(cli, arguments, standalone_mode=False).return_value == MATCH
        counted.append(sorted(file.read_bytes() for file in folder.iterdir()))
    assert counted[0] == counted[1]


def test_without_the_option_some_chunks_are_a_sample() -> None:
    report = fuzz_driver(get_driver("packet"), FuzzOptions(seed=1, runs=2500))
    whole = fuzz_driver(get_driver("packet"), FuzzOptions(seed=1, runs=2500, coverage=True))
    assert report.coverage is not None
    assert whole.coverage is not None
    assert 2 * report.coverage.cells[CREATED] < whole.coverage.cells[CREATED]
    assert report.coverage.cells.keys() <= whole.coverage.cells.keys()


def test_coverage_does_not_change_what_is_found() -> None:
    driver = get_driver("packet/released-in-transfer")
    plain = fuzz_driver(driver, FuzzOptions(seed=5, runs=2000))
    counted = fuzz_driver(driver, FuzzOptions(seed=5, runs=2000, coverage=True))
    assert plain.findings == counted.findings
    assert (plain.moves, plain.steps, plain.features) == (
        counted.moves,
        counted.steps,
        counted.features,
    )


def test_a_driver_in_python_is_counted() -> None:
    report = fuzz_driver(ReaderDriver, FuzzOptions(seed=3, runs=60, coverage=True))
    assert report.coverage is not None
    assert (
        report.coverage.cells["execute", "initialized", "STATUS_SUCCESS, called back inside"] > 60
    )


def test_a_state_machine_counts_by_its_settings() -> None:
    counters = CoverageMap()

    class Counted(DmaStateMachine):
        machine_settings = {"log": 64, "coverage": counters}  # noqa: RUF012

    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Counted,
        settings=settings(
            max_examples=20,
            stateful_step_count=15,
            database=None,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert counters.read().cells[CREATED] >= 20


# pytest


@pytest.fixture
def tests(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Any:
    return make_runner(pytester, monkeypatch)


SOURCE = """
from wdfdma import Machine

@pytest.mark.parametrize("number", range(6))
def test_cycle(machine, number):
    cycle(machine)
    machine.sometimes("the fourth", number == 3)

def test_own():
    with Machine() as machine:
        cycle(machine)
"""


@pytest.mark.parametrize("workers", [0, 2])
def test_tests_are_counted_by_each_process(
    tests: Any, pytester: pytest.Pytester, workers: int
) -> None:
    if workers:
        pytest.importorskip("xdist")
    extra = ["-p", "xdist", "-n", str(workers)] if workers else []
    result = tests(SOURCE, "--wdfdma-coverage", "found", *extra, in_process=False)
    result.assert_outcomes(passed=7)
    found = Coverage.load(pytester.path / "found")
    assert found.cells[CREATED] == 7
    assert found.goals["the fourth"] == 1
    files = list((pytester.path / "found").iterdir())
    assert len(files) == max(1, workers)


def test_nothing_is_written_where_no_machine_ran(tests: Any, pytester: pytest.Pytester) -> None:
    tests("def test_plain(): pass", "--wdfdma-coverage", "found").assert_outcomes(passed=1)
    assert list((pytester.path / "found").iterdir()) == []


def test_a_folder_that_cannot_be_is_an_error_of_usage(
    tests: Any, pytester: pytest.Pytester
) -> None:
    (pytester.path / "file").write_text("")
    result = tests(SOURCE, "--wdfdma-coverage", "file/x", in_process=False)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--wdfdma-coverage: *file/x*"])
