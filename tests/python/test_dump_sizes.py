"""A dump of very many waiters is as long as they are many."""

import json

import pytest

from wdfdma import Machine, Profile
from wdfdma.dumping.dump import make_document
from wdfdma.waits import FEW, Verdict

PAGE = 4096


def fill(machine: Machine, holders: int, waiters: int) -> None:
    """Each holds a register of its own, or waits for two."""
    device = machine.device()
    for registers, count in ((1, holders), (2, waiters)):
        for _ in range(count):
            transaction = device.enabler(Profile.PACKET, dma_version=3).transaction()
            transaction.allocate_resources(
                map_registers=registers, reserve_dma=lambda _transaction: None
            ).check()


def measure(waiters: int) -> int:
    holders = waiters // 10
    with Machine(map_registers=holders, force_map_registers=True) as machine:
        fill(machine, holders, waiters)
        document = make_document(machine._core)
        assert len(document["waits"]) == waiters
        return len(json.dumps(document))


def test_the_json_grows_as_the_waiters_do() -> None:
    part, whole = measure(600), measure(3000)
    assert part < whole < 5.5 * part


def test_counts_and_the_first_few() -> None:
    with Machine(map_registers=6, force_map_registers=True) as machine:
        fill(machine, 6, 10)
        document = make_document(machine._core)
        first, last = document["waits"][0], document["waits"][-1]
        assert (first["behind"], first["behind_count"]) == ([], 0)
        assert last["behind"] == [f"transaction {label}" for label in range(6, 6 + FEW)]
        assert last["behind_count"] == 9
        assert last["holders"] == [f"transaction {label}" for label in range(FEW)]
        assert last["holder_count"] == 6
        assert first["reason"].endswith(", transaction 3, and 2 more")
        assert last["reason"] == "queued behind transaction 14"
        assert machine.waits()[-1].verdict is Verdict.QUEUED
        assert len(machine.waits()[-1].behind) == 9


@pytest.mark.parametrize("holders", [FEW, FEW + 1])
def test_a_few_are_all_named(holders: int) -> None:
    with Machine(map_registers=holders, force_map_registers=True) as machine:
        fill(machine, holders, 1)
        (wait,) = machine.waits()
        assert (" more" in wait.reason) == (holders > FEW)
