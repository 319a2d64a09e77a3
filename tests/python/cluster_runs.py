"""Fuzzes on a cluster of Dask's with two processes, one of which is killed in the middle; what came of it, as JSON."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from typing import Any

from distributed import Client, LocalCluster

from wdfdma.testing.drivers import get_driver
from wdfdma.testing.fuzzing import Finding, FuzzOptions, FuzzReport, fuzz_driver

DRIVER = "packet/released-in-transfer"
RUNS = 12000
SEED = 3


def list_all(report: FuzzReport) -> dict[str, Any]:
    """A report without its time."""
    findings: list[Finding] = list(report.findings.values())
    counts = {
        name: getattr(report, name)
        for name in FuzzReport.__slots__
        if name not in ("findings", "seconds", "coverage")
    }
    if report.coverage is not None:
        counts["cells"] = [[*cell, count] for cell, count in report.coverage.cells.items()]
    return counts | {"found": [json.dumps(asdict(item), default=repr) for item in findings]}


def run_and_kill(client: Any) -> tuple[dict[str, Any], int]:
    """A run of many chunks, in the middle of which one of the two workers goes."""
    pids = list(client.run(os.getpid).values())
    assert len({*pids, os.getpid()}) == 3, "two processes besides this one"
    killed: list[int] = []

    def kill(report: FuzzReport, _new: list[Finding]) -> None:
        if report.chunks == 3 and not killed:
            os.kill(pids[0], signal.SIGKILL)
            killed.append(pids[0])

    options = FuzzOptions(seed=SEED, runs=RUNS)
    executor = client.get_executor()
    report = fuzz_driver(get_driver(DRIVER), options, executor=executor, workers=2, on_chunk=kill)
    return list_all(report), len(killed)


def run_command(address: str) -> tuple[int, str]:
    """The same by the command, as JSON."""
    url = address.replace("tcp://", "dask://")
    command = [sys.executable, "-m", "wdfdma", "fuzz", DRIVER, "--runs", "3000", "--json"]
    ended = subprocess.run([*command, "--executor", url], stdout=subprocess.PIPE, check=False)
    return ended.returncode, ended.stdout.decode()


def main() -> None:
    """Prints one document."""
    settings: dict[str, Any] = {"n_workers": 2, "threads_per_worker": 1, "processes": True}
    with (
        LocalCluster(dashboard_address=None, **settings) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        report, killed = run_and_kill(client)
        status, printed = run_command(cluster.scheduler_address)
    document = {"report": report, "killed": killed, "status": status, "command": printed}
    print(json.dumps(document))


if __name__ == "__main__":
    main()
