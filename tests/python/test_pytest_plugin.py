"""The pytest plugin: what it costs others, what fails a test, and what the report says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_support import HEAVY, PLUGIN, find_replay, make_runner

pytest_plugins = ("pytester",)


@pytest.fixture
def tests(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Any:
    return make_runner(pytester, monkeypatch)


# What it costs those who do not use it


def test_importing_the_plugin_imports_nothing_heavy() -> None:
    code = f"import sys, wdfdma.pytest_plugin; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_run_without_machines_imports_nothing_heavy(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makepyfile(
        f"""
        import sys, pytest
        @pytest.mark.wdfdma(registers=2)
        def test_plain():
            assert [name for name in {HEAVY} if name in sys.modules] == []
        def test_machine(machine):
            assert "wdfdma._ffi" in sys.modules
            machine.device().enabler().transaction()
            assert [name for name in {HEAVY[2:]} if name in sys.modules] == []
        """
    )
    result = pytester.runpytest_subprocess(*PLUGIN, "--wdfdma-seed=3", "--wdfdma-artifacts=out")
    result.assert_outcomes(passed=2)


def test_the_entry_point_and_the_option_are_one_plugin(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    (line,) = re.findall(r"^\[project.entry-points.pytest11\]\n(.*)$", project, re.MULTILINE)
    folder = pytester.mkdir("wdfdma-0.1.0.dist-info")
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: wdfdma\nVersion: 0.1.0\n")
    (folder / "entry_points.txt").write_text(f"[pytest11]\n{line}\n".replace('"', ""))
    (folder / "RECORD").write_text("wdfdma/__init__.py,,\nwdfdma/pytest_plugin.py,,\n")
    pytester.makepyfile("def test_made(machine):\n    assert machine.state.step == 0\n")
    for arguments in ((), PLUGIN):
        pytester.runpytest_subprocess(*arguments, "-Werror::pytest.PytestWarning").assert_outcomes(
            passed=1
        )


# Leaks and broken rules


def test_a_leak_fails_its_test_and_says_what_made_it(tests: Any) -> None:
    result = tests("def test_held(machine):\n    prepare(machine)\n")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "1 leak, still held when the test was over:",
            "  violation: LeakTransaction, transaction 0, step 3; made at test_driver.py:*, in prepare",
            "    made by",
            "      test_driver.py:*, in test_held",
            "        prepare(machine)",
            "      test_driver.py:*, in prepare",
            "  fix *",
            "  replay * python -m pytest test_driver.py::test_held -p wdfdma.pytest_plugin",
        ]
    )
    made_by = result.stdout.str().partition("made by")[2].partition("-- wdfdma --")[0]
    assert made_by.count("test_driver.py") == 2
    assert "_pytest" not in made_by


def test_leaks_are_allowed_where_one_says_so(tests: Any) -> None:
    tests(
        """
@pytest.mark.wdfdma(allow_leaks=True)
def test_marked(machine, machine_factory):
    prepare(machine), prepare(machine_factory())
def test_made_so(machine_factory):
    prepare(machine_factory(allow_leaks=True))
@pytest.mark.wdfdma(allow_violations="LeakTransaction")
def test_named(machine):
    prepare(machine)
def test_released(machine):
    cycle(machine)
"""
    ).assert_outcomes(passed=4)
    result = tests(
        """
def test_one_of_two(machine_factory):
    prepare(machine_factory(allow_leaks=True)), prepare(machine_factory())
def test_closed_by_itself(machine_factory):
    with machine_factory() as machine:
        prepare(machine)
"""
    )
    # What was closed within the test is known when that ends.
    result.assert_outcomes(passed=1, errors=1, failed=1)
    result.stdout.fnmatch_lines(["*LeakTransaction, transaction 0, step 3*, of machine 1"])


def test_a_test_that_failed_does_not_leak(tests: Any) -> None:
    result = tests("def test_fails(machine):\n    prepare(machine)\n    assert 0\n")
    result.assert_outcomes(failed=1)


def test_a_broken_rule_fails_the_test(tests: Any) -> None:
    result = tests(
        """
pytestmark = pytest.mark.wdfdma(rules={"DmaIommuFault": "collect"})
def test_astray(machine):
    write_astray(machine)
@pytest.mark.wdfdma(allow_violations=True)
def test_allowed(machine):
    write_astray(machine)
@pytest.mark.wdfdma(allow_violations=["DmaIommuFault", "DeviceOutsideList"])
def test_named(machine):
    write_astray(machine)
