"""What `wdfdma faults` prints: a table, or JSON."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from wdfdma.faults import FaultSweep
from wdfdma.scenario import Fault

if TYPE_CHECKING:
    from rich.table import Table


def format_fault(fault: Fault) -> str:
    """A fault for reading.

    >>> format_fault(Fault(op="execute", nth=2, status="STATUS_WDF_BUSY"))
    'execute 2: STATUS_WDF_BUSY'
    >>> format_fault(Fault(register_grant=1))
    'register_grant 1'
    """
    if fault.op is not None:
        return f"{fault.op} {fault.nth}: {fault.status}"
    return " ".join(f"{key} {value}" for key, value in fault.model_dump(exclude_none=True).items())


def make_entry(sweep: FaultSweep) -> dict[str, Any]:
    """A sweep for JSON."""
    runs = [
        {
            "fault": run.fault.model_dump(exclude_none=True),
            "step": run.step,
            "outcome": run.outcome.name.lower(),
            "detail": run.detail,
        }
        for run in sweep.runs
    ]
    scenario = sweep.scenario
    return {"where": scenario.where, "name": scenario.name, "summary": sweep.counts, "runs": runs}


def make_table(sweep: FaultSweep) -> "Table":
    """A sweep for reading, a line for each fault."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    summary = ", ".join(f"{outcome}: {count}" for outcome, count in sweep.counts.items())
    table = Table(
        title=escape(sweep.scenario.name) or None,
        title_justify="left",
        caption=summary or "nothing that could fail",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
    )
    for heading in ("fault", "step", "led to", ""):
        table.add_column(heading, overflow="fold")
    for run in sweep.runs:
        step = "" if run.step is None else str(run.step)
        table.add_row(format_fault(run.fault), step, run.outcome.value, escape(run.detail))
    return table


def print_tables(tables: "Iterable[Table]") -> None:
    """Prints tables; what goes into a file is not cut to the width of a screen."""
    from rich.console import Console

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    for table in tables:
        console.print(table)
