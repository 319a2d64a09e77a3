"""The command line: `wdfdma run FILE...`, `wdfdma dump SCENARIO`, `wdfdma faults SCENARIO...`, `wdfdma explain WHAT`.

It ends with 0 (all well, all match), 1 (a difference; with `run --strict`, a broken rule or a bug check),
2 (bad input), 3 (an error of ours), 130 (interrupted).
"""

import gc
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from wdfdma._native import VERSION
from wdfdma.cli_ends import (
    BAD_INPUT,
    DIFFERENCE,
    INTERRUPTED,
    MATCH,
    OUR_ERROR,
    report_errors,
)
from wdfdma.cli_testing import coverage, export, fuzz, shrink
from wdfdma.explain import explain
from wdfdma.explain import make_document as make_explanation
from wdfdma.files import SeenFiles, dump_json, list_files, read_line, split_number
from wdfdma.problems import Problem, ScenarioError
from wdfdma.report import (
    Outcome,
    make_document,
    make_summary,
    require_whole_files,
    show_scenario,
    show_violations,
    write_outcomes,
)
from wdfdma.run import compare, execute_scenario
from wdfdma.scenario import Scenario


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="wdfdma")
def cli() -> None:
    """Windows' kernel DMA stack (KMDF), simulated in user mode."""


