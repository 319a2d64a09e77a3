"""What `wdfdma fuzz` does: drivers one after another, a table as it goes or lines, the cases of what failed."""

from dataclasses import dataclass
from math import isfinite
from time import monotonic
from typing import Any

import click

from wdfdma._native import VERSION
from wdfdma.cli_ends import DIFFERENCE, INTERRUPTED, MATCH, OUR_ERROR
from wdfdma.coverage_command import save_reports
from wdfdma.files import dump_json
from wdfdma.fuzz_failures import list_failures, make_document, print_case, print_failures
from wdfdma.fuzz_screen import Screen, make_screen
from wdfdma.fuzz_workers import Workers, make_workers
from wdfdma.problems import Problem, ScenarioError
from wdfdma.testing.cases import CaseResult, describe_case
from wdfdma.testing.chunks import count_left_out
from wdfdma.testing.corpus import Corpus, CorpusError, read_case
from wdfdma.testing.drivers import Driver, DriverError, find_driver, find_origin, list_drivers
from wdfdma.testing.fuzzing import Finding, FuzzOptions, FuzzReport, LostWorkerError
from wdfdma.testing.isolation import CASE_SECONDS, IsolationError, take_sandbox

DEFAULT_SECONDS = 10.0
_SAVE_SECONDS = 1.0
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_A_FAULTY_ONE = "packet/completed-after-cancel"


@dataclass(slots=True)
class FuzzSettings:
    """The options of the command. [time] is for all drivers together, [runs] for each."""

    moves: str | None = None
    jobs: int = 1
    time: str | None = None
    runs: int | None = None
    seed: int | None = None
    out: str | None = None
    executor: str | None = None
    is_isolated: bool = False
    case_timeout: str | None = None
    coverage: str | None = None
    as_json: bool = False

    def list_moves(self) -> list[str] | None:
        """The kinds of moves that cases have; None: all. Errors: ValueError."""
        if self.moves is None:
            return None
        names = [name.strip() for name in self.moves.split(",")]
        try:
            count_left_out(names)
        except ValueError as error:
            raise ValueError(f"--rules: {error}") from None
        return names

    def get_seconds(self) -> float | None:
        """How long, of all drivers together. Errors: ValueError."""
        if self.time is not None:
            return _read_option("--time", self.time)
        return DEFAULT_SECONDS if self.runs is None else None

    def get_case_seconds(self) -> float | None:
        """The most that a case may take in another process; None: in this one. Errors: ValueError."""
        if self.case_timeout is not None:
            if not self.is_isolated:
                raise ValueError("--case-timeout: with --isolate only")
            return _read_option("--case-timeout", self.case_timeout)
        return CASE_SECONDS if self.is_isolated else None


def _read_option(option: str, text: str) -> float:
    try:
        seconds = read_seconds(text)
    except ValueError:
        seconds = -1.0
    if not isfinite(seconds) or seconds <= 0:
        raise ValueError(f"{option}: {text!r} is no time as 500ms, 60s, 10m or 2h")
    return seconds


def read_seconds(text: str) -> float:
    """How long "500ms", "60s", "10m" or "2h" is; a number alone is of seconds. Errors: ValueError.

    >>> read_seconds("2m")
    120.0
    """
    for unit in ("ms", "s", "m", "h"):
        if text.endswith(unit):
            return float(text[: -len(unit)]) * _UNITS[unit]
    return float(text)


def fuzz_command(name: str | None, settings: FuzzSettings) -> int:
    """Fuzzes the driver that [name] names, or all correct ones that ship, prints, and returns the exit code.

    Errors: ScenarioError for input that is not well, OSError.
    """
    try:
        drivers = [find_driver(name)] if name else _list_correct()
        return _fuzz_all(drivers, settings, bool(name))
    except (DriverError, CorpusError, ValueError) as error:
        raise ScenarioError([Problem("", str(error))]) from error


def replay(text: str, name: str | None, settings: FuzzSettings) -> int:
    """Runs the case in [text], a file of a corpus or hexadecimal digits, once, and prints what came of it.

    Errors: ScenarioError for input that is not well, OSError.
    """
    try:
        case, origin = read_case(text)
        driver = find_driver(name or origin or "packet")
        seconds = settings.get_case_seconds()
        result = driver.run(case) if seconds is None else _run_there(driver, case, seconds)
    except (DriverError, CorpusError, ValueError) as error:
        raise ScenarioError([Problem("", str(error))]) from error
    except IsolationError as error:
        click.echo(f"wdfdma: {error}", err=True)
        return OUR_ERROR
    if settings.as_json:
        click.echo(dump_json(_make_replay(driver, case, result), indent=1))
    else:
        click.echo(f"{driver.name}: {result}")
        print_case(case)
    return DIFFERENCE if result.has_failed else MATCH


