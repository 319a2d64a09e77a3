"""Fuzzing a driver: cases by chance in chunks, each signature once, made short.

A chunk is so many cases from a seed of its own: what it finds does not depend on who runs it, when, or beside what.
So the same seed and number of runs find the same with one process or many.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from time import monotonic

from wdfdma.testing.cases import Signature
from wdfdma.testing.chunks import (
    CHUNK_RUNS,
    PYTHON_CHUNK_RUNS,
    Finding,
    FuzzReport,
    make_seed,
    run_chunk,
    shrink_case,
)
from wdfdma.testing.drivers import Driver, DriverUnderTest, make_driver

__all__ = ["Finding", "FuzzOptions", "FuzzReport", "fuzz_driver", "run_chunk", "shrink_case"]

_ATTEMPTS = 3  # at a chunk whose worker is lost


@dataclass(slots=True)
class FuzzOptions:
    """How to fuzz: from [seed], until [runs] runs, [seconds] or [findings] signatures, whichever comes first.

    [moves]: the kinds of moves that cases have (`wdfdma.testing.cases.MOVES`); None: all. [before]: the report of an
    earlier run from this seed, which is gone on with.
    """

    seed: int = 0
    runs: int | None = None
    seconds: float | None = None
    findings: int | None = None
    moves: Sequence[str] | None = None
    before: FuzzReport | None = None


def fuzz_driver(
    driver: "Callable[[], DriverUnderTest] | Driver",
    options: FuzzOptions | None = None,
    *,
    executor: Executor | None = None,
    workers: int = 1,
    on_chunk: Callable[[FuzzReport, list[Finding]], object] | None = None,
) -> FuzzReport:
    """Fuzzes [driver] as [options] say, without a limit of theirs for 10,000 runs.

    [executor] runs the chunks, [workers] of them at once, in whatever processes it has; the driver is then one that
    another process can find (`Driver.origin`). [on_chunk] is called after each chunk with the report so far and
    what is new in it.
    Errors: StatusError, ValueError for a driver that has no origin; what the executor raises.
    """
    taken = make_driver(driver)
    wanted = options or FuzzOptions()
    if wanted.runs is None and wanted.seconds is None and wanted.findings is None:
        wanted.runs = 10000
    if executor is not None and taken.origin is None:
        raise ValueError(f"{taken.name}: another process cannot find it; give it as module:Class")
    began = monotonic()
    report = wanted.before or FuzzReport()
    known = frozenset(report.findings)
    numbers = _list_chunks(taken, wanted, report.chunks)
    chunks = _run_here(taken, wanted, numbers, known, began)
    if executor is not None:
        chunks = _run_there(taken, wanted, numbers, known, began, executor, workers)
    for chunk in chunks:
        new = report.add(chunk)
        report.seconds = monotonic() - began
        if on_chunk is not None:
            on_chunk(report, new)
        if wanted.findings is not None and len(report.findings) >= wanted.findings:
            break
    report.seconds = monotonic() - began
    return report


def _list_chunks(driver: Driver, options: FuzzOptions, first: int) -> Iterator[tuple[int, int]]:
    """The number of each chunk, and its runs."""
    size = CHUNK_RUNS if driver.is_native else PYTHON_CHUNK_RUNS
    left = options.runs
    chunk = first
    while left is None or left > 0:
        yield chunk, size if left is None else min(size, left)
        chunk += 1
        left = None if left is None else left - size


def _run_here(
    driver: Driver,
    options: FuzzOptions,
    numbers: Iterator[tuple[int, int]],
    known: frozenset[Signature],
    began: float,
) -> Iterator[FuzzReport]:
    deadline = None if options.seconds is None else began + options.seconds
    for chunk, runs in numbers:
        if deadline is not None and monotonic() >= deadline:
            return
        seed = make_seed(options.seed, chunk)
        report = run_chunk(driver, seed, runs, moves=options.moves, known=known, deadline=deadline)
        known |= report.findings.keys()
        yield report


def _run_there(
    driver: Driver,
    options: FuzzOptions,
    numbers: Iterator[tuple[int, int]],
    known: frozenset[Signature],
    began: float,
    executor: Executor,
    workers: int,
) -> Iterator[FuzzReport]:
    """The chunks in their order, each run anew elsewhere where its worker was lost."""
    pending: dict[Future[FuzzReport], tuple[int, int, int]] = {}
    done: dict[int, FuzzReport] = {}
    following: int | None = None
    origin = str(driver.origin)

    def submit(chunk: int, runs: int, attempt: int) -> None:
        seed = make_seed(options.seed, chunk)
        future = executor.submit(
            run_chunk, origin, seed, runs, moves=options.moves, known=tuple(known)
        )
        pending[future] = (chunk, runs, attempt)

    while True:
        while len(pending) < 2 * workers and _is_time(options, began):
            chunk, runs = next(numbers, (-1, 0))
            if runs == 0:
                break
            following = chunk if following is None else following
            submit(chunk, runs, 1)
        if not pending:
            return
        ready, _ = wait(pending, return_when=FIRST_COMPLETED)
        for future in ready:
            chunk, runs, attempt = pending.pop(future)
            error = future.exception()
            if error is None:
                done[chunk] = future.result()
            elif attempt < _ATTEMPTS and not isinstance(error, (ValueError, TypeError)):
                submit(chunk, runs, attempt + 1)
            else:
                raise error
        while following is not None and following in done:
            yield done.pop(following)
            following += 1


def _is_time(options: FuzzOptions, began: float) -> bool:
    return options.seconds is None or monotonic() < began + options.seconds
