"""Runs scenarios, and compares their logs with those that they carry."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from wdfdma._native import NULL, ffi, lib, read_string
from wdfdma.collecting import attach_collecting
from wdfdma.enums import BugCheckCode, Rule, RuleMode
from wdfdma.errors import BugCheck, CheckError
from wdfdma.fault_forms import plan_faults
from wdfdma.operations import ProgramRule
from wdfdma.problems import Problem, ScenarioError, show
from wdfdma.program import compile_scenario, find_place
from wdfdma.record_json import copy_bugcheck, copy_violations
from wdfdma.records import Record, render_log
from wdfdma.rules import Violation, find_rule, set_mode
from wdfdma.scenario import Scenario
from wdfdma.scenario_refusals import find_refused
from wdfdma.status import Status

_ALL_STEPS = 2**64 - 1
_NEVER = 2**64 - 1  # an allocation that does not come


@dataclass(frozen=True, slots=True)
class Run:
    """What a scenario did: its log, as records and as bytes, and how many steps ran, nested ones included.

    [violations] are the rules that it broke, oldest first, [bugcheck] is why it halted, if it did. Their handles are as
    the log has them: the same in each run.
    """

    log: list[Record]
    data: bytes
    steps: int
    violations: list[Violation]
    bugcheck: BugCheck | None


@dataclass(frozen=True, slots=True)
class Difference:
    """The first record that differs: its index, the step it belongs to, and both; None where there is none."""

    index: int
    step: int
    expected: Any
    actual: Any

    def __str__(self) -> str:
        from wdfdma.files import dump_json

        expected, actual = (
            "nothing" if record is None else dump_json(record)
            for record in (self.expected, self.actual)
        )
        return (
            f"step {self.step}, record {self.index}\n  expected: {expected}\n  came:     {actual}"
        )


def run_scenario(scenario: Scenario | dict[str, Any]) -> list[Record]:
    """Runs a scenario on a machine of its own and returns its log. Errors: ScenarioError.

    >>> log = run_scenario({"format": "wdfdma-scenario/1", "name": "one step",
    ...     "enablers": [{"profile": "packet", "maximum_length": 4096}], "buffers": [],
    ...     "steps": [{"op": "create", "transaction": 0, "enabler": 0}]})
    >>> log[0]
    {'op': 'create', 'transaction': 0, 'status': 'STATUS_SUCCESS'}
    """
    return execute_scenario(scenario).log


def execute_scenario(scenario: Scenario | dict[str, Any]) -> Run:
    """As run_scenario, with more of what came out."""
    if not isinstance(scenario, Scenario):
        scenario = Scenario.parse(scenario)
    program, result = check_scenario(scenario)
    with run_program(scenario, program, result) as machine:
        data = _copy_log(machine)
        violations, bugcheck = copy_violations(machine), copy_bugcheck(machine)
    return Run(render_log(data), data, result.steps + result.nested, violations, bugcheck)


def check_scenario(scenario: Scenario) -> tuple[bytes, Any]:
    """The program of a scenario, and room for its result. Errors: ScenarioError."""
    program = compile_scenario(scenario)
    result = ffi.new("wdfdma_program_result *")
    if not lib.wdfdma_program_check(program, len(program), result):
        raise _explain(scenario, result)
    return program, result


def make_machine(scenario: Scenario, program: bytes) -> Any:
    """A machine of C's with the settings and the faults of a scenario, to be destroyed by the caller."""
    config = ffi.new("wdfdma_machine_config *")
    lib.wdfdma_machine_config_init(config)
    lib.wdfdma_program_get_config(program, len(program), config)
    config.log_records = lib.WDFDMA_LOG_GROWS
    config.maximum_depth = scenario.machine.maximum_depth
    out = ffi.new("wdfdma_machine **")
    Status(lib.wdfdma_machine_create(config, out)).check("wdfdma_machine_create")
    machine = out[0]
    attach_collecting(machine)
    for name, mode in scenario.rules.items():
        set_mode(machine, find_rule(name) or Rule.NONE, RuleMode[mode.upper()])
    allocation = plan_faults(machine, scenario.faults)
    if allocation:
        before = _count_set_up(scenario, program)
        lib.wdfdma_machine_fail_allocation(machine, before + allocation)
    return machine


