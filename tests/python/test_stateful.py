"""A driver works through the Python face, in whatever order, and the model says what comes of it.

`DmaStateMachine` is the driver: what it calls where a correct one may, and what one gets wrong beside that. Each step
is taken by the model, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from model import Pool, Record, Undefined
from model.system import SystemTransaction
from stateful.actions import Author, Step, is_idle
from stateful.driver import Driver, Saved
from stateful.memory import Memory, find_wrong_byte
from stateful.mirror import Mirror
from stateful.states import read_library, read_model
from wdfdma import BugCheck
from wdfdma.testing import Actor, DmaStateMachine, strategies, transaction_rule
from wdfdma.testing.actor import (
    CREATED,
    INITIALIZED,
    OVER,
    RELEASED,
    RESERVED,
    TRANSFER,
    is_live,
)
from wdfdma.testing.strategies import Settings

MOST_SNAPSHOTS = 4
BEFORE = (CREATED, RELEASED, RESERVED)
NOT_BUSY = (CREATED, RELEASED, INITIALIZED)
USED = (INITIALIZED, RESERVED, *OVER)
ENDS = ("cancel", "release", "release", "free_resources", "delete")
GROUPS = ("transfer", "reserve", "cancel", "set", "react", "controller", "interrupt")


def visible(log: list[Record]) -> list[Record]:
    """What the log of a machine has when no program runs: no snapshots after each step."""
    return [record for record in log if "snapshot" not in record]


def felt(log: list[Record]) -> list[Record]:
    """What a driver notices: no breaks, which are the debugger's, and no bug check."""
    return [record for record in visible(log) if record.get("event") not in ("break", "bugcheck")]


def author_rule(name: str, fits: Callable[[Actor], bool], *ops: str) -> Any:
    """A rule that does one of [ops], right or not, to a transaction that [fits]."""

    def act(self: DriverMachine, transaction: Actor, data: st.DataObject) -> None:
        op = data.draw(st.sampled_from(ops))
        self.take_all([self.author.make(data.draw, op, transaction.number)])

    act.__name__ = name
    return transaction_rule(fits, data=st.data())(act)


def in_states(*states: int) -> Callable[[Actor], bool]:
    return lambda actor: actor.is_live and actor.state in states


def waits(actor: Actor) -> bool:
    return actor.is_live and actor.is_waiting


