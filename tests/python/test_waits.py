"""The verdicts on who waits for whom: against the recordings, and against the library itself."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from dump_support import FIFO, load_canonical
from wdfdma import Device, DmaTransaction, Machine, Profile, Scenario, Verdict, Wait, Waiting
from wdfdma._native import NULL, ffi, lib
from wdfdma.run import check_scenario, run_program
from wdfdma.waits import judge_machine, list_waits

Make = Callable[..., DmaTransaction]

LOST = "sg: a list let through by its own completion is forgotten with its registers"


@pytest.fixture(scope="module")
def canonical() -> dict[str, Scenario]:
    return load_canonical()


def waits_after(scenario: Scenario, step: int) -> list[Wait]:
    program, result = check_scenario(scenario)
    with run_program(scenario, program, result, step + 1) as machine:
        return list_waits(machine)


# The recordings: name, step, and the waits after it as text.
T0, T1, T2 = "transaction 0", "transaction 1", "transaction 2"
POOL, CHANNEL = Waiting.POOL, Waiting.CHANNEL
QUEUED, STARVING, DEADLOCKED = Verdict.QUEUED, Verdict.STARVING, Verdict.DEADLOCKED
RECORDED: list[tuple[str, int, list[Any]]] = [
    (
        "queue: the second transaction waits for the registers of the first",
        5,
        [(T1, POOL, 0, (), (T0,), QUEUED)],
    ),
    ("queue: the second transaction waits for the registers of the first", 7, []),
    (FIFO, 7, [(T1, POOL, 0, (), (T0,), QUEUED)]),
    (FIFO, 8, [(T1, POOL, 0, (), (T0,), QUEUED), (T2, POOL, 1, (T1,), (T0,), STARVING)]),
    (FIFO, 9, []),
    (
        "queue: one free delivers every waiter that fits, in order",
        10,
        [
            (T1, POOL, 0, (), (T0,), QUEUED),
            (T2, POOL, 1, (T1,), (T0,), QUEUED),
            ("transaction 3", POOL, 2, (T1, T2), (T0,), QUEUED),
        ],
    ),
    ("queue: one free delivers every waiter that fits, in order", 12, []),
    (
        "queue: one adapter, the channel queue is FIFO too",
        8,
        [(T1, POOL, 0, (), (T0,), QUEUED), (T2, CHANNEL, 0, (), (T1,), STARVING)],
    ),
    ("queue: execute inside EvtProgramDma of another transaction of the same adapter", 5, []),
    ("cancel: a queued execute", 5, [(T1, POOL, 0, (), (T0,), QUEUED)]),
    ("cancel: a queued execute", 6, []),
    (
        "cancel: the head of the line lets the next one in",
        8,
        [(T1, POOL, 0, (), (T0,), QUEUED), (T2, POOL, 1, (T1,), (T0,), STARVING)],
    ),
    ("cancel: the head of the line lets the next one in", 9, []),
    (
        "cancel: a queued reservation leaves the transaction unable to reserve again",
        3,
        [(T1, POOL, 0, (), (T0,), QUEUED)],
    ),
    (
        "reserve: a waiter is granted when the reservation is freed",
        4,
        [(T1, POOL, 0, (), (T0,), QUEUED)],
    ),
    ("reserve: delete gives the registers back", 4, [(T1, POOL, 0, (), (T0,), QUEUED)]),
    ("reserve: delete gives the registers back", 5, []),
    # It waits for a second list, having been completed while it waited for the first.
    (LOST, 8, [(T2, POOL, 0, (), (T2,), DEADLOCKED)]),
]


@pytest.mark.parametrize(("name", "step", "expected"), RECORDED)
def test_verdicts_on_the_recordings(
    canonical: dict[str, Scenario], name: str, step: int, expected: list[Any]
) -> None:
    found = waits_after(canonical[name], step)
    assert [
        (wait.transaction, wait.waiting, wait.position, wait.behind, wait.holders, wait.verdict)
        for wait in found
    ] == expected


def test_every_queue_and_reservation_is_judged(canonical: dict[str, Scenario]) -> None:
    """In no scenario of these families is anybody deadlocked, and each wait has its reason."""
    judged = 0
    for name, scenario in canonical.items():
        if name.partition(":")[0] not in ("queue", "cancel", "reserve"):
            continue
        for step in range(len(scenario.steps)):
            for wait in waits_after(scenario, step):
                judged += 1
                assert wait.verdict in (QUEUED, STARVING), name
                assert wait.reason.startswith(f"{wait.verdict} behind transaction ")
    assert judged > 15


def test_how_a_wait_reads(canonical: dict[str, Scenario]) -> None:
    big, small = waits_after(canonical[FIFO], 8)
    assert str(big) == (
        "transaction 1 waits for 4 map registers, position 0: queued behind transaction 0"
    )
    assert str(small) == (
        "transaction 2 waits for 1 map register, position 1: starving behind transaction 1"
    )
    assert judge_machine([big, small]) is STARVING
    assert judge_machine([]) is Verdict.NOBODY_WAITS


# Against the library: what a verdict says would happen is done, on a copy.


def make_line(rng: random.Random) -> tuple[Machine, list[DmaTransaction]]:
    """Reservations at random on adapters that share a pool: some are granted, some wait."""
    machine = Machine(map_registers=rng.choice([4, 7, 12, 70]))
    device = machine.device()
    size = machine.state.map_registers
    enablers = [
        device.enabler(maximum_length=2**20, dma_version=3) for _ in range(rng.randint(1, 6))
    ]
    made = [rng.choice(enablers).transaction() for _ in range(rng.randint(2, 14))]
    for item in made:
        item.allocate_resources(
            map_registers=rng.randint(1, size), reserve_dma=lambda transaction: None
        ).check()
        settled = [other for other in made if other.get_info().holds_base]
        if settled and rng.random() < 0.3:
            rng.choice(settled).free_resources()
    return machine, made


def is_served(item: DmaTransaction) -> bool:
    return item.get_info().holds_base


@pytest.mark.parametrize("seed", range(150))
def test_who_starves_is_served_once_nobody_is_before_it(seed: int) -> None:
    """STARVING in the pool's queue is exactly: without those before it, it is served at this moment."""
    machine, made = make_line(random.Random(seed))
    with machine:
        by_name = {f"transaction {item.label}": item for item in made}
        waits = machine.waits()
        assert len(waits) == machine.state.waiting_pool + machine.state.waiting_channel
        for wait in waits:
            item = by_name[wait.transaction]
            assert not is_served(item)
            if wait.waiting == CHANNEL:
                continue
            before = machine.snapshot()
            for name in reversed(wait.behind):
                assert by_name[name].cancel()
            assert is_served(item) == (wait.verdict is STARVING), str(wait)
            machine.restore(before)


