"""A failing case as a scenario, a test and a C program: each shows the same violation in the same call."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reader_driver import ReaderDriver
from test_export import compile_and_run, make_c
from test_journal import keep_framework
from wdfdma import Machine, Scenario, read_journal
from wdfdma._native import lib
from wdfdma.records import Record, render_log
from wdfdma.run import Run, _copy_log, compare, execute_scenario
from wdfdma.shrinking import shrink
from wdfdma.signatures import find_signature
from wdfdma.testing.cases import FAILURES
from wdfdma.testing.drivers import Driver, get_driver, list_drivers, make_driver
from wdfdma.testing.fuzzing import Finding, FuzzOptions, fuzz_driver
from wdfdma.testing.reproducers import make_reproducer

FAULTY = [driver.name for driver in list_drivers() if driver.fault]
SEED = 1

# What shows the bug of each, by its rule; None: a byte of a buffer, which a log tells of.
SHOWN: dict[str, str | None] = {
    "packet/released-in-transfer": "DMA_26",
    "packet/reservation-kept": "LEAK_RESERVATION",
    "packet/completed-after-cancel": "WDF_DMA_FATAL_ERROR",
    "packet/busy-in-version-2": "VERIFIER_BREAK",
    "packet/offset-not-advanced": None,
    "scatter-gather/not-released": "LEAK_TRANSACTION",
    "scatter-gather/immediate-retried": "WDF_DMA_FATAL_ERROR",
    "scatter-gather/touched-after-execute": "WDF_INVALID_HANDLE",
    "scatter-gather/high-bits-dropped": "DMA_26",
    "scatter-gather/error-ignored": None,
    "system/completed-before-flush": "WDF_VERIFIER_FATAL_ERROR",
    "system/stop-not-completed": "NEVER_COMPLETED",
}

Found = dict[str, list[Finding]]


@pytest.fixture(scope="session")
def found() -> Found:
    """What one seed finds wrong with each faulty driver."""
    reports = {
        name: fuzz_driver(get_driver(name), FuzzOptions(seed=SEED, runs=2000)) for name in FAULTY
    }
    return {name: list(report.findings.values()) for name, report in reports.items()}


def run_with_log(driver: Driver, case: bytes) -> list[Record]:
    """The log of a case's own machine."""
    logs: list[list[Record]] = []
    driver.watch(
        case, lambda _: None, lambda machine, _: logs.append(render_log(_copy_log(machine)))
    )
    return logs[0]


def keep_calls(log: list[Record]) -> list[Record]:
    """The framework's records; what a handle that is gone looks like depends on where it lay."""
    return [
        {**record, "parameters": record["parameters"][:1]} if "parameters" in record else record
        for record in keep_framework(log)
    ]


def sign(run: Run) -> list[tuple[str, str]]:
    """The rules that a scenario breaks, and the calls."""
    records = [*run.violations, *([] if run.bugcheck is None else [run.bugcheck])]
    return [(record.rule.name, record.op.name) for record in records]


@pytest.mark.parametrize("name", FAULTY)
def test_each_bug_is_a_scenario(name: str, found: Found) -> None:
    driver, shown = get_driver(name), []
    for finding in found[name]:
        made = make_reproducer(driver, finding.case, name, shrinks=False)
        if made.source is None:
            assert made.tells.startswith("no scenario: ")
            continue
        scenario = Scenario.parse(made.source)
        run = execute_scenario(scenario)
        signature = finding.signature
        if signature.rule:
            assert (signature.rule, signature.op) in [
                (int(item.rule), int(item.op))
                for item in [*run.violations, *([run.bugcheck] if run.bugcheck else [])]
            ]
        log = keep_calls(run_with_log(driver, finding.case))
        assert keep_calls(run.log)[: len(log)] == log
        difference = compare(scenario, run.log)
        assert (difference is None) == bool(sign(run))
        shown += [rule for rule, _ in sign(run)] or [None]
    assert SHOWN[name] in shown