def _count_set_up(scenario: Scenario, program: bytes) -> int:
    """How many allocations are made before the first step."""
    without = [fault for fault in scenario.faults if fault.allocation is None]
    machine = make_machine(scenario.model_copy(update={"faults": without}), program)
    try:
        lib.wdfdma_machine_fail_allocation(machine, _NEVER)
        lib.wdfdma_program_run(machine, program, len(program), 0, NULL)
        return int(_NEVER - lib.wdfdma_machine_get_fail_allocation(machine))
    finally:
        lib.wdfdma_machine_destroy(machine)


@contextmanager
def run_program(
    scenario: Scenario, program: bytes, result: Any, steps: int = _ALL_STEPS, stop_at: int = 0
) -> Iterator[Any]:
    """The machine of C's that a scenario ran on, so far as [steps] go; raises what ends a program that is none.

    With [stop_at] it halts at this violation, counted from 1.
    """
    machine = make_machine(scenario, program)
    try:
        lib.wdfdma_machine_stop_at_violation(machine, stop_at)
        if not lib.wdfdma_program_run(machine, program, len(program), steps, result):
            raise _explain(scenario, result)
        if scenario.check_leaks and result.steps == len(scenario.steps):
            check_leaks(machine)
        yield machine
    finally:
        lib.wdfdma_machine_destroy(machine)


def check_leaks(machine: Any) -> None:
    """Reports what a machine of C's still holds; one that has halted says nothing more."""
    lib.wdfdma_machine_check_leaks(machine, NULL, ffi.new("size_t *"))


def _copy_log(machine: Any) -> bytes:
    view = ffi.new("wdfdma_log_view *")
    lib.wdfdma_log_get_view(machine, view)
    if view.lost:
        raise MemoryError("the log found no memory")
    failure = ffi.new("wdfdma_check_failure *")
    if not lib.wdfdma_machine_check(machine, failure):
        invariant = read_string(failure.invariant)
        raise CheckError(invariant, failure.object, failure.expected, failure.actual)
    if view.first == NULL:
        return b""
    return bytes(ffi.buffer(view.first, view.first_count * ffi.sizeof("wdfdma_log_record")))


def _explain(scenario: Scenario, result: Any) -> Exception:
    """The error of a program, in the words of its scenario."""
    rule, value = ProgramRule(result.rule), result.value
    place, given = find_place(scenario, result.offset)
    if rule == ProgramRule.NOT_CREATED:
        message = f"{value} is not created"
    elif rule == ProgramRule.CREATED_TWICE:
        message = f"{value} is created already"
    elif rule == ProgramRule.NO_SUCH_ENABLER:
        message = f"there is no enabler {value}"
    elif rule == ProgramRule.NO_SUCH_BUFFER:
        message = f"there is no buffer {value}"
    elif rule == ProgramRule.NO_SUCH_ELEMENT:
        message = f"there is no element {value}"
    elif rule == ProgramRule.ENABLER_REFUSED:
        key, why = find_refused(scenario, place, Status(value))
        place = f"{place}.{key}" if key else place
        message = f"{why}; " if why else ""
        message += f"{Status(value).name}: the framework refuses it"
    elif rule == ProgramRule.NESTED_TOO_DEEP:
        message = "nested too deeply"
    elif rule == ProgramRule.OUT_OF_RANGE:
        message = f"{show(given)} does not fit here"
    elif rule == ProgramRule.NO_MEMORY:
        return MemoryError(f"{scenario.where}: {place}: the machine has no memory left")
    else:
        return AssertionError(f"{scenario.where}: {place}: {rule.name} at {result.offset}")
    return ScenarioError([Problem(place, message)], scenario.where)


def first_difference(expected: list[Record], actual: list[Record]) -> Difference | None:
    """The first record in which two logs differ, with the step that it belongs to; None where they are the same."""
    step = 0
    for index, (wanted, came) in enumerate(zip_longest(expected, actual)):
        if wanted != came or type(wanted.get("returns")) is not type(came.get("returns")):
            return Difference(index, step, wanted, came)
        step += "snapshot" in wanted
    return None


def compare(scenario: Scenario, actual: list[Record]) -> Difference | None:
    """The first difference from the log that a scenario carries.

    One that is marked as undefined must do what its log says, and then end in a bug check by a rule of ours.
    """
    expected = scenario.log or []
    if scenario.undefined is None:
        return first_difference(expected, actual)
    difference = first_difference(expected, actual[: len(expected)])
    last = actual[-1] if actual else {}
    if difference is None and last.get("code") != BugCheckCode.WDFDMA_VIOLATION.name:
        step = sum("snapshot" in record for record in actual)
        wanted = {"event": "bugcheck", "code": BugCheckCode.WDFDMA_VIOLATION.name}
        return Difference(len(actual), step, wanted, None)
    return difference
