"""The pytest plugin: machines for tests, what fails a test beside its own assertions, and what its report says.

docs/pytest.md has all of it. pytest imports this module in every run, also where nobody uses it, so it imports nothing
but pytest: neither the extension nor NumPy nor pydantic, until a test asks for a machine or an option for a scenario.
"""

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from wdfdma.pytest_keys import BENCH, CHOICE, COUNTING, OPTIONS, Options
from wdfdma.pytest_marks import MARKER, MarkError, read_marks
from wdfdma.pytest_options import SEED_INPUT, add_options, add_replay_files, read_options

if TYPE_CHECKING:
    from wdfdma.machine import Machine


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declares the options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Declares the marker, and reads the options."""
    config.addinivalue_line("markers", MARKER)
    options = read_options(config)
    config.stash[OPTIONS] = options
    add_replay_files(config, options)
    if options.coverage is not None:
        from wdfdma.pytest_coverage import CoverageCollector

        config.pluginmanager.register(CoverageCollector(options.coverage), "wdfdma_coverage")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """The workers of xdist, which read the same command line, have the same seed."""
    node.workerinput[SEED_INPUT] = node.config.stash[OPTIONS].seed


def pytest_report_header(config: pytest.Config) -> list[str]:
    """The seed, where there is one: who wants the same run again needs it."""
    seed = config.stash[OPTIONS].seed
    return [] if seed is None else [f"wdfdma: --wdfdma-seed {seed}"]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A file of --wdfdma-replay holds tests."""
    options = parent.config.stash[OPTIONS]
    if file_path not in options.replay:
        return None
    from wdfdma.pytest_scenarios import make_file

    return make_file(parent, file_path)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A marker that says something unknown is an error of its test, whether that uses a machine or not."""
    marks = list(item.iter_markers("wdfdma"))
    if marks:
        try:
            read_marks(marks)
        except MarkError as error:
            raise pytest.fail.Exception(f"{item.nodeid}: {error}", pytrace=False) from None


@pytest.fixture
def machine_factory(request: pytest.FixtureRequest) -> Iterator[Callable[..., "Machine"]]:
    """Makes machines: `machine_factory(map_registers=8)`, with the settings of wdfdma.Machine.

    What is not given is as the marker `wdfdma` says. Each keeps its log and where its objects are made (log="grow",
    trace=True). All are closed when the test is over; a broken rule fails the test, as does what is still held then,
    unless `machine_factory(allow_leaks=True)` made that machine, or the marker allows it.
    """
    from wdfdma.pytest_bench import Bench
    from wdfdma.replay import set_test_arguments

    item: pytest.Item = request.node
    options = item.config.stash[OPTIONS]
    choices = [item.stash[CHOICE]] if CHOICE in item.stash else options.choices
    try:
        bench = Bench(
            item,
            read_marks(item.iter_markers("wdfdma")),
            seed=options.seed,
            choices=choices,
            is_counting=item.stash.get(COUNTING, False),
            artifacts=options.artifacts,
        )
    except MarkError as error:
        raise pytest.fail.Exception(f"{item.nodeid}: {error}", pytrace=False) from None
    faults = [text for choice in choices for text in ("--wdfdma-fault", choice.argument)]
    set_test_arguments([*options.arguments, *faults])
    item.stash[BENCH] = bench
    yield bench.make
    try:
        bench.finish()
    finally:
        set_test_arguments([])


@pytest.fixture
def machine(machine_factory: Callable[..., "Machine"]) -> "Machine":
    """A machine, as the marker `wdfdma` says; see `machine_factory`."""
    return machine_factory()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """A rule that was broken fails the test that has passed otherwise."""
    result = yield
    bench = item.stash.get(BENCH, None)
    if bench is not None:
        bench.require_order()
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failing test tells what its machines were doing."""
    report = yield
    bench = item.stash.get(BENCH, None)
    if bench is not None:
        bench.complete(report, call)
    _shorten_crash(report, call.excinfo)
    return report


def _shorten_crash(report: pytest.TestReport, caught: "pytest.ExceptionInfo[Any] | None") -> None:
    """The line of a bug check in the summary, which is not cut short in CI, is not the page of the report again."""
    # Known by its name: no run without machines imports the class for it.
    if caught is None or (caught.type.__module__, caught.typename) != ("wdfdma.errors", "BugCheck"):
        return
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        crash.message = f"{caught.typename}: {caught.value.summary}"


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, Any, Any]:
    """With --wdfdma-faults, a test that has passed runs again and again."""
    result = yield
    options: Options = item.config.stash[OPTIONS]
    bench = item.stash.get(BENCH, None)
    if bench is not None and options.every_fault and bench.passed and bench.machines:
        from wdfdma.pytest_faults import run_with_faults

        run_with_faults(item, nextitem)
    if bench is not None:
        del item.stash[BENCH]  # the machines go
    return result