@pytest.mark.parametrize("name", FAULTY)
def test_a_scenario_has_what_its_rule_needs(name: str, found: Found) -> None:
    driver = get_driver(name)
    for finding in found[name]:
        made = make_reproducer(driver, finding.case, name, shrinks=False)
        small = make_reproducer(driver, finding.case, name)
        assert (small.tells, small.omitted) == (made.tells, made.omitted)
        if made.source is None or small.source is None:
            assert made.source is small.source
            continue
        whole, least = (execute_scenario(Scenario.parse(each.source)) for each in (made, small))
        assert find_signature(least) == find_signature(whole)
        assert small.source["name"] == name
        if sign(whole):
            assert small.source["log"] == least.log
            assert len(small.source["steps"]) <= 9
        else:  # each call can be why a byte is wrong
            assert small == made


def make_first(name: str, found: Found) -> dict[str, Any]:
    """The first scenario that a driver's failures have."""
    sources = (make_reproducer(get_driver(name), item.case, name).source for item in found[name])
    return next(source for source in sources if source is not None)


@pytest.mark.parametrize("name", FAULTY)
def test_each_bug_is_a_c_program(name: str, found: Found, tmp_path: Path) -> None:
    ended = compile_and_run(make_c(make_first(name, found)), tmp_path)
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.splitlines()[-1] == "reproduced"


