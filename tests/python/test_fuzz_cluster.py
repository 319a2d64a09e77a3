"""Chunks whose workers are lost: on a real cluster of Dask's, in a pool of ours, and with executors that lose them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from cluster_runs import DRIVER, RUNS, SEED, list_all
from wdfdma.cli_ends import BAD_INPUT, DIFFERENCE
from wdfdma.fuzz_workers import PoolWorkers
from wdfdma.testing.drivers import get_driver
from wdfdma.testing.fuzzing import FuzzOptions, FuzzReport, LostWorkerError, fuzz_driver


def fuzz_alone(runs: int) -> dict[str, Any]:
    return list_all(fuzz_driver(get_driver(DRIVER), FuzzOptions(seed=SEED, runs=runs)))


def test_a_cluster_loses_a_worker_and_nothing_else() -> None:
    script = Path(__file__).with_name("cluster_runs.py")
    ended = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=300
    )
    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)
    assert document["killed"] == 1
    assert document["report"] == fuzz_alone(RUNS)
    assert document["report"]["runs"] == RUNS
    assert document["report"]["chunks"] == RUNS // 1000
    assert document["status"] == DIFFERENCE
    told = json.loads(document["command"])
    assert told["drivers"][0]["runs"] == 3000
    assert told["failures"]


def test_a_cluster_that_is_not_there(call: Callable[..., tuple[int, str, str]]) -> None:
    # Port 1 of this machine: nobody listens there.
    command = [sys.executable, "-m", "wdfdma", "fuzz", "packet", "--runs", "1"]
    ended = subprocess.run(
        [*command, "--executor", "dask://127.0.0.1:1"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "1s"},
    )
    assert ended.returncode == BAD_INPUT, ended.stderr
    status, _, problem = call("fuzz", "packet", "--executor", "dask://")
    assert (status, "is not dask://host:port" in problem) == (BAD_INPUT, True)


class KilledWorker(Exception):
    """By the name of Dask's."""


class Losing(Executor):
    """Runs at once; what [losses] say of a chunk, by its seed's order, comes instead, once each."""

    def __init__(self, *losses: BaseException | None) -> None:
        self.losses = list(losses)

    def submit(self, function: Any, /, *arguments: Any, **options: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        loss = self.losses.pop(0) if self.losses else None
        if loss is None:
            future.set_result(function(*arguments, **options))
        elif isinstance(loss, CancelledError):
            future.cancel()
            future.set_running_or_notify_cancel()
        else:
            future.set_exception(loss)
        return future


@pytest.mark.parametrize("loss", [KilledWorker(), CancelledError(), BrokenProcessPool(), OSError()])
def test_each_loss_is_made_good(loss: BaseException) -> None:
    executor = Losing(None, loss, None, loss)
    report = fuzz_driver(get_driver(DRIVER), FuzzOptions(seed=SEED, runs=4000), executor=executor)
    assert list_all(report) == fuzz_alone(4000)
    assert executor.losses == []


def test_a_chunk_that_is_lost_again_and_again() -> None:
    executor = Losing(None, *[KilledWorker()] * 20)
    report = FuzzReport()
    options = FuzzOptions(seed=SEED, runs=1000, before=report)
    fuzz_driver(get_driver(DRIVER), options, executor=executor)
    with pytest.raises(LostWorkerError, match=r"chunk 1 has ended; .*--isolate"):
        fuzz_driver(get_driver(DRIVER), options, executor=executor)
    assert (report.chunks, report.runs) == (1, 1000)


def test_an_error_of_the_chunk_is_no_loss() -> None:
    executor = Losing(None, RuntimeError("it"))
    with pytest.raises(RuntimeError, match="it"):
        fuzz_driver(get_driver(DRIVER), FuzzOptions(runs=3000), executor=executor)


def test_a_pool_that_breaks_is_made_anew() -> None:
    workers = PoolWorkers(2)
    report = FuzzReport()
    killed: list[int] = []

    def kill(so_far: FuzzReport, _new: list[Any]) -> None:
        if so_far.chunks in (2, 5) and len(killed) < 2 and so_far.chunks not in killed:
            killed.append(so_far.chunks)
            processes = workers.executor._processes  # type: ignore[union-attr]
            next(iter(processes.values())).kill()

    try:
        options = FuzzOptions(seed=SEED, runs=8000, before=report)
        workers.fuzz(get_driver(DRIVER), options, kill)
    finally:
        workers.close(at_once=True)
    assert killed == [2, 5]
    assert list_all(report) == fuzz_alone(8000)
