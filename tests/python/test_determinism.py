"""The same calls give the same bytes: twice, after a restore, and in another process."""

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

from wdfdma import Direction, DmaTransaction, Machine, Profile, Scenario
from wdfdma.run import execute_scenario

CONFORMANCE = Path(__file__).parents[1] / "conformance"

PROGRAM = """
import hashlib, sys
from wdfdma import Scenario
from wdfdma.run import execute_scenario
digest = hashlib.sha256()
for path in sys.argv[1:]:
    for scenario in Scenario.load_all(path):
        digest.update(execute_scenario(scenario).data)
print(digest.hexdigest())
"""


def hash_logs(paths: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        for scenario in Scenario.load_all(path):
            digest.update(execute_scenario(scenario).data)
    return digest.hexdigest()


def test_logs_are_equal_twice_and_in_another_process() -> None:
    paths = sorted(CONFORMANCE.glob("*.jsonl"))
    first = hash_logs(paths)
    assert hash_logs(paths) == first
    # With other addresses, another order of hashes, and other machines before it.
    arguments = [sys.executable, "-X", "importtime", "-c", PROGRAM, *map(str, paths)]
    other = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == first


def test_logs_are_equal_under_every_build() -> None:
    """The digest that each compiler, build and platform must come to; a change of the log's form changes it."""
    recorded = (CONFORMANCE / "logs.sha256").read_text(encoding="ascii").strip()
    assert hash_logs(sorted(CONFORMANCE.glob("*.jsonl"))) == recorded


def drive(machine: Machine) -> DmaTransaction:
    """Something of everything: a wait, a bounce, chance, time, a completion inside a callback."""
    device = machine.device()
    enabler = device.enabler(Profile.PACKET, maximum_length=8192, dma_version=3)
    buffer = machine.mdl(12288, offset=100)
    first, second = enabler.transaction(), enabler.transaction()

    def complete(transaction: DmaTransaction, direction: Direction, elements: list[Any]) -> None:
        machine.advance(machine.random() % 1000)
        transaction.dma_completed()

    first.initialize(buffer, program_dma=lambda *transfer: None)
    second.initialize(buffer, direction=Direction.WRITE, program_dma=complete)
    first.execute()
    second.execute()
    first.dma_completed_final(10)
    first.release()
    return second


def test_two_machines_give_the_same_log() -> None:
    logs = []
    for _ in range(2):
        with Machine(map_registers=4, seed=7, log="grow") as machine:
            drive(machine)
            logs.append(machine.log.tobytes())
    assert logs[0] == logs[1]
    assert len(logs[0]) > 15 * 64


def test_another_seed_gives_another_log() -> None:
    logs = []
    for seed in (1, 2):
        with Machine(map_registers=4, seed=seed, log="grow") as machine:
            drive(machine)
            logs.append(machine.log.tobytes())
    assert logs[0] != logs[1]


def test_a_restored_machine_gives_the_same_log() -> None:
    with Machine(map_registers=4, seed=7, log="grow") as machine:
        start = machine.snapshot()
        drive(machine)
        once = machine.log.tobytes()
        machine.restore(start)
        assert len(machine.log) == 0
        drive(machine)
        assert machine.log.tobytes() == once


def test_a_bug_check_has_no_address_in_the_log() -> None:
    logs = []
    for _ in range(2):
        with Machine(log="grow") as machine:
            transaction = machine.device().enabler(dma_version=3).transaction()
            try:
                transaction.execute()
            except Exception:
                logs.append(machine.log.tobytes())
    assert logs[0] == logs[1]
