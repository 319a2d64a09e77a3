"""Several threads, each with machines of its own."""

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from wdfdma import BugCheck, Direction, DmaTransaction, Machine, Profile, Scenario
from wdfdma.run import execute_scenario

CONFORMANCE = Path(__file__).parents[1] / "conformance"
THREADS = 6


@pytest.fixture(autouse=True)
def _hasty_switching() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def in_threads(function: Callable[[int], Any]) -> list[Any]:
    """Calls the function in several threads that begin together."""
    barrier = threading.Barrier(THREADS)

    def begin(number: int) -> Any:
        barrier.wait()
        return function(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(begin, range(THREADS)))


def drive(machine: Machine) -> bytes:
    """Transfers with data, waits and nested completions; the log of it all."""
    device = machine.device()
    buffer = machine.mdl(3 * 4096, offset=77)
    first = device.enabler(Profile.PACKET, maximum_length=4096, dma_version=3).transaction()
    second = device.enabler(Profile.SCATTER_GATHER, dma_version=3).transaction()

    def write_some(transaction: DmaTransaction, _: Direction, elements: list[Any]) -> None:
        for address, length in elements:
            machine.device_write(address, bytes(length))
        transaction.dma_completed()

    for _ in range(20):
        for transaction in (first, second):
            transaction.initialize(buffer, program_dma=write_some).check()
            transaction.execute().check()
            transaction.release()
    machine.check()
    return machine.log.tobytes()


def test_machines_in_threads_do_what_one_alone_does() -> None:
    def run(_number: int) -> bytes:
        with Machine(map_registers=16, log="grow") as machine:
            return drive(machine)

    alone = run(0)
    assert in_threads(run) == [alone] * THREADS


def test_scenarios_in_threads() -> None:
    scenarios = Scenario.load_all(CONFORMANCE / "canonical.jsonl")
    expected = [execute_scenario(scenario).log for scenario in scenarios]
    logs = in_threads(lambda _: [execute_scenario(scenario).log for scenario in scenarios])
    assert all(log == expected for log in logs)


def test_a_bug_check_halts_its_own_machine_only() -> None:
    barrier = threading.Barrier(THREADS)

    def run(number: int) -> bool:
        with Machine() as machine:
            transaction = machine.device().enabler().transaction()
            barrier.wait()
            if number % 2:
                with pytest.raises(BugCheck):
                    transaction.execute()
            barrier.wait()
            return machine.halted

    assert in_threads(run) == [bool(number % 2) for number in range(THREADS)]


def test_exceptions_reach_the_caller_in_their_own_thread() -> None:
    def run(number: int) -> str:
        def fail(*_arguments: Any) -> None:
            raise KeyError(number)

        with Machine() as machine:
            transaction = machine.device().enabler().transaction()
            transaction.initialize(machine.mdl(1), program_dma=fail).check()
            with pytest.raises(KeyError) as caught:
                transaction.execute()
        return str(caught.value)

    assert in_threads(run) == [str(number) for number in range(THREADS)]


def test_a_machine_may_be_handed_from_thread_to_thread() -> None:
    with Machine(map_registers=16, log="grow") as machine:
        alone = drive(machine)
        length = len(alone)
    with Machine(map_registers=16, log="grow") as machine, ThreadPoolExecutor(1) as pool:
        assert pool.submit(drive, machine).result() == alone
        transaction = machine.device().enabler().transaction()
        assert len(machine.log.tobytes()) == length + 64
    with pytest.raises(ValueError, match="closed"):
        transaction.execute()


def test_machines_end_in_other_threads() -> None:
    machines = [Machine() for _ in range(THREADS)]
    arrays = [machine.pool.bitmap for machine in machines]
    in_threads(lambda number: machines[number].close())
    assert all(array[0] == 0 for array in arrays)
    in_threads(lambda number: arrays.pop())


def test_the_interpreter_lock_is_released_in_long_calls() -> None:
    """A thread goes on while another one is inside C."""
    with Machine() as machine:
        machine.mdl(1 << 26)
        done = threading.Event()
        turns = 0

        def copy() -> None:
            machine.snapshot()
            done.set()

        thread = threading.Thread(target=copy)
        thread.start()
        while not done.is_set():
            turns += 1
        thread.join()
    assert turns > 100
