"""Drivers that crash, never end, or leave: failures like others where they are isolated, and told where not."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compile_support import SOURCES, build
from reader_driver import ReaderDriver
from wdfdma import read_journal
from wdfdma.cli_ends import BAD_INPUT, DIFFERENCE, INTERRUPTED, MATCH, OUR_ERROR
from wdfdma.testing.cases import CRASH, FAILURES, describe_case
from wdfdma.testing.chunks import run_chunk
from wdfdma.testing.drivers import find_driver, find_origin, get_driver
from wdfdma.testing.fuzzing import FuzzOptions, fuzz_driver
from wdfdma.testing.isolation import IsolationError, Sandbox, make_crash, take_sandbox

SECONDS = 0.5  # of a case
SEED = 5
LONG_AND_CANCELLED = bytes([0] * 6 + [0, 0, 255, 255, 0, 0] + [2, 0, 0, 0, 0, 0])


@pytest.fixture(scope="session")
def crashing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A driver that crashes, with what it takes of the shipped ones."""
    drivers = SOURCES / "drivers"
    shipped = [path for path in sorted(drivers.glob("*.c")) if path.name != "table.c"]
    own = Path(__file__).with_name("crashing_driver.c")
    out = tmp_path_factory.mktemp("crashing") / "crashing.so"
    return build(out, own, *shipped, flags=(f"-I{drivers}",))


@pytest.mark.parametrize(
    ("name", "failure"),
    [
        ("null", "crash SIGSEGV in cancel_request"),
        ("abort", "crash SIGABRT in cancel_request"),
        ("exit", "crash with exit code 3 in cancel_request"),
    ],
)
def test_a_crash_is_a_failure_and_fuzzing_goes_on(crashing: Path, name: str, failure: str) -> None:
    report = run_chunk(f"{crashing}:{name}", SEED, 150, isolate=SECONDS)
    assert report.runs == 150
    [finding] = report.findings.values()
    assert str(finding.result) == failure
    assert finding.hits == report.failures > 5
    moves = list(describe_case(finding.case))[1:]
    assert [move.split(" ")[0] for move in moves] == ["start", "cancel"]


def test_a_case_that_never_ends_is_a_failure(crashing: Path) -> None:
    report = run_chunk(f"{crashing}:for-ever", SEED, 12, isolate=SECONDS)
    assert report.runs == 12
    [finding] = report.findings.values()
    assert str(finding.result) == "hang in cancel_request"
    assert finding.result.moves == 2


@pytest.mark.parametrize("name", ["packet", "packet/released-in-transfer"])
def test_it_finds_what_is_found_without(name: str) -> None:
    alone = run_chunk(get_driver(name), SEED, 400, coverage=True)
    isolated = run_chunk(get_driver(name), SEED, 400, coverage=True, isolate=10.0)
    assert isolated == alone
    assert isolated.coverage is not None
    assert isolated.coverage.cells
    assert bool(alone.findings) == ("/" in name)


def test_a_driver_in_python_is_isolated_too() -> None:
    origin = "reader_driver:ReaderDriver"
    isolated = run_chunk(origin, SEED, 20, coverage=True, isolate=10.0)
    assert isolated == run_chunk(origin, SEED, 20, coverage=True)
    with pytest.raises(ValueError, match="module:Class"):
        run_chunk(find_driver("packet").__class__("x", None), SEED, 1, isolate=1.0)
    with pytest.raises(ValueError, match="module:Class"):
        fuzz_driver(ReaderDriver, FuzzOptions(runs=1, isolate=1.0))


def test_what_is_read_back_is_what_was_found(crashing: Path) -> None:
    with take_sandbox(f"{crashing}:null") as sandbox:
        case = LONG_AND_CANCELLED
        assert sandbox.run(case, SECONDS).signature.failure == CRASH
        assert sandbox.read_journal()[:3] == b"WDJ"
        assert not sandbox.run(bytes(12), SECONDS).has_failed
        made = sandbox.reproduce(case, "it", SECONDS)
        assert made.source is None
    with take_sandbox("wdfdma:packet/completed-after-cancel") as sandbox:
        case = bytes.fromhex("010000000000041f00000000000000000000020000000000")
        assert sandbox.reproduce(case, "it").source is not None


