"""What `wdfdma fuzz` does: drivers one after another, a table as it goes or lines, the cases of what failed."""

import shlex
import sys
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from time import monotonic
from typing import Any

import click

from wdfdma.cli_ends import BAD_INPUT, DIFFERENCE, MATCH
from wdfdma.testing.cases import describe_case
from wdfdma.testing.corpus import Corpus, CorpusError, read_case
from wdfdma.testing.drivers import Driver, DriverError, find_driver, list_drivers
from wdfdma.testing.fuzzing import Finding, FuzzOptions, FuzzReport, fuzz_driver

DEFAULT_SECONDS = 10.0
_SAVE_SECONDS = 1.0
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class FuzzSettings:
    """The options of the command. [seconds] are for all drivers together, [runs] for each."""

    def __init__(
        self,
        moves: str | None,
        jobs: int,
        seconds: float | None,
        runs: int | None,
        seed: int | None,
        out: str | None,
    ) -> None:
        self.moves = None if moves is None else [name.strip() for name in moves.split(",")]
        self.jobs = jobs
        self.seconds = seconds
        self.runs = runs
        self.seed = seed
        self.out = out


def read_seconds(text: str) -> float:
    """How long "500ms", "60s", "10m" or "2h" is; a number alone is of seconds. Errors: ValueError.

    >>> read_seconds("2m")
    120.0
    """
    for unit in ("ms", "s", "m", "h"):
        if text.endswith(unit):
            return float(text[: -len(unit)]) * _UNITS[unit]
    return float(text)


def fuzz_command(
    name: str | None,
    moves: str | None,
    jobs: int,
    time: str | None,
    runs: int | None,
    seed: int | None,
    out: str | None,
) -> int:
    """Fuzzes the driver that [name] names, or all correct ones that ship, prints, and returns the exit code."""
    try:
        seconds = None if time is None else read_seconds(time)
        if time is None and runs is None:
            seconds = DEFAULT_SECONDS
        settings = FuzzSettings(moves, jobs, seconds, runs, seed, out)
        drivers = [find_driver(name)] if name else _list_correct()
        return _fuzz_all(drivers, settings)
    except (DriverError, CorpusError, ValueError) as error:
        click.echo(str(error), err=True)
        return BAD_INPUT


def replay(text: str, name: str | None) -> int:
    """Runs the case in [text], a file of a corpus or hexadecimal digits, once, and prints what came of it."""
    try:
        case, origin = read_case(text)
        driver = find_driver(name or origin or "packet")
    except (DriverError, CorpusError) as error:
        click.echo(str(error), err=True)
        return BAD_INPUT
    result = driver.run(case)
    click.echo(f"{driver.name}: {result}")
    _print_case(case)
    return DIFFERENCE if result.has_failed else MATCH


def _list_correct() -> list[Driver]:
    return [driver for driver in list_drivers() if driver.fault is None]


def _fuzz_all(drivers: list[Driver], settings: FuzzSettings) -> int:
    seconds = None if settings.seconds is None else settings.seconds / len(drivers)
    runs = [DriverRun(driver, settings, seconds) for driver in drivers]
    with _make_executor(settings.jobs) as executor, make_screen() as screen:
        for run in runs:
            run.fuzz(executor, screen)
    found = [(run, finding) for run in runs for finding in run.report.findings.values()]
    commands = [_print_finding(run, finding) for run, finding in found]
    click.echo(f"{len(found)} failure{'' if len(found) == 1 else 's'}")
    if not found:
        return MATCH
    worst = min(range(len(found)), key=lambda index: _rank(found[index][1]))
    click.echo(commands[worst])
    return DIFFERENCE


def _rank(finding: Finding) -> tuple[int, int]:
    """The worst is the least: a bug check before all else, then what comes most often."""
    return finding.signature.failure, -finding.hits


