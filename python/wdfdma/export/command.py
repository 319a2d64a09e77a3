"""Reproducers: `wdfdma export FILE --to pytest|c|json` and `wdfdma shrink FILE`."""

from pathlib import Path

import click

from wdfdma.dumping.command import load_one
from wdfdma.files import write_file
from wdfdma.problems import Problem, ScenarioError
from wdfdma.scenario import Scenario

FORMS = ("pytest", "c", "json")


def export_scenario(scenario: Scenario, form: str) -> str:
    """[scenario] as a reproducer in one of FORMS. Errors: ScenarioError."""
    if form == "json":
        from wdfdma.export.scenario_json import export_json

        return export_json(scenario)
    from wdfdma.run import execute_scenario

    run = execute_scenario(scenario)
    if form == "c":
        from wdfdma.export.c_program import export_c

        return export_c(scenario, run)
    from wdfdma.export.pytest_module import export_pytest

    return export_pytest(scenario, run)


def load_scenario(name: str) -> Scenario:
    """The scenario that [name] names: as for `wdfdma dump`, a journal's, or that of a case of `wdfdma fuzz`.

    Errors: ScenarioError, OSError. What a journal tells and no scenario can is told on standard error.
    """
    from wdfdma.journal import is_journal, read_journal

    if not is_journal(Path(name)):
        return _load_case(name) or load_one(name)
    journal = read_journal(name)
    for line in dict.fromkeys(journal.omitted):
        click.echo(f"{name}: left out: {line}", err=True)
    return journal.scenario


def _load_case(name: str) -> Scenario | None:
    """The scenario of a case, whose driver runs it once more; None for a file that is none. Errors: ScenarioError."""
    path = Path(name)
    if path.suffix != ".json" or not path.is_file() or b'"bytes"' not in path.read_bytes():
        return None
    from wdfdma.testing.cases import CRASH
    from wdfdma.testing.corpus import CorpusError, read_case, read_failure
    from wdfdma.testing.drivers import DriverError, find_driver
    from wdfdma.testing.reproducers import make_reproducer

    try:
        case, origin = read_case(name)
        if read_failure(name) == CRASH:
            raise CorpusError(f"{name}: no scenario: the driver ends its process by itself")
        driver = find_driver(str(origin))
        made = make_reproducer(driver, case, f"{driver.name}: {driver.run(case)}")
    except (CorpusError, DriverError) as error:
        # A case names its file, a driver that is not there itself.
        where = name if isinstance(error, DriverError) else ""
        raise ScenarioError([Problem("", str(error))], where) from error
    if made.source is None:
        raise ScenarioError([Problem("", made.tells)], name)
    for line in made.omitted:
        click.echo(f"{name}: left out: {line}", err=True)
    return Scenario.parse(made.source, name)


def export_file(name: str, form: str, output: str | None) -> None:
    """Writes the scenario that [name] names as a reproducer. Errors: ScenarioError, OSError."""
    write_text(export_scenario(load_scenario(name), form), output)


def write_text(text: str, output: str | None) -> None:
    """Writes [text] to a file, all at once, or to the standard output where [output] is None or -."""
    if output in (None, "-"):
        click.echo(text, nl=False)
    else:
        write_file(Path(output), text.removesuffix("\n").split("\n"))


def shrink_file(name: str, output: str | None) -> None:
    """Writes the smallest scenario that shows what the one that [name] names does. Errors: ScenarioError, OSError."""
    from wdfdma.export.scenario_json import export_json
    from wdfdma.shrinking import shrink

    write_text(export_json(shrink(load_scenario(name))), output)
