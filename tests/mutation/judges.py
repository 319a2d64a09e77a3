"""Who may kill a mutant: the recordings, Hypothesis with the reference model, the C tests, other tests of Python.

A test runs in a child of a process that has everything loaded: the programs of all recordings, scenarios that
Hypothesis drew, once, with what the model says of each, and pytest's items. Each runs once without a mutant, to see
which mutants it reaches: only those can it kill. A test that outlives its time has killed the mutant, too.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

NAMES = ("conformance", "hypothesis", "c", "python")
DRAWN = 1000
STATEFUL = 100
SECONDS = {"conformance": 30, "hypothesis": 120, "c": 90, "python": 150}
# Tests of Python that take longer do not judge; those that do, fast ones first, have so long in all, without a mutant.
LONGEST_TEST, ALL_TESTS = 3.0, 25.0
# The two first judges themselves, tests of what is no library, and those that mostly start programs.
NO_JUDGES = (
    *("conformance", "differential", "stateful", "floors", "headers", "examples", "export"),
    *(
        "testing_state_machine",
        "testing_strategies",
        "teardown",
        "replay",
        "fuzz",
        "fuzz_isolate",
        "mutation_run",
        "pytest_options",
        "pytest_plugin",
        "rules_table",
        "cli",
        "record_names",
    ),
)
ARGUMENTS = {"test_handles": ["25000"]}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a judge killed a mutant, how (difference, assert, signal, timeout), and what it said first."""

    killed: bool
    how: str = ""
    said: str = ""


@dataclass(slots=True)
class Test:
    """A test, or a case of one: [run] says what is wrong. [reached]: a byte for each mutant; [seconds] without one."""

    name: str
    run: Callable[[], str]
    reached: bytes = b""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Case:
    scenario: Any
    program: bytes
    result: Any
    data: bytes


class Judges:
    """All judges of one build, in the folder [build]; [repository] has the tests."""

    def __init__(self, repository: Path, build: Path, names: Sequence[str] = NAMES) -> None:
        self.repository, self.build, self.names = repository, build, names
        self.items: list[Any] = []
        sys.path[:0] = [str(build / "site"), str(repository / "tests" / "python")]
        sys.dont_write_bytecode = True
        self.shared = build / "reached"
        self.shared.write_bytes(bytes(65536))
        os.environ["WDFDMA_REACHED"] = str(self.shared)
        os.environ["PYTHONPATH"] = str(build / "site")
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        self.library = ctypes.CDLL(str(build / "libwdfdma" / "libwdfdma.so"))
        self.library.wdfdma_get_reached.restype = ctypes.POINTER(ctypes.c_ubyte * 65536)
        self.tests: dict[str, list[Test]] = {}

    def inside_pytest(self, work: Callable[[], None]) -> None:
        """Calls [work] while the items of pytest are loaded, if they are to judge."""
        if "python" not in self.names:
            work()
            return
        import pytest

        class Loop:
            def pytest_runtestloop(plugin, session: pytest.Session) -> bool:  # noqa: N805
                self.items = list(session.items)
                work()
                return True

        folder = self.repository / "tests" / "python"
        names = sorted(folder.glob("test_*.py"))
        paths = [str(path) for path in names if path.stem.removeprefix("test_") not in NO_JUDGES]
        os.chdir(self.repository)
        options = ["-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-seed=0"]
        code = pytest.main([*options, "--tb=line", *paths], plugins=[Loop()])
        assert code in (0, 5), code

    def prepare(self, count: int) -> None:
        """Runs every test without a mutant, and notes which of [count] mutants it reaches."""
        self.count = count + 1
        makers: dict[str, Callable[[], list[Test]]] = {
            "conformance": lambda: list(self._load_recordings()),
            "hypothesis": lambda: [*self._draw(), Test("stateful", self._run_stateful)],
            "c": self._find_c_tests,
            "python": lambda: [_make_test(item) for item in self.items],
        }
        self.tests = {name: makers[name]() for name in self.names}
        for tests in self.tests.values():
            self._measure(tests)
        for name in {"c", "python"} & self.tests.keys():
            self.tests[name].sort(key=lambda test: test.seconds)

    def judge(self, number: int) -> dict[str, Verdict]:
        """What the judges say of mutant [number]; the tests are asked only about what both first ones let live."""
        verdicts: dict[str, Verdict] = {}
        for name, tests in self.tests.items():
            if name in ("conformance", "hypothesis") or not any(
                v.killed for v in verdicts.values()
            ):
                reaching = [test for test in tests if test.reached[number]]
                if name == "python":
                    short = (test for test in reaching if test.seconds < LONGEST_TEST)
                    reaching = list(_take(short, ALL_TESTS))
                verdicts[name] = self._fork(name, number, reaching)
        return verdicts

    def _find_c_tests(self) -> list[Test]:
        def make(path: Path) -> Test:
            return Test(path.name, partial(self._run_c_test, path))

        return [make(path) for path in sorted((self.build / "tests" / "c").glob("test_*"))]

    # The tests of the first two judges.

    def _load_recordings(self) -> Iterator[Test]:
        from wdfdma import Scenario
        from wdfdma.files import read_values
        from wdfdma.records import render_log
        from wdfdma.run import compare

        folder = self.repository / "tests" / "conformance"
        for path in sorted([*folder.glob("*.jsonl"), *folder.glob("regression/*.json")]):
            for where, value in read_values(path):
                scenario = Scenario.parse(value)
                case = _make_case(scenario)
                assert compare(scenario, render_log(case.data)) is None, where
                yield Test(Path(where).name, partial(_run_recording, case))

    def _draw(self) -> list[Test]:
        """What Hypothesis draws does not depend on the library: it is drawn once."""
        from hypothesis import given

        import test_differential
        from wdfdma import Scenario

        tests = []

        def draw(value: dict[str, Any]) -> None:
            test_differential.expect_same(value)
            case = _make_case(Scenario.parse(value))
            tests.append(Test("drawn", partial(_run_drawn, case, value, _run_and_look(case))))

        _settings(DRAWN)(given(test_differential.scenarios())(draw))()
        return tests

    def _run_stateful(self) -> str:
        from hypothesis.stateful import run_state_machine_as_test

        from test_stateful import DriverMachine

        run_state_machine_as_test(
            DriverMachine, settings=_settings(STATEFUL, stateful_step_count=25)
        )
        return ""

    def _run_c_test(self, path: Path) -> str:
        command = [str(path), *ARGUMENTS.get(path.name, [])]
        with tempfile.TemporaryDirectory() as folder:
            run = subprocess.run(command, cwd=folder, stdout=-3, stderr=-3, check=False)
        if run.returncode < 0:
            return f"{path.name}: {signal.Signals(-run.returncode).name}"
        return "" if run.returncode in (0, 77) else path.name

    # Children.

    def _measure(self, tests: list[Test]) -> None:
        """In one child: a test may leave something behind."""
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "measured"

            def measure() -> str:
                reached = self.library.wdfdma_get_reached().contents
                found = []
                for test in tests:
                    ctypes.memset(reached, 0, self.count)
                    begun = time.monotonic()
                    said = test.run()
                    if said:
                        return f"without a mutant: {test.name}: {said}"
                    seconds = time.monotonic() - begun
                    found.append((bytes(reached[: self.count]).hex(), seconds))
                out.write_text(json.dumps(found))
                return ""

            verdict = self._start(0, 3600, measure)
            assert not verdict.killed, verdict
            for test, (reached, seconds) in zip(tests, json.loads(out.read_text()), strict=True):
                test.reached, test.seconds = bytes.fromhex(reached), seconds

    def _fork(self, judge: str, number: int, tests: list[Test]) -> Verdict:
        def run() -> str:
            for test in tests:
                try:
                    said = test.run()
                except AssertionError as error:
                    said = str(error)
                if said:
                    return f"{test.name}: {said}"
            return ""

        return self._start(number, SECONDS[judge], run) if tests else Verdict(False, "not reached")

    def _start(self, number: int, seconds: int, run: Callable[[], str]) -> Verdict:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            self._be_child(number, seconds, run, writer)
        os.close(writer)
        with os.fdopen(reader, errors="replace") as said:
            text = said.read(2000)
        _, status = os.waitpid(child, 0)
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        if os.WIFSIGNALED(status):
            name = signal.Signals(os.WTERMSIG(status)).name
            how = "timeout" if name == "SIGALRM" else "assert" if name == "SIGABRT" else name
            return Verdict(True, how, text)
        return Verdict(os.WEXITSTATUS(status) != 0, "difference" if text else "", text)

    def _be_child(self, number: int, seconds: int, run: Callable[[], str], writer: int) -> None:
        """Never comes back. Leads a group: what it started ends with it."""
        code, said = 1, ""
        try:
            os.setpgid(0, 0)
            signal.alarm(seconds)
            silence = os.open(os.devnull, os.O_RDWR)
            for stream in range(3):
                os.dup2(silence, stream)
            os.environ["WDFDMA_MUTANT"] = str(number)
            self.library.wdfdma_set_mutant(number)
            said = run()
            code = 1 if said else 0
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        with suppress(OSError):
            os.write(writer, said[:1000].encode(errors="replace"))
        os._exit(code)


