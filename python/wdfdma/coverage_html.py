"""Coverage as one page of HTML: what was never reached, then a matrix for each operation."""

from collections.abc import Iterator
from html import escape
from math import log10

from wdfdma.coverage import Cell, CellUse, Coverage, get_use, list_cells
from wdfdma.coverage_report import list_goal_rows, list_rows, make_summary
from wdfdma.dumping.html_page import render_page

_SHADES = 8  # of a count, by its logarithm
_DECADES = 7  # the highest shade is for ten million
_STYLE = """\
body { max-width: 100em; }
.matrix th, .matrix td { padding: .15em .5em; text-align: right; }
.matrix th[scope=row] { text-align: left; }
.matrix thead th { max-width: 9em; text-align: right; white-space: normal; vertical-align: bottom; }
.matrix td { border: 1px solid #d0d7de; min-width: 3em; color: #1b1f24; }
.matrix td.none { border-color: transparent; }
.matrix td.never { background: #ffd7d5; font-weight: bold; }
.matrix td.misuse-never { background: #f6f8fa; color: #57606a; }
.matrix td.impossible { outline: 2px solid #cf222e; }
td.number { padding-right: 1.5em; text-align: right; }
td.missing { color: #cf222e; padding-right: 1.5em; }
td.wide { padding-right: 1.5em; }
"""
_LIGHT = [f"hsl(140 45% {95 - 7 * shade}%)" for shade in range(_SHADES)]
_MISUSE = [f"hsl(40 60% {95 - 6 * shade}%)" for shade in range(_SHADES)]
_DARK_STYLE = """\
@media (prefers-color-scheme: dark) {
  .matrix td { border-color: #30363d; }
  .matrix td.never { background: #8e1519; color: #ffdcd7; }
  .matrix td.misuse-never { background: #161b22; color: #8d96a0; }
  td.missing { color: #ff7b72; }
}
"""


def render_coverage(coverage: Coverage, title: str = "Coverage of behaviour") -> str:
    """The page: one file, without scripts, for light and dark screens.

    >>> "<table" in render_coverage(Coverage())
    True
    """
    body = [
        f"<p>{escape(make_summary(coverage))}</p>",
        "<p>A driver without a mistake can reach the green cells, and the red ones that it has not; only a mistake "
        "leads to the yellow ones, and to the grey ones that were not reached.</p>",
        *_render_missing(coverage),
        *_render_goals(coverage),
    ]
    for operation in _list_operations(coverage):
        body.extend(_render_operation(coverage, operation))
    return render_page(title, body, _STYLE + _make_shades() + _DARK_STYLE)


def _make_shades() -> str:
    rules = [
        f".matrix td.r{shade} {{ background: {color}; }}" for shade, color in enumerate(_LIGHT)
    ]
    rules += [
        f".matrix td.m{shade} {{ background: {color}; }}" for shade, color in enumerate(_MISUSE)
    ]
    return "\n".join([*rules, ""])


def _list_operations(coverage: Coverage) -> list[str]:
    return list(
        dict.fromkeys(
            [cell.operation for cell in list_cells()] + [key[0] for key in coverage.cells]
        )
    )


def _render_missing(coverage: Coverage) -> Iterator[str]:
    missing: dict[tuple[str, str], list[str]] = {}
    for row in list_rows(coverage):
        if row.count == 0 and row.use == CellUse.RIGHT:
            missing.setdefault((row.operation, row.outcome), []).append(row.standing)
    yield "<section><h2>Never reached</h2>"
    if missing:
        yield "<table>"
        for (operation, outcome), standings in missing.items():
            yield (
                f'<tr><th scope="row">{escape(operation)}</th><td class="wide">{escape(outcome)}</td>'
                f"<td>{escape('; '.join(standings))}</td></tr>"
            )
        yield "</table>"
    else:
        yield "<p>All cells that a driver without a mistake can reach were.</p>"
    yield "</section>"


def _render_goals(coverage: Coverage) -> Iterator[str]:
    yield "<section><h2>Goals</h2><table>"
    for name, count, words in list_goal_rows(coverage):
        number = f'<td class="number">{count}</td>' if count else '<td class="missing">never</td>'
        yield f'<tr>{number}<th scope="row">{escape(name)}</th><td>{escape(words)}</td></tr>'
    yield "</table></section>"


def _render_operation(coverage: Coverage, operation: str) -> Iterator[str]:
    rows, columns, _ = coverage.matrix(operation)
    yield f'<section><h2>{escape(operation)}</h2><table class="matrix"><thead><tr><th></th>'
    yield "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    yield "</tr></thead><tbody>"
    for standing in rows:
        cells = "".join(
            _render_cell(coverage, (operation, standing, outcome)) for outcome in columns
        )
        yield f'<tr><th scope="row">{escape(standing)}</th>{cells}</tr>'
    yield "</tbody></table></section>"


def _render_cell(coverage: Coverage, cell: Cell) -> str:
    use, count = get_use(cell), coverage.cells.get(cell, 0)
    if count == 0:
        kinds = {CellUse.RIGHT: "never", CellUse.MISUSE: "misuse-never", CellUse.IMPOSSIBLE: "none"}
        text = "" if use == CellUse.IMPOSSIBLE else "0"
        return f'<td class="{kinds[use]}">{text}</td>'
    shade = min(_SHADES - 1, int(log10(count) * _SHADES / _DECADES))
    kind = f"r{shade}" if use == CellUse.RIGHT else f"m{shade}"
    if use == CellUse.IMPOSSIBLE:
        kind += " impossible"
    return f'<td class="{kind}">{count}</td>'
