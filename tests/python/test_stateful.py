"""A driver works through the Python face, in whatever order, and the model says what comes of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from model import Record, Undefined
from stateful.actions import Author, Step
from stateful.driver import Driver, Saved
from stateful.mirror import Mirror
from stateful.worlds import worlds
from wdfdma import BugCheck, Run, Waiting

F = TypeVar("F", bound=Callable[..., Any])
MOST_TRANSACTIONS = 5
MOST_SNAPSHOTS = 3
OVER = ("transfer_completed", "transfer_failed")


def visible(log: list[Record]) -> list[Record]:
    """What the log of a machine has when no program runs: no snapshots after each step."""
    return [record for record in log if "snapshot" not in record]


def felt(log: list[Record]) -> list[Record]:
    """What a driver notices: no breaks, which are the debugger's, and no bug check."""
    return [record for record in visible(log) if record.get("event") not in ("break", "bugcheck")]


def in_states(*states: str) -> Callable[[F], F]:
    """Only while a transaction is in one of these states, or in any if none is given."""
    return precondition(lambda self: self.find(states))


class DriverMachine(RuleBasedStateMachine):
    """One world; [saved] are snapshots of both sides, and [created] numbers the transactions."""

    world: dict[str, Any]
    driver: Driver | None = None

    @initialize(world=worlds(), data=st.data(), transactions=st.integers(1, 3))
    def begin(self, world: dict[str, Any], data: st.DataObject, transactions: int) -> None:
        self.world = world
        self.start()
        for _ in range(transactions):
            self.create(data)

    def start(self) -> None:
        self.saved: list[tuple[Saved, Mirror, int]] = []
        self.created = 0
        self.driver = Driver(self.world)
        self.mirror = Mirror(self.world)
        self.author = Author(self.world, self.mirror)

    def teardown(self) -> None:
        if self.driver is not None:
            self.driver.machine.close()

    # Both sides take a step.

    def get_driver(self) -> Driver:
        assert self.driver is not None
        return self.driver

    def find(self, states: tuple[str, ...] = ()) -> list[int]:
        """The transactions in one of [states]; none where nothing can be done."""
        if self.driver is None or self.mirror.halted:
            return []
        found = self.mirror.transactions.items()
        return [number for number, item in found if not states or item.state in states]

    def take(self, step: Step) -> None:
        note(f"{step}")
        driver, mirror = self.get_driver(), self.mirror
        before = len(mirror.log)
        undefined = ""
        try:
            mirror.step(step)
        except Undefined as stop:
            undefined = stop.reason
        driver.programmed.extend(mirror.programmed)
        mirror.programmed.clear()
        bugcheck = None
        try:
            driver.perform(step)
        except BugCheck as error:
            bugcheck = error
        self.compare(bugcheck, undefined, felt(mirror.log[before:]))

    def compare(self, bugcheck: BugCheck | None, undefined: str, expected: list[Record]) -> None:
        driver = self.get_driver()
        log = driver.machine.log_records()
        assert (bugcheck is not None) == self.mirror.halted, (bugcheck, undefined)
        assert driver.seen == expected
        if bugcheck is not None:
            code = "WDFDMA_VIOLATION" if undefined else "WDF_VIOLATION"
            assert bugcheck.code.name == code, (bugcheck, undefined)
            assert log[-1]["code"] == code
        if undefined:
            assert bugcheck is not None
            assert bugcheck.rule, undefined
            log.pop()
        assert log == visible(self.mirror.log)
        assert not driver.programmed
        driver.seen.clear()

    def make(self, data: st.DataObject, op: str, *states: str) -> None:
        number = data.draw(st.sampled_from(self.find(states)))
        self.take(self.author.make(data.draw, op, number))

    # The life of transactions.

    @precondition(lambda self: not self.mirror.halted)
    @precondition(lambda self: len(self.mirror.transactions) < MOST_TRANSACTIONS)
    @rule(data=st.data())
    def create(self, data: st.DataObject) -> None:
        """Numbers them as the machine labels them."""
        enabler = data.draw(st.sampled_from(range(len(self.world["enablers"]))))
        self.take({"op": "create", "transaction": self.created, "enabler": enabler})
        self.created += 1

    @in_states("created", "released", "reserved")
    @rule(data=st.data())
    def initialize_transaction(self, data: st.DataObject) -> None:
        self.make(data, "initialize", "created", "released", "reserved")

    @in_states("initialized")
    @rule(data=st.data())
    def execute(self, data: st.DataObject) -> None:
        self.make(data, "execute", "initialized")

    @in_states("created", "released", *OVER)
    @rule(data=st.data())
    def release_and_start(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.find(("created", "released", *OVER))))
        if number in self.find(OVER):
            self.take({"op": "release", "transaction": number})
        for step in self.author.start(data.draw, number) if number in self.find() else []:
            if number in self.find(("initialized",) if step["op"] == "execute" else ()):
                self.take(step)

    @in_states("transfer")
    @rule(data=st.data())
    def complete_until_over(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.find(("transfer",))))
        for _ in range(4):
            if number in self.find(("transfer",)) and not self.waits(number):
                self.take({"op": "dma_completed", "transaction": number})

    @in_states("transfer")
    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        working = [n for n in self.find(("transfer",)) if not self.waits(n)]
        number = data.draw(st.sampled_from(working or self.find(("transfer",))))
        self.take(self.author.complete(data.draw, number))

    @in_states("created", "released", "initialized")
    @rule(data=st.data())
    def allocate(self, data: st.DataObject) -> None:
        self.make(data, "allocate_resources", "created", "released", "initialized")

    @in_states("initialized", "reserved", "transfer")
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        states = ("initialized", "reserved", "transfer")
        waiting = [number for number in self.find(states) if self.waits(number)]
        number = data.draw(st.sampled_from(waiting or self.find(states)))
        self.take({"op": "cancel", "transaction": number})

    @in_states("initialized", "reserved", *OVER)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        self.make(data, "release", "initialized", "reserved", *OVER)

    @in_states("released", "reserved", *OVER)
    @rule(data=st.data())
    def free(self, data: st.DataObject) -> None:
        self.make(data, "free_resources", "released", "reserved", *OVER)

    @in_states(*OVER)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        self.make(data, "delete", *OVER)

    # What is set, asked for, and scripted.

    @in_states("created", "released", "initialized")
    @rule(data=st.data())
    def set_something(self, data: st.DataObject) -> None:
        self.make(data, "setter", "created", "released", "initialized")

    @in_states()
    @rule(data=st.data())
    def react(self, data: st.DataObject) -> None:
        self.make(data, "on")

    @in_states()
    @rule(data=st.data())
    def do_anything(self, data: st.DataObject) -> None:
        step = self.author.any_step(data.draw, data.draw(st.sampled_from(self.find())))
        if step["op"] != "create":
            self.take(step)

    @in_states("transfer")
    @rule(data=st.data())
    def use_enabler(self, data: st.DataObject) -> None:
        self.take(self.author.on_enabler(data.draw))

    # Snapshots, and what follows a halt.

    @precondition(lambda self: self.created and len(self.saved) < MOST_SNAPSHOTS)
    @rule()
    def save(self) -> None:
        saved = self.get_driver().save(), copy.deepcopy(self.mirror), self.created
        self.saved.append(saved)

    @precondition(lambda self: self.saved)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        saved, mirror, self.created = data.draw(st.sampled_from(self.saved))
        self.get_driver().restore(saved)
        self.mirror = self.author.model = copy.deepcopy(mirror)

    @precondition(lambda self: self.mirror.halted)
    @rule(data=st.data())
    def restart(self, data: st.DataObject) -> None:
        driver = self.get_driver()
        with pytest.raises(BugCheck):
            driver.device.get_alignment_requirement()
        driver.machine.close()
        self.start()
        self.create(data)

    # What always holds.

    def waits(self, number: int) -> bool:
        return self.mirror.waits(self.mirror.transactions[number])

    @invariant()
    def check(self) -> None:
        if self.driver is not None:
            self.driver.machine.check()
            assert self.driver.machine.halted == self.mirror.halted
            self.mirror.invariants()

    @invariant()
    def compare_states(self) -> None:
        if self.driver is None or self.mirror.halted:
            return
        transactions = {}
        for number, transaction in self.driver.transactions.items():
            info = transaction.get_info()
            waiting = info.waiting != Waiting.NOT
            assert waiting == self.waits(number)
            transactions[str(number)] = {
                "state": info.state.label,
                "bytes_transferred": info.bytes_transferred,
                "transfer_length": info.transfer_length,
            }
        free = self.driver.machine.state.free_registers
        expected = self.mirror.snapshot()
        assert expected == {"free_registers": free, "transactions": transactions}

    @invariant()
    def compare_pools(self) -> None:
        if self.driver is None or self.mirror.halted:
            return
        machine, pool = self.driver.machine, self.mirror.pool
        runs = machine.pool.runs()
        assert runs == sorted(Run(run.first, run.count) for run in pool.held)
        held = sum(run.length for run in runs)
        assert machine.state.free_registers + held == machine.state.map_registers
        waiters = [("registers", item.label) for item in machine.pool.waiters() if item]
        assert waiters == [waiter for waiter in self.mirror.waiters() if waiter[0] == "registers"]

    @invariant()
    def compare_bytes(self) -> None:
        if self.driver is not None and not self.mirror.halted:
            assert self.driver.memory.read() == self.driver.memory.content


TestDriver = DriverMachine.TestCase
TestDriver.settings = settings(stateful_step_count=25)
