"""A driver as a state machine of Hypothesis: its rules are what a correct driver and its device may do next."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import Phase, event, note, settings, target
from hypothesis.errors import HypothesisException
from hypothesis.stateful import TestCaseProperty, invariant

from wdfdma._native import ffi, lib
from wdfdma.enums import Rule, Severity, TransactionState
from wdfdma.errors import BugCheck
from wdfdma.rules import read_violations
from wdfdma.testing.bundles import (
    BUFFERS,
    COMMON_BUFFERS,
    ENABLERS,
    REQUESTS,
    RESERVATIONS,
    TRANSACTIONS,
)
from wdfdma.testing.making_rules import MakingRules
from wdfdma.testing.object_rules import ObjectRules
from wdfdma.testing.rule_choice import choose_rules
from wdfdma.testing.transaction_rules import TransactionRules
from wdfdma.testing.world_rules import WorldRules

_get_bitmap = lib.wdfdma_pool_get_bitmap
_check = lib.wdfdma_machine_check
_get_violations = lib.wdfdma_machine_get_violations


class _Tested(TestCaseProperty):
    """The test case of a class. Hypothesis' phase `explain` takes minutes of machines as these: it is left out here."""

    def __get__(self, obj: Any, typ: Any = None) -> Any:
        made: Any = super().__get__(obj, typ)
        if "explains" not in vars(made):
            made.explains = False
            phases = [phase for phase in made.settings.phases if phase is not Phase.explain]
            made.settings = settings(made.settings, phases=phases)
        return made


class DmaStateMachine(MakingRules, TransactionRules, WorldRules, ObjectRules):
    """A correct driver and its device, on a machine that Hypothesis chooses; `DmaStateMachine.TestCase` is ready.

    A subclass adds rules, or keeps some: `class Few(DmaStateMachine, rules=("reserve", "cancel"))`, by the names of
    rules or of groups (`rule_choice.GROUPS`); what makes the machine and `create` are always there. A rule of a
    subclass takes its steps by `take`, so that a failure carries all that was done: `scenario`, printed as a note and
    written to `scenario_file`, if there is one, where `wdfdma run` replays it.

    After each step `check` holds: the machine's invariants, free + held = N, first come, first served, and no rule of
    the verifier broken that is not advice or in `allowed_rules`. `machine_settings` are those of the machine that no
    scenario has. `player_type` makes the calls, and is called back: one of a subclass may watch both, or be the device.
    """

    TestCase = _Tested()
    allowed_rules: ClassVar[frozenset[Rule]] = frozenset()
    scenario_file: ClassVar[str | Path | None] = None

    enablers = ENABLERS
    buffers = BUFFERS
    transactions = TRANSACTIONS
    reservations = RESERVATIONS
    requests = REQUESTS
    common_buffers = COMMON_BUFFERS

    def __init_subclass__(cls, rules: Sequence[str] | None = None, **keys: Any) -> None:
        super().__init_subclass__(**keys)
        if rules is not None:
            choose_rules(cls, rules)

    def __init__(self) -> None:
        super().__init__()
        self._free = -1  # registers, when they were counted last
        self._waiters: list[int] = []
        self._violations = 0
        self._most_waiters = 0
        self._count = ffi.new("size_t *")
        self._failure = ffi.new("wdfdma_check_failure *")

    @property
    def scenario(self) -> dict[str, Any]:
        """All that was done, as a scenario."""
        world = {key: value for key, value in self.world.items() if value or key != "faults"}
        name = f"a failure of {type(self).__name__}"
        return {"format": "wdfdma-scenario/1", "name": name, **world, "steps": list(self.steps)}

    # What always holds.

    @invariant()
    def check(self) -> None:
        """What holds after each step; a subclass may check more."""
        player, state = self.player, self._machine_state
        if state is None:
            return
        core = player.machine._core.machine
        if not _check(core, self._failure):
            player.machine.check()  # says what is broken
        if state.free_registers != self._free:
            self.check_pool(core, state)
        if state.waiting_pool or self._waiters:
            self.check_queue()
        if player.let_through:
            player.let_through.clear()
        _get_violations(core, self._count)
        if self._count[0] != self._violations:
            self.check_violations()

    def check_pool(self, core: Any, state: Any) -> None:
        """Free and held registers are all there are."""
        bitmap = _get_bitmap(core, self._count)
        bits = int.from_bytes(ffi.buffer(bitmap, self._count[0] * 8), "little")
        held = (bits & (1 << state.map_registers) - 1).bit_count()
        assert state.free_registers + held == state.map_registers, "free + held = N"
        self._free = state.free_registers

    def check_queue(self) -> None:
        """Who came first is served first: nobody was let through past one who still waits."""
        waiters = [item.label for item in self.player.machine.pool.waiters() if item is not None]
        through = self.player.let_through
        still = [label for label in self._waiters if label in waiters and label not in through]
        for label in self._waiters:
            if still and label in through and label not in waiters:
                ahead = self._waiters[: self._waiters.index(label)]
                assert still[0] not in ahead, f"transaction {label} overtook {still[0]}"
        self._waiters = waiters
        self._most_waiters = max(self._most_waiters, len(waiters))

    def check_violations(self) -> None:
        """No rule of the verifier is broken that is not advice, or allowed."""
        machine = self.player.machine
        for violation in read_violations(machine._core.machine, self._violations):
            is_fine = violation.severity == Severity.ADVICE or violation.rule in self.allowed_rules
            assert is_fine, f"{violation.summary}\n{machine.report(violation)}"
        self._violations = self._count[0]

    # The end.

    def teardown(self) -> None:
        """Tells Hypothesis what the run was like; of a failed one, the scenario."""
        error = sys.exc_info()[1]
        if self._machine_state is None:
            return
        if error is None:
            self.report_coverage()
        elif isinstance(error, Exception) and not isinstance(error, HypothesisException):
            self.report_failure(error)
        self.player.machine.close()

    def report_coverage(self) -> None:
        """Events for each state and operation; the targets are many waiters, and many registers held at once."""
        for op in self._seen:
            event(f"operation {op}")
        for state in TransactionState:
            if self._states >> state & 1:
                event(f"state {state.label}")
        state = self._machine_state
        held = state.map_registers - state.least_free_registers
        # Hypothesis compares all choices of two runs with the same score; none has nothing to tell.
        if self._most_waiters:
            target(float(self._most_waiters), label="waiters")
        if held:
            target(float(held), label="high water")

    def report_failure(self, error: Exception) -> None:
        """Prints the scenario with the last, shortest failure, and writes it to `scenario_file`."""
        if isinstance(error, BugCheck):
            note(error.summary)
        text = json.dumps(self.scenario)
        note(f"scenario: {text}")
        if self.scenario_file is not None:
            Path(self.scenario_file).write_text(text + "\n", encoding="utf-8")
            note(f"wdfdma run {self.scenario_file}")
