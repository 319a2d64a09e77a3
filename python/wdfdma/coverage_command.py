"""What `wdfdma coverage DIR` does: the sum of a folder, as tables, CSV, JSON or a page."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from wdfdma.cli_ends import BAD_INPUT, MATCH
from wdfdma.collecting import collect_coverage
from wdfdma.coverage import Coverage, merge_all
from wdfdma.coverage_files import CoverageError
from wdfdma.coverage_map import CoverageMap
from wdfdma.coverage_report import make_csv, make_document, make_summary, make_tables
from wdfdma.fault_report import print_tables
from wdfdma.files import dump_json, write_file


def show_coverage(
    folder: str, *, as_csv: bool, as_json: bool, html: str | None, with_misuse: bool
) -> int:
    """Prints what the files in [folder] hold, and returns the exit code. Errors: OSError."""
    try:
        coverage = Coverage.load(folder)
    except CoverageError as error:
        click.echo(str(error), err=True)
        return BAD_INPUT
    if html is not None:
        from wdfdma.coverage_html import render_coverage

        write_file(Path(html), render_coverage(coverage).splitlines())
    if as_csv:
        click.echo(make_csv(coverage), nl=False)
    elif as_json:
        click.echo(dump_json(make_document(coverage), indent=1))
    elif html is None:
        print_tables(make_tables(coverage, with_misuse=with_misuse))
        click.echo(make_summary(coverage))
    else:
        click.echo(make_summary(coverage))
    return MATCH


@contextmanager
def saving_coverage(folder: str | None) -> Iterator[None]:
    """Counts what all machines of this block do, and writes that into [folder], also where an error ends it."""
    if folder is None:
        yield
        return
    counters = CoverageMap()
    Path(folder).mkdir(
        parents=True, exist_ok=True
    )  # that it is not to be had is known before the work
    try:
        with collect_coverage(counters):
            yield
    finally:
        counters.read().save(folder)


@contextmanager
def save_reports(
    folder: str | None, collect: Callable[[], list[Coverage | None]]
) -> Iterator[None]:
    """Writes the sum of what [collect] has at the end of the block into [folder], also where an error ends it."""
    if folder is not None:
        Path(folder).mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        found = [coverage for coverage in collect() if coverage is not None]
        if folder is not None and found:
            merge_all(found).save(folder)