@cli.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    help="Write the scenarios with their logs to a file, a folder, or - .",
)
@click.option("--check", is_flag=True, help="Compare with the logs that the scenarios carry.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("-x", "--stop", is_flag=True, help="Stop at the first difference.")
@click.option(
    "--strict", is_flag=True, help="End with 1 where a scenario breaks a rule that is no advice."
)
@click.option("--pages", is_flag=True, help="Print a page for each rule that was broken.")
@click.option("--coverage", metavar="DIR", help="Count what the calls do, for `wdfdma coverage`.")
@report_errors
def run(
    files: tuple[str, ...],
    output: str | None,
    check: bool,
    as_json: bool,
    stop: bool,
    strict: bool,
    pages: bool,
    coverage: str | None,
) -> int:
    """Run the scenarios in each FILE: .json holds one, .jsonl one in each line.

    FILE:NUMBER is one line of a .jsonl file. A folder stands for the files in it, - for the standard input.
    """
    if pages and as_json:
        raise ScenarioError([Problem("--pages", "not together with --json")])
    outcomes = _run_files(files, output, check, stop, coverage)
    if as_json:
        click.echo(dump_json(make_document(outcomes, check), indent=1))
    else:
        _print_outcomes(outcomes, check, to_stderr=output == "-")
        if pages:
            _print_pages(outcomes, to_stderr=output == "-")
    failed = any(outcome.difference or (strict and outcome.is_wrong) for outcome in outcomes)
    return DIFFERENCE if failed else MATCH


@cli.command("explain")
@click.argument("what", metavar="[WHAT]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@report_errors
def explain_command(what: str | None, as_json: bool) -> int:
    """Explain WHAT: a rule (NoAdapter), a bug check (0xE6/05, 0x10D) or a status.

    A bug check without its parameters lists its rules; without WHAT, all rules are listed.
    """
    click.echo(dump_json(make_explanation(what), indent=1) if as_json else explain(what))
    return MATCH


@cli.command()
@click.argument("scenario")
@click.option("--at", type=int, metavar="STEP", help="The last step to run; the end if not given.")
@click.option("--html", is_flag=True, help="Print a page of HTML.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@report_errors
def dump(scenario: str, at: int | None, html: bool, as_json: bool) -> int:
    """Show a scenario's machine after a STEP, which counts from 0: who holds what, and who waits for whom.

    SCENARIO is a file with one scenario, or FILE:NUMBER for one line of a .jsonl file; - is the standard input.
    """
    from wdfdma.dumping.command import dump_scenario, load_one

    if html and as_json:
        raise ScenarioError([Problem("--html", "not together with --json")])
    click.echo(dump_scenario(load_one(scenario), at, html, as_json), nl=False)
    return MATCH


def _run_files(
    files: tuple[str, ...], output: str | None, check: bool, stop: bool, coverage: str | None
) -> list[Outcome]:
    """Runs everything and writes what is to be written: nothing before all files are read, or after an error."""
    loaded = _load(files)
    if check:
        _require_logs(loaded)
    if output is not None:
        require_whole_files(files, output)
    if coverage is None:
        outcomes = _run_all(loaded, check, stop)
    else:
        from wdfdma.coverage_command import saving_coverage

        with saving_coverage(coverage):
            outcomes = _run_all(loaded, check, stop)
    if output is not None:
        write_outcomes(outcomes, output)
    return outcomes


def _load(names: Iterable[str]) -> list[tuple[Path, Scenario]]:
    """All scenarios of all files; everything that is wrong with the first file that is not well."""
    loaded: list[tuple[Path, Scenario]] = []
    seen = SeenFiles()
    for name in names:
        file, number = split_number(name)
        for path in list_files(file) if number is None else [file]:
            seen.add(path, number)
            if number is None:
                loaded.extend((path, scenario) for scenario in Scenario.load_all(path))
            else:
                where, value = read_line(path, number)
                loaded.append((path, Scenario.parse(value, where)))
    if not loaded:
        raise ScenarioError([Problem("", "no scenarios")], ", ".join(seen.names))
    return loaded


def _require_logs(loaded: list[tuple[Path, Scenario]]) -> None:
    for _, scenario in loaded:
        if scenario.log is None and scenario.undefined is None:
            raise ScenarioError(
                [Problem("log", "is missing, and --check compares with it")], scenario.where
            )


def _run_all(loaded: list[tuple[Path, Scenario]], check: bool, stop: bool) -> list[Outcome]:
    outcomes = []
    for path, scenario in _show_progress(loaded):
        result = execute_scenario(scenario)
        difference = compare(scenario, result.log) if check else None
        outcomes.append(Outcome(path, scenario, result, difference))
        if stop and difference is not None:
            break
    return outcomes


def _show_progress(loaded: list[Any]) -> Iterable[Any]:
    """A progress bar, on a terminal only."""
    if not sys.stderr.isatty():
        return loaded
    from rich.console import Console
    from rich.progress import track

    return track(loaded, "Running", console=Console(stderr=True), transient=True)


def _print_outcomes(outcomes: list[Outcome], check: bool, *, to_stderr: bool) -> None:
    first = next((outcome for outcome in outcomes if outcome.difference is not None), None)
    if first is not None:
        click.echo(f"{first.scenario.where}: {first.scenario.name}", err=to_stderr)
        click.echo(f"{first.difference}\n", err=to_stderr)
    elif len(outcomes) == 1 and not check and not to_stderr:
        click.echo(show_scenario(outcomes[0]))
    click.echo(make_summary(outcomes, check), err=to_stderr)
    if len(outcomes) == 1 and not check and outcomes[0].run.violations:
        click.echo(show_violations(outcomes[0]), err=to_stderr)


def _print_pages(outcomes: list[Outcome], *, to_stderr: bool) -> None:
    from wdfdma.run_pages import make_pages

    for outcome in outcomes:
        for page in make_pages(outcome.scenario, outcome.run):
            click.echo(f"\n{page}", err=to_stderr)


@cli.command()
@click.argument("files", metavar="SCENARIO...", nargs=-1, required=True)
@click.option(
    "--chance",
    type=click.IntRange(1, 1000),
    metavar="PER_MILLE",
    help="Leave all faults to chance instead: each hits so many of a thousand times.",
)
@click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), help="With --chance: the first run's [0]."
)
@click.option(
    "--runs", type=click.IntRange(1, 10**6), help="With --chance: how many, a seed each [100]."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option(
    "--sites", metavar="LOG", help="Only what LOG does not tell of yet, by step; it is written on."
)
@report_errors
def faults(
    files: tuple[str, ...],
    chance: int | None,
    seed: int | None,
    runs: int | None,
    as_json: bool,
    sites: str | None,
) -> int:
    """Run each SCENARIO once for every fault that it could meet, and table what each led to.

    A fault is a call that fails as its documentation says it may, registers, an adapter or memory that are not to be
    had, a mapping that falls short, or a device that is short, silent, late, twice or wrong. SCENARIO is a file or a
    folder, or FILE:NUMBER for one line of a .jsonl file. Ends with 3 if any run ended in an error of wdfdma's own.

    With --chance each runs again and again, with every fault that it could meet by chance: the same seed does the same.

    With --sites each step is a call site, which fails once with each status, in any of its calls. LOG has a line for
    each fault before it happens, so that a rerun goes on where the last one ended.
    """
    from wdfdma.fault_command import print_sweeps, sweep_all

    scenarios = [scenario for _, scenario in _load(files)]
    if sites is not None:
        from wdfdma.site_command import sweep_all as sweep_sites

        if chance is not None:
            raise ScenarioError([Problem("--chance", "not together with --sites")])
        return sweep_sites(scenarios, sites, as_json, _show_progress)
    sweeps = sweep_all(scenarios, chance, seed, runs, _show_progress)
    print_sweeps(sweeps, as_json)
    return OUR_ERROR if any(sweep.has_error for sweep in sweeps) else MATCH


for _command in (fuzz, export, shrink, coverage):
    cli.add_command(_command)


def main(arguments: list[str] | None = None) -> None:
    """The program; ends the process."""
    # Scenarios are many small objects without cycles, and looking for these would take half of the time.
    collects = gc.isenabled()
    gc.disable()
    try:
        status = _run_command(arguments)
    finally:
        if collects:
            gc.enable()
    sys.exit(status)


def _run_command(arguments: list[str] | None) -> int:
    try:
        status: int = cli.main(arguments, prog_name="wdfdma", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return BAD_INPUT
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except Exception:
        traceback.print_exc()
        click.echo("wdfdma: this is an error of wdfdma, not of its input", err=True)
        return OUR_ERROR
    return status
