"""How `wdfdma fuzz` shows how far it is: a table that changes on a terminal, lines elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from wdfdma.fuzz_command import DriverRun

_TELL_SECONDS = 10.0


class Screen:
    """Nothing, as where a document is printed in the end."""

    def show(self, run: "DriverRun") -> None:
        """Something has changed."""

    def end(self, run: "DriverRun") -> None:
        """The driver is done, or is no more to be."""


class Lines(Screen):
    """Plain lines: one for each driver when it is done, and now and then before."""

    def __init__(self) -> None:
        self._told = monotonic()

    def show(self, run: "DriverRun") -> None:
        """Tells now and then how far it is."""
        if monotonic() - self._told > _TELL_SECONDS:
            self.end(run)

    def end(self, run: "DriverRun") -> None:
        """Tells how far it has come."""
        self._told = monotonic()
        report = run.report
        click.echo(
            f"{run.driver.name}: {report.runs} runs, {run.rate:.0f} a second, {report.requests} requests, "
            f"{run.situations} situations, {_show_coverage(run)}{report.failures} failed"
        )


def _show_coverage(run: "DriverRun") -> str:
    return f"{run.coverage} of the cells, " if run.coverage else ""


class Table(Screen):
    """A table that changes as it goes."""

    def __init__(self, live: Any) -> None:
        self._live = live
        self._runs: list[DriverRun] = []

    def show(self, run: "DriverRun") -> None:
        """Draws the table anew."""
        if run not in self._runs:
            self._runs.append(run)
        self._live.update(self._make())

    def end(self, run: "DriverRun") -> None:
        """Leaves the driver's line as it is."""
        self.show(run)

    def _make(self) -> Any:
        from rich import box
        from rich.markup import escape
        from rich.table import Table as RichTable

        table = RichTable(box=box.SIMPLE_HEAD)
        for heading in ("driver", "runs", "a second", "coverage", "failed", "failures"):
            table.add_column(heading, justify="left" if heading == "driver" else "right")
        for run in self._runs:
            report = run.report
            numbers = (report.runs, f"{run.rate:.0f}", run.coverage, report.failures)
            cells = [*map(str, numbers), str(len(report.findings))]
            table.add_row(escape(run.driver.name), *cells)
        return table


@contextmanager
def make_screen(as_json: bool = False) -> Iterator[Screen]:
    """A table on a terminal, lines elsewhere; nothing where a document is to come."""
    if as_json or not sys.stdout.isatty():
        yield Screen() if as_json else Lines()
        return
    from rich.live import Live

    with Live(refresh_per_second=8) as live:
        yield Table(live)