@pytest.mark.parametrize("seed", range(150))
def test_who_is_not_deadlocked_is_served_in_the_end(seed: int) -> None:
    machine, made = make_line(random.Random(1000 + seed))
    with machine:
        assert all(wait.verdict is not DEADLOCKED for wait in machine.waits())
        missing = {wait.transaction for wait in machine.waits()}
        while machine.waits():
            holders = [item for item in made if is_served(item)]
            assert holders, "somebody waits, and nobody holds anything"
            for item in holders:
                item.free_resources()
            missing -= {f"transaction {item.label}" for item in made if is_served(item)}
        assert not missing


@pytest.mark.parametrize("seed", range(60))
def test_the_holders_are_those_who_hold(seed: int) -> None:
    machine, made = make_line(random.Random(2000 + seed))
    with machine:
        runs = machine.pool.runs()
        held = {
            item.get_info().first_register: f"transaction {item.label}"
            for item in made
            if is_served(item)
        }
        for wait in machine.waits():
            if wait.waiting == POOL:
                assert wait.holders == tuple(held[run.first] for run in runs)
                place = machine.pool.waiters()[wait.position]
                assert place is not None
                assert f"transaction {place.label}" == wait.transaction


# What keeps what


def test_a_channel_is_owned_by_who_took_it_on_the_plain_way(machine: Machine) -> None:
    """A transaction that waited for nothing is found as the owner, too."""
    enabler = machine.device().enabler(Profile.SYSTEM, maximum_length=8192)
    enabler.configure_system_profile().check()
    first, second = enabler.transaction(), enabler.transaction()
    for item in (first, second):
        item.initialize(machine.mdl(4096), program_dma=lambda *transfer: None).check()
        item.execute().check()
    assert enabler.get_info().channel_owner is first
    (wait,) = machine.waits()
    assert (wait.waiting, wait.holders, wait.verdict) == (CHANNEL, ("transaction 0",), QUEUED)
    assert wait.reason == "queued behind transaction 0"
    assert "owned by transaction 0" in machine.dump()


def test_inside_a_callback_the_channel_is_only_busy(machine: Machine) -> None:
    """Who waits for a bus master's channel is served when the routine returns that has it."""
    seen: list[Wait] = []
    enabler = machine.device().enabler(maximum_length=8192, dma_version=3)
    first, second = enabler.transaction(), enabler.transaction()

    def program(*_: object) -> None:
        second.execute().check()
        seen.extend(machine.waits())
        assert "Callbacks in progress: 1" in machine.dump()

    first.initialize(machine.mdl(4096), program_dma=program).check()
    second.initialize(machine.mdl(4096), program_dma=lambda *transfer: None).check()
    first.execute().check()
    (wait,) = seen
    assert (wait.waiting, wait.verdict, wait.holders) == (CHANNEL, QUEUED, ("transaction 0",))
    assert machine.waits() == []


