"""Coverage for reading: what was never reached first, then what is rare. As rows, a table, CSV and JSON."""

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wdfdma._native import VERSION
from wdfdma.coverage import CellUse, Coverage, get_use, list_cells, list_goals

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """A cell with its count, for reading."""

    operation: str
    standing: str
    outcome: str
    use: CellUse
    count: int


def list_rows(coverage: Coverage) -> list[Row]:
    """All cells that can be reached or were: never reached first, and then by count; those of right use first.

    >>> list_rows(Coverage())[0].count
    0
    """
    known = [cell.key for cell in list_cells()]
    seen = set(known)
    keys = known + [key for key in coverage.cells if key not in seen]
    rows = [Row(*key, get_use(key), coverage.cells.get(key, 0)) for key in keys]
    order = {CellUse.RIGHT: 0, CellUse.MISUSE: 1, CellUse.IMPOSSIBLE: 2}
    return sorted(rows, key=lambda row: (row.count > 0, order[row.use], row.count))


def list_goal_rows(coverage: Coverage) -> list[tuple[str, int, str]]:
    """Name, count and words of each goal: never reached first, then by count."""
    words = {goal.name: goal.words for goal in list_goals()}
    rows = [(name, count, words.get(name, "")) for name, count in coverage.goals.items()]
    return sorted(rows, key=lambda row: row[1])


def make_summary(coverage: Coverage) -> str:
    """One line: the shares.

    >>> make_summary(Coverage()).startswith("cells 0 of ")
    True
    """
    right, misuse = coverage.reached(CellUse.RIGHT), coverage.reached(CellUse.MISUSE)
    return f"cells {right}, of misuse {misuse}, goals {coverage.reached_goals()}"


def make_document(coverage: Coverage) -> dict[str, Any]:
    """For JSON."""
    return {
        "version": VERSION,
        "summary": {
            "cells": _make_share(coverage.reached(CellUse.RIGHT)),
            "misuse": _make_share(coverage.reached(CellUse.MISUSE)),
            "goals": _make_share(coverage.reached_goals()),
        },
        "goals": [
            {"name": name, "count": count, "words": words}
            for name, count, words in list_goal_rows(coverage)
        ],
        "cells": [
            {
                "operation": row.operation,
                "standing": row.standing,
                "outcome": row.outcome,
                "use": row.use.label,
                "count": row.count,
            }
            for row in list_rows(coverage)
        ],
    }


def _make_share(share: Any) -> dict[str, int]:
    return {"reached": share.reached, "all": share.all}


def make_csv(coverage: Coverage) -> str:
    """A line for each cell and each goal, after one with the names of the columns."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["kind", "operation", "standing", "outcome", "use", "count"])
    for row in list_rows(coverage):
        writer.writerow(
            ["cell", row.operation, row.standing, row.outcome, row.use.label, row.count]
        )
    for name, count, _ in list_goal_rows(coverage):
        writer.writerow(["goal", name, "", "", "", count])
    return out.getvalue()


def make_tables(coverage: Coverage, *, with_misuse: bool = False) -> "list[Table]":
    """The goals, then the cells: those never reached by operation and outcome, then the others, the rarest first.

    Cells of misuse are among them where that is asked for; what should be impossible and was reached is always.
    """
    rows = [row for row in list_rows(coverage) if with_misuse or row.use != CellUse.MISUSE]
    goals = _make_table("Goals", "count", "goal", "in words")
    for name, count, words in list_goal_rows(coverage):
        goals.add_row(*_escape(count, name, words))
    missing: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        if row.count == 0:
            missing.setdefault((row.use.label, row.operation, row.outcome), []).append(row.standing)
    never = _make_table("Cells never reached", "use", "operation", "outcome", "standings")
    for key, standings in missing.items():
        never.add_row(*_escape(*key, "; ".join(standings)))
    cells = _make_table("Cells reached", "count", "use", "operation", "outcome", "standing")
    for row in rows:
        if row.count:
            cells.add_row(
                *_escape(row.count, row.use.label, row.operation, row.outcome, row.standing)
            )
    return [goals, never, cells]


def _make_table(title: str, *headings: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for heading in headings:
        table.add_column(
            heading,
            justify="right" if heading == "count" else "left",
            no_wrap=heading in ("count", "use", "operation", "goal"),
        )
    return table


def _escape(*values: object) -> list[str]:
    from rich.markup import escape

    return [escape(str(value)) for value in values]
