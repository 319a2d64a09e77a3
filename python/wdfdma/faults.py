"""What each fault that a scenario could meet leads to: one run without, then one for each."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from wdfdma._native import ffi, lib
from wdfdma.enums import Op, Rule
from wdfdma.errors import CheckError
from wdfdma.fault_forms import Fault
from wdfdma.fault_kinds import list_counters, list_faults
from wdfdma.fault_records import PlannedFault, add_fault, read_faults
from wdfdma.operations import ProgramRule
from wdfdma.problems import ScenarioError
from wdfdma.program import compile_scenario
from wdfdma.records import Record, render_log
from wdfdma.rules import Violation, get_rule_info, read_violations
from wdfdma.run import (
    _ALL_STEPS,
    _NEVER,
    _copy_log,
    _count_set_up,
    _explain,
    check_leaks,
    first_difference,
    make_machine,
)
from wdfdma.scenario import Scenario

_SET_UP = (Op.ENABLER_CREATE, Op.ENABLER_CONFIGURE_SYSTEM_PROFILE)


class Outcome(Enum):
    """What a fault led to, the worst of it; in this order where there is more than one."""

    ERROR = "an error of wdfdma"
    REFUSED = "an enabler is refused"
    BUGCHECK = "bug check"
    UNMADE = "used what was not made"
    VIOLATION = "violation"
    BREAK = "break"
    WAITS = "still waits at the end"
    TRANSFERS = "still transfers at the end"
    STATUS = "another status"
    COURSE = "another course"
    UNCHANGED = "unchanged"


class _Run(Protocol):
    @property
    def outcome(self) -> Outcome: ...


class Sweep:
    """Runs of a scenario with faults, and what can be said of them all."""

    __slots__ = ()
    runs: Sequence[_Run]

    @property
    def has_error(self) -> bool:
        """Whether any run ended in an error of ours."""
        return any(run.outcome == Outcome.ERROR for run in self.runs)

    @property
    def counts(self) -> dict[str, int]:
        """How many runs had each outcome, the worst first."""
        found = Counter(run.outcome for run in self.runs)
        return {outcome.value: found[outcome] for outcome in Outcome if found[outcome]}


@dataclass(frozen=True, slots=True)
class FaultRun:
    """One fault and what it led to: the step in which it hit (None: before the first), and in words what came."""

    fault: Fault
    step: int | None
    outcome: Outcome
    detail: str


@dataclass(frozen=True, slots=True)
class FaultSweep(Sweep):
    """All faults that a scenario could meet, each with its run."""

    scenario: Scenario
    runs: list[FaultRun]


@dataclass(frozen=True, slots=True)
class Observation:
    """What is left of a run."""

    log: list[Record]
    violations: list[Violation]
    plan: list[PlannedFault]
    waiting: int
    rule: ProgramRule
    place: str
    allocations: int  # where they were counted


def sweep_faults(
    scenario: Scenario, show: Callable[[list[Fault]], Iterable[Fault]] = iter
) -> FaultSweep:
    """Runs a scenario once without, and once for every fault that it could meet, in a fixed order.

    [show] is given the faults and gives them back one by one, as a bar of progress does. The scenario's own faults
    are part of every run. Errors: ScenarioError where the scenario itself is refused.
    """
    base = observe(scenario, count=True)
    runs = []
    for fault in show(list_faults(scenario, base.plan, base.allocations)):
        run = run_fault(scenario, fault, base)
        if run is not None:
            runs.append(run)
    return FaultSweep(scenario, runs)


def observe(
    scenario: Scenario, *, count: bool = False, arm: Callable[[Any], None] | None = None
) -> Observation:
    """Runs a scenario to its end; with [count], everything that could be hit is counted, and nothing is.

    [arm] is given the machine before.
    """
    program = compile_scenario(scenario)
    result = ffi.new("wdfdma_program_result *")
    if not lib.wdfdma_program_check(program, len(program), result):
        raise _explain(scenario, result)
    machine = make_machine(scenario, program)
    try:
        if arm is not None:
            arm(machine)
        if count:
            for fault in list_counters():
                add_fault(machine, fault).check("wdfdma_machine_add_fault")
        counts_memory = count and all(fault.allocation is None for fault in scenario.faults)
        if counts_memory:
            lib.wdfdma_machine_fail_allocation(machine, _NEVER)
        lib.wdfdma_program_run(machine, program, len(program), _ALL_STEPS, result)
        if count and result.rule:
            raise _explain(scenario, result)
        if scenario.check_leaks and not result.rule:
            check_leaks(machine)
        left = lib.wdfdma_machine_get_fail_allocation(machine)
        before = _count_set_up(scenario, program) if counts_memory else 0
        state = lib.wdfdma_machine_get_state(machine)
        plan = read_faults(machine)
        return Observation(
            log=render_log(_copy_log(machine)),
            violations=read_violations(machine),
            plan=plan[len(plan) - len(list_counters()) :] if count else plan,
            waiting=state.waiting_pool + state.waiting_channel,
            rule=ProgramRule(result.rule),
            place=_find_place(scenario, result),
            allocations=_NEVER - left - before if counts_memory else 0,
        )
    finally:
        lib.wdfdma_machine_destroy(machine)


def _find_place(scenario: Scenario, result: Any) -> str:
    """Where a program ended and why; empty where it did not."""
    if not result.rule:
        return ""
    return str(_explain(scenario, result)).removeprefix(f"{scenario.where}: ")


def run_fault(scenario: Scenario, fault: Fault, base: Observation) -> FaultRun | None:
    """One run; None where the memory that failed was the script's own, which no driver has."""
    changed = scenario.model_copy(update={"faults": [*scenario.faults, fault]})
    try:
        seen = observe(changed)
    except (CheckError, ScenarioError, MemoryError, AssertionError) as error:
        return FaultRun(fault, None, Outcome.ERROR, f"{type(error).__name__}: {error}")
    step = _find_step(fault, base, seen)
    if step is not None and seen.rule == ProgramRule.NO_MEMORY:
        return None
    outcome, detail = judge(base, seen)
    return FaultRun(fault, step, outcome, detail)


