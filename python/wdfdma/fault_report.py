"""What `wdfdma faults` prints: a table, or JSON."""

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from wdfdma.fault_chance import ChanceSweep
from wdfdma.fault_forms import Chance, Fault
from wdfdma.faults import FaultSweep, Outcome
from wdfdma.scenario import Scenario

if TYPE_CHECKING:
    from rich.table import Table


def format_fault(fault: Fault) -> str:
    """A fault for reading.

    >>> format_fault(Fault(op="execute", nth=2, status="STATUS_WDF_BUSY"))
    'execute 2: STATUS_WDF_BUSY'
    >>> format_fault(Fault(register_grant=1))
    'register_grant 1'
    >>> format_fault(Fault(device="late", nth=Chance(per_mille=50, seed=7)))
    'device late by chance (50 of 1000, seed 7)'
    """
    called = fault.op or fault.routine
    if called is not None:
        return f"{called} {_format_when(fault.nth)}: {fault.status}"
    if fault.device is not None:
        move = f" {fault.move}" if fault.move is not None else ""
        return f"device {fault.device}{move} {_format_when(fault.nth)}"
    name = next(iter(fault.model_dump(exclude_none=True)))
    return f"{name} {_format_when(getattr(fault, name))}"


def name_kind(fault: Fault) -> str:
    """What a fault takes hold of, without which one.

    >>> name_kind(Fault(op="execute", nth=2, status="STATUS_WDF_BUSY"))
    'execute: STATUS_WDF_BUSY'
    """
    called = fault.op or fault.routine
    if called is not None:
        return f"{called}: {fault.status}"
    if fault.device is not None:
        return f"device {fault.device}"
    return next(iter(fault.model_dump(exclude_none=True)))


def _format_when(when: "int | Chance | None") -> str:
    if isinstance(when, Chance):
        return f"by chance ({when.per_mille} of 1000, seed {when.seed})"
    return str(when)


def make_entry(sweep: FaultSweep) -> dict[str, Any]:
    """A sweep for JSON."""
    runs = [
        {
            "fault": _dump(run.fault),
            "step": run.step,
            "outcome": run.outcome.name.lower(),
            "detail": run.detail,
        }
        for run in sweep.runs
    ]
    return _make_head(sweep.scenario, sweep.counts) | {"runs": runs}


def make_chance_entry(sweep: ChanceSweep) -> dict[str, Any]:
    """A sweep by chance for JSON; the faults of a run may stand in a scenario."""
    runs = [
        {
            "seed": run.seed,
            "hits": [{"fault": _dump(fault), "hits": hits} for fault, hits in run.hits],
            "step": run.step,
            "outcome": run.outcome.name.lower(),
            "detail": run.detail,
            "faults": [_dump(fault) for fault in run.faults],
        }
        for run in sweep.runs
    ]
    return _make_head(sweep.scenario, sweep.counts) | {"per_mille": sweep.per_mille, "runs": runs}


def _dump(fault: Fault) -> dict[str, Any]:
    return fault.model_dump(exclude_none=True)


def _make_head(scenario: Scenario, counts: dict[str, int]) -> dict[str, Any]:
    return {"where": scenario.where, "name": scenario.name, "summary": counts}


def make_chance_table(sweep: ChanceSweep) -> "Table":
    """A sweep by chance for reading, a line for each run."""
    rows = []
    for run in sweep.runs:
        hits = ", ".join(f"{name_kind(fault)} x{count}" for fault, count in run.hits)
        rows.append((f"seed {run.seed}", hits, _format_step(run.step), run.outcome, run.detail))
    headings = (f"{sweep.per_mille} of 1000", "hits", "step", "led to", "")
    return _make_table(sweep.scenario, sweep.counts, headings, rows)


def make_table(sweep: FaultSweep) -> "Table":
    """A sweep for reading, a line for each fault."""
    rows = [
        (format_fault(run.fault), _format_step(run.step), run.outcome, run.detail)
        for run in sweep.runs
    ]
    return _make_table(sweep.scenario, sweep.counts, ("fault", "step", "led to", ""), rows)


def _format_step(step: int | None) -> str:
    return "" if step is None else str(step)


def _make_table(
    scenario: Scenario,
    counts: dict[str, int],
    headings: tuple[str, ...],
    rows: Sequence[tuple[str | Outcome, ...]],
) -> "Table":
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    summary = ", ".join(f"{outcome}: {count}" for outcome, count in counts.items())
    table = Table(
        title=escape(scenario.name) or None,
        title_justify="left",
        caption=summary or "nothing that could fail",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
    )
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell.value if isinstance(cell, Outcome) else cell) for cell in row))
    return table


def fit_table(table: "Table", width: int) -> None:
    """Gives the columns of a table that is wider than [width] widths at which no word is broken, if there are any."""
    from rich.text import Text

    texts = [
        [Text.from_markup(str(cell)).plain for cell in (column.header, *column.cells)]
        for column in table.columns
    ]
    wanted = [max(map(len, cells)) for cells in texts]
    least = [
        max((len(word) for cell in cells for word in cell.split()), default=0) for cells in texts
    ]
    count = len(wanted)
    room = width - (3 * count + 1)  # a space on both sides, a rule between, and the edges
    if sum(wanted) <= room:
        return
    if sum(least) > room:
        table.show_edge = table.pad_edge = False
        table.collapse_padding = True
        room = width - 2 * (count - 1)
    if sum(least) > room:
        return  # a word has to be broken somewhere
    left = room - sum(least)
    for column, most, low in zip(table.columns, wanted, least, strict=True):
        column.width = low + min(left, most - low)
        left -= column.width - low


def print_tables(tables: "Iterable[Table]") -> None:
    """Prints tables; what goes into a file is not cut to the width of a screen, and has no spaces at its ends."""
    from rich.console import Console

    if sys.stdout.isatty():
        console = Console(highlight=False)
        for table in tables:
            fit_table(table, console.width)
            console.print(table)
        return
    console = Console(highlight=False, width=160)
    for table in tables:
        fit_table(table, console.width)
        with console.capture() as captured:
            console.print(table)
        # A table fills its width with spaces.
        click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
