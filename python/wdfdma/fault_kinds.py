"""Every fault that a scenario could meet: what is to be counted in a run, and the faults that this comes to."""

from collections.abc import Sequence

from wdfdma.enums import Op
from wdfdma.fault_forms import Fault
from wdfdma.fault_records import (
    BEHAVIOURS,
    FAULT_STATUSES,
    ROUTINES,
    FaultKind,
    PlannedFault,
    Routine,
)
from wdfdma.scenario import Scenario
from wdfdma.status import Status

# What stands for several routines is listed by these.
_GROUPS = {info.op.label for info in ROUTINES.values()}
_SET_UP = (Op.ENABLER_CREATE.label, Op.ENABLER_CONFIGURE_SYSTEM_PROFILE.label)
_OPS = {op.label: op for op in Op if op.label in FAULT_STATUSES and op.label not in _GROUPS}
_BELOW = {
    "register_grant": FaultKind.GRANT,
    "adapter": FaultKind.ADAPTER,
    "partial_map": FaultKind.MAP,
}


def _plan_op(name: str, status: Status) -> PlannedFault:
    return PlannedFault(FaultKind.CALL, op=_OPS[name], status=status)


def _plan_routine(routine: Routine, status: Status) -> PlannedFault:
    op = ROUTINES[routine].op
    return PlannedFault(FaultKind.CALL, op=op, routine=routine, status=status)


def _plan_device(name: str) -> PlannedFault:
    return PlannedFault(FaultKind.DEVICE, behaviour=BEHAVIOURS[name])


def list_counters() -> list[PlannedFault]:
    """Faults that only count: one for each kind that there is."""
    counters = [_plan_op(name, status) for name in _OPS for status in FAULT_STATUSES[name]]
    counters += [
        _plan_routine(routine, status)
        for routine, info in ROUTINES.items()
        for status in info.statuses
    ]
    counters += [PlannedFault(kind) for kind in _BELOW.values()]
    return counters + [_plan_device(name) for name in BEHAVIOURS]


def list_faults(
    scenario: Scenario, counted: Sequence[PlannedFault], allocations: int
) -> list[Fault]:
    """Every fault that a run has met, by op, place and status; then routines, what lies below, and the device."""
    met = {_get_key(item): item.met for item in counted}
    faults = []
    for name in _OPS:
        found = {
            status.name: met[_get_key(_plan_op(name, status))] for status in FAULT_STATUSES[name]
        }
        for nth in range(1, max(found.values()) + 1):
            faults += [
                Fault(op=name, nth=nth, status=status)
                for status, count in found.items()
                if nth <= count
            ]
    for routine, info in ROUTINES.items():
        for status in info.statuses:
            count = met[_get_key(_plan_routine(routine, status))]
            faults += [
                Fault(routine=info.name, nth=nth, status=status.name) for nth in range(1, count + 1)
            ]
    for name, kind in _BELOW.items():
        count = met[_get_key(PlannedFault(kind))]
        faults += [Fault.model_validate({name: nth}) for nth in range(1, count + 1)]
    moves = {name: met[_get_key(_plan_device(name))] for name in BEHAVIOURS}
    for nth in range(1, max(moves.values()) + 1):
        faults += [Fault(device=name, nth=nth) for name, count in moves.items() if nth <= count]
    if all(fault.allocation is None for fault in scenario.faults):
        faults += [Fault(allocation=nth) for nth in range(1, allocations + 1)]
    return faults


def list_chances(
    scenario: Scenario, counted: Sequence[PlannedFault], per_mille: int, seed: int
) -> list[Fault]:
    """One fault by chance for each kind that a run has met once it was set up; each has a seed of its own."""
    kinds = {
        _get_form(fault): fault
        for fault in list_faults(scenario, counted, 0)
        if fault.adapter is None and fault.op not in _SET_UP
    }
    chances = []
    for index, (key, fault) in enumerate(kinds.items()):
        chance = {"per_mille": per_mille, "seed": (seed << 16) + index}
        given = fault.model_dump(exclude_none=True)
        given[key[0]] = chance
        chances.append(Fault.model_validate(given))
    return chances


def _get_form(fault: Fault) -> tuple[str, ...]:
    """The key that says which one is hit, and what tells the kind of the fault from others."""
    given = fault.model_dump(exclude_none=True)
    below = [name for name in _BELOW if name in given]
    if below:
        return (below[0],)
    return ("nth", *(str(value) for key, value in given.items() if key != "nth"))


def _get_key(fault: PlannedFault) -> tuple[int, ...]:
    return (fault.kind, fault.op, fault.routine, fault.behaviour, fault.status)
