"""Fuzzing drivers: what is found does not depend on how it is run; corpora; the command."""

import json
import re
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from reader_driver import ReaderDriver
from wdfdma.cli import cli
from wdfdma.cli_ends import BAD_INPUT, DIFFERENCE, MATCH
from wdfdma.coverage import Coverage
from wdfdma.coverage_files import parse_coverage
from wdfdma.fuzz_command import read_seconds
from wdfdma.status import StatusError
from wdfdma.testing.cases import FAILURES, MOVES
from wdfdma.testing.drivers import get_driver, list_drivers, run_case
from wdfdma.testing.fuzzing import FuzzOptions, FuzzReport, fuzz_driver, shrink_case

FAULTY = [driver.name for driver in list_drivers() if driver.fault]
CORRECT = [driver.name for driver in list_drivers() if driver.fault is None]
MOVES_OF_A_SHORT_CASE = 8


class Generous(ReaderDriver):
    """It tells of fewer bytes than came."""

    def finish(self, status: int, length: int) -> None:
        super().finish(status, max(length - 1, 0))  # type: ignore[arg-type]


def list_findings(report: FuzzReport) -> list[Any]:
    return [
        (finding.signature, finding.case, finding.hits, finding.run)
        for finding in report.findings.values()
    ]


@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("name", FAULTY)
def test_a_faulty_driver_is_found_and_its_case_is_short(name: str, seed: int) -> None:
    driver = get_driver(name)
    report = fuzz_driver(driver, FuzzOptions(seed=seed, seconds=60, findings=1))
    assert report.findings
    for finding in report.findings.values():
        assert finding.result.moves <= MOVES_OF_A_SHORT_CASE
        assert run_case(driver, finding.case) == finding.result
        assert run_case(driver, finding.found).signature == finding.signature
        assert not run_case(get_driver(name.split("/")[0]), finding.case).has_failed


@pytest.mark.parametrize("name", CORRECT)
def test_a_correct_driver_is_clean(name: str) -> None:
    report = fuzz_driver(get_driver(name), FuzzOptions(seed=2, runs=3000))
    assert (report.runs, report.failures, report.findings) == (3000, 0, {})
    assert report.requests > 3000


def test_a_driver_in_python_is_clean() -> None:
    report = fuzz_driver(ReaderDriver, FuzzOptions(seed=3, runs=300))
    assert (report.runs, report.findings) == (300, {})


def test_a_faulty_driver_in_python_is_found() -> None:
    report = fuzz_driver(Generous, FuzzOptions(runs=200, findings=1))
    [finding, *_] = report.findings.values()
    assert FAILURES[finding.signature.failure] == "wrong information"
    assert finding.result.moves == 1
    short, result = shrink_case(Generous, finding.found)
    assert (short, result) == (finding.case, finding.result)


def test_what_does_not_fail_is_not_shrunk() -> None:
    with pytest.raises(StatusError):
        shrink_case(get_driver("packet"), bytes(12))


def test_the_same_seed_finds_the_same_whoever_runs_it() -> None:
    driver = get_driver("packet/released-in-transfer")
    options = {"seed": 5, "runs": 4500}
    alone = fuzz_driver(driver, FuzzOptions(**options))  # type: ignore[arg-type]
    again = fuzz_driver(driver, FuzzOptions(**options))  # type: ignore[arg-type]
    with ThreadPoolExecutor(2) as executor:
        many = fuzz_driver(driver, FuzzOptions(**options), executor=executor, workers=2)  # type: ignore[arg-type]
    assert alone.runs == many.runs == 4500
    assert list_findings(alone) == list_findings(again) == list_findings(many)
    other = fuzz_driver(driver, FuzzOptions(seed=6, runs=4500))
    assert list_findings(other) != list_findings(alone)


