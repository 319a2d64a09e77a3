"""Fuzzing a driver: cases by chance in chunks, each signature once, made short.

A chunk is so many cases from a seed of its own: what it finds does not depend on who runs it, when, or beside what.
So the same seed and number of runs find the same with one process or many.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    wait,
)
from dataclasses import dataclass
from functools import partial
from time import monotonic, time

from wdfdma.testing.cases import Signature
from wdfdma.testing.chunks import (
    CHUNK_RUNS,
    PYTHON_CHUNK_RUNS,
    ChunkInterrupt,
    Finding,
    FuzzReport,
    make_seed,
    run_chunk,
    shrink_case,
)
from wdfdma.testing.drivers import Driver, DriverUnderTest, find_origin, make_driver
from wdfdma.testing.fuzz_options import FuzzOptions

__all__ = [
    "Finding",
    "FuzzOptions",
    "FuzzReport",
    "LostWorkerError",
    "fuzz_driver",
    "run_chunk",
    "shrink_case",
]

_ATTEMPTS = 3  # at a chunk whose worker is lost
_GRACE_SECONDS = 60.0  # past the time, for chunks that are under way


class LostWorkerError(Exception):
    """The process that ran one of [chunks] has ended, and whoever runs them takes none, or it came again and again.

    [is_stuck]: it has not ended, though it is long past the time for it.
    """

    def __init__(self, driver: Driver, chunks: list[int], *, is_stuck: bool = False) -> None:
        self.chunks = chunks
        self.is_stuck = is_stuck
        names = f"chunk {chunks[0]}" if len(chunks) == 1 else f"one of the chunks {_join(chunks)}"
        what, does = ("does not come to an end", "loops") if is_stuck else ("has ended", "crashes")
        super().__init__(
            f"{driver.name}: the process that ran {names} {what}; "
            f"a driver that {does} is to be run with --isolate (isolate= in Python)"
        )


def _join(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


def fuzz_driver(
    driver: "Callable[[], DriverUnderTest] | Driver | str",
    options: FuzzOptions | None = None,
    *,
    executor: Executor | None = None,
    workers: int = 1,
    on_chunk: Callable[[FuzzReport, list[Finding]], object] | None = None,
) -> FuzzReport:
    """Fuzzes [driver], or what `find_driver` takes, as [options] say, without a limit of theirs for 10,000 runs.

    [executor] runs the chunks, [workers] of them at once, in whatever processes it has; the driver is then one that
    another process can find (`Driver.origin`). [on_chunk] is called after each chunk with the report so far and
    what is new in it.
    A chunk whose worker is lost is run again, and counted once. [before] has all that came before an error.
    Errors: StatusError, DriverError, ValueError for a driver without an origin, LostWorkerError; what the executor
    raises.
    """
    taken = make_driver(driver)
    wanted = options or FuzzOptions()
    if wanted.runs is None and wanted.seconds is None and wanted.findings is None:
        wanted.runs = 10000
    if executor is not None or wanted.isolate is not None:
        find_origin(taken)
    began = monotonic()
    report = wanted.before or FuzzReport()
    known = frozenset(report.findings)
    numbers = _list_chunks(taken, wanted, report.chunks)
    chunks = _run_here(taken, wanted, numbers, known, began)
    if executor is not None:
        chunks = _Workers(taken, wanted, known, began, executor).run(numbers, workers)
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


def _prepare(
    driver: Driver | str,
    options: FuzzOptions,
    number: int,
    runs: int,
    known: frozenset[Signature],
) -> "partial[FuzzReport]":
    """`run_chunk` with all it takes but the time when it ends."""
    return partial(
        run_chunk,
        driver,
        make_seed(options.seed, number),
        runs,
        moves=options.moves,
        known=known,
        isolate=options.isolate,
        coverage=options.collects(number),
    )


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
        try:
            report = _prepare(driver, options, chunk, runs, known)(deadline=deadline)
        except ChunkInterrupt as interrupt:
            yield interrupt.report
            raise
        known |= report.findings.keys()
        yield report


@dataclass(slots=True)
class _Waiting:
    """A chunk that somebody runs."""

    number: int
    runs: int
    attempt: int


class _Workers:
    """Chunks run by an executor's workers, and told in their order."""

    def __init__(
        self,
        driver: Driver,
        options: FuzzOptions,
        known: frozenset[Signature],
        began: float,
        executor: Executor,
    ) -> None:
        self._driver = driver
        self._origin = find_origin(driver)
        self._options = options
        self._known = known
        self._began = began
        self._executor = executor
        self._pending: dict[Future[FuzzReport], _Waiting] = {}
        self._done: dict[int, FuzzReport] = {}

    def run(self, numbers: Iterator[tuple[int, int]], workers: int) -> Iterator[FuzzReport]:
        """The reports of the chunks, each once."""
        following: int | None = None
        try:
            while True:
                while len(self._pending) < 2 * workers and _is_time(self._options, self._began):
                    chunk, runs = next(numbers, (-1, 0))
                    if runs == 0:
                        break
                    following = chunk if following is None else following
                    self._submit(_Waiting(chunk, runs, 1))
                if not self._pending:
                    break
                self._collect()
                while following is not None and following in self._done:
                    report = self._done.pop(following)
                    yield report
                    # For chunks that are to come, and that count what is known by their number.
                    self._known |= report.findings.keys()
                    following += 1
        finally:
            for future in self._pending:
                future.cancel()
        if self._done:
            raise RuntimeError(f"chunks were told out of turn: {_join(sorted(self._done))}")

    def _submit(self, chunk: _Waiting) -> None:
        options = self._options
        until = None
        if options.isolate is not None and options.seconds is not None:
            # A chunk may take long then. The clock is one that other processes have, too.
            until = time() + self._began + options.seconds - monotonic()
        run = _prepare(self._origin, options, chunk.number, chunk.runs, self._known)
        try:
            future = self._executor.submit(run, until=until)
        except BrokenExecutor as error:
            raise self._lose(chunk) from error
        self._pending[future] = chunk

    def _collect(self) -> None:
        """Takes what is ready, and has run again what was lost."""
        limit = None
        if self._options.seconds is not None:
            left = self._began + self._options.seconds - monotonic()
            limit = max(left, 0.0) + _GRACE_SECONDS
        ready, _ = wait(self._pending, limit, return_when=FIRST_COMPLETED)
        if not ready:
            numbers = sorted(chunk.number for chunk in self._pending.values())
            raise LostWorkerError(self._driver, numbers, is_stuck=True)
        for future in sorted(ready, key=lambda item: self._pending[item].number):
            chunk = self._pending[future]
            error = _get_error(future)
            if error is not None and not _is_lost(error):
                raise error
            if error is not None and chunk.attempt == _ATTEMPTS:
                is_all = isinstance(error, BrokenExecutor)
                lost = self._lose() if is_all else LostWorkerError(self._driver, [chunk.number])
                raise lost from error
            del self._pending[future]
            if error is None:
                if chunk.number in self._done:
                    raise RuntimeError(f"chunk {chunk.number} came twice")
                self._done[chunk.number] = future.result()
            else:
                self._submit(_Waiting(chunk.number, chunk.runs, chunk.attempt + 1))

    def _lose(self, *chunks: _Waiting) -> LostWorkerError:
        """All that were under way are lost."""
        lost = {chunk.number for chunk in (*chunks, *self._pending.values())}
        return LostWorkerError(self._driver, sorted(lost))


def _get_error(future: "Future[FuzzReport]") -> BaseException | None:
    try:
        return future.exception()
    except CancelledError as error:
        return error


def _is_lost(error: BaseException) -> bool:
    """Whether the worker is what has failed, and not the chunk."""
    is_killed = type(error).__name__ == "KilledWorker"  # of Dask, which is not imported for it
    return is_killed or isinstance(error, (BrokenExecutor, CancelledError, OSError))


def _is_time(options: FuzzOptions, began: float) -> bool:
    return options.seconds is None or monotonic() < began + options.seconds
