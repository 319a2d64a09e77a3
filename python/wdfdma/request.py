"""Requests: what a dispatcher hands a driver."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wdfdma._native import NULL, ffi, lib
from wdfdma.arguments import SIZE, ULONG, require_face, require_member, require_number, require_type
from wdfdma.enums import RequestType
from wdfdma.objects import WdfObject
from wdfdma.status import Status

if TYPE_CHECKING:
    from wdfdma.device import Device
    from wdfdma.mdl import Mdl

_complete = lib.WdfRequestComplete
_complete_with_information = lib.WdfRequestCompleteWithInformation
_get_information = lib.WdfRequestGetInformation
_set_information = lib.WdfRequestSetInformation


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """How a request stands. [references] are held by transactions in progress."""

    completed: bool
    status: Status
    information: int
    references: int


class Request(WdfObject):
    """A request of [kind], owned by the driver until it completes it.

    [input] is the chain of a write or of a control's input, [output] that of a read or of a control's output; a
    length of None is the whole chain. [io_control_code] is for device controls.
    Errors: StatusError.

    >>> from wdfdma import Machine
    >>> with Machine() as machine:
    ...     request = machine.device().request(RequestType.READ, output=machine.mdl(512))
    ...     request.complete_with_information(Status.STATUS_SUCCESS, 512)
    ...     print(request, request.get_info().information)
    <Request read, completed with STATUS_SUCCESS> 512
    """

    __slots__ = ("_kind",)

    def __init__(
        self,
        device: "Device",
        kind: RequestType | int | str,
        *,
        input: "Mdl | None" = None,
        output: "Mdl | None" = None,
        input_length: int | None = None,
        output_length: int | None = None,
        io_control_code: int = 0,
    ) -> None:
        core = require_face("device", device, "Device")
        if core.halted:
            core.fail()
        self._kind = require_member("kind", kind, RequestType)
        self._cleanup = self._destroy = None
        config = ffi.new("wdfdma_request_config *")
        config.type = self._kind
        config.io_control_code = require_number("io_control_code", io_control_code, 0, ULONG)
        _set_buffer(config, "input", input, input_length)
        _set_buffer(config, "output", output, output_length)
        out = ffi.new("WDFREQUEST *")
        status = lib.wdfdma_request_create(device._handle, config, out)
        if core.halted:
            core.fail()
        Status(status).check("wdfdma_request_create")
        self._adopt(core, out[0])

    def complete(self, status: Status | int = 0) -> None:
        """Gives the request back. A bug check while a transaction holds it, or the second time.

        Source: WdfRequestComplete function (wdfrequest.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        _complete(self._handle, _require_status(status))
        if core.halted:
            core.fail()

    def complete_with_information(self, status: Status | int, information: int) -> None:
        """set_information and complete in one.

        Source: WdfRequestCompleteWithInformation function (wdfrequest.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        _complete_with_information(
            self._handle,
            _require_status(status),
            require_number("information", information, 0, SIZE),
        )
        if core.halted:
            core.fail()

    def get_information(self) -> int:
        """The number of bytes that the request will report as transferred.

        Source: WdfRequestGetInformation function (wdfrequest.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        information: int = _get_information(self._handle)
        if core.halted:
            core.fail()
        return information

    def set_information(self, information: int) -> None:
        """Sets the number of bytes that the request will report as transferred.

        Source: WdfRequestSetInformation function (wdfrequest.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        _set_information(self._handle, require_number("information", information, 0, SIZE))
        if core.halted:
            core.fail()

    def retrieve_input_wdm_mdl(self) -> "Mdl":
        """The chain of what the request sends. Errors: StatusError where there is none.

        Source: WdfRequestRetrieveInputWdmMdl function (wdfrequest.h).
        """
        return self._retrieve("WdfRequestRetrieveInputWdmMdl")

    def retrieve_output_wdm_mdl(self) -> "Mdl":
        """The chain of what the request receives. Errors: StatusError where there is none.

        Source: WdfRequestRetrieveOutputWdmMdl function (wdfrequest.h).
        """
        return self._retrieve("WdfRequestRetrieveOutputWdmMdl")

    def _retrieve(self, call: str) -> "Mdl":
        core = self._core
        if core.halted:
            core.fail()
        out = ffi.new("PMDL *")
        status = getattr(lib, call)(self._handle, out)
        if core.halted:
            core.fail()
        Status(status).check(call)
        return core.mdls[out[0]]

    def get_info(self) -> RequestInfo:
        """How the request stands, of a halted machine too. Errors: StatusError for one that is gone."""
        self._core.get_machine()
        info = ffi.new("wdfdma_request_info *")
        status = lib.wdfdma_request_get_info(self._handle, info)
        Status(status).check("wdfdma_request_get_info")
        return RequestInfo(info.completed, Status(info.status), info.information, info.references)

    def delete(self) -> None:
        """Ends the request: the sender has taken it back."""
        core = self._core
        if core.halted:
            core.fail()
        lib.wdfdma_request_destroy(self._handle)
        if core.halted:
            core.fail()
        self._forget()

    def _describe(self) -> str:
        info = self.get_info()
        state = f"completed with {info.status}" if info.completed else "owned"
        held = f", {info.references} references" if info.references else ""
        return f"{self._kind.label}, {state}{held}"


def _require_status(status: Status | int) -> Status:
    """[status], of 32 bits, signed or not. Errors: TypeError, ValueError."""
    return Status(require_number("status", status, -(2**31), ULONG))


def _set_buffer(config: Any, name: str, mdl: "Mdl | None", length: int | None) -> None:
    if mdl is not None:
        from wdfdma.mdl import Mdl

        require_type(name, mdl, Mdl)
    if length is None:
        length = 0 if mdl is None else mdl.chain_length
    setattr(config, name, NULL if mdl is None else mdl._require())
    setattr(config, f"{name}_length", require_number(f"{name}_length", length, 0, SIZE))