def _run_there(driver: Driver, case: bytes, seconds: float) -> CaseResult:
    with take_sandbox(find_origin(driver)) as sandbox:
        return sandbox.run(case, seconds)


def _make_replay(driver: Driver, case: bytes, result: CaseResult) -> dict[str, Any]:
    world, *moves = describe_case(case)
    return {
        "version": VERSION,
        "driver": driver.origin or driver.name,
        "failure": str(result) if result.has_failed else None,
        "signature": list(result.signature),
        "world": world,
        "moves": moves,
    }


def _list_correct() -> list[Driver]:
    return [driver for driver in list_drivers() if driver.fault is None]


def _fuzz_all(drivers: list[Driver], settings: FuzzSettings, is_named: bool) -> int:
    """What has come before an interrupt or an error of ours is written and told, too."""
    runs = [DriverRun(driver, settings, len(drivers)) for driver in drivers]
    status, ended = MATCH, "done"
    try:
        with (
            save_reports(settings.coverage, lambda: [run.report.coverage for run in runs]),
            make_workers(
                settings.jobs, settings.executor, drivers, settings.is_isolated
            ) as workers,
            make_screen(settings.as_json) as screen,
        ):
            for run in runs:
                run.fuzz(workers, screen)
    except KeyboardInterrupt:
        status, ended = INTERRUPTED, "interrupted"
    except (LostWorkerError, IsolationError) as error:
        status, ended = OUR_ERROR, str(error)
    failures = list_failures(runs)
    if settings.as_json:
        click.echo(dump_json(make_document(runs, failures, ended), indent=1))
    else:
        _print_sum(runs)
        print_failures(failures, has_ended=status == MATCH)
        if not failures and status == MATCH and not is_named:
            click.echo(f"next, a driver with a bug: wdfdma fuzz {_A_FAULTY_ONE}")
    if status != MATCH:
        click.echo(ended if status == INTERRUPTED else f"wdfdma: {ended}", err=True)
        return status
    return DIFFERENCE if failures else MATCH


def _print_sum(runs: "list[DriverRun]") -> None:
    """What was done this time, in all."""
    count = sum(run.new_runs for run in runs)
    seconds = sum(run.seconds for run in runs)
    calls = sum(run.report.steps - run.steps_before for run in runs)
    click.echo(
        f"{count:,} cases and {calls:,} calls in {seconds:.1f} s, "
        f"{count / max(seconds, 1e-6):,.0f} cases a second"
    )


class DriverRun:
    """The fuzzing of one driver: where it goes on, and how it is shown and kept."""

    def __init__(self, driver: Driver, settings: FuzzSettings, drivers: int) -> None:
        self.driver = driver
        out, seconds, moves = settings.out, settings.get_seconds(), settings.list_moves()
        self.corpus = None if out is None else Corpus(out, driver, settings.seed)
        self.report = self.corpus.report if self.corpus else FuzzReport()
        self.runs_before = self.report.runs
        self.steps_before = self.report.steps
        self.options = FuzzOptions(
            self.corpus.seed if self.corpus else settings.seed or 0,
            settings.runs,
            None if seconds is None else seconds / drivers,
            moves=moves,
            before=self.report,
            isolate=settings.get_case_seconds(),
            coverage=settings.coverage is not None,
        )
        self.seconds = 0.0
        self._saved = monotonic()

    def fuzz(self, workers: Workers, screen: Screen) -> None:
        """Fuzzes, and keeps what came of it whatever ends it."""
        began, is_driver = monotonic(), True

        def on_chunk(_report: FuzzReport, new: list[Finding]) -> None:
            self.seconds = monotonic() - began
            if new or monotonic() - self._saved > _SAVE_SECONDS:
                self._save()
            screen.show(self)

        try:
            workers.fuzz(self.driver, self.options, on_chunk)
        except DriverError:
            is_driver = False
            raise
        finally:
            self.seconds = monotonic() - began
            if is_driver:
                self._save()
                screen.end(self)

    def _save(self) -> None:
        self._saved = monotonic()
        if self.corpus is not None:
            self.corpus.write(self.report)

    @property
    def new_runs(self) -> int:
        """How many runs there were this time."""
        return self.report.runs - self.runs_before

    @property
    def rate(self) -> float:
        """Runs a second, this time."""
        return self.new_runs / max(self.seconds, 1e-6)

    @property
    def situations(self) -> int:
        """How many of the things that a workload watches for have come about."""
        return self.report.features.bit_count()

    @property
    def coverage(self) -> str:
        """The share of the cells that a correct driver can reach, of all that came before in a corpus, too."""
        found = self.corpus.add_coverage(self.report) if self.corpus else self.report.coverage
        return "" if found is None else f"{found.reached().percent:.1f} %"