@pytest.mark.wdfdma(allow_violations=["DmaIommuFault"])
def test_other(machine):
    write_astray(machine)
@pytest.mark.wdfdma(rules={"DeviceOutsideList": "ignore", "DmaIommuFault": "ignore"})
def test_ignored(machine):
    machine.device_write
"""
    )
    result.assert_outcomes(passed=3, failed=2)
    result.stdout.fnmatch_lines(
        ["2 rules broken:", "  violation: DeviceOutsideList;*", "  bugcheck: DmaIommuFault*"]
    )
    result.stdout.fnmatch_lines(["1 rule broken:", "  violation: DeviceOutsideList;*"])


def test_advice_and_an_expected_bug_check_fail_nothing(tests: Any) -> None:
    tests(
        """
def test_advice(machine):
    transaction = machine.device().enabler(dma_version=3).transaction()
    transaction.set_immediate_execution(True)
    for _ in range(2):
        transaction.initialize(machine.mdl(4096), program_dma=lambda *_: None)
        transaction.execute()
        transaction.dma_completed()
        transaction.release()
    assert [item.rule for item in machine.violations] == [Rule.IMMEDIATE_LOST]
def test_expected(machine):
    with pytest.raises(BugCheck):
        prepare(machine).dma_completed()
"""
    ).assert_outcomes(passed=2)


# The report


def test_a_failing_test_tells_what_its_machine_did(tests: Any) -> None:
    result = tests(
        """
def test_fails(machine):
    for _ in range(9):
        cycle(machine)
    prepare(machine).execute()
    assert 0
""",
        "--wdfdma-seed=7",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "wdfdma: --wdfdma-seed 7",
            "*- wdfdma -*",
            "The last 20 records of the log",
            "The pool: 63 of 64 registers free",
            "  held * 0: transaction 9 of enabler 9, transfer",
        ]
    )
    assert find_replay(result) == [
        *("python", "-m", "pytest", "test_driver.py::test_fails"),
        *(*PLUGIN, "--wdfdma-seed", "7"),
    ]


@pytest.mark.parametrize("is_ci", [False, True])
def test_a_bug_check_has_its_page_though_the_test_closed_the_machine(
    tests: Any, monkeypatch: pytest.MonkeyPatch, is_ci: bool
) -> None:
    for name in ("CI", "BUILD_NUMBER"):  # where pytest cuts no line of its summary
        monkeypatch.delenv(name, raising=False)
    if is_ci:
        monkeypatch.setenv("CI", "1")
    result = tests(
        """
def test_halts(machine_factory):
    with machine_factory() as machine:
        prepare(machine).dma_completed()
"""
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E  *  rule * WdfDmaFatalError (0x10D/08); bug check: Windows stops",
            "E  *  made at * in prepare",
            "E  * The last 3 records of the log",
            "E  * The pool: 64 of 64 registers free",
        ]
    )
    assert result.stdout.str().count("What happened") == 1


def test_another_error_of_ours_stays_what_it_says(tests: Any) -> None:
    result = tests(
        """
def test_closed(machine_factory):
    with machine_factory() as machine:
        pass
    machine.mdl(4096)
"""
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["FAILED *::test_closed - *ClosedError: the machine*"])


def test_artifacts_of_failing_tests(tests: Any, pytester: pytest.Pytester) -> None:
    result = tests(
        """
@pytest.mark.parametrize("name", ["a/b", "a:b"])
def test_fails(machine, name):
    prepare(machine)
    assert 0
def test_held(machine_factory):
    prepare(machine_factory()), machine_factory()
def test_passes(machine):
    pass
""",
        "--wdfdma-artifacts=out/wdfdma",
    )
    result.assert_outcomes(failed=2, passed=2, errors=1)
    folders = sorted((pytester.path / "out" / "wdfdma").iterdir())
    assert [re.sub(r"-\w{8}$", "", folder.name) for folder in folders] == [
        "test_driver.py-test_fails_a-b_",
        "test_driver.py-test_fails_a_b_",
        "test_driver.py-test_held",
    ]
    names = {file.name for file in folders[0].iterdir()}
    assert names == {"machine-0.log", "machine-0.txt", "machine-0.html"}
    assert "initialize: transaction 0" in (folders[0] / "machine-0.log").read_text()
    assert "The pool: " in (folders[0] / "machine-0.txt").read_text()
    assert (folders[0] / "machine-0.html").read_text().startswith("<!")
    assert "LeakTransaction" in (folders[2] / "machine-0.txt").read_text()
