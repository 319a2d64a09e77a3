"""Dumps, and the verdicts on who waits for whom: against the recordings, and against the library itself."""

import json
import random
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from wdfdma import (
    BugCheck,
    ClosedError,
    Device,
    DmaTransaction,
    Machine,
    Profile,
    Scenario,
    StatusError,
    Verdict,
    Wait,
    Waiting,
)
from wdfdma._native import NULL, ffi, lib
from wdfdma.dump_command import dump_scenario, load_one
from wdfdma.run import check_scenario, run_program
from wdfdma.waits import judge_machine, list_waits

CONFORMANCE = Path(__file__).parents[1] / "conformance"
CANONICAL = CONFORMANCE / "canonical.jsonl"

Make = Callable[..., DmaTransaction]
Call = Callable[..., tuple[int, str, str]]

FIFO = "queue: strict FIFO, a small request waits behind a big one"
LOST = "sg: a list let through by its own completion is forgotten with its registers"


@pytest.fixture(scope="module")
def canonical() -> dict[str, Scenario]:
    return {scenario.name: scenario for scenario in Scenario.load_all(CANONICAL)}


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


# Dumps


def test_a_machine_that_is_empty() -> None:
    with Machine(map_registers=0) as machine:
        text = machine.dump()
        assert "0 held, 0 free, 0 in the pool" in text
        assert text.count("none") == 2
        assert "nobody waits" in text


def test_the_dump_names_everything(machine: Machine) -> None:
    enabler = machine.device().enabler(Profile.SCATTER_GATHER_DUPLEX, maximum_length=8192)
    item = enabler.transaction()
    enabler.common_buffer(100)
    item.initialize(machine.mdl(8192, offset=1), program_dma=lambda *transfer: None).check()
    item.execute().check()
    text = machine.dump()
    for expected in (
        "Adapter: 0     Owner: enabler 0 (read)",
        "Adapter: 1     Owner: enabler 0 (write)",
        "Map register file: 0..2",
        "0..2: transaction 0",
        "3..7: free",
        "WDFDMAENABLER: 0     Owner: device 0",
        "WdfDmaProfileScatterGatherDuplex",
        "Adapter (write): adapter 1",
        "WDFDMATRANSACTION: 0",
        "State:             transfer",
        "Current transfer:  8192 bytes, 0 not mapped yet",
        "Map register base: 0..2",
        "WDFCOMMONBUFFER: 0",
        "Length:          100 bytes",
    ):
        assert expected in text, expected
    assert "WDFCOMMONBUFFER" in enabler.dump()
    assert "Wait-for graph" not in enabler.dump()
    assert item.dump().startswith("WDFDMATRANSACTION: 0")
    assert machine.dump() == text


def test_what_waits_is_not_mapped_yet(machine: Machine, make_transaction: Make) -> None:
    holder, waiter = make_transaction(), make_transaction()
    holder.allocate_resources(map_registers=8, reserve_dma=lambda item: None).check()
    waiter.initialize(machine.mdl(8192), program_dma=lambda *transfer: None).check()
    waiter.execute().check()
    assert "Current transfer:  8192 bytes, 8192 not mapped yet" in waiter.dump()


def test_a_system_profile_that_is_not_configured(machine: Machine) -> None:
    enabler = machine.device().enabler(Profile.SYSTEM_DUPLEX, maximum_length=8192)
    assert "not configured" in enabler.dump()
    enabler.configure_system_profile(1).check()
    assert "Adapter (read):  not configured" in enabler.dump()
    assert "Adapter (write): adapter 0" in enabler.dump()


def test_the_order_is_that_of_the_labels(machine: Machine) -> None:
    enabler = machine.device().enabler(dma_version=3)
    items = [enabler.transaction() for _ in range(12)]
    items[3].delete()
    enabler.transaction()  # it takes the place of the one that is gone
    titles = [
        int(line.rpartition(" ")[2])
        for line in machine.dump().splitlines()
        if "WDFDMATRANSACTION" in line
    ]
    assert titles == [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12]


def test_a_halted_machine_is_dumped(machine: Machine, make_transaction: Make) -> None:
    item = make_transaction()
    waiter = make_transaction()
    item.allocate_resources(map_registers=8, reserve_dma=lambda item: None).check()
    waiter.allocate_resources(map_registers=1, reserve_dma=lambda item: None).check()
    with pytest.raises(BugCheck) as caught:
        item.execute()
    text = machine.dump()
    assert f"Halted:                {caught.value}" in text
    assert "nobody is served any more" in text
    assert [str(wait) for wait in machine.waits()] == [
        "transaction 1 waits for 1 map register, position 0: queued behind transaction 0"
    ]
    assert "State:             reserved" in item.dump()
    assert "Halted" in machine.dump(html=True)


def test_what_is_gone_is_not_dumped(make_transaction: Make) -> None:
    with Machine() as machine:
        enabler = machine.device().enabler(dma_version=3)
        item = enabler.transaction()
        item.delete()
        with pytest.raises(StatusError):
            item.dump()
        enabler.delete()
        with pytest.raises(StatusError):
            enabler.dump()
        machine.dump()
    for ask in (machine.dump, machine.waits, item.dump, enabler.dump):
        with pytest.raises(ClosedError):
            ask()


