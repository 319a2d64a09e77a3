"""The failures that `wdfdma fuzz` has found: written to its corpus, told in lines or as JSON."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wdfdma._native import VERSION
from wdfdma.fuzz_workers import is_foreign
from wdfdma.testing.cases import CRASH, describe_case
from wdfdma.testing.drivers import find_origin
from wdfdma.testing.fuzzing import Finding
from wdfdma.testing.isolation import CASE_SECONDS, take_sandbox
from wdfdma.testing.reproducers import Reproducer, make_reproducer

if TYPE_CHECKING:
    from wdfdma.fuzz_command import DriverRun


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure with its files, if there is a corpus, and the command that runs it again."""

    run: "DriverRun"
    finding: Finding
    made: Reproducer
    case: Path | None
    scenario: Path | None
    command: str

    @property
    def rank(self) -> tuple[bool, int, int]:
        """The worst is the least: a crash, then a bug check, before all else, then what comes most often."""
        failure = self.finding.signature.failure
        return failure != CRASH, failure, -self.finding.hits


def list_failures(runs: "list[DriverRun]") -> list[Failure]:
    """All failures of [runs], each with what it is without its driver. Errors: OSError, IsolationError."""
    return [_write(run, finding) for run in runs for finding in run.report.findings.values()]


def _write(run: "DriverRun", finding: Finding) -> Failure:
    made = _reproduce(run, finding)
    origin = shlex.quote(run.driver.origin or run.driver.name)
    text, case, scenario = finding.case.hex(), None, None
    if run.corpus is not None:
        case = run.corpus.write_failure(finding, made)
        scenario = run.corpus.write_scenario(finding, made)
        text = shlex.quote(str(case))
    isolate = " --isolate" if finding.signature.failure == CRASH else ""
    command = f"wdfdma fuzz {origin} --replay {text}{isolate}"
    return Failure(run, finding, made, case, scenario, command)


def _reproduce(run: "DriverRun", finding: Finding) -> Reproducer:
    name = f"{run.driver.name}: {finding.result}"
    is_here = run.options.isolate is None and not is_foreign(run.driver)
    if is_here and finding.signature.failure != CRASH:
        return make_reproducer(run.driver, finding.case, name)
    with take_sandbox(find_origin(run.driver)) as sandbox:
        seconds = run.options.isolate or CASE_SECONDS
        if finding.signature.failure != CRASH:
            return sandbox.reproduce(finding.case, name, seconds)
        sandbox.run(finding.case, seconds)
        data = sandbox.read_journal()
    tells = "no scenario: the driver ends its process by itself"
    if run.corpus is not None and data:
        tells += f"; its calls are in {run.corpus.write_journal(finding, data)}"
    return Reproducer(None, tells, [])


def print_failures(failures: list[Failure], *, has_ended: bool) -> None:
    """A failure with its moves and its scenario, one after another; last the command that runs the worst again.

    That nothing has failed says nothing of the driver unless all that was asked for [has_ended] well.
    """
    for failure in failures:
        finding = failure.finding
        runs = "1 run" if finding.hits == 1 else f"{finding.hits} runs"
        click.echo(f"{failure.run.driver.name}: {finding.result} ({runs})")
        print_case(finding.case)
        shown = failure.made.tells
        click.echo(
            f"    scenario {failure.scenario}: {shown}" if failure.scenario else f"    {shown}"
        )
    count = len(failures)
    if not failures:
        why = "no rule is broken, all bytes are right, nothing stays held"
        click.echo(f"0 failures: {why}" if has_ended else "0 failures so far: not all was run")
        return
    click.echo(f"{count} failure{'' if count == 1 else 's'}")
    click.echo(find_worst(failures).command)


def find_worst(failures: list[Failure]) -> Failure:
    """The worst of some failures; of those as bad as each other, the first."""
    return min(failures, key=lambda failure: failure.rank)


def print_case(case: bytes) -> None:
    """The world and the moves of a case, a line for each."""
    for line in describe_case(case):
        click.echo(f"    {line}")


def make_document(runs: "list[DriverRun]", failures: list[Failure], ended: str) -> dict[str, Any]:
    """What came of all, for JSON: docs/json_tools.md."""
    return {
        "version": VERSION,
        "ended": ended,
        "drivers": [_make_run(run) for run in runs],
        "failures": [_make_failure(failure) for failure in failures],
        "replay": find_worst(failures).command if failures else None,
    }


def _make_run(run: "DriverRun") -> dict[str, Any]:
    report = run.report
    return {
        "driver": run.driver.origin or run.driver.name,
        "seed": run.options.seed,
        "runs": report.runs,
        "runs_per_second": round(run.rate, 1),
        "requests": report.requests,
        "moves": report.moves,
        "steps": report.steps,
        "situations": run.situations,
        "coverage": run.coverage or None,
        "failed": report.failures,
    }


def _make_failure(failure: Failure) -> dict[str, Any]:
    finding = failure.finding
    world, *moves = describe_case(finding.case)
    return {
        "driver": failure.run.driver.origin or failure.run.driver.name,
        "failure": str(finding.result),
        "signature": list(finding.signature),
        "runs": finding.hits,
        "bytes": finding.case.hex(),
        "world": world,
        "moves": moves,
        "case": None if failure.case is None else str(failure.case),
        "scenario": None if failure.scenario is None else str(failure.scenario),
        "scenario_tells": failure.made.tells,
        "left_out": failure.made.omitted,
        "replay": failure.command,
    }
