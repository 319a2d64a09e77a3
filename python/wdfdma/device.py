"""Devices: what owns enablers and is handed requests."""

from typing import TYPE_CHECKING, Any

from wdfdma._native import ffi, lib
from wdfdma.arguments import ULONG, require_face, require_member, require_number
from wdfdma.enabler import DmaEnabler
from wdfdma.enums import PowerState, Profile, RequestType
from wdfdma.objects import ObjectCallback, WdfObject
from wdfdma.request import Request
from wdfdma.status import Status

if TYPE_CHECKING:
    from wdfdma.machine import Machine
    from wdfdma.mdl import Mdl

_destroy = lib.wdfdma_device_destroy
_enter_d0 = lib.wdfdma_device_enter_d0
_leave_d0 = lib.wdfdma_device_leave_d0
_get_alignment = lib.WdfDeviceGetAlignmentRequirement
_set_alignment = lib.WdfDeviceSetAlignmentRequirement


class Device(WdfObject):
    """A device of a machine.

    >>> from wdfdma import Machine
    >>> with Machine() as machine:
    ...     print(machine.device())
    <Device 0>
    """

    __slots__ = ()

    def __init__(
        self,
        machine: "Machine",
        *,
        cleanup: ObjectCallback | None = None,
        destroy: ObjectCallback | None = None,
    ) -> None:
        core = require_face("machine", machine, "Machine")
        if core.halted:
            core.fail()
        out = ffi.new("WDFDEVICE *")
        attributes = self._make_attributes(cleanup, destroy)
        status = lib.wdfdma_device_create(core.machine, attributes, out)
        if core.halted:
            core.fail()
        Status(status).check("wdfdma_device_create")
        self._adopt(core, out[0])

    def enabler(
        self,
        profile: Profile | int | str = Profile.PACKET,
        *,
        maximum_length: int = 65536,
        **settings: Any,
    ) -> DmaEnabler:
        """Makes an enabler; [settings] as for DmaEnabler."""
        return DmaEnabler(self, profile, maximum_length=maximum_length, **settings)

    def request(
        self,
        kind: RequestType | int | str,
        *,
        input: "Mdl | None" = None,
        output: "Mdl | None" = None,
        **settings: Any,
    ) -> Request:
        """Makes a request as a dispatcher would; [settings] as for Request."""
        return Request(self, kind, input=input, output=output, **settings)

    def delete(self) -> None:
        """Removes the device and its children, as the framework does when a device goes."""
        core = self._core
        if core.halted:
            core.fail()
        _destroy(self._handle)
        if core.halted:
            core.fail()
        self._forget_family()

    def enter_d0(self, previous: PowerState | int | str = PowerState.D3_FINAL) -> Status:
        """Enters D0: each enabler's fill, enable and self_managed_io_start, in the order of their making.

        Returns the first failing status, which ends the sequence.
        """
        core = self._core
        if core.halted:
            core.fail()
        status = _enter_d0(self._handle, require_member("previous", previous, PowerState))
        if core.halted:
            core.fail()
        return Status(status)

    def leave_d0(self, target: PowerState | int | str = PowerState.D3_FINAL) -> Status:
        """Leaves D0: each enabler's self_managed_io_stop, disable and flush; all are called.

        Returns the first failing status.
        """
        core = self._core
        if core.halted:
            core.fail()
        status = _leave_d0(self._handle, require_member("target", target, PowerState))
        if core.halted:
            core.fail()
        return Status(status)

    def set_alignment_requirement(self, mask: int) -> None:
        """Sets how the device wants buffers aligned: one less than a power of two.

        Source: WdfDeviceSetAlignmentRequirement function (wdfdevice.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        _set_alignment(self._handle, require_number("mask", mask, 0, ULONG))
        if core.halted:
            core.fail()

    def get_alignment_requirement(self) -> int:
        """The mask that set_alignment_requirement set.

        Source: WdfDeviceGetAlignmentRequirement function (wdfdevice.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        mask: int = _get_alignment(self._handle)
        if core.halted:
            core.fail()
        return mask