def test_a_reservation_that_a_release_keeps_is_named(
    machine: Machine, make_transaction: Make
) -> None:
    keeper, waiter = make_transaction(), make_transaction()
    keeper.allocate_resources(map_registers=6, reserve_dma=lambda item: None).check()
    keeper.release().check()
    waiter.allocate_resources(map_registers=4, reserve_dma=lambda item: None).check()
    assert "held by: transaction 0, in state released, and reserved 6" in machine.dump()
    assert "Waited for by:     transaction 1" in keeper.dump()
    assert "queued behind transaction 0" in waiter.dump()


def allocate_as_wdm(device: Device, adapter: int, registers: int) -> Any:
    """AllocateAdapterChannelEx, inside the call; returns the map register base."""
    by = ffi.cast("DMA_ADAPTER *", adapter)
    base = ffi.new("PVOID *")
    status = by.DmaOperations.AllocateAdapterChannelEx(
        by,
        ffi.cast("PDEVICE_OBJECT", 0),
        NULL,
        registers,
        lib.DMA_SYNCHRONOUS_CALLBACK,
        NULL,
        NULL,
        base,
    )
    assert status == 0
    return base[0]


def test_what_a_wdm_driver_holds_is_not_lost(machine: Machine) -> None:
    device = machine.device()
    enabler = device.enabler(maximum_length=65536, dma_version=3)
    allocate_as_wdm(device, enabler.wdm_get_dma_adapter(), 7)
    waiter = device.enabler(maximum_length=8192, dma_version=3).transaction()
    waiter.allocate_resources(map_registers=2, reserve_dma=lambda item: None).check()
    (wait,) = machine.waits()
    assert wait.holders == ("a WDM driver on adapter 0",)
    assert wait.verdict is QUEUED
    assert "owned by a WDM driver on adapter 0" in machine.dump()


def test_what_nobody_names_any_more_is_lost(canonical: dict[str, Scenario]) -> None:
    """Registers that the framework has forgotten: who needs them is deadlocked."""
    source = canonical[LOST].source
    steps = source["steps"]
    more = [
        {"op": "create", "transaction": 7, "enabler": 0},
        {**next(step for step in steps if step["op"] == "initialize"), "transaction": 7},
        {"op": "execute", "transaction": 7},
    ]
    scenario = Scenario.parse({**source, "steps": [*steps, *more]})
    (wait,) = waits_after(scenario, len(steps) + 2)
    assert wait.verdict is DEADLOCKED
    assert wait.holders == ("nobody (lost by enabler 0 (read, write))",)
    assert wait.reason == "deadlocked, held by nobody (lost by enabler 0 (read, write))"


def deny_first_grant(machine: Machine) -> DmaTransaction:
    """A transaction of an adapter of its own, whose request for 2 map registers a fault denies."""
    item = machine.device().enabler(maximum_length=8192, dma_version=3).transaction()
    machine.faults.deny_registers(nth=1)
    item.allocate_resources(map_registers=2, reserve_dma=lambda item: None).check()
    return item


def test_a_denied_grant_that_nobody_can_bring_back(
    machine: Machine, make_transaction: Make
) -> None:
    """It is asked for again when map registers are freed, and nobody holds any: who is behind it waits for ever too."""
    denied, follower = deny_first_grant(machine), make_transaction()
    follower.allocate_resources(map_registers=1, reserve_dma=lambda item: None).check()
    first, second = machine.waits()
    assert (first.verdict, first.holders) == (DEADLOCKED, ())
    assert first.reason.startswith("deadlocked: its grant did not come, and nobody holds")
    assert (second.verdict, second.reason) == (DEADLOCKED, "deadlocked behind transaction 0")
    assert denied.cancel()
    assert machine.waits() == []


def test_a_denied_grant_comes_when_registers_are_freed(
    machine: Machine, make_transaction: Make
) -> None:
    holder = make_transaction()
    holder.allocate_resources(map_registers=1, reserve_dma=lambda item: None).check()
    denied = deny_first_grant(machine)
    (wait,) = machine.waits()
    assert (wait.verdict, wait.reason) == (QUEUED, "queued behind transaction 0")
    holder.free_resources()
    assert is_served(denied)


def test_a_deleted_transaction_that_waits_is_no_wdm_driver() -> None:
    with Machine(map_registers=4, force_map_registers=True, verifier=False) as machine:
        enabler = machine.device().enabler(maximum_length=12288, dma_version=3)
        buffer = machine.mdl(12288)
        items = [enabler.transaction() for _ in range(2)]
        for item in items:
            item.initialize(buffer, program_dma=lambda *_: None).check()
            item.execute().check()
        items[1].delete()
        assert [wait.transaction for wait in machine.waits()] == [
            "a deleted transaction on adapter 0"
        ]
        assert "WDM" not in machine.dump()
