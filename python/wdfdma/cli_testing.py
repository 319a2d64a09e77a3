"""The commands that look for what breaks a driver, and keep it: fuzz, export, shrink, coverage."""

from typing import Any

import click

from wdfdma.cli_ends import MATCH, report_errors
from wdfdma.problems import Problem, ScenarioError


@click.command()
@click.argument("driver", required=False)
@click.option("--rules", metavar="MOVES", help="Only moves of these kinds: start,finish,cancel,...")
@click.option("-j", "--jobs", type=click.IntRange(1, 1024), default=1, help="Processes [1].")
@click.option("--time", "time", metavar="TIME", help="How long, of all drivers together: 60s, 10m.")
@click.option("--runs", type=click.IntRange(1), help="How many cases, of each driver.")
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), help="The same seed finds the same [0].")
@click.option("--out", metavar="DIR", help="A corpus: what failed, and where to go on.")
@click.option("--replay", "case", metavar="CASE", help="Run one case: its file, or its digits.")
@click.option("--isolate", "is_isolated", is_flag=True, help="Cases run in a process of their own.")
@click.option("--case-timeout", metavar="TIME", help="The most of an isolated case [2s].")
@click.option("--executor", metavar="URL", help="dask://HOST:PORT: a cluster runs the cases.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--coverage", metavar="DIR", help="Count what all calls do, for `wdfdma coverage`.")
@report_errors
def fuzz(driver: str | None, case: str | None, rules: str | None, **options: Any) -> int:
    """Put DRIVER through cases by chance: requests, hardware that is late or fails, cancels, power, faults.

    DRIVER is the name of one that ships, the path of a shared object, PATH:NAME of one of its drivers, or module:Class.
    Without it, the correct ones that ship. Without --time and --runs it takes ten seconds. Each failure is made as
    short as it can be; the last line is the command that runs the worst again. With --isolate a driver that crashes or
    never ends has failed, and fuzzing goes on. Ends with 1 if anything failed, 3 where a process was lost.
    """
    from wdfdma import fuzz_command

    settings = fuzz_command.FuzzSettings(moves=rules, **options)
    if case is not None:
        return fuzz_command.replay(case, driver, settings)
    return fuzz_command.fuzz_command(driver, settings)


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--to", "form", type=click.Choice(["pytest", "c", "json"]), required=True)
@click.option("-o", "--output", metavar="OUT", help="Write to a file, not to the standard output.")
@report_errors
def export(file: str, form: str, output: str | None) -> int:
    """Write a scenario as a reproducer: a test of pytest's, a C program, or JSON in its plain form.

    FILE holds one scenario, or is FILE:NUMBER for one line of a .jsonl file; - is the standard input. The test passes,
    and the program ends with 0, where they do what the scenario does.
    """
    from wdfdma.export.command import export_file

    export_file(file, form, output)
    return MATCH


@click.command()
@click.argument("file", metavar="FILE")
@click.option("-o", "--output", metavar="OUT", help="Write to a file, not to the standard output.")
@report_errors
def shrink(file: str, output: str | None) -> int:
    """Write the smallest scenario that still shows what the one in FILE does.

    That is the bug check or the first rule that it breaks, by rule, kind of object and call, or else how its log
    differs from the one that it carries. FILE holds one scenario, or is FILE:NUMBER for one line of a .jsonl file.
    """
    from wdfdma.export.command import shrink_file

    shrink_file(file, output)
    return MATCH


@click.command()
@click.argument("folder", metavar="DIR")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV: a line for each cell and goal.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--html", metavar="FILE", help="Write a page of HTML.")
@click.option(
    "--all", "with_misuse", is_flag=True, help="With what only a driver's mistakes reach."
)
@report_errors
def coverage(folder: str, as_csv: bool, as_json: bool, html: str | None, with_misuse: bool) -> int:
    """Show which behaviour the runs whose coverage is in DIR have reached, what they never did first.

    A cell is a call (or a callback) that met a transaction in one state and had one outcome; a goal is a situation that
    should come about sometimes. DIR is what `run`, `fuzz` or pytest was given with --coverage (--wdfdma-coverage): the
    files of any number of runs are summed. It may be one file of those.
    """
    from wdfdma.coverage_command import show_coverage

    if as_csv and as_json:
        raise ScenarioError([Problem("--csv", "not together with --json")])
    return show_coverage(folder, as_csv=as_csv, as_json=as_json, html=html, with_misuse=with_misuse)