def test_each_bug_is_a_test_of_pytests(
    found: Found, tmp_path: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    for number, name in enumerate(FAULTY):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(make_first(name, found)))
        status, text, _ = call("export", path, "--to", "pytest")
        assert status == 0
        (tmp_path / f"test_{number}.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert f"{3 * len(FAULTY)} passed" in ended.stdout, ended.stdout


def test_a_corpus_has_scenarios(tmp_path: Path, call: Callable[..., tuple[int, str, str]]) -> None:
    out = tmp_path / "out"
    status, printed, _ = call("fuzz", "packet/offset-not-advanced", "--runs", "1000", "--out", out)
    assert status == 1
    [scenario] = (out / "scenarios").iterdir()
    assert f"scenario {scenario}: byte 128 of buffer 0 is " in printed
    status, printed, _ = call("run", "--check", scenario)
    assert (status, '"op":"mdl_read"' in printed) == (1, True)
    case = out / "failures" / scenario.name
    assert "wdfdma run --check" in json.loads(case.read_text())["scenario"]
    for form, text in (("c", "int main(void)"), ("pytest", "import pytest"), ("json", '"steps"')):
        status, exported, _ = call("export", case, "--to", form)
        assert (status, text in exported) == (0, True)
    other = next(path for path in (out / "failures").iterdir() if path != case)
    status, _, problem = call("export", other, "--to", "json")
    assert (status, "no scenario: no rule is broken" in problem) == (2, True)
    case.write_text('{"bytes": "no digits"}')
    status, _, problem = call("export", case, "--to", "json")
    assert (status, "no case" in problem) == (2, True)


class NotReleased(ReaderDriver):
    """It never releases its transaction."""

    def release(self) -> None:
        pass


class Raising(ReaderDriver):
    """Its interrupt raises an exception."""

    def interrupt(self) -> None:
        raise KeyError("no channel")


def test_a_driver_in_python_has_a_scenario() -> None:
    case = bytes(6) + 2 * bytes(6)
    made = make_reproducer(make_driver(NotReleased), case, "it")
    assert made.source is not None
    assert sign(execute_scenario(Scenario.parse(made.source)))
    made = make_reproducer(make_driver(Raising), case, "it")
    assert (made.source, made.tells) == (None, "no scenario: the exception is the driver's own")
    made = make_reproducer(make_driver(ReaderDriver), case, "it")
    assert (made.source, made.tells) == (None, "the case does not fail when it is run again")


def test_a_write_has_none() -> None:
    """What the device has got is in no scenario."""
    driver = get_driver("packet/offset-not-advanced")
    case = bytes([0] * 6 + [0, 3, 0, 1, 0, 0])
    result = driver.run(case)
    assert FAILURES[result.signature.failure] == "wrong data"
    made = make_reproducer(driver, case, "it")
    assert (made.source, made.tells.startswith("no scenario: ")) == (None, True)


# Faults in journals


def test_a_fault_that_was_added_later_hits_the_same_call(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Machine(log="grow", journal=path) as machine:
        mdl = machine.mdl(4096, pfns=[3])
        transaction = machine.device().enabler(maximum_length=4096, dma_version=3).transaction()

        def go() -> str:
            transaction.initialize(mdl, program_dma=lambda *_: None)
            status = transaction.execute()
            if status.is_success:
                transaction.dma_completed()
            transaction.release()
            return str(status.name)

        go()
        machine.faults.fail_call("execute", nth=2)
        machine.faults.fail_call("create", nth=1)
        assert [go(), go()] == ["STATUS_SUCCESS", "STATUS_INSUFFICIENT_RESOURCES"]
        machine.faults.clear()
        machine.faults.deny_registers(nth=1)
        transaction.initialize(mdl, program_dma=lambda *_: None)
        transaction.execute()
        assert transaction.cancel()  # it waited
        machine.device().enabler(maximum_length=4096).transaction()  # which no fault hits any more
        log = render_log(_copy_log(machine._core.machine))
    journal = read_journal(path)
    faults = [fault.model_dump(exclude_none=True) for fault in journal.scenario.faults]
    assert faults[0] == {"op": "execute", "nth": 3, "status": "STATUS_INSUFFICIENT_RESOURCES"}
    assert len(faults) == 2
    assert journal.omitted == []
    assert keep_framework(execute_scenario(journal.scenario).log) == keep_framework(log)


def test_faults_that_were_there_before(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Machine() as machine:
        machine.faults.fail_call("create", nth=1)
        machine.faults.disturb_device("short", move="complete_transfer", per_mille=5, seed=7)
        machine.record(path)
        machine.device().enabler(maximum_length=4096)
        machine.faults.shorten_map(per_mille=10, seed=1)
    journal = read_journal(path)
    assert [fault.model_dump(exclude_none=True) for fault in journal.scenario.faults] == [
        {"op": "create", "nth": 1, "status": "STATUS_INSUFFICIENT_RESOURCES"},
        {"device": "short", "nth": {"per_mille": 5, "seed": 7}, "move": "complete_transfer"},
        {"partial_map": {"per_mille": 10, "seed": 1}},
    ]
    with Machine(journal=path) as machine:
        transaction = machine.device().enabler(maximum_length=4096).transaction()
        machine.faults.shorten_map(per_mille=10, seed=1)
        transaction.cancel()
    omitted = ["a fault: one by chance that was added after the first step"]
    assert read_journal(path).omitted == omitted


def test_requests_of_no_bytes_and_those_that_fail(tmp_path: Path) -> None:
    driver, journal_path = get_driver("packet"), tmp_path / "journal"
    case = bytes([0] * 6 + [0, 32, 0, 0, 0, 0] + [0] * 6 + [2, 0, 0, 0, 0, 0])

    def begin(machine: Any) -> None:
        assert lib.wdfdma_journal_begin(machine, str(journal_path).encode(), 0) == 0

    assert not driver.watch(case, begin, lambda *_: None).has_failed
    journal = read_journal(journal_path)
    assert journal.omitted == [
        "request_complete: its status is STATUS_CANCELLED, in the scenario success",
        "remove_device: of a second device",
    ]
    ops = [step.op for step in journal.scenario.steps]
    assert ops.count("request_create") == 2
    assert not execute_scenario(journal.scenario).violations


def test_a_wrong_byte_is_not_shrunk_to_one_that_nobody_moves(found: Found) -> None:
    name = "scatter-gather/error-ignored"
    scenario = Scenario.parse(make_first(name, found))
    small = shrink(scenario)
    assert len(small.steps) < len(scenario.steps)
    assert {"execute", "mdl_read"} <= {step.op for step in small.steps}
