"""Common buffers: memory that driver and device see at once."""

from typing import TYPE_CHECKING, Any

from wdfdma._native import NULL, ffi, lib
from wdfdma.arguments import SIZE, ULONG, require_face, require_number
from wdfdma.memory import make_array
from wdfdma.objects import ObjectCallback, WdfObject
from wdfdma.status import Status

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wdfdma.enabler import DmaEnabler

_create = lib.WdfCommonBufferCreate
_create_with_config = lib.WdfCommonBufferCreateWithConfig
_get_virtual_address = lib.WdfCommonBufferGetAlignedVirtualAddress
_get_logical_address = lib.WdfCommonBufferGetAlignedLogicalAddress
_get_length = lib.WdfCommonBufferGetLength


class CommonBuffer(WdfObject):
    r"""A common buffer of an enabler: physically contiguous, within the adapter's reach, without map registers.

    [alignment] is a mask, one less than a power of two; None is the enabler's own.
    Errors: StatusError, TypeError, ValueError. Source: WdfCommonBufferCreate function (wdfcommonbuffer.h).

    >>> from wdfdma import Machine
    >>> with Machine() as machine:
    ...     buffer = machine.device().enabler().common_buffer(4096)
    ...     buffer.array[:4] = 7
    ...     machine.device_read(buffer.get_aligned_logical_address(), 6)
    b'\x07\x07\x07\x07\x00\x00'
    """

    __slots__ = ("_enabler",)

    def __init__(
        self,
        enabler: "DmaEnabler",
        length: int,
        *,
        alignment: int | None = None,
        cleanup: ObjectCallback | None = None,
        destroy: ObjectCallback | None = None,
    ) -> None:
        core = require_face("enabler", enabler, "DmaEnabler")
        if core.halted:
            core.fail()
        self._enabler = enabler
        length = require_number("length", length, 0, SIZE)
        out = ffi.new("WDFCOMMONBUFFER *")
        attributes = self._make_attributes(cleanup, destroy)
        if alignment is None:
            status = _create(enabler._handle, length, attributes, out)
        else:
            config = ffi.new("WDF_COMMON_BUFFER_CONFIG *")
            config.Size = ffi.sizeof("WDF_COMMON_BUFFER_CONFIG")
            config.AlignmentRequirement = require_number("alignment", alignment, 0, ULONG)
            status = _create_with_config(enabler._handle, length, config, attributes, out)
        if core.halted:
            core.fail()
        Status(status).check("WdfCommonBufferCreate")
        self._adopt(core, out[0])

    @property
    def enabler(self) -> "DmaEnabler":
        """The enabler that owns the buffer."""
        return self._enabler

    @property
    def array(self) -> "NDArray[Any]":
        """The bytes, in place: an array of uint8 that the device sees, too.

        It may outlive the buffer and the machine; what it shows then is nobody's.
        """
        address = self._get_address()
        return make_array(self._core, address, self.get_length(), "u1", writable=True)

    def _get_address(self) -> Any:
        core = self._core
        if core.halted:
            core.fail()
        address = _get_virtual_address(self._handle)
        if core.halted or address == NULL:
            core.fail()
        return address

    def get_aligned_virtual_address(self) -> int:
        """Where the driver sees the buffer; `array` has its bytes.

        Source: WdfCommonBufferGetAlignedVirtualAddress function (wdfcommonbuffer.h).
        """
        return int(ffi.cast("uintptr_t", self._get_address()))

    def get_aligned_logical_address(self) -> int:
        """Where the device sees the buffer.

        Source: WdfCommonBufferGetAlignedLogicalAddress function (wdfcommonbuffer.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        address: int = _get_logical_address(self._handle).QuadPart
        if core.halted:
            core.fail()
        return address

    def get_length(self) -> int:
        """The length asked for, in bytes.

        Source: WdfCommonBufferGetLength function (wdfcommonbuffer.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        length: int = _get_length(self._handle)
        if core.halted:
            core.fail()
        return length

    def _describe(self) -> str:
        if self._core.halted:
            return str(self._label)
        address = self.get_aligned_logical_address()
        return f"{self.get_length()} bytes at 0x{address:X}"
