"""Faults as a machine keeps them: what kinds there are, what each may fail with, and what has hit."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from wdfdma._native import NULL, ffi, lib, read_string
from wdfdma.enums import Constant, Op, _read_type
from wdfdma.status import SUCCESS, Status


class FaultKind(Constant, members=_read_type("wdfdma_fault_kind", "WDFDMA_FAULT_")):
    """What a fault takes hold of: a DDI, or what lies below: registers, adapters, mappings, the device."""


class Routine(Constant, members=_read_type("wdfdma_routine", "WDFDMA_ROUTINE_")):
    """The routines that a fault can name where their op stands for several; ANY: all of the op's."""


class DeviceBehaviour(Constant, members=_read_type("wdfdma_device_behaviour", "WDFDMA_DEVICE_")):
    """How a move of the device goes wrong; OBEYS: it does not."""


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A fault of a machine's plan.

    `nth` counts from the adding of the fault, 1 is the first; 0 leaves it to chance, `per_mille` of a thousand by
    `seed`, and a chance of 0 only counts. `met` is how many were counted, `hits` how many failed; the last of these
    in step `hit_step`, during the call `hit_op`.

    >>> print(PlannedFault(FaultKind.DEVICE, behaviour=DeviceBehaviour.LATE, nth=2))
    device late 2 (met 0, hit 0)
    """

    kind: FaultKind
    op: Op = Op.NONE
    status: Status = SUCCESS
    nth: int = 0
    per_mille: int = 0
    seed: int = 0
    routine: Routine = Routine.ANY
    behaviour: DeviceBehaviour = DeviceBehaviour.OBEYS
    met: int = 0
    hits: int = 0
    hit_op: Op = Op.NONE
    hit_step: int = 0

    def __str__(self) -> str:
        place = self.nth or f"by chance, {self.per_mille} of 1000, seed {self.seed}"
        status = f": {self.status.name}" if self.kind == FaultKind.CALL else ""
        where = f" in step {self.hit_step}, {self.hit_op.label}" if self.hits else ""
        return f"{self._subject} {place}{status} (met {self.met}, hit {self.hits}{where})"

    @property
    def _subject(self) -> str:
        if self.kind == FaultKind.CALL:
            return ROUTINES[self.routine].name if self.routine else self.op.label
        if self.kind == FaultKind.DEVICE:
            move = f" {self.op.label}" if self.op else ""
            return f"device {self.behaviour.label}{move}"
        return _KINDS[self.kind]


# As scenarios call them.
_KINDS = {
    FaultKind.GRANT: "register_grant",
    FaultKind.ADAPTER: "adapter",
    FaultKind.MAP: "partial_map",
}


class RoutineInfo(NamedTuple):
    """A routine that a fault can name: its name in the WDK, the op that it is one of, what it may fail with."""

    name: str
    op: Op
    statuses: tuple[Status, ...]


def list_fault_statuses(op: Op | int) -> tuple[Status, ...]:
    """The statuses with which a fault may make [op] fail; empty where none may.

    >>> [status.name for status in list_fault_statuses(Op.CREATE)]
    ['STATUS_INSUFFICIENT_RESOURCES']
    """
    count = ffi.new("size_t *")
    statuses = lib.wdfdma_fault_get_statuses(int(op), count)
    return tuple(Status(statuses[place]) for place in range(count[0]))


def _read_routine(routine: Routine) -> RoutineInfo:
    info = lib.wdfdma_fault_get_routine(int(routine))
    statuses = tuple(Status(info.statuses[place]) for place in range(info.status_count))
    return RoutineInfo(read_string(info.name), Op(info.op), statuses)


# By the names that scenarios have for them, in the order of their numbers.
FAULT_STATUSES = {op.label: found for op in Op if (found := list_fault_statuses(op))}
ROUTINES = {
    routine: info for routine in Routine if routine and (info := _read_routine(routine)).statuses
}
ROUTINES_BY_NAME = {info.name: routine for routine, info in ROUTINES.items()}
BEHAVIOURS = {behaviour.label: behaviour for behaviour in DeviceBehaviour if behaviour}
# The moves that a fault of the device can be bound to.
MOVES = {
    op.label: op
    for op in (
        Op.DMA_COMPLETED,
        Op.DMA_COMPLETED_WITH_LENGTH,
        Op.DMA_COMPLETED_FINAL,
        Op.COMPLETE_TRANSFER,
        Op.DEVICE_READ,
        Op.DEVICE_WRITE,
    )
}

_WRITTEN = ("kind", "op", "routine", "behaviour", "status", "nth", "per_mille", "seed")


def add_fault(machine: Any, fault: PlannedFault) -> Status:
    """Adds a fault to the plan of a machine of C's, and returns the status."""
    record = ffi.new("wdfdma_fault *")
    for name in _WRITTEN:
        setattr(record, name, int(getattr(fault, name)))
    return Status(lib.wdfdma_machine_add_fault(machine, record))


def read_faults(machine: Any) -> list[PlannedFault]:
    """Copies the plan of a machine of C's."""
    count = ffi.new("size_t *")
    records = lib.wdfdma_machine_get_faults(machine, count)
    if records == NULL:
        return []
    return [_read_fault(records[place]) for place in range(count[0])]


def _read_fault(record: Any) -> PlannedFault:
    return PlannedFault(
        kind=FaultKind(record.kind),
        op=Op(record.op),
        status=Status(record.status),
        nth=record.nth,
        per_mille=record.per_mille,
        seed=record.seed,
        routine=Routine(record.routine),
        behaviour=DeviceBehaviour(record.behaviour),
        met=record.met,
        hits=record.hits,
        hit_op=Op(record.hit_op),
        hit_step=record.hit_step,
    )