class Unreliable(Executor):
    """Loses each chunk once, as workers that are killed do."""

    def __init__(self) -> None:
        self.lost: set[int] = set()

    def submit(self, function: Any, /, *arguments: Any, **options: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        seed = function.args[1]
        if seed not in self.lost:
            self.lost.add(seed)
            future.set_exception(OSError("the worker is gone"))
        else:
            future.set_result(function(*arguments, **options))
        return future


def test_a_chunk_whose_worker_is_lost_is_run_again() -> None:
    driver = get_driver("packet/released-in-transfer")
    alone = fuzz_driver(driver, FuzzOptions(seed=7, runs=3000))
    lossy = fuzz_driver(driver, FuzzOptions(seed=7, runs=3000), executor=Unreliable(), workers=1)
    assert lossy.runs == 3000
    assert list_findings(alone) == list_findings(lossy)


def test_another_process_must_find_the_driver() -> None:
    with ThreadPoolExecutor(1) as executor, pytest.raises(ValueError, match="module:Class"):
        fuzz_driver(ReaderDriver, executor=executor)


def test_only_some_moves() -> None:
    driver = get_driver("packet/completed-after-cancel")
    without = [name for name in MOVES if name not in ("cancel", "power")]
    assert not fuzz_driver(driver, FuzzOptions(runs=3000, moves=without)).findings
    with pytest.raises(ValueError, match="nothing: no moves"):
        fuzz_driver(driver, FuzzOptions(runs=1, moves=["nothing"]))


def run_command(*arguments: str) -> tuple[int, list[str]]:
    result = CliRunner().invoke(cli, ["fuzz", *arguments], standalone_mode=False)
    assert result.exception is None
    return int(result.return_value), result.output.splitlines()


def test_the_command_runs_on_nothing_but_the_package() -> None:
    status, lines = run_command("--runs", "300")
    assert status == MATCH
    assert [line.split(":")[0] for line in lines[:-3]] == CORRECT
    assert lines[-3].startswith("900 cases and ")
    assert lines[-2].startswith("0 failures: no rule is broken")
    assert lines[-1] == "next, a driver with a bug: wdfdma fuzz packet/completed-after-cancel"


def test_the_last_line_replays_the_worst() -> None:
    status, lines = run_command("packet/released-in-transfer", "--runs", "2000")
    assert status == DIFFERENCE
    program, command, *arguments = lines[-1].split()
    assert (program, command) == ("wdfdma", "fuzz")
    status, lines = run_command(*arguments)
    assert status == DIFFERENCE
    assert lines[0].startswith("packet/released-in-transfer: bug check")


def test_a_corpus_goes_on_where_it_stopped(tmp_path: Path) -> None:
    driver = "packet/released-in-transfer"
    where = str(tmp_path / "corpus")
    run_command(driver, "--runs", "1000", "--out", where, "--seed", "9")
    status, lines = run_command(driver, "--runs", "2000", "--out", where)
    assert status == DIFFERENCE
    assert " 3000 runs" in lines[0]
    state = json.loads((tmp_path / "corpus" / "packet-released-in-transfer.json").read_text())
    whole = fuzz_driver(get_driver(driver), FuzzOptions(seed=9, runs=3000))
    assert state["counts"]["steps"] == whole.steps
    assert [tuple(entry["signature"]) for entry in state["findings"]] == list(whole.findings)
    files = sorted((tmp_path / "corpus" / "failures").iterdir())
    assert len(files) == len(whole.findings)
    for file in files:
        document = json.loads(file.read_text())
        assert document["driver"].endswith(driver)
        status, lines = run_command("--replay", str(file))
        assert status == DIFFERENCE
        assert lines[0] == f"{driver}: {document['failure']}"
        assert [line.strip() for line in lines[1:]] == [document["world"], *document["moves"]]


def read_share(line: str) -> float:
    found = re.search(r"([\d.]+) % of the cells", line)
    assert found, line
    return float(found[1])


def test_a_corpus_keeps_what_was_covered(tmp_path: Path) -> None:
    where, counted = str(tmp_path / "corpus"), str(tmp_path / "counted")
    _, lines = run_command("packet", "--runs", "1000", "--out", where, "--seed", "9")
    first = read_share(lines[0])
    state = tmp_path / "corpus" / "packet.json"
    kept = json.loads(state.read_text())["coverage"]
    _, lines = run_command("packet", "--runs", "100", "--out", where)  # no chunk that collects
    assert read_share(lines[0]) == first > 0
    assert json.loads(state.read_text())["coverage"] == kept
    _, lines = run_command("packet", "--runs", "300", "--out", where, "--coverage", counted)
    after = Coverage.load(counted)  # of these 300 runs alone
    assert read_share(lines[0]) >= first > after.reached().percent
    both = parse_coverage(json.dumps(kept)).merge(after)
    assert parse_coverage(json.dumps(json.loads(state.read_text())["coverage"])) == both


def test_a_corpus_of_older_and_broken_states(tmp_path: Path) -> None:
    arguments = ("packet", "--runs", "1000", "--out", str(tmp_path))
    run_command(*arguments)
    file = tmp_path / "packet.json"
    state = json.loads(file.read_text())
    del state["coverage"]
    file.write_text(json.dumps(state))
    _, lines = run_command(*arguments)
    assert "of the cells" not in lines[0]
    file.write_text(json.dumps({**state, "coverage": {"format": "other"}}))
    result = CliRunner().invoke(cli, ["fuzz", *arguments], standalone_mode=False)
    assert result.return_value == BAD_INPUT
    assert "packet.json: no state of a fuzzing run: not coverage of the format" in result.output


def test_processes_find_what_one_finds(tmp_path: Path) -> None:
    driver = "scatter-gather/not-released"
    run_command(driver, "--runs", "2500", "--out", str(tmp_path / "one"))
    run_command(driver, "--runs", "2500", "--out", str(tmp_path / "two"), "-j", "2")
    name = "scatter-gather-not-released.json"
    assert (tmp_path / "one" / name).read_text() == (tmp_path / "two" / name).read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "no driver that ships"),
        (["packet", "--rules", "start,nothing"], "nothing: no moves"),
        (["packet", "--time", "soon"], "soon"),
        (["--replay", "xyz"], "no case"),
        (["--replay", "none.json"], "No such file"),
    ],
)
def test_bad_input(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(cli, ["fuzz", *arguments], standalone_mode=False)
    assert result.return_value == BAD_INPUT
    assert message in result.output


def test_a_corpus_of_another_seed(tmp_path: Path) -> None:
    run_command("packet", "--runs", "10", "--out", str(tmp_path), "--seed", "1")
    arguments = ["fuzz", "packet", "--runs", "10", "--out", str(tmp_path), "--seed", "2"]
    result = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert result.return_value == BAD_INPUT
    assert "it was begun with seed 1" in result.output
    (tmp_path / "packet.json").write_text("{}")
    result = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert result.return_value == BAD_INPUT


def test_times() -> None:
    times = {"60s": 60, "10m": 600, "500ms": 0.5, "1.5": 1.5, "1h": 3600}
    assert {text: read_seconds(text) for text in times} == times
