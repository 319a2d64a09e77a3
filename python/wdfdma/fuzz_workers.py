"""Who runs the cases of `wdfdma fuzz`: this process, a pool of its own, or a cluster of Dask's."""

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from multiprocessing.context import SpawnContext, SpawnProcess
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from wdfdma.testing.drivers import Driver
from wdfdma.testing.fuzzing import FuzzOptions, FuzzReport, LostWorkerError, fuzz_driver

_NEW_POOLS = 3  # without a chunk more between them

OnChunk = Callable[[FuzzReport, list[Any]], object]


class Workers:
    """This process itself."""

    executor: Executor | None = None
    count = 1

    def fuzz(self, driver: Driver, options: FuzzOptions, on_chunk: OnChunk) -> None:
        """Fuzzes [driver] as `fuzz_driver` does, into the report `before` of [options]."""
        fuzz_driver(driver, options, executor=self.executor, workers=self.count, on_chunk=on_chunk)

    def close(self, *, at_once: bool) -> None:
        """Ends the workers; [at_once], whatever they do."""


class PoolWorkers(Workers):
    """Processes of our own. Where one of them ends, there are new ones."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.executor = _make_pool(count)

    def fuzz(self, driver: Driver, options: FuzzOptions, on_chunk: OnChunk) -> None:
        """As above. Errors: LostWorkerError, which names one chunk, where it ends each process that runs it."""
        report = options.before
        assert report is not None
        began, first = monotonic(), report.runs
        lost = 0
        while True:
            chunks = report.chunks
            try:
                super().fuzz(driver, _take_off(options, report.runs - first, began), on_chunk)
                return
            except LostWorkerError as error:
                lost = lost + 1 if report.chunks == chunks else 1
                if error.is_stuck:
                    raise
                if lost == _NEW_POOLS:
                    # A single process took them in their order.
                    raise LostWorkerError(driver, error.chunks[:1]) from error
                self._renew(1 if lost == _NEW_POOLS - 1 else self.count)

    def close(self, *, at_once: bool) -> None:
        """Ends the workers."""
        pool, self.executor = self.executor, None
        if isinstance(pool, ProcessPoolExecutor):
            _end_pool(pool, at_once)

    def _renew(self, count: int) -> None:
        self.close(at_once=True)
        self.executor = _make_pool(count)


def _take_off(options: FuzzOptions, runs: int, began: float) -> FuzzOptions:
    """What is left of the limits after so many runs."""
    return replace(
        options,
        runs=None if options.runs is None else max(options.runs - runs, 0),
        seconds=None
        if options.seconds is None
        else max(options.seconds + began - monotonic(), 0.0),
    )


class _Process(SpawnProcess):
    """An interrupt does not come between its start, which would leave half a message, and its initializer's call."""

    def start(self) -> None:
        with _hold_interrupts():
            super().start()


@contextmanager
def _hold_interrupts() -> Iterator[None]:
    """An interrupt is this process's when the block is left; where signals can be blocked, none is a new process's."""
    if threading.current_thread() is not threading.main_thread():
        yield  # interrupts are the main thread's
        return
    came: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _frame: came.append(number))
    mask = getattr(signal, "pthread_sigmask", lambda *_: None)
    blocked = mask(getattr(signal, "SIG_BLOCK", 0), {signal.SIGINT})
    try:
        yield
    finally:
        mask(getattr(signal, "SIG_SETMASK", 0), blocked)
        signal.signal(signal.SIGINT, handler or signal.SIG_DFL)
        if came and callable(handler):
            handler(signal.SIGINT, None)


class _Context(SpawnContext):
    Process = _Process


def _make_pool(count: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(count, mp_context=_Context(), initializer=_ignore_interrupts)


def _ignore_interrupts() -> None:
    """Ctrl-C is for who waits for the workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _end_pool(pool: ProcessPoolExecutor, at_once: bool) -> None:
    """Waits for the processes in any case: one that goes by itself while Python ends is an error there."""
    processes = list((getattr(pool, "_processes", None) or {}).values()) if at_once else []
    for process in processes:
        process.kill()
    pool.shutdown(wait=True, cancel_futures=True)


class DaskWorkers(Workers):
    """A cluster that is there already."""

    def __init__(self, address: str) -> None:
        try:
            distributed: Any = import_module("distributed")
        except ImportError as error:
            raise ValueError("--executor dask://: pip install 'wdfdma[cluster]'") from error
        self._client = distributed.Client(f"tcp://{address}", set_as_default=False)
        self.executor = self._client.get_executor()
        self.count = max(1, sum(self._client.nthreads().values()))

    def close(self, *, at_once: bool) -> None:
        """Leaves the cluster."""
        assert self.executor is not None
        self.executor.shutdown(wait=not at_once)
        self._client.close()


@contextmanager
def make_workers(
    jobs: int, executor: str | None, drivers: list[Driver], is_isolated: bool
) -> Iterator[Workers]:
    """The workers for [drivers]. A driver of the user's in C is not for this process, which it could end.

    Errors: ValueError for an [executor] that is none; OSError for one that is not there.
    """
    workers: Workers
    if executor is not None:
        parts = urlsplit(executor)
        if parts.scheme != "dask" or not parts.netloc:
            raise ValueError(f"--executor: {executor!r} is not dask://host:port")
        workers = DaskWorkers(parts.netloc)
    elif jobs > 1 or (not is_isolated and any(is_foreign(driver) for driver in drivers)):
        workers = PoolWorkers(jobs)
    else:
        workers = Workers()
    try:
        yield workers
    except BaseException:
        workers.close(at_once=True)
        raise
    workers.close(at_once=False)


def is_foreign(driver: Driver) -> bool:
    """Whether [driver] is a shared object of the user's, which may end the process that it runs in."""
    return driver.is_native and not str(driver.origin).startswith("wdfdma:")