def _find_step(fault: Fault, base: Observation, seen: Observation) -> int | None:
    if fault.allocation is None:
        hit = seen.plan[-1]
        return None if hit.hit_op in _SET_UP else hit.hit_step
    difference = first_difference(base.log, seen.log)
    return 0 if difference is None else difference.step


def judge(base: Observation, seen: Observation) -> tuple[Outcome, str]:
    """The worst that came, and more of it in words."""
    if seen.rule in (ProgramRule.ENABLER_REFUSED, ProgramRule.NO_MEMORY):
        return Outcome.REFUSED, seen.place
    stopped = _find_bugcheck(seen)
    if stopped and stopped != _find_bugcheck(base):
        return Outcome.BUGCHECK, stopped
    if seen.rule in (ProgramRule.NOT_CREATED, ProgramRule.NO_SUCH_ELEMENT):
        return Outcome.UNMADE, seen.place
    if seen.rule:
        return Outcome.ERROR, seen.place
    broken = _count_rules(seen) - _count_rules(base)
    if broken:
        return Outcome.VIOLATION, ", ".join(_name_rule(rule) for rule in sorted(broken))
    breaks = Counter(_list_breaks(seen)) - Counter(_list_breaks(base))
    if breaks:
        return Outcome.BREAK, f"in {', '.join(sorted(breaks))}"
    if seen.waiting > base.waiting:
        return Outcome.WAITS, _count(seen.waiting, "request")
    transferring = _count_transfers(seen)
    if transferring > _count_transfers(base):
        return Outcome.TRANSFERS, _count(transferring, "transaction")
    return _compare(base, seen)


def _count_rules(seen: Observation) -> Counter[Rule]:
    """How often each rule was broken; what the framework's verifier stops at is in the log."""
    rules = (item.rule for item in seen.violations if not item.stopped)
    return Counter(rule for rule in rules if rule != Rule.VERIFIER_BREAK)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _count_transfers(seen: Observation) -> int:
    """How many transactions a device had not answered when the last step was over."""
    last = next((record for record in reversed(seen.log) if "snapshot" in record), None)
    states = last["snapshot"]["transactions"].values() if last is not None else ()
    return sum(state["state"] == "transfer" for state in states)


def _compare(base: Observation, seen: Observation) -> tuple[Outcome, str]:
    difference = first_difference(base.log, seen.log)
    if difference is None:
        return Outcome.UNCHANGED, ""
    for record in seen.log[difference.index :]:
        status = record.get("status")
        if "op" in record and status is not None and status not in _GOOD:
            return Outcome.STATUS, f"{record['op']}: {status}"
    return Outcome.COURSE, f"from step {difference.step}"


_GOOD = ("STATUS_SUCCESS", "STATUS_MORE_PROCESSING_REQUIRED")


def _name_rule(rule: Rule | int) -> str:
    info = get_rule_info(rule)
    return f"{info.name} ({info.code_text})" if info.code_text else info.name


def _find_bugcheck(seen: Observation) -> str:
    """What halted the machine; empty where nothing did."""
    stopped = next((item for item in seen.violations if item.stopped), None)
    if stopped is not None:
        return _name_rule(stopped.rule)
    last = seen.log[-1] if seen.log else {}
    return str(last["code"]) if last.get("event") == "bugcheck" else ""


def _list_breaks(seen: Observation) -> list[str]:
    return [record["op"] for record in seen.log if record.get("event") == "break"]