def _print_finding(run: "DriverRun", finding: Finding) -> str:
    """Prints a failure; returns the command that replays it."""
    runs = "1 run" if finding.hits == 1 else f"{finding.hits} runs"
    click.echo(f"{run.driver.name}: {finding.result} ({runs})")
    _print_case(finding.case)
    origin = shlex.quote(run.driver.origin or run.driver.name)
    text = finding.case.hex()
    if run.corpus is not None:
        text = shlex.quote(str(run.corpus.write_failure(finding)))
    return f"wdfdma fuzz {origin} --replay {text}"


def _print_case(case: bytes) -> None:
    for line in describe_case(case):
        click.echo(f"    {line}")


@contextmanager
def _make_executor(jobs: int) -> Iterator[Executor | None]:
    if jobs <= 1:
        yield None
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as executor:
        try:
            yield executor
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise


class DriverRun:
    """The fuzzing of one driver: where it goes on, and how it is shown and kept."""

    def __init__(self, driver: Driver, settings: FuzzSettings, seconds: float | None) -> None:
        self.driver = driver
        self.settings = settings
        out = settings.out
        self.corpus = None if out is None else Corpus(out, driver, settings.seed)
        self.report = self.corpus.report if self.corpus else FuzzReport()
        self.runs_before = self.report.runs
        self.options = FuzzOptions(
            self.corpus.seed if self.corpus else settings.seed or 0,
            settings.runs,
            seconds,
            moves=settings.moves,
            before=self.report,
        )
        self._saved = monotonic()

    def fuzz(self, executor: Executor | None, screen: "Screen") -> None:
        """Fuzzes, and keeps what came of it whatever ends it."""

        def on_chunk(_report: FuzzReport, new: list[Finding]) -> None:
            if new or monotonic() - self._saved > _SAVE_SECONDS:
                self._save()
            screen.show(self)

        try:
            fuzz_driver(
                self.driver,
                self.options,
                executor=executor,
                workers=self.settings.jobs,
                on_chunk=on_chunk,
            )
        finally:
            self._save()
        screen.end(self)

    def _save(self) -> None:
        self._saved = monotonic()
        if self.corpus is not None:
            self.corpus.write(self.report)

    @property
    def rate(self) -> float:
        """Runs a second, this time."""
        return (self.report.runs - self.runs_before) / max(self.report.seconds, 1e-6)

    @property
    def coverage(self) -> int:
        """How many of the things that a workload watches for have come about."""
        return self.report.features.bit_count()


class Screen:
    """Plain lines: one for each driver when it is done."""

    def show(self, run: DriverRun) -> None:
        """Something has changed."""

    def end(self, run: DriverRun) -> None:
        """The driver is done."""
        report = run.report
        click.echo(
            f"{run.driver.name}: {report.runs} runs, {run.rate:.0f} a second, {report.requests} requests, "
            f"{run.coverage} situations, {report.failures} failed"
        )


class Table(Screen):
    """A table that changes as it goes."""

    def __init__(self, live: Any) -> None:
        self._live = live
        self._runs: list[DriverRun] = []

    def show(self, run: DriverRun) -> None:
        """Draws the table anew."""
        if run not in self._runs:
            self._runs.append(run)
        self._live.update(self._make())

    def end(self, run: DriverRun) -> None:
        """Leaves the driver's line as it is."""
        self.show(run)

    def _make(self) -> Any:
        from rich import box
        from rich.markup import escape
        from rich.table import Table as RichTable

        table = RichTable(box=box.SIMPLE_HEAD)
        for heading in ("driver", "runs", "a second", "situations", "failed", "failures"):
            table.add_column(heading, justify="left" if heading == "driver" else "right")
        for run in self._runs:
            report = run.report
            numbers = (report.runs, f"{run.rate:.0f}", run.coverage, report.failures)
            cells = [*map(str, numbers), str(len(report.findings))]
            table.add_row(escape(run.driver.name), *cells)
        return table


@contextmanager
def make_screen() -> Iterator[Screen]:
    """A table on a terminal, lines elsewhere."""
    if not sys.stdout.isatty():
        yield Screen()
        return
    from rich.live import Live

    with Live(refresh_per_second=8) as live:
        yield Table(live)
