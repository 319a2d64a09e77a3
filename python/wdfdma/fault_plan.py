"""The plan of a machine: which calls are to fail, and which did."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wdfdma._native import NULL, ffi, lib
from wdfdma.arguments import require_number
from wdfdma.enums import Constant, Op, _read_type
from wdfdma.status import SUCCESS, Status

if TYPE_CHECKING:
    import os

    from wdfdma._core import Core
    from wdfdma.fault_sites import FaultSites, SiteLog
    from wdfdma.scenario import Fault


class FaultKind(Constant, members=_read_type("wdfdma_fault_kind", "WDFDMA_FAULT_")):
    """What a fault takes hold of: a DDI, a request for map registers, the making of an adapter."""


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A fault of a machine's plan.

    `nth` counts from the adding of the fault, 1 is the first; 0 leaves it to chance, `per_mille` of a thousand by
    `seed`, and a chance of 0 only counts. `met` is how many were counted, `hits` how many failed; the last of these
    in step `hit_step`, during the call `hit_op`.
    """

    kind: FaultKind
    op: Op = Op.NONE
    status: Status = SUCCESS
    nth: int = 0
    per_mille: int = 0
    seed: int = 0
    met: int = 0
    hits: int = 0
    hit_op: Op = Op.NONE
    hit_step: int = 0


def list_fault_statuses(op: Op | int) -> tuple[Status, ...]:
    """The statuses with which a fault may make [op] fail; empty where none may.

    >>> [status.name for status in list_fault_statuses(Op.CREATE)]
    ['STATUS_INSUFFICIENT_RESOURCES']
    """
    count = ffi.new("size_t *")
    statuses = lib.wdfdma_fault_get_statuses(int(op), count)
    return tuple(Status(statuses[place]) for place in range(count[0]))


# By the names that scenarios have for them, in the order of their numbers.
FAULT_STATUSES = {op.label: found for op in Op if (found := list_fault_statuses(op))}


def add_fault(machine: Any, fault: PlannedFault) -> Status:
    """Adds a fault to the plan of a machine of C's, and returns the status."""
    record = ffi.new("wdfdma_fault *")
    record.kind, record.op, record.status = fault.kind, fault.op, fault.status
    record.nth, record.per_mille, record.seed = fault.nth, fault.per_mille, fault.seed
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
    ...         print(error.status.name, [fault.hits for fault in machine.faults])
    STATUS_INSUFFICIENT_RESOURCES [1]
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

    def deny_registers(self, *, nth: int = 0, per_mille: int = 0, seed: int = 0) -> None:
        """Makes a request for map registers find none: it fails, or waits until registers are next freed."""
        self._add(PlannedFault(FaultKind.GRANT, nth=nth, per_mille=per_mille, seed=seed))

    def deny_adapter(self, *, nth: int = 0, per_mille: int = 0, seed: int = 0) -> None:
        """Makes an adapter not be made: IoGetDmaAdapter gives NULL, and an enabler is not created."""
        self._add(PlannedFault(FaultKind.ADAPTER, nth=nth, per_mille=per_mille, seed=seed))

    def every_site(
        self, log: "SiteLog | str | os.PathLike[str]", *, frames: int = 4, most: int = 0
    ) -> "FaultSites":
        """Makes every call site fail once, with each status that [log], a file or a SiteLog, does not tell of.

        A site is the chain of the callers' files and lines, [frames] of them, outside of this package: relative to the
        entry of sys.path or the working directory that they lie in. What could fail is what `fail_call`,
        `deny_registers` and `deny_adapter` could hit, which come first. The line is in the file before the call fails,
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
        """Ends the plan."""
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


def translate_fault(fault: "Fault") -> PlannedFault | None:
    """A scenario's fault as a machine plans it; None for one of memory, which is no part of a plan."""
    if fault.op is not None and fault.status is not None:
        status = next(item for item in FAULT_STATUSES[fault.op] if item.name == fault.status)
        op = next(item for item in Op if item.label == fault.op)
        return PlannedFault(FaultKind.CALL, op=op, status=status, nth=fault.nth or 0)
    if fault.register_grant is not None:
        return PlannedFault(FaultKind.GRANT, nth=fault.register_grant)
    if fault.adapter is not None:
        return PlannedFault(FaultKind.ADAPTER, nth=fault.adapter)
    return None


def plan_faults(machine: Any, faults: "Sequence[Fault]") -> int:
    """Plans a scenario's faults on a machine of C's; returns which allocation is to fail, 0: none."""
    allocation = 0
    for fault in faults:
        planned = translate_fault(fault)
        if planned is not None:
            add_fault(machine, planned).check("wdfdma_machine_add_fault")
        elif fault.allocation is not None:
            allocation = fault.allocation
    return allocation
