"""What a machine says of the verifier's rules, and its plan of faults."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import ref

from wdfdma._core import Core
from wdfdma._native import lib
from wdfdma.arguments import require_type
from wdfdma.enums import Rule, RuleMode
from wdfdma.rules import Violation, read_violations, require_rule, set_mode
from wdfdma.status import Status

if TYPE_CHECKING:
    from wdfdma.fault_plan import FaultPlan


def list_violations(core: Core, first: int = 0) -> list[Violation]:
    """What the machine has recorded, from the [first] on, each to find it again for its page."""
    return name_lines(core, read_violations(core.get_machine(), first, ref(core)))


def name_lines(core: Core, violations: list[Violation]) -> list[Violation]:
    """The violations, each with the line that made its object if the machine keeps traces."""
    return violations if core.traces is None else core.traces.name_lines(violations)


class MachineRules:
    """The part of a `Machine` that is about rules and faults."""

    __slots__ = ()
    _core: Core

    @property
    def violations(self) -> list[Violation]:
        """The rules that were broken, oldest first, with the one that halted the machine."""
        return list_violations(self._core)

    @property
    def violations_lost(self) -> int:
        """How many violations found no room."""
        return int(lib.wdfdma_machine_get_violations_lost(self._core.get_machine()))

    def clear_violations(self) -> None:
        """Forgets the violations so far."""
        lib.wdfdma_machine_clear_violations(self._core.get_machine())

    def report(self, violation: Violation | None = None, *, scenario: str | None = None) -> str:
        """A page on [violation]: what happened, the log, the pool, the cause and the fix, and how to see it again.

        None stands for the bug check that halted the machine, or the last violation. The log ends where it stood
        when the rule was broken; of a pool that has moved on since, the page has the numbers of then and who holds what
        now. A violation that the machine does not know any more (clear_violations, a restore) has neither, nor has one
        of `leaks`, whose machine is closed. [scenario] is the file that led there, or FILE:NUMBER, if there is one.
        Errors: ClosedError without [violation].
        """
        from wdfdma.paging.page import describe_machine, describe_violation

        core = self._core
        if scenario is not None:
            require_type("scenario", scenario, str)
        if violation is None:
            core.get_machine()
            return describe_machine(core, scenario)
        return describe_violation(core, require_type("violation", violation, Violation), scenario)

    def set_rule(self, rule: Rule | int | str, mode: RuleMode | str) -> None:
        """Sets what the machine does where [rule] is broken; Rule.NONE stands for all rules.

        Both may be names, as in a scenario: `set_rule("ImmediateLost", "stop")`. A rule whose ending is ALWAYS stops
        the machine in every mode. Errors: TypeError, ValueError for no such rule or mode.
        """
        core = self._core
        if core.halted:
            core.fail()
        status = Status(set_mode(core.get_machine(), rule, mode))
        status.check("wdfdma_machine_set_rule_mode")

    def get_rule(self, rule: Rule | int | str) -> RuleMode:
        """What `set_rule` said last of [rule], or of all rules for Rule.NONE. Errors: ValueError for no such rule."""
        number = require_rule(rule, or_all=True)
        return RuleMode(lib.wdfdma_machine_get_rule_mode(self._core.get_machine(), number))

    @contextmanager
    def rules(self, mode: RuleMode | str, *rules: Rule | int | str) -> Iterator[None]:
        """Runs a block with other modes for [rules] (none given, or Rule.NONE: all), and goes back to the ones before.

        Errors: ValueError for no such rule or mode; then nothing is set.

        >>> from wdfdma import Machine
        >>> with Machine() as machine, machine.rules(RuleMode.STOP, Rule.IMMEDIATE_LOST):
        ...     machine.get_rule(Rule.IMMEDIATE_LOST)
        <RuleMode.STOP: 1>
        """
        everything = not rules or Rule.NONE in rules
        chosen = tuple(range(1, lib.WDFDMA_RULE_COUNT)) if everything else rules
        before = [self.get_rule(rule) for rule in chosen]
        for rule in chosen:
            self.set_rule(rule, mode)
        try:
            yield
        finally:
            if not self._core.halted:
                for rule, earlier in zip(chosen, before, strict=True):
                    self.set_rule(rule, earlier)

    @property
    def faults(self) -> "FaultPlan":
        """The faults that are to be injected."""
        from wdfdma.fault_plan import FaultPlan

        return FaultPlan(self._core)
