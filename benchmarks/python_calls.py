"""What Python adds: calls against bare CFFI, the import, scenarios replayed.

Prints names and values, as the C programs do.
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from wdfdma import Direction, DmaTransaction, Machine, Mdl, Scenario
from wdfdma._native import NULL, ffi, lib
from wdfdma.run import execute_scenario

ROUNDS = 101
REPEATS = 2000
CONFORMANCE = Path(__file__).parent.parent / "tests" / "conformance"
FILES = [CONFORMANCE / "canonical.jsonl", CONFORMANCE / "random.jsonl"]

Loop = Callable[[int], None]


def report(name: str, value: float) -> None:
    print(f"{name}\t{value:.6g}", flush=True)


def time_loop(loop: Loop, repeats: int) -> float:
    """Seconds for one time around."""
    start = perf_counter()
    loop(repeats)
    return (perf_counter() - start) / repeats


def compare(name: str, ours: Loop, bare: Loop) -> None:
    """Both in turn within each round; the median of the rounds' ratios."""
    costs, bare_costs, ratios = [], [], []
    for _ in range(ROUNDS):
        before = time_loop(bare, REPEATS)
        cost = time_loop(ours, REPEATS)
        bare_cost = (before + time_loop(bare, REPEATS)) / 2
        costs.append(cost)
        bare_costs.append(bare_cost)
        ratios.append(cost / bare_cost)
    report(f"python_{name}.ns", statistics.median(costs) * 1e9)
    report(f"python_{name}.bare_ns", statistics.median(bare_costs) * 1e9)
    report(f"python_{name}.of_bare", statistics.median(ratios))


# Each pair of loops does the same: a method of the package, and the C function alone.


def compare_getter(transaction: DmaTransaction, handle: Any) -> None:
    def ours(repeats: int) -> None:
        for _ in range(repeats):
            transaction.get_bytes_transferred()

    def bare(repeats: int) -> None:
        for _ in range(repeats):
            lib.WdfDmaTransactionGetBytesTransferred(handle)

    compare("get", ours, bare)


def compare_setter(transaction: DmaTransaction, handle: Any) -> None:
    def ours(repeats: int) -> None:
        for _ in range(repeats):
            transaction.set_immediate_execution(True)

    def bare(repeats: int) -> None:
        for _ in range(repeats):
            lib.WdfDmaTransactionSetImmediateExecution(handle, True)

    compare("set", ours, bare)


def program_nothing(*_transfer: object) -> None:
    """A device that completes later."""


def compare_cycle(transaction: DmaTransaction, handle: Any, mdl: Mdl) -> None:
    """Initialize, execute with a callback of Python, complete, release; bare: the same four calls and a callback
    that does nothing but return."""

    def ours(repeats: int) -> None:
        for _ in range(repeats):
            transaction.initialize(mdl, program_dma=program_nothing)
            transaction.execute()
            transaction.dma_completed()
            transaction.release()

    callback = make_bare_callback()
    chain, address, length, read = mdl._mdl, mdl._address, mdl.chain_length, Direction.READ

    def bare(repeats: int) -> None:
        status = ffi.new("NTSTATUS *")
        for _ in range(repeats):
            lib.WdfDmaTransactionInitialize(handle, callback, read, chain, address, length)
            lib.WdfDmaTransactionExecute(handle, NULL)
            lib.WdfDmaTransactionDmaCompleted(handle, status)
            lib.WdfDmaTransactionRelease(handle)

    compare("cycle", ours, bare)


def make_bare_callback() -> Any:
    signature = (
        "BOOLEAN(WDFDMATRANSACTION, WDFDEVICE, WDFCONTEXT, WDF_DMA_DIRECTION, PSCATTER_GATHER_LIST)"
    )
    return ffi.callback(signature, lambda *_transfer: 1)


def measure_calls() -> None:
    with Machine() as machine:
        enabler = machine.device().enabler(maximum_length=65536, dma_version=3)
        transaction = enabler.transaction()
        handle = transaction._handle
        compare_getter(transaction, handle)
        compare_setter(transaction, handle)
        transaction.set_immediate_execution(False)
        compare_cycle(transaction, handle, machine.mdl(8192))


# Processes of their own


def time_process(arguments: list[str]) -> float:
    """Seconds that a Python process takes."""
    start = perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - start


def measure_import() -> None:
    """The import of a Machine alone, in milliseconds: with NumPy, which is imported before it, and with nothing."""
    code = (
        "{}from time import perf_counter as now; start = now(); "
        "from wdfdma import Machine; print((now() - start) * 1e3)"
    )
    for name, before in (("import_beside_numpy", "import numpy; "), ("import", "")):
        costs = []
        for _ in range(15):
            command = [sys.executable, "-c", code.format(before)]
            costs.append(float(subprocess.run(command, check=True, capture_output=True).stdout))
        report(f"{name}.ms", statistics.median(costs))


def measure_replay() -> None:
    """Scenarios and steps in a second, once they are read; then the whole command, from its start to its end."""
    scenarios = [scenario for path in FILES for scenario in Scenario.load_all(path)]
    times, steps = [], 0
    for _ in range(5):
        start = perf_counter()
        steps = sum(execute_scenario(scenario).steps for scenario in scenarios)
        times.append(perf_counter() - start)
    report("replay.scenarios_per_s", len(scenarios) / statistics.median(times))
    report("replay.steps_per_s", steps / statistics.median(times))
    command = ["-m", "wdfdma", "run", "--check", *map(os.fspath, [*FILES])]
    report("replay.command_s", statistics.median(time_process(command) for _ in range(5)))
    report("replay.scenarios", len(scenarios))


if __name__ == "__main__":
    measure_calls()
    measure_import()
    measure_replay()