class DriverMachine(DmaStateMachine, rules=GROUPS):
    """[saved] are snapshots of both sides, the first of the world as it was made.

    Once the machine halts, both sides go back to the last one.
    """

    machine_settings: ClassVar[dict[str, Any]] = {"log": "grow"}
    player_type = Driver

    def __init__(self) -> None:
        super().__init__()
        self.saved: list[tuple[Saved, list[Step], int]] = []

    @initialize(machine=strategies.machines())
    def make_machine(self, machine: Settings) -> None:
        """Without faults, of which the model knows nothing."""
        self.world["machine"] = machine
        self.set_up("faults", [])

    def set_up(self, part: str, value: Any) -> None:
        super().set_up(part, value)
        if self.player is not None:
            self.author = Author(self.world, self.mirror)
            self.save()

    @property
    def mirror(self) -> Mirror:
        found: Mirror = self.player.mirror
        return found

    # Both sides take a step.

    def play(self, step: Step) -> Any:
        """What the call did, or None where the machine halted."""
        player, mirror = self.player, self.mirror
        before = len(mirror.log)
        undefined = ""
        try:
            mirror.step(step)
        except Undefined as stop:
            undefined = stop.reason
        player.programmed.extend(mirror.programmed)
        mirror.programmed.clear()
        answer, bugcheck = None, None
        try:
            answer = player.perform(step)
        except BugCheck as error:
            bugcheck = error
        self.compare(bugcheck, undefined, felt(mirror.log[before:]))
        self.actors = [actor for actor in self.actors if actor.is_live]
        if bugcheck is not None:
            with pytest.raises(BugCheck):
                player.device.get_alignment_requirement()
            self.go_back(self.saved[-1])
        return answer

    def compare(self, bugcheck: BugCheck | None, undefined: str, expected: list[Record]) -> None:
        player, machine = self.player, self.player.machine
        log = machine.log_records()
        assert (bugcheck is not None) == self.mirror.halted, (bugcheck, undefined)
        assert machine.halted == self.mirror.halted
        assert player.seen == expected
        if bugcheck is not None:
            code = "WDFDMA_VIOLATION" if undefined else "WDF_VIOLATION"
            assert bugcheck.code.name == code, (bugcheck, undefined)
            assert log[-1]["code"] == code
        if undefined:
            assert bugcheck is not None
            assert bugcheck.rule, undefined
            log.pop()
        assert log == visible(self.mirror.log)
        assert not player.programmed
        player.seen.clear()
        if bugcheck is None:
            assert read_library(machine._core.machine) == read_model(self.mirror)
            self.mirror.invariants()

    # What a driver does that nobody says is correct.

    initialize_anyhow = author_rule("initialize_anyhow", in_states(*BEFORE), "initialize")
    reserve_anyhow = author_rule("reserve_anyhow", in_states(*NOT_BUSY), "allocate_resources")
    complete_anyhow = author_rule("complete_anyhow", in_states(TRANSFER), "complete")
    give_up = author_rule("give_up", waits, "cancel")
    end_anyhow = author_rule("end_anyhow", in_states(*USED), *ENDS)
    set_anything = author_rule("set_anything", in_states(*NOT_BUSY), "setter")
    react = author_rule("react", is_live, "on")

    @transaction_rule(is_live, data=st.data())
    def do_usual(self, transaction: Actor, data: st.DataObject) -> None:
        """What is usual in the transaction's state, most of it right."""
        self.take_all(self.author.turn(data.draw, transaction.number))

    @transaction_rule(is_live, data=st.data())
    def do_anything(self, transaction: Actor, data: st.DataObject) -> None:
        step = self.author.any_step(data.draw, transaction.number)
        if step["op"] != "create":
            self.take_all([step])

    def take_all(self, steps: list[Step]) -> None:
        for step in steps:
            if not is_idle(self.mirror, step):
                self.take(step["op"], **{key: step[key] for key in step if key != "op"})

    # Snapshots.

    @precondition(lambda self: len(self.saved) < MOST_SNAPSHOTS)
    @rule()
    def save(self) -> None:
        self.saved.append((self.player.save(), list(self.steps), self.created))

    @rule(number=st.integers(0, MOST_SNAPSHOTS - 1))
    def restore(self, number: int) -> None:
        self.go_back(self.saved[number % len(self.saved)])

    def go_back(self, saved: tuple[Saved, list[Step], int]) -> None:
        found, steps, self.created = saved
        self.player.restore(found)
        self.author.model = self.mirror
        self.actors = list(self.player.actors.values())
        self.steps = list(steps)

    # What always holds.

    def check_queue(self) -> None:
        """The model says who is let through; of a wrong driver, some are so more than once."""
        self._most_waiters = max(self._most_waiters, len(self.mirror.pool.waiting))

    def check_violations(self) -> None:
        """A driver that does anything breaks rules."""
        self._violations = self._count[0]

    @invariant()
    def compare_bytes(self) -> None:
        if self.player is not None:
            memory = self.player.memory
            assert find_wrong_byte(memory.read(), memory.content) is None


TestDriver = DriverMachine.TestCase
TestDriver.settings = settings(TestDriver.settings, stateful_step_count=25)


# What is broken is found.


@pytest.mark.parametrize(
    ("of", "name"),
    [
        pytest.param(SystemTransaction, "set_device_address_offset", id="a field"),
        pytest.param(Pool, "_release_channel", id="a channel"),
        pytest.param(Memory, "put", id="bytes"),
    ],
)
def test_difference_is_found(monkeypatch: pytest.MonkeyPatch, of: type, name: str) -> None:
    """The model, or what is expected of memory, leaves one thing out."""
    monkeypatch.setattr(of, name, lambda *arguments: None)
    always = settings(
        max_examples=200,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    with pytest.raises(AssertionError):
        run_state_machine_as_test(DriverMachine, settings=always)
