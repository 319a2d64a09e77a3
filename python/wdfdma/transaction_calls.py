"""What is asked of a transaction and set on it, apart from its life."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from wdfdma._native import NULL, ffi, lib
from wdfdma.arguments import SIZE, ULONG, require_callable, require_flag, require_number
from wdfdma.enums import CompletionStatus, Direction, TransactionState, Waiting
from wdfdma.objects import WdfObject
from wdfdma.status import Status

if TYPE_CHECKING:
    from wdfdma.device import Device
    from wdfdma.mdl import Mdl
    from wdfdma.request import Request

_get_bytes_transferred = lib.WdfDmaTransactionGetBytesTransferred
_get_current_length = lib.WdfDmaTransactionGetCurrentDmaTransferLength
_get_transfer_info = lib.WdfDmaTransactionGetTransferInfo
_get_request = lib.WdfDmaTransactionGetRequest
_get_device = lib.WdfDmaTransactionGetDevice
_get_context = lib.WdfDmaTransactionWdmGetTransferContext
_set_immediate_execution = lib.WdfDmaTransactionSetImmediateExecution
_set_maximum_length = lib.WdfDmaTransactionSetMaximumLength
_set_single_transfer = lib.WdfDmaTransactionSetSingleTransferRequirement
_set_offset = lib.WdfDmaTransactionSetDeviceAddressOffset
_set_configure = lib.WdfDmaTransactionSetChannelConfigurationCallback
_set_complete = lib.WdfDmaTransactionSetTransferCompleteCallback
_get_info = lib.wdfdma_transaction_get_info

_NO_REGISTER = 0xFFFFFFFF

ConfigureDmaChannel = Callable[[Any, "Mdl", int, int], "bool | None"]
DmaTransferComplete = Callable[[Any, Direction, CompletionStatus], object]


@dataclass(frozen=True, slots=True)
class TransferInfo:
    """What an initialized buffer takes in one transfer."""

    map_registers: int
    elements: int


@dataclass(frozen=True, slots=True)
class TransactionInfo:
    """A transaction as a debugger would show it. Lengths in bytes; registers by number."""

    state: TransactionState
    direction: Direction
    waiting: Waiting
    length: int
    bytes_transferred: int
    transfer_length: int
    remaining: int
    maximum_fragment: int
    reserved: int
    first_register: int | None
    registers: int
    device_address_offset: int
    holds_base: bool
    bounces: bool
    immediate_execution: bool
    single_transfer: bool
    stopped: bool


class TransactionCalls(WdfObject):
    """The getters and setters of a transaction."""

    __slots__ = ("_configure_dma_channel", "_dma_transfer_complete")

    _configure_dma_channel: ConfigureDmaChannel | None
    _dma_transfer_complete: DmaTransferComplete | None

    def get_bytes_transferred(self) -> int:
        """The bytes completed so far.

        Source: WdfDmaTransactionGetBytesTransferred function (wdfdmatransaction.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        length: int = _get_bytes_transferred(self._handle)
        if core.halted:
            core.fail()
        return length

    def get_current_dma_transfer_length(self) -> int:
        """The bytes of the current transfer, set when it starts, before any wait.

        Source: WdfDmaTransactionGetCurrentDmaTransferLength function (wdfdmatransaction.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        length: int = _get_current_length(self._handle)
        if core.halted:
            core.fail()
        return length

    def get_transfer_info(self) -> TransferInfo:
        """What the initialized buffer would take in one transfer; a bug check in another state than initialized.

        Source: WdfDmaTransactionGetTransferInfo function (wdfdmatransaction.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        out = ffi.new("ULONG[2]")
        _get_transfer_info(self._handle, out, out + 1)
        if core.halted:
            core.fail()
        return TransferInfo(*out)

    def get_request(self) -> "Request | None":
        """The request that the transaction was initialized with.

        Source: WdfDmaTransactionGetRequest function (wdfdmatransaction.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        request = _get_request(self._handle)
        if core.halted:
            core.fail()
        return None if request == NULL else cast("Request", core.objects.get(request))

    def get_device(self) -> "Device":
        """The device whose enabler the transaction belongs to.

        Source: WdfDmaTransactionGetDevice function (wdfdmatransaction.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        device = _get_device(self._handle)
        if core.halted:
            core.fail()
        return cast("Device", core.objects[device])

    def wdm_get_transfer_context(self) -> int | None:
        """The address of the transfer context; None after a break.

        Source: WdfDmaTransactionWdmGetTransferContext function (wdfdmatransaction.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        context = _get_context(self._handle)
        if core.halted:
            core.fail()
        return None if context == NULL else int(ffi.cast("uintptr_t", context))

    def set_immediate_execution(self, value: bool) -> None:
        """Makes the transaction fail where it would wait for map registers; release clears it.

        Source: WdfDmaTransactionSetImmediateExecution function (wdfdmatransaction.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        _set_immediate_execution(self._handle, require_flag("value", value))
        if core.halted:
            core.fail()

    def set_maximum_length(self, length: int) -> None:
        """Limits the bytes of each transfer, where that is below the adapter's fragment length.

        Source: WdfDmaTransactionSetMaximumLength function (wdfdmatransaction.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        try:
            _set_maximum_length(self._handle, length)
        except (OverflowError, TypeError):
            _set_maximum_length(self._handle, require_number("length", length, 0, SIZE))
        if core.halted:
            core.fail()

    def set_single_transfer_requirement(self, value: bool) -> None:
        """Requires that the buffer goes in one transfer; release brings the enabler's setting back.

        Source: WdfDmaTransactionSetSingleTransferRequirement function (wdfdmatransaction.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        _set_single_transfer(self._handle, require_flag("value", value))
        if core.halted:
            core.fail()

    def set_device_address_offset(self, offset: int) -> None:
        """Where in the device's port range each transfer of a system profile begins, in bytes.

        Source: WdfDmaTransactionSetDeviceAddressOffset function (wdfdmatransaction.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        try:
            _set_offset(self._handle, offset)
        except (OverflowError, TypeError):
            _set_offset(self._handle, require_number("offset", offset, 0, ULONG))
        if core.halted:
            core.fail()

    def set_channel_configuration_callback(self, function: ConfigureDmaChannel | None) -> None:
        """Sets or clears what is called before each transfer of a system profile is mapped.

        [function] gets the transaction, the MDL, offset and length in bytes; False keeps it from being mapped.
        Source: WdfDmaTransactionSetChannelConfigurationCallback function (wdfdmatransaction.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        require_callable("function", function)
        self._configure_dma_channel = function
        routine = NULL if function is None else lib.wdfdma_python_configure_dma_channel
        _set_configure(self._handle, routine, core.context)
        if core.halted:
            core.fail()

    def set_transfer_complete_callback(self, function: DmaTransferComplete | None) -> None:
        """Sets or clears what is called when the controller has finished a transfer of a system profile.

        [function] gets the transaction, the direction and a CompletionStatus.
        Source: WdfDmaTransactionSetTransferCompleteCallback function (wdfdmatransaction.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        require_callable("function", function)
        self._dma_transfer_complete = function
        routine = NULL if function is None else lib.wdfdma_python_dma_transfer_complete
        _set_complete(self._handle, routine, core.context)
        if core.halted:
            core.fail()

    def get_info(self) -> TransactionInfo:
        """What a debugger would show, of a halted machine too. Errors: StatusError for a deleted transaction."""
        self._core.get_machine()
        info = ffi.new("wdfdma_transaction_info *")
        Status(_get_info(self._handle, info)).check("wdfdma_transaction_get_info")
        values = {name: getattr(info, name) for name in TransactionInfo.__slots__}
        values["state"] = TransactionState(info.state)
        values["direction"] = Direction(info.direction)
        values["waiting"] = Waiting(info.waiting)
        if info.first_register == _NO_REGISTER:
            values["first_register"] = None
        return TransactionInfo(**values)

    def dump(self, html: bool = False) -> str:
        """The transaction as a debugger shows it, and who waits for whom around it: text, or a page of HTML.

        Of a halted machine too. Errors: StatusError for a deleted transaction. Models: !wdfkd.wdfdmatransaction.
        """
        from wdfdma.dumping.dump import dump_transaction

        self.get_info()
        return dump_transaction(self._core, self._handle, require_flag("html", html))

    @property
    def state(self) -> TransactionState:
        """The state, of a halted machine too."""
        return self.get_info().state

    def _describe(self) -> str:
        info = self.get_info()
        parts = [info.state.label]
        if info.length:
            parts[0] += f" {info.bytes_transferred}/{info.length} bytes"
        if info.first_register is not None and info.registers:
            last = info.first_register + info.registers - 1
            parts.append(f"registers {info.first_register}..{last}")
        if info.waiting == Waiting.CHANNEL:
            parts.append("waiting for the channel")
        elif info.waiting == Waiting.POOL:
            parts.append(f"waiting for {info.registers} registers")
        return ", ".join(parts)
