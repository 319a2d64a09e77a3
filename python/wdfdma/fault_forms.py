"""The faults of a scenario: what forms they have, what is wrong with one, and as a machine plans them."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from wdfdma.enums import Op
from wdfdma.fault_records import (
    BEHAVIOURS,
    FAULT_STATUSES,
    MOVES,
    ROUTINES,
    ROUTINES_BY_NAME,
    FaultKind,
    PlannedFault,
    Routine,
    add_fault,
)
from wdfdma.problems import Problem, show
from wdfdma.status import Status

_Place = Annotated[int, Field(ge=1, le=2**32 - 1)]  # counted from 1
_OPS = {op.label: op for op in Op}


class _Form(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Chance(_Form):
    """Whether a fault hits is left to chance: [per_mille] of a thousand, the same ones for the same seed."""

    per_mille: Annotated[int, Field(ge=1, le=1000)]
    seed: Annotated[int, Field(ge=0, le=2**64 - 1)]


def _choose_form(value: Any) -> str:
    return "(chance)" if isinstance(value, dict | Chance) else "(n)"


# Which one is hit. The tags are no places in a scenario (wdfdma.problems).
_When = Annotated[
    Annotated[_Place, Tag("(n)")] | Annotated[Chance, Tag("(chance)")],
    Discriminator(_choose_form),
]


class Fault(_Form):
    """A fault to be injected: a call of an op or of a routine, a move of the device, or what lies below the calls."""

    op: str | None = None
    routine: str | None = None
    device: str | None = None
    move: str | None = None
    nth: _When | None = None
    status: str | None = None
    register_grant: _When | None = None
    allocation: _Place | None = None
    adapter: _When | None = None
    partial_map: _When | None = None


# The keys of each form; the first names it, and those in brackets may be left out.
_FORMS = {
    "op": ("nth", "status"),
    "routine": ("nth", "status"),
    "device": ("nth", "[move]"),
    "register_grant": (),
    "adapter": (),
    "partial_map": (),
    "allocation": (),
}
_FORMS_IN_WORDS = "op or routine with nth and status, device with nth, register_grant, adapter, partial_map, allocation"


def check_faults(faults: Sequence[Fault]) -> list[Problem]:
    """Each fault has one form, and a status that its op or routine documents; memory fails once."""
    problems = []
    for index, fault in enumerate(faults):
        problem = _find_problem(fault)
        if problem is not None:
            place = f"faults[{index}].{problem.place}" if problem.place else f"faults[{index}]"
            problems.append(Problem(place, problem.message))
    allocations = [at for at, fault in enumerate(faults) if fault.allocation is not None]
    problems += [
        Problem(f"faults[{at}].allocation", "memory can fail once only") for at in allocations[1:]
    ]
    return problems


def _find_problem(fault: Fault) -> Problem | None:
    given = [name for name in Fault.model_fields if getattr(fault, name) is not None]
    forms = [name for name in _FORMS if name in given]
    if not forms and "status" in given:
        return Problem("op", "is missing")
    if not forms and "move" in given:
        return Problem("device", "is missing")
    if len(forms) != 1:
        return Problem("", f"is not one of: {_FORMS_IN_WORDS}")
    keys = _FORMS[forms[0]]
    for name in keys:
        if not name.startswith("[") and name not in given:
            return Problem(name, "is missing")
    allowed = {forms[0], *(name.strip("[]") for name in keys)}
    for name in given:
        if name not in allowed:
            return Problem(name, f"does not belong to {forms[0]}")
    return _find_name_problem(fault)


def _find_name_problem(fault: Fault) -> Problem | None:
    """What is wrong with what a fault names."""
    if fault.device is not None:
        if fault.device not in BEHAVIOURS:
            return Problem("device", f"{show(fault.device)} is not {' or '.join(BEHAVIOURS)}")
        if fault.move is not None and fault.move not in MOVES:
            return Problem("move", f"{show(fault.move)} is not {' or '.join(MOVES)}")
        return None
    if fault.routine is not None and fault.routine not in ROUTINES_BY_NAME:
        return Problem("routine", f"{show(fault.routine)} is no routine that can be made to fail")
    if fault.op is not None and fault.op not in FAULT_STATUSES:
        return Problem("op", f"{show(fault.op)} is no call that can be made to fail")
    names = [status.name for status in _list_statuses(fault)]
    if names and fault.status not in names:
        return Problem("status", f"{show(fault.status)} is not {' or '.join(names)}")
    return None


def _list_statuses(fault: Fault) -> tuple[Status, ...]:
    if fault.routine is not None:
        return ROUTINES[ROUTINES_BY_NAME[fault.routine]].statuses
    return () if fault.op is None else FAULT_STATUSES[fault.op]


def translate_fault(fault: Fault) -> PlannedFault | None:
    """A scenario's fault, which is well, as a machine plans it; None for one of memory, which is no part of a plan."""
    if fault.device is not None:
        return _plan(
            FaultKind.DEVICE,
            fault.nth,
            behaviour=BEHAVIOURS[fault.device],
            op=Op.NONE if fault.move is None else MOVES[fault.move],
        )
    if fault.status is not None:
        status = next(item for item in _list_statuses(fault) if item.name == fault.status)
        routine = Routine.ANY if fault.routine is None else ROUTINES_BY_NAME[fault.routine]
        op = ROUTINES[routine].op if fault.op is None else _OPS[fault.op]
        return _plan(FaultKind.CALL, fault.nth, op=op, routine=routine, status=status)
    if fault.register_grant is not None:
        return _plan(FaultKind.GRANT, fault.register_grant)
    if fault.adapter is not None:
        return _plan(FaultKind.ADAPTER, fault.adapter)
    if fault.partial_map is not None:
        return _plan(FaultKind.MAP, fault.partial_map)
    return None


def _plan(kind: FaultKind, when: int | Chance | None, **what: Any) -> PlannedFault:
    if isinstance(when, Chance):
        return PlannedFault(kind, per_mille=when.per_mille, seed=when.seed, **what)
    return PlannedFault(kind, nth=when or 0, **what)


def plan_faults(machine: Any, faults: Sequence[Fault]) -> int:
    """Plans a scenario's faults on a machine of C's; returns which allocation is to fail, 0: none."""
    allocation = 0
    for fault in faults:
        planned = translate_fault(fault)
        if planned is not None:
            add_fault(machine, planned).check("wdfdma_machine_add_fault")
        elif fault.allocation is not None:
            allocation = fault.allocation
    return allocation