def _settings(examples: int, **more: Any) -> Any:
    """The same examples each time; none is shrunk."""
    from hypothesis import HealthCheck, Phase, settings

    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        **more,
    )


def _make_case(scenario: Any) -> _Case:
    from wdfdma.run import check_scenario, execute_scenario

    return _Case(scenario, *check_scenario(scenario), execute_scenario(scenario).data)


def _run_case(case: _Case) -> bytes:
    from wdfdma.run import _copy_log, run_program

    with run_program(case.scenario, case.program, case.result) as machine:
        return _copy_log(machine)


def _run_recording(case: _Case) -> str:
    from wdfdma.records import render_log
    from wdfdma.run import compare

    data = _run_case(case)
    return "" if data == case.data else str(compare(case.scenario, render_log(data)) or "")


def _run_drawn(case: _Case, value: dict[str, Any], end: tuple[Any, Any]) -> str:
    import test_differential

    if _run_and_look(case) != end:
        test_differential.expect_same(value)
    return ""


def _run_and_look(case: _Case) -> tuple[bytes, Any]:
    """The log of a case, and how its machine stands at the end."""
    from stateful.states import read_library
    from wdfdma.run import _copy_log, run_program

    with run_program(case.scenario, case.program, case.result) as machine:
        return _copy_log(machine), read_library(machine)


def _make_test(item: Any) -> Test:
    return Test(item.nodeid.removeprefix("tests/python/"), partial(_run_item, item))


def _run_item(item: Any) -> str:
    from _pytest.runner import runtestprotocol

    reports = runtestprotocol(item, nextitem=None, log=False)
    return next((str(report.longrepr)[:200] for report in reports if report.failed), "")


def _take(tests: Iterable[Test], seconds: float) -> Iterator[Test]:
    for test in tests:
        seconds -= test.seconds
        if seconds < 0:
            return
        yield test
