"""What `wdfdma faults --sites LOG` does: a sweep of each scenario, and a table or JSON."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from wdfdma._native import VERSION
from wdfdma.cli_ends import MATCH, OUR_ERROR
from wdfdma.fault_report import print_tables
from wdfdma.fault_sites import SiteLog
from wdfdma.files import dump_json
from wdfdma.scenario import Scenario
from wdfdma.site_sweep import SiteSweep, get_label, require_labels, sweep_sites

if TYPE_CHECKING:
    from rich.table import Table


def sweep_all(
    scenarios: list[Scenario], path: str, as_json: bool, show: Callable[[list[Any]], Iterable[Any]]
) -> int:
    """Sweeps [scenarios] with the log in [path], prints what came, and returns the exit code.

    [show] as for `sweep_faults`. Errors: ScenarioError, SiteLogError, OSError.
    """
    require_labels(scenarios)
    with SiteLog(path) as log:
        sweeps = [sweep_sites(scenario, log) for scenario in show(scenarios)]
    if as_json:
        entries = [make_entry(sweep) for sweep in sweeps]
        click.echo(dump_json({"version": VERSION, "scenarios": entries}, indent=1))
    else:
        print_tables(make_table(sweep) for sweep in sweeps)
    return OUR_ERROR if any(sweep.has_error for sweep in sweeps) else MATCH


def make_entry(sweep: SiteSweep) -> dict[str, Any]:
    """A sweep for JSON."""
    runs = [
        {
            "call": run.fault.call,
            "status": None if run.fault.status is None else run.fault.status.name,
            "site": run.fault.site,
            "step": run.step,
            "outcome": run.outcome.name.lower(),
            "detail": run.detail,
        }
        for run in sweep.runs
    ]
    scenario = sweep.scenario
    return {"where": scenario.where, "name": scenario.name, "summary": sweep.counts, "runs": runs}


def make_table(sweep: SiteSweep) -> "Table":
    """A sweep for reading, a line for each fault."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    summary = ", ".join(f"{outcome}: {count}" for outcome, count in sweep.counts.items())
    table = Table(
        title=escape(sweep.scenario.name) or None,
        title_justify="left",
        caption=summary or "nothing that the log does not tell of",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        min_width=None if sweep.runs else 48,  # the caption's line
    )
    for heading in ("call", "at", "step", "led to", ""):
        table.add_column(heading, overflow="fold")
    label = f"{get_label(sweep.scenario)}: "
    for run in sweep.runs:
        status = "" if run.fault.status is None else f": {run.fault.status.name}"
        site = escape(run.fault.site.removeprefix(label))
        step = "" if run.step is None else str(run.step)
        table.add_row(
            f"{run.fault.call}{status}", site, step, run.outcome.value, escape(run.detail)
        )
    return table