def test_looking_changes_nothing(machine: Machine, make_transaction: Make) -> None:
    for _ in range(3):
        make_transaction().allocate_resources(map_registers=5, reserve_dma=lambda item: None)
    before = (repr(machine.state), machine.log.tobytes())
    machine.dump()
    machine.dump(html=True)
    machine.waits()
    assert (repr(machine.state), machine.log.tobytes()) == before


# HTML


class Page(HTMLParser):
    """What a page is made of: it must be well formed, and ask for nothing."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_html_is_one_page_that_asks_for_nothing(canonical: dict[str, Scenario]) -> None:
    evil = "<script>alert('x')</script> & \"<img src=x>\""
    scenario = Scenario.parse({**canonical[FIFO].source, "name": evil}, "<b>.json")
    text = dump_scenario(scenario, 8, html=True)
    page = Page(text)
    assert not page.open
    assert page.tags <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "h4", "section"),
        *("table", "tr", "th", "td", "pre"),
    }
    assert page.attributes <= {"lang", "charset", "name", "content", "scope"}
    assert "url(" not in text
    assert "@import" not in text
    assert evil in page.text
    assert "starving behind transaction 1" in page.text
    plain = dump_scenario(scenario, 8)
    for line in plain.splitlines():
        assert line.strip().rpartition(": ")[2].strip() in page.text


# The command


def test_the_command(call: Call) -> None:
    where = f"{CANONICAL}:20"
    code, out, err = call("dump", where, "--at", 8)
    assert (code, err) == (0, "")
    assert "after step 8 (execute), the last is 11" in out
    assert f"From:     {where}" in out
    assert out.endswith("held by: transaction 0, in state transfer\n")
    assert call("dump", where, "--at", 8)[1] == out
    code, out, _ = call("dump", where)
    assert code == 0
    assert "after step 11 (dma_completed), the last is 11" in out
    assert "Wait-for graph\n   nobody waits\n" in out
    code, out, _ = call("dump", where, "--at", "8", "--html")
    assert (code, out.startswith("<!DOCTYPE html>")) == (0, True)


def test_the_command_runs_no_later_step(call: Call, tmp_path: Path, scenario: Any) -> None:
    path = tmp_path / "small.json"
    path.write_text(json.dumps(scenario), encoding="utf-8")
    assert "0 transaction" not in call("dump", path, "--at", 0)[1]
    for step, state in (
        (0, "created"),
        (2, "initialized"),
        (3, "transfer_completed"),
        (4, "released"),
    ):
        assert f"State:             {state}\n" in call("dump", path, "--at", step)[1]


def test_json_says_the_same(call: Call) -> None:
    code, out, err = call("dump", f"{CANONICAL}:20", "--at", 8, "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert (document["at"], document["where"]) == (8, f"{CANONICAL}:20")
    dump = document["dump"]
    assert dump["verdict"] == "starving"
    assert dump["halted"] is None
    assert dump["waits"][1] == {
        "transaction": "transaction 2",
        "waiting": "pool",
        "adapter": "adapter 2",
        "registers": 1,
        "position": 1,
        "behind": ["transaction 1"],
        "holders": ["transaction 0"],
        "verdict": "starving",
        "reason": "starving behind transaction 1",
    }
    assert dump["map_registers"] == [
        {"first": 0, "length": 2, "holder": "transaction 0", "lost": False}
    ]
    assert [item["name"] for item in dump["transactions"]] == [T0, T1, T2]
    assert dump["transactions"][1]["info"]["state"] == "transfer"
    assert [item["channel_owner"] for item in dump["adapters"]] == ["none", T1, T2]


def test_one_that_halts_before_says_so(call: Call, tmp_path: Path, scenario: Any) -> None:
    again = {"op": "execute", "transaction": 0}
    scenario["steps"][4:] = [again, *scenario["steps"][4:]]
    path = tmp_path / "halts.json"
    path.write_text(json.dumps(scenario), encoding="utf-8")
    code, out, _ = call("dump", path, "--at", 5)
    assert code == 0
    assert "halted in step 4 (execute), before step 5 was reached" in out
    assert "Halted:                WDF_VIOLATION (0x10D)" in out
    _, out, _ = call("dump", path, "--at", 4)
    assert "Moment:   halted in step 4 (execute)\n" in out
    _, out, _ = call("dump", path, "--at", 3)
    assert "halted" not in out
    document = json.loads(call("dump", path, "--json")[1])
    assert document["at"] == 4
    assert document["dump"]["halted"].startswith("WDF_VIOLATION")


def test_a_scenario_without_steps(tmp_path: Path, scenario: Any) -> None:
    path = tmp_path / "none.json"
    path.write_text(json.dumps({**scenario, "steps": []}), encoding="utf-8")
    assert "before the first step; there is none" in dump_scenario(load_one(str(path)))
    with pytest.raises(ValueError, match=r"steps\[0\]: no such step; there are none"):
        dump_scenario(load_one(str(path)), 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{small}", "--at", "5"], "{small}: steps[5]: no such step; the steps are 0 to 4"),
        (["{small}", "--at", "-1"], "{small}: steps[-1]: no such step; the steps are 0 to 4"),
        (["{small}", "--at", str(2**70)], "no such step"),
        (["{small}", "--at", "two"], "'two' is not a valid integer"),
        (["{small}", "--html", "--json"], "--html: not together with --json"),
        (["{small}:1"], "{small}:1: there is no scenario in this line"),
        (["{many}"], "{many}: 2 scenarios, not one; name one as FILE:NUMBER"),
        (["{many}:3"], "{many}:3: there is no scenario in this line"),
        (["{many}:4"], "{many}:4: there is no scenario in this line"),
        (["{many}:0"], "{many}:0: there is no scenario in this line"),
        (["{many}:two"], "{many}:two: No such file"),
        (["{empty}"], "{empty}: no scenarios, not one"),
        (["{bad}"], "{bad}: not JSON"),
        (["{wrong}"], "{wrong}: steps[0].transaction: 9 is not created"),
        (["{folder}"], "{folder}: a folder, not a scenario"),
        (["{folder}/nothing.json"], "{folder}/nothing.json: No such file"),
        (["{folder}/nothing.json:7"], "{folder}/nothing.json: No such file"),
        ([":7"], ":7: No such file"),
        (["{other}"], "{other}: neither .json nor .jsonl"),
        ([], "Missing argument 'SCENARIO'"),
    ],
)
def test_bad_input(
    call: Call, tmp_path: Path, scenario: Any, arguments: list[str], message: str
) -> None:
    line = json.dumps(scenario)
    wrong = {**scenario, "steps": [{"op": "execute", "transaction": 9}]}
    files = {
        "small": ("small.json", line),
        "many": ("many.jsonl", f"{line}\n{line}\n\n"),
        "empty": ("empty.jsonl", "\n"),
        "bad": ("bad.json", '{"format": '),
        "wrong": ("wrong.json", json.dumps(wrong)),
        "other": ("other.txt", line),
    }
    names = {"folder": str(tmp_path)}
    for key, (name, text) in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        names[key] = str(tmp_path / name)
    code, out, err = call("dump", *(argument.format(**names) for argument in arguments))
    assert code == 2
    assert bool(out) == ("--json" in arguments)
    assert message.format(**names) in err
    if not err.startswith("Usage"):
        assert err.count("\n") == 1


def test_errors_as_json(call: Call) -> None:
    code, out, _ = call("dump", CANONICAL, "--json")
    assert code == 2
    assert json.loads(out)["errors"] == [
        f"{CANONICAL}: {len(CANONICAL.read_text(encoding='utf-8').splitlines())} scenarios, not one; "
        "name one as FILE:NUMBER"
    ]


def test_a_file_with_a_colon_in_its_name(call: Call, tmp_path: Path, scenario: Any) -> None:
    path = tmp_path / "odd.jsonl:3.json"
    path.write_text(json.dumps(scenario), encoding="utf-8")
    assert call("dump", path)[0] == 0


def test_the_standard_input(scenario: Any) -> None:
    command = [sys.executable, "-m", "wdfdma", "dump", "-", "--at", "1"]
    done = subprocess.run(
        command, input=json.dumps(scenario), capture_output=True, text=True, check=True
    )
    assert "From:     <stdin>" in done.stdout
    assert "after step 1 (on), the last is 4" in done.stdout


def test_a_long_line_is_judged_and_shortened() -> None:
    with Machine(map_registers=4) as machine:
        device = machine.device()
        line = [device.enabler(dma_version=3).transaction() for _ in range(2000)]
        for item in line:
            item.allocate_resources(map_registers=4, reserve_dma=lambda item: None).check()
        waits = machine.waits()
        assert [wait.position for wait in waits] == list(range(1999))
        assert waits[-1].behind == tuple(f"transaction {label}" for label in range(1, 1999))
        assert waits[-1].reason == "queued behind transaction 1998"
        assert "and 1987 more" in line[0].dump()
        assert len(machine.dump()) < 4_000_000


def count_lines_of_dump(waiters: int) -> int:
    """The lines of Python that a dump executes, of a machine with as many holders as waiters."""
    lines = 0

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    with Machine(map_registers=waiters) as machine:
        device = machine.device()
        for _ in range(2 * waiters):
            transaction = device.enabler(dma_version=3).transaction()
            transaction.initialize(machine.mdl(4096), program_dma=lambda *transfer: None)
            transaction.execute()
        assert machine.state.waiting_pool == waiters
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            machine.dump()
        finally:
            sys.settrace(before)
    return lines


def test_a_dump_takes_time_in_proportion() -> None:
    count_lines_of_dump(2)  # what is imported is imported
    assert count_lines_of_dump(80) < 2.5 * count_lines_of_dump(40)
