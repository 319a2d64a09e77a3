"""The plan of a machine: what is to fail, and what did."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from wdfdma._native import NULL, ffi, lib, read_string
from wdfdma.arguments import require_number
from wdfdma.enums import Constant, Op, _read_type
from wdfdma.status import SUCCESS, Status

if TYPE_CHECKING:
    import os

    from wdfdma._core import Core
    from wdfdma.fault_sites import FaultSites, SiteLog


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
ROUTINES = {routine: _read_routine(routine) for routine in Routine if routine}
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


class FaultPlan:
    """The faults to be injected into one machine, part of its value: a restore takes them back.

    Each counts from its adding, `nth` 1 being the first, or leaves it to chance: `per_mille` of a thousand, by `seed`.
    What is counted has passed the checks of its arguments and of its object's state.

    >>> from wdfdma import Machine, StatusError
    >>> with Machine() as machine:
    ...     enabler = machine.device().enabler(maximum_length=4096)
    ...     machine.faults.fail_call(Op.COMMON_BUFFER_CREATE, nth=2)
    ...     _ = enabler.common_buffer(64)
    ...     try:
    ...         enabler.common_buffer(64)
    ...     except StatusError as error:
    ...         print(error.status.name)
    ...     print(machine.faults)
    STATUS_INSUFFICIENT_RESOURCES
    common_buffer_create 2: STATUS_INSUFFICIENT_RESOURCES (met 2, hit 1 in step 3, common_buffer_create)
    """

    __slots__ = ("_core",)

    def __init__(self, core: "Core") -> None:
        self._core = core

    def fail_call(
        self,
        op: Op,
        *,
        status: Status | None = None,
        nth: int = 0,
        per_mille: int = 0,
        seed: int = 0,
    ) -> None:
        """Makes a call of [op] fail with [status] (None: the first that its documentation names).

        Errors: StatusError for an op that cannot fail so, or a status that it does not document; ValueError.
        """
        if status is None:
            status = next(iter(list_fault_statuses(op)), SUCCESS)
        self._add(PlannedFault(FaultKind.CALL, op, status, nth, per_mille, seed))

    def fail_routine(
        self,
        routine: Routine | str,
        *,
        status: Status | None = None,
        nth: int = 0,
        per_mille: int = 0,
        seed: int = 0,
    ) -> None:
        """The same for one routine of an op that stands for several, also by its name in the WDK.

        Errors: StatusError for a status that it does not document; ValueError for an unknown routine too.
        """
        found = ROUTINES_BY_NAME.get(routine) if isinstance(routine, str) else routine
        if found is None or found not in ROUTINES:
            raise ValueError(f"routine: {routine!r} is none of {', '.join(ROUTINES_BY_NAME)}")
        info = ROUTINES[found]
        fault = PlannedFault(
            FaultKind.CALL, info.op, status or info.statuses[0], nth, per_mille, seed, found
        )
        self._add(fault)

    def deny_registers(self, *, nth: int = 0, per_mille: int = 0, seed: int = 0) -> None:
        """Makes a request for map registers find none: it fails, or waits until registers are next freed."""
        self._add(PlannedFault(FaultKind.GRANT, nth=nth, per_mille=per_mille, seed=seed))

    def deny_adapter(self, *, nth: int = 0, per_mille: int = 0, seed: int = 0) -> None:
        """Makes an adapter not be made: IoGetDmaAdapter gives NULL, and an enabler is not created."""
        self._add(PlannedFault(FaultKind.ADAPTER, nth=nth, per_mille=per_mille, seed=seed))

    def shorten_map(self, *, nth: int = 0, per_mille: int = 0, seed: int = 0) -> None:
        """Makes a mapping cover half of its pages, where its interface tells how much it mapped."""
        self._add(PlannedFault(FaultKind.MAP, nth=nth, per_mille=per_mille, seed=seed))

    def disturb_device(
        self,
        behaviour: DeviceBehaviour | str,
        *,
        move: Op = Op.NONE,
        nth: int = 0,
        per_mille: int = 0,
        seed: int = 0,
    ) -> None:
        """Makes a move of the device go wrong: short, silent, late, twice or wrong.

        A move is an allowed `device_read` or `device_write`, or a `complete_transfer` that ends a transfer; [move]
        binds the fault to one of them. A driver's own completions are its interrupt, which no fault takes hold of.
        Errors: StatusError for another op; ValueError.
        """
        found = BEHAVIOURS.get(behaviour) if isinstance(behaviour, str) else behaviour
        if found is None or found not in BEHAVIOURS.values():
            raise ValueError(f"behaviour: {behaviour!r} is none of {', '.join(BEHAVIOURS)}")
        fault = PlannedFault(FaultKind.DEVICE, move, SUCCESS, nth, per_mille, seed, behaviour=found)
        self._add(fault)

    @property
    def late(self) -> int:
        """How many moves of the device are late and still to come, at the end of the next outermost call."""
        return int(lib.wdfdma_machine_count_late(self._core.get_machine()))

    def every_site(
        self, log: "SiteLog | str | os.PathLike[str]", *, frames: int = 4, most: int = 0
    ) -> "FaultSites":
        """Makes every call site fail once, with each status that [log], a file or a SiteLog, does not tell of.

        A site is the chain of the callers' files and lines, [frames] of them, outside of this package: relative to the
        entry of sys.path or the working directory that they lie in. What could fail is what `fail_call`,
        `fail_routine`, `deny_registers` and `deny_adapter` could hit, which come first. The line is in the file before the call fails,
        so that a rerun goes on where a crash ended; at most [most] calls fail (0: no bound). Run the driver until
        `failed` of the result, a context manager, stays 0. A restore of the machine takes nothing of this back.
        Errors: SiteLogError for a damaged log, OSError, ValueError.

        >>> import os, tempfile
        >>> from wdfdma import Machine, StatusError
        >>> def drive(machine):
        ...     enabler = machine.device().enabler(maximum_length=4096)
        ...     enabler.common_buffer(64)
        ...     enabler.transaction()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     failed = 1
        ...     while failed:
        ...         with Machine() as machine, machine.faults.every_site(os.path.join(folder, "log")) as sites:
        ...             try:
        ...                 drive(machine)
        ...             except StatusError as error:
        ...                 print(error.call, error.status.name)
        ...             failed = sites.failed
        WdfDmaEnablerCreate STATUS_INSUFFICIENT_RESOURCES
        WdfDmaEnablerCreate STATUS_UNSUCCESSFUL
        WdfDmaEnablerCreate STATUS_UNSUCCESSFUL
        WdfCommonBufferCreate STATUS_INSUFFICIENT_RESOURCES
        WdfDmaTransactionCreate STATUS_INSUFFICIENT_RESOURCES
        """
        from wdfdma.fault_sites import FaultSites

        return FaultSites(self._core, log, frames, most)

    def clear(self) -> None:
        """Ends the plan; what is late already still comes."""
        core = self._core
        if core.halted:
            core.fail()
        Status(lib.wdfdma_machine_clear_faults(core.get_machine())).check(
            "wdfdma_machine_clear_faults"
        )

    def _add(self, fault: PlannedFault) -> None:
        require_number("nth", fault.nth, 0, 2**32 - 1)
        require_number("per_mille", fault.per_mille, 0, 1000)
        require_number("seed", fault.seed, 0, 2**64 - 1)
        core = self._core
        if core.halted:
            core.fail()
        add_fault(core.get_machine(), fault).check("wdfdma_machine_add_fault")

    def __iter__(self) -> Iterator[PlannedFault]:
        return iter(read_faults(self._core.get_machine()))

    def __len__(self) -> int:
        return len(read_faults(self._core.get_machine()))

    def __str__(self) -> str:
        return "\n".join(map(str, self)) or "no faults"

    def __repr__(self) -> str:
        return f"<FaultPlan: {len(self)} faults, {sum(fault.hits for fault in self)} hits>"
