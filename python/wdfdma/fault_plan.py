"""The plan of a machine: what is to fail, and what did."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from wdfdma._native import lib
from wdfdma.arguments import require_any, require_member, require_name, require_number
from wdfdma.enums import Op
from wdfdma.fault_records import (
    BEHAVIOURS,
    MOVES,
    ROUTINES,
    ROUTINES_BY_NAME,
    DeviceBehaviour,
    FaultKind,
    PlannedFault,
    Routine,
    add_fault,
    list_fault_statuses,
    read_faults,
)
from wdfdma.status import SUCCESS, Status

if TYPE_CHECKING:
    import os

    from wdfdma._core import Core
    from wdfdma.fault_sites import FaultSites, SiteLog


# A completion is one where a program's step makes it, which no machine of Python's runs.
_MOVES = (Op.NONE, Op.DEVICE_READ, Op.DEVICE_WRITE, Op.COMPLETE_TRANSFER)


def _require_status(
    status: Status | int | str | None, known: tuple[Status, ...], what: str
) -> Status:
    """[status], one of those [known], whose first None stands for. Errors: TypeError, ValueError."""
    if status is None:
        return known[0]
    if isinstance(status, str):
        names = {**Status.__members__}
        chosen = names.get(status) or require_name("status", status, names)
    else:
        chosen = Status(require_number("status", status, -(2**31), 2**32 - 1))
    if chosen not in known:
        named = " or ".join(item.name for item in known)
        raise ValueError(f"status: {chosen.name} is not {named}, as {what} documents")
    return chosen


class FaultPlan:
    """The faults to be injected into one machine, part of its value: a restore takes them back.

    Each counts from its adding, `nth` 1 being the first, or leaves it to chance: `per_mille` of a thousand, by `seed`.
    With neither, the first is hit. What is counted has passed the checks of its arguments and of its object's state.

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
        op: Op | str,
        *,
        status: Status | int | str | None = None,
        nth: int = 0,
        per_mille: int = 0,
        seed: int = 0,
    ) -> None:
        """Makes a call of [op] fail with [status] (None: the first that its documentation names).

        [op] and [status] may be names, as in a scenario.
        Errors: ValueError for an op that cannot fail so, or a status that it does not document; TypeError.

        >>> from wdfdma import Machine
        >>> with Machine() as machine:
        ...     machine.faults.fail_call("create", status="STATUS_WDF_BUSY")
        Traceback (most recent call last):
        ...
        ValueError: status: STATUS_WDF_BUSY is not STATUS_INSUFFICIENT_RESOURCES, as create documents
        """
        found = require_member("op", op, Op)
        known = list_fault_statuses(found)
        if not known:
            raise ValueError(f"op: {found.label} is no call that can be made to fail")
        chosen = _require_status(status, known, found.label)
        self._add(PlannedFault(FaultKind.CALL, found, chosen, nth, per_mille, seed))

    def fail_routine(
        self,
        routine: Routine | str,
        *,
        status: Status | int | str | None = None,
        nth: int = 0,
        per_mille: int = 0,
        seed: int = 0,
    ) -> None:
        """The same for one routine of an op that stands for several, also by its name in the WDK.

        Errors: ValueError for an unknown routine, or a status that it does not document; TypeError.
        """
        require_any("routine", routine, str, int)
        found = ROUTINES_BY_NAME.get(routine) if isinstance(routine, str) else routine
        if found is None or found not in ROUTINES:
            raise ValueError(f"routine: {routine!r} is none of {', '.join(ROUTINES_BY_NAME)}")
        info = ROUTINES[found]
        chosen = _require_status(status, info.statuses, info.name)
        self._add(PlannedFault(FaultKind.CALL, info.op, chosen, nth, per_mille, seed, found))

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
        move: Op | str = Op.NONE,
        nth: int = 0,
        per_mille: int = 0,
        seed: int = 0,
    ) -> None:
        """Makes a move of the device go wrong: short, silent, late, twice or wrong.

        A move is an allowed `device_read` or `device_write`, or a `complete_transfer` that ends a transfer; [move]
        binds the fault to one of them. A completion is a move in a scenario only: here the caller stands in the
        driver's interrupt, and makes it wrong or leaves it out as it likes. Errors: ValueError.
        """
        require_any("behaviour", behaviour, str, int)
        found = BEHAVIOURS.get(behaviour) if isinstance(behaviour, str) else behaviour
        if found is None or found not in BEHAVIOURS.values():
            raise ValueError(f"behaviour: {behaviour!r} is none of {', '.join(BEHAVIOURS)}")
        require_any("move", move, str, int)
        chosen = require_name("move", move, MOVES) if isinstance(move, str) else move
        if chosen not in _MOVES:
            named = ", ".join(item.label for item in _MOVES[1:])
            raise ValueError(f"move: {Op(chosen).label} is none of {named}")
        fault = PlannedFault(
            FaultKind.DEVICE, chosen, SUCCESS, nth, per_mille, seed, behaviour=found
        )
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
        `fail_routine`, `deny_registers`, `deny_adapter` and `shorten_map` could hit, which come first. The line is in
        the file before the call fails, so that a rerun goes on where a crash ended; at most [most] calls fail (0: no
        bound). Run the driver until `failed` of the result, a context manager, stays 0. A restore of the machine
        takes nothing of this back.
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
        if fault.nth and fault.per_mille:
            raise ValueError("nth, per_mille: one of them says which is hit, not both")
        if not fault.nth and not fault.per_mille:
            fault = replace(fault, nth=1)
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