def test_without_forks_the_process_is_begun_again(
    crashing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows: the process that serves is the one that runs the case."""
    (tmp_path / "sitecustomize.py").write_text("import os\ndel os.fork\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name, failure in (("null", "crash SIGSEGV"), ("for-ever", "hang")):
        sandbox = Sandbox(f"{crashing}:{name}")
        for _ in range(2):
            result = sandbox.run(LONG_AND_CANCELLED, SECONDS)
            assert str(result) == f"{failure} in cancel_request"
            assert not sandbox.run(bytes(12), SECONDS).has_failed
        sandbox.close()
    report = run_chunk(f"{crashing}:exit", SEED + 1, 40, isolate=SECONDS)
    assert (report.runs, len(report.findings)) == (40, 1)


def test_a_driver_that_is_not_there() -> None:
    sandbox = Sandbox("no_such_module:Class")
    with pytest.raises(IsolationError, match="no_such_module"):
        sandbox.run(bytes(12))
    sandbox.close()


def test_where_it_crashed_is_told_as_far_as_it_is_known() -> None:
    from wdfdma.enums import Op
    from wdfdma.testing.isolation import Ended

    assert str(make_crash(bytes(12), Ended(-11), 0)) == "crash SIGSEGV"
    assert str(make_crash(bytes(12), Ended(None), int(Op.RELEASE))) == "hang after release"
    assert str(make_crash(bytes(12), Ended(-63), 0)) == "crash by signal 63"
    assert str(make_crash(b"", Ended(0xC0000005), 0)) == "crash with exit code 3221225477"
    assert make_crash(bytes(12), Ended(0), 0).signature.slug == "crash-with-exit-code-0"


# The command


def test_the_command_keeps_a_crash(
    crashing: Path, tmp_path: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    out = tmp_path / "out"
    arguments = ("fuzz", f"{crashing}:null", "--isolate", "--seed", "5", "--out", out)
    status, printed, _ = call(*arguments, "--runs", "100")
    assert status == DIFFERENCE
    last = printed.splitlines()[-1].split()
    assert last[:2] + last[-1:] == ["wdfdma", "fuzz", "--isolate"]
    status, again, _ = call(*last[1:])
    assert (status, again.splitlines()[0]) == (DIFFERENCE, "null: crash SIGSEGV in cancel_request")
    [journal] = (out / "journals").iterdir()
    ops = [step.op for step in read_journal(journal).scenario.steps]
    assert ops[-2:] == ["on", "execute"]
    [case] = (out / "failures").iterdir()
    status, _, problem = call("export", case, "--to", "c")
    assert (status, "the driver ends its process" in problem) == (BAD_INPUT, True)
    status, printed, _ = call(*arguments, "--runs", "50", "--json")
    document = json.loads(printed)
    assert document["drivers"][0]["runs"] == 150
    assert document["drivers"][0]["situations"] > 10
    [failure] = document["failures"]
    assert FAILURES[failure["signature"][0]] == "crash"


def test_a_worker_that_ends_is_told(
    crashing: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    status, _, problem = call("fuzz", f"{crashing}:abort", "--runs", "100", "-j", "2")
    assert status == OUR_ERROR
    assert "chunk 0 has ended" in problem
    assert "--isolate" in problem


def test_times_that_are_none(call: Callable[..., tuple[int, str, str]]) -> None:
    for arguments in (
        ("--time", "soon"),
        ("--time", "-1s"),
        ("--isolate", "--case-timeout", "0"),
        ("--case-timeout", "1s"),
        ("--executor", "http://here:1"),
    ):
        status, _, problem = call("fuzz", "packet", "--runs", "1", *arguments)
        assert (status, arguments[-2] in problem) == (BAD_INPUT, True)


def heed_interrupts() -> None:
    """Whoever runs the tests may not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupt(*arguments: str, when: str) -> tuple[int, str, str]:
    """Runs the command, and presses Ctrl-C when it has printed, or its corpus has, what [when] says."""
    process = subprocess.Popen(
        [sys.executable, "-m", "wdfdma", "fuzz", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_interrupts,
    )
    state = Path(when)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (state.exists() and '"hits"' in state.read_text()):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    out, problem = process.communicate(timeout=60)
    return process.returncode, out, problem


@pytest.mark.skipif(sys.platform == "win32", reason="another Ctrl-C")
@pytest.mark.parametrize("more", [[], ["-j", "2"], ["--isolate"]])
def test_ctrl_c_ends_with_what_was_found(tmp_path: Path, more: list[str]) -> None:
    name = "packet-released-in-transfer"
    arguments = ["packet/released-in-transfer", "--time", "5m", "--out", str(tmp_path), *more]
    status, out, problem = interrupt(*arguments, when=str(tmp_path / f"{name}.json"))
    assert (status, problem) == (INTERRUPTED, "interrupted\n")
    assert out.splitlines()[-1].startswith(
        "wdfdma fuzz wdfdma:packet/released-in-transfer --replay"
    )
    assert list((tmp_path / "failures").glob(f"{name}--*.json"))
    assert list((tmp_path / "scenarios").glob(f"{name}--*.json"))


def test_paths_are_found_from_elsewhere(
    crashing: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[..., tuple[int, str, str]]
) -> None:
    monkeypatch.chdir(crashing.parent)
    driver: Any = find_driver("crashing.so:abort")
    assert driver.origin == "crashing.so:abort"
    assert find_origin(driver) == f"{crashing}:abort"
    status, _, _ = call("fuzz", "crashing.so:abort", "--rules", "start,finish", "--runs", "20")
    assert status == MATCH
