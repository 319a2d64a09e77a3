"""DMA transactions: one buffer on its way to or from a device, in as many transfers as it takes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wdfdma._native import NULL, ffi, lib
from wdfdma.arguments import (
    SIZE,
    ULONG,
    require_callable,
    require_direction,
    require_face,
    require_number,
)
from wdfdma.enums import Direction
from wdfdma.objects import ObjectCallback
from wdfdma.status import SUCCESS, Status
from wdfdma.transaction_buffers import ProgramDma, TransactionBuffers

if TYPE_CHECKING:
    from wdfdma.enabler import DmaEnabler

_create = lib.WdfDmaTransactionCreate
_execute = lib.WdfDmaTransactionExecute
_allocate_resources = lib.WdfDmaTransactionAllocateResources
_free_resources = lib.WdfDmaTransactionFreeResources
_release = lib.WdfDmaTransactionRelease
_cancel = lib.WdfDmaTransactionCancel
_stop_system_transfer = lib.WdfDmaTransactionStopSystemTransfer
_dma_completed = lib.WdfDmaTransactionDmaCompleted
_dma_completed_with_length = lib.WdfDmaTransactionDmaCompletedWithLength
_dma_completed_final = lib.WdfDmaTransactionDmaCompletedFinal
_reserve_routine = lib.wdfdma_python_reserve_dma

ReserveDma = Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class DmaCompletion:
    """What completing a transfer answered: whether the transaction is over, and with which status."""

    completed: bool
    status: Status


_MORE = DmaCompletion(False, Status.STATUS_MORE_PROCESSING_REQUIRED)
_DONE = DmaCompletion(True, SUCCESS)


class DmaTransaction(TransactionBuffers):
    """A transaction of an enabler.

    Errors: StatusError. Source: WdfDmaTransactionCreate function (wdfdmatransaction.h).

    >>> from wdfdma import Machine
    >>> with Machine() as machine:
    ...     transaction = machine.device().enabler().transaction()
    ...     _ = transaction.initialize(machine.mdl(512), program_dma=lambda *transfer: None)
    ...     transaction.execute()
    ...     transaction.dma_completed()
    <Status.STATUS_SUCCESS: 0x00000000>
    DmaCompletion(completed=True, status=<Status.STATUS_SUCCESS: 0x00000000>)
    """

    __slots__ = ("_enabler", "_reserve_dma")

    def __init__(
        self,
        enabler: "DmaEnabler",
        *,
        cleanup: ObjectCallback | None = None,
        destroy: ObjectCallback | None = None,
    ) -> None:
        core = require_face("enabler", enabler, "DmaEnabler")
        if core.halted:
            core.fail()
        self._enabler = enabler
        self._program_dma: ProgramDma | None = None
        self._reserve_dma: ReserveDma | None = None
        self._configure_dma_channel = None
        self._dma_transfer_complete = None
        out = ffi.new("WDFDMATRANSACTION *")
        attributes = self._make_attributes(cleanup, destroy)
        status = _create(enabler._handle, attributes, out)
        if core.halted:
            core.fail()
        Status(status).check("WdfDmaTransactionCreate")
        self._adopt(core, out[0])

    @property
    def enabler(self) -> "DmaEnabler":
        """The enabler that owns the transaction."""
        return self._enabler

    def execute(self) -> Status:
        """Starts the first transfer: at once, or when the map registers for it come.

        Source: WdfDmaTransactionExecute function (wdfdmatransaction.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        status = _execute(self._handle, core.context)
        if core.halted:
            core.fail()
        return Status(status) if status else SUCCESS

    def allocate_resources(
        self,
        direction: Direction | int | str = Direction.READ,
        *,
        reserve_dma: ReserveDma | None = None,
        map_registers: int = 0,
    ) -> Status:
        """Asks for map registers ahead of a buffer; they stay until free_resources.

        [reserve_dma] gets the transaction when they are there. [map_registers] 0: what the initialized buffer needs.
        Source: WdfDmaTransactionAllocateResources function (wdfdmatransaction.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        require_callable("reserve_dma", reserve_dma)
        self._reserve_dma = reserve_dma
        routine = NULL if reserve_dma is None else _reserve_routine
        try:
            status = _allocate_resources(
                self._handle, direction, map_registers, routine, core.context
            )
        except (OverflowError, TypeError):
            way = require_direction(direction)
            count = require_number("map_registers", map_registers, 0, ULONG)
            status = _allocate_resources(self._handle, way, count, routine, core.context)
        if core.halted:
            core.fail()
        return Status(status) if status else SUCCESS

    def free_resources(self) -> None:
        """Gives back what allocate_resources took.

        Source: WdfDmaTransactionFreeResources function (wdfdmatransaction.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        _free_resources(self._handle)
        if core.halted:
            core.fail()

    def release(self) -> Status:
        """Gives back what the transaction holds but for a reservation, and forgets its buffer.

        Source: WdfDmaTransactionRelease function (wdfdmatransaction.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        status = _release(self._handle)
        if core.halted:
            core.fail()
        return Status(status) if status else SUCCESS

    def cancel(self) -> bool:
        """Takes back a transaction that waits for map registers; false if it was not waiting.

        Source: WdfDmaTransactionCancel function (wdfdmatransaction.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        was_waiting: int = _cancel(self._handle)
        if core.halted:
            core.fail()
        return was_waiting != 0

    def stop_system_transfer(self) -> None:
        """Stops a transfer of the system's controller; the transaction is completed then as ever.

        Source: WdfDmaTransactionStopSystemTransfer function (wdfdmatransaction.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        _stop_system_transfer(self._handle)
        if core.halted:
            core.fail()

    def dma_completed(self) -> DmaCompletion:
        """The device has transferred all of the current transfer: the next one is started, if there is more.

        Source: WdfDmaTransactionDmaCompleted function (wdfdmatransaction.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        output = core.outputs[core.depth]
        completed = _dma_completed(self._handle, output)
        if core.halted:
            core.fail()
        return _make_completion(output[0]) if completed else _MORE

    def dma_completed_with_length(self, length: int) -> DmaCompletion:
        """As dma_completed, the device having transferred [length] bytes; the rest is tried again.

        Source: WdfDmaTransactionDmaCompletedWithLength function (wdfdmatransaction.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        output = core.outputs[core.depth]
        try:
            completed = _dma_completed_with_length(self._handle, length, output)
        except (OverflowError, TypeError):
            count = require_number("length", length, 0, SIZE)
            completed = _dma_completed_with_length(self._handle, count, output)
        if core.halted:
            core.fail()
        return _make_completion(output[0]) if completed else _MORE

    def dma_completed_final(self, length: int) -> DmaCompletion:
        """As dma_completed_with_length, and the transaction is over, whatever is left of the buffer.

        Source: WdfDmaTransactionDmaCompletedFinal function (wdfdmatransaction.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        output = core.outputs[core.depth]
        try:
            completed = _dma_completed_final(self._handle, length, output)
        except (OverflowError, TypeError):
            count = require_number("length", length, 0, SIZE)
            completed = _dma_completed_final(self._handle, count, output)
        if core.halted:
            core.fail()
        return _make_completion(output[0]) if completed else _MORE


def _make_completion(status: int) -> DmaCompletion:
    return DmaCompletion(True, Status(status)) if status else _DONE
