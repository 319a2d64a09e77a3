"""The faults of a journal as a scenario has them.

A machine's fault counts from its adding, a scenario's from the first step: what was counted before is found by running
the steps that came before. A plan that was cleared leaves the faults that had hit.
"""

from dataclasses import dataclass
from typing import Any

from wdfdma.enums import Op
from wdfdma.fault_records import (
    ROUTINES,
    DeviceBehaviour,
    FaultKind,
    PlannedFault,
    Routine,
    read_faults,
)
from wdfdma.problems import ScenarioError
from wdfdma.run import check_scenario, run_program
from wdfdma.scenario import Scenario
from wdfdma.status import Status

_MOST = 2**32 - 1
_KEYS = {
    FaultKind.GRANT: "register_grant",
    FaultKind.ADAPTER: "adapter",
    FaultKind.MAP: "partial_map",
}


@dataclass(frozen=True, slots=True)
class PlanEvent:
    """The plan of faults changes before step [at]: one is added, or all go (None)."""

    at: int
    fault: tuple[int, ...] | None


def place_faults(source: dict[str, Any], events: list[PlanEvent]) -> tuple[list[Any], list[str]]:
    """The faults of the scenario [source], which has none yet, and what none can be."""
    kept: list[dict[str, Any]] = []
    omitted: list[str] = []
    active = 0  # of [kept], those that are in the plan still
    for event in events:
        try:
            if event.fault is None:
                plan = _run_until(source, kept, event.at)
                kept = [fault for at, fault in enumerate(kept) if at < active or plan[at].hits]
                active = len(kept)
            else:
                kept.append(_place(source, kept, event.at, event.fault))
        except (ScenarioError, ValueError) as error:
            omitted.append(f"a fault: {error}")
    return kept, omitted


def _place(
    source: dict[str, Any], kept: list[dict[str, Any]], at: int, values: tuple[int, ...]
) -> dict[str, Any]:
    """A fault that was added before step [at]. Errors: ScenarioError, ValueError."""
    kind, op, routine, behaviour, nth, per_mille, seed, status = values
    if nth == 0:
        if at != 0 or per_mille == 0:
            raise ValueError("one by chance that was added after the first step")
        return _write(kind, op, routine, behaviour, {"per_mille": per_mille, "seed": seed}, status)
    before = 0
    if at != 0:
        probe = _write(kind, op, routine, behaviour, _MOST, status)
        before = _run_until(source, [*kept, probe], at)[-1].met
    return _write(kind, op, routine, behaviour, before + nth, status)


def _write(
    kind: int, op: int, routine: int, behaviour: int, when: Any, status: int
) -> dict[str, Any]:
    """A fault as JSON has it."""
    if kind == FaultKind.CALL:
        named = {"routine": ROUTINES[Routine(routine)].name} if routine else {"op": Op(op).label}
        signed = status - (1 << 32 if status & 0x80000000 else 0)
        return named | {"nth": when, "status": Status(signed).name}
    if kind == FaultKind.DEVICE:
        fault = {"device": DeviceBehaviour(behaviour).label, "nth": when}
        return fault | ({"move": Op(op).label} if op else {})
    return {_KEYS[FaultKind(kind)]: when}


def _run_until(source: dict[str, Any], faults: list[dict[str, Any]], at: int) -> list[PlannedFault]:
    """The plan as it is when the first [at] steps have run. Errors: ScenarioError."""
    scenario = Scenario.parse(source | {"faults": faults})
    program, result = check_scenario(scenario)
    with run_program(scenario, program, result, at) as machine:
        return read_faults(machine)
