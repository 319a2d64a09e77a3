"""What running scenarios came to, for readers and for files."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from wdfdma._native import VERSION
from wdfdma.enums import Severity
from wdfdma.errors import BugCheck
from wdfdma.files import dump_json, split_number, write_file
from wdfdma.problems import Problem, ScenarioError
from wdfdma.record_json import make_record_entry
from wdfdma.records import RECORD_BYTES, format_record, render_log
from wdfdma.rules import Violation
from wdfdma.run import Difference, Run
from wdfdma.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Outcome:
    """A scenario that ran; [difference] from the log that it carries, if that was asked for."""

    path: Path
    scenario: Scenario
    run: Run
    difference: Difference | None

    @property
    def is_wrong(self) -> bool:
        """Whether the scenario broke a rule that is more than advice, or ended in a bug check."""
        broken = any(item.severity != Severity.ADVICE for item in self.run.violations)
        return broken or self.run.bugcheck is not None


def _count(outcomes: list[Outcome]) -> dict[str, int]:
    return {
        "scenarios": len(outcomes),
        "steps": sum(outcome.run.steps for outcome in outcomes),
        "records": sum(len(outcome.run.log) for outcome in outcomes),
        "bug_checks": sum(_ends_in_bugcheck(outcome) for outcome in outcomes),
        "differences": sum(outcome.difference is not None for outcome in outcomes),
    }


def _ends_in_bugcheck(outcome: Outcome) -> bool:
    log = outcome.run.log
    return bool(log) and log[-1].get("event") == "bugcheck"


def make_summary(outcomes: list[Outcome], check: bool) -> str:
    """One line."""
    counts = _count(outcomes)
    text = ", ".join(
        f"{counts[key + 's']:,} {key.replace('_', ' ')}{'' if counts[key + 's'] == 1 else 's'}"
        for key in ("scenario", "step", "record", "bug_check")
    )
    if not check:
        return text
    differences = counts["differences"]
    differ = "differs" if differences == 1 else "differ"
    return f"{text}: {f'{differences:,} {differ}' if differences else 'all match'}"


def make_document(outcomes: list[Outcome], check: bool) -> dict[str, Any]:
    """What --json prints."""
    counts = _count(outcomes)
    if not check:
        del counts["differences"]
    return {
        "version": VERSION,
        "summary": counts,
        "scenarios": [_make_entry(outcome, check) for outcome in outcomes],
    }


def _make_entry(outcome: Outcome, check: bool) -> dict[str, Any]:
    run = outcome.run
    entry: dict[str, Any] = {"where": outcome.scenario.where, "name": outcome.scenario.name}
    entry["violations"] = [_make_record(run, violation) for violation in run.violations]
    entry["bug_check"] = None if run.bugcheck is None else _make_record(run, run.bugcheck)
    if not check:
        return entry | {"log": run.log}
    entry["match"] = outcome.difference is None
    if outcome.difference is not None:
        entry["difference"] = asdict(outcome.difference)
    return entry


def _make_record(run: Run, record: Violation | BugCheck) -> dict[str, Any]:
    """What halted the machine has a record in the log itself, which is not before it."""
    before = len(render_log(run.data[: record.moment.log_records * RECORD_BYTES]))
    halts = isinstance(record, BugCheck) or record.stopped
    return make_record_entry(record, before - halts)


def show_scenario(outcome: Outcome) -> str:
    """The log, for reading."""
    lines = [format_record(record) for record in outcome.run.log]
    return "\n".join([outcome.scenario.name, *lines, ""])


def show_violations(outcome: Outcome) -> str:
    """The rules that a scenario broke, a line for each; empty if it broke none."""
    return "\n".join(violation.summary for violation in outcome.run.violations)


def write_outcomes(outcomes: list[Outcome], output: str) -> None:
    """Writes the scenarios with their logs: to the standard output, a folder, or a file.

    Errors: ScenarioError, OSError.
    """
    if output == "-":
        for line in _list_lines(outcomes):
            click.echo(line)
        return
    path = Path(output)
    if path.is_dir():
        for name, group in _group_by_file(outcomes, path).items():
            write_file(path / name, _list_lines(group))
    elif path.suffix == ".json" and len(outcomes) != 1:
        message = f"a .json file holds one scenario, not {len(outcomes)}; name it .jsonl"
        raise ScenarioError([Problem("", message)], output)
    elif path.suffix in (".json", ".jsonl"):
        write_file(path, _list_lines(outcomes))
    else:
        raise ScenarioError([Problem("", "neither .json nor .jsonl, nor a folder")], output)


def require_whole_files(names: Iterable[str], output: str) -> None:
    """Refuses to write over a file of which only some lines were named. Errors: ScenarioError."""
    for name in names:
        path, number = split_number(name)
        target = Path(output) / path.name if Path(output).is_dir() else Path(output)
        if number is not None and target.exists() and target.resolve() == path.resolve():
            message = f"has other lines than {name}, which would be lost"
            raise ScenarioError([Problem("", message)], str(target))


def _group_by_file(outcomes: list[Outcome], folder: Path) -> dict[str, list[Outcome]]:
    """The outcomes by the name of their file."""
    paths = dict.fromkeys(outcome.path for outcome in outcomes)
    name, count = Counter(path.name for path in paths).most_common(1)[0]
    if count > 1:
        raise ScenarioError([Problem("", f"{count} files would be written as {name}")], str(folder))
    if name == "-":
        raise ScenarioError(
            [Problem("", "the standard input has no name to write to")], str(folder)
        )
    return {path.name: [item for item in outcomes if item.path == path] for path in paths}


def _list_lines(outcomes: list[Outcome]) -> Iterator[str]:
    return (dump_json({**outcome.scenario.source, "log": outcome.run.log}) for outcome in outcomes)
