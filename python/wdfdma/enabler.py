"""DMA enablers: what a device can do, decided once for all of its transactions."""

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
    require_flag,
    require_member,
    require_number,
    require_profile,
)
from wdfdma.common_buffer import CommonBuffer
from wdfdma.enums import Direction, DmaWidth, Profile
from wdfdma.objects import ObjectCallback, WdfObject
from wdfdma.status import SUCCESS, Status
from wdfdma.transaction import DmaTransaction

if TYPE_CHECKING:
    from wdfdma.device import Device

_create = lib.WdfDmaEnablerCreate
_configure = lib.WdfDmaEnablerConfigureSystemProfile
_get_maximum_length = lib.WdfDmaEnablerGetMaximumLength
_get_elements = lib.WdfDmaEnablerGetMaximumScatterGatherElements
_set_elements = lib.WdfDmaEnablerSetMaximumScatterGatherElements
_get_fragment_length = lib.WdfDmaEnablerGetFragmentLength
_get_adapter = lib.WdfDmaEnablerWdmGetDmaAdapter
_complete_transfer = lib.wdfdma_enabler_complete_transfer

EnablerEvent = Callable[["DmaEnabler"], "Status | int | None"]

# The events of power, by the field of WDF_DMA_ENABLER_CONFIG that each is set in.
_EVENTS = {
    "fill": ("EvtDmaEnablerFill", lib.wdfdma_python_enabler_fill),
    "flush": ("EvtDmaEnablerFlush", lib.wdfdma_python_enabler_flush),
    "enable": ("EvtDmaEnablerEnable", lib.wdfdma_python_enabler_enable),
    "disable": ("EvtDmaEnablerDisable", lib.wdfdma_python_enabler_disable),
    "self_managed_io_start": (
        "EvtDmaEnablerSelfManagedIoStart",
        lib.wdfdma_python_enabler_self_managed_io_start,
    ),
    "self_managed_io_stop": (
        "EvtDmaEnablerSelfManagedIoStop",
        lib.wdfdma_python_enabler_self_managed_io_stop,
    ),
}


@dataclass(frozen=True, slots=True)
class EnablerInfo:
    """An enabler and, for one direction, its adapter. Lengths in bytes."""

    profile: Profile
    version: int
    address_width: int
    map_registers: int
    waiting: int
    maximum_length: int
    fragment_length: int
    configured: bool
    needs_map_registers: bool
    channel_owned: bool
    channel_owner: DmaTransaction | None


class DmaEnabler(WdfObject):
    """An enabler of a device.

    [events] are the six of power, each called with the enabler: fill, enable, self_managed_io_start;
    self_managed_io_stop, disable, flush. They return a Status, or None for success.
    A profile and a direction may be names, as in a scenario: `enabler("packet64")`.
    Errors: StatusError, TypeError, ValueError. Source: WdfDmaEnablerCreate function (wdfdmaenabler.h).

    >>> from wdfdma import Machine
    >>> with Machine(map_registers=8) as machine:
    ...     print(machine.device().enabler(Profile.PACKET64, maximum_length=65536))
    <DmaEnabler packet64, at most 28672 bytes, version 2>
    """

    __slots__ = ("_device", "_events")

    def __init__(
        self,
        device: "Device",
        profile: Profile | int | str = Profile.PACKET,
        *,
        maximum_length: int = 65536,
        dma_version: int = 0,
        address_width: int = 0,
        maximum_elements: int | None = None,
        single_transfer: bool = False,
        preallocate_list: bool = True,
        cleanup: ObjectCallback | None = None,
        destroy: ObjectCallback | None = None,
        **events: EnablerEvent,
    ) -> None:
        core = require_face("device", device, "Device")
        if core.halted:
            core.fail()
        config = ffi.new("WDF_DMA_ENABLER_CONFIG *")
        config.Size = ffi.sizeof("WDF_DMA_ENABLER_CONFIG")
        config.Profile = require_profile(profile)
        config.MaximumLength = require_number("maximum_length", maximum_length, 0, SIZE)
        config.AddressWidthOverride = require_number("address_width", address_width, 0, ULONG)
        config.WdmDmaVersionOverride = require_number("dma_version", dma_version, 0, ULONG)
        if require_flag("single_transfer", single_transfer):
            config.Flags |= lib.WDF_DMA_ENABLER_CONFIG_REQUIRE_SINGLE_TRANSFER
        if not require_flag("preallocate_list", preallocate_list):
            config.Flags |= lib.WDF_DMA_ENABLER_CONFIG_NO_SGLIST_PREALLOCATION
        if maximum_elements is not None:
            require_number("maximum_elements", maximum_elements, 0, ULONG)
        for name, function in events.items():
            if name not in _EVENTS:
                raise TypeError(f"an enabler has no setting or event {name!r}")
            require_callable(name, function)
            setattr(config, *_EVENTS[name])
        self._events = events
        self._device = device
        out = ffi.new("WDFDMAENABLER *")
        attributes = self._make_attributes(cleanup, destroy)
        status = _create(device._handle, config, attributes, out)
        if core.halted:
            core.fail()
        Status(status).check("WdfDmaEnablerCreate")
        self._adopt(core, out[0])
        if maximum_elements is not None:
            self.set_maximum_scatter_gather_elements(maximum_elements)

    @property
    def device(self) -> "Device":
        """The device that owns the enabler."""
        return self._device

    def transaction(self, **settings: Any) -> DmaTransaction:
        """Makes a transaction; [settings] as for DmaTransaction."""
        return DmaTransaction(self, **settings)

    def common_buffer(self, length: int, **settings: Any) -> CommonBuffer:
        """Makes a common buffer of [length] bytes; [settings] as for CommonBuffer."""
        return CommonBuffer(self, length, **settings)

    def delete(self) -> None:
        """Deletes the enabler and, before it, its transactions and common buffers.

        Source: WdfObjectDelete function (wdfobject.h).
        """
        super().delete()
        self._forget_family()

    def configure_system_profile(
        self,
        direction: Direction | int | str = Direction.READ,
        *,
        dma_width: DmaWidth | int | str = DmaWidth.WIDTH32_BITS,
        device_address: int = 0,
        demand_mode: bool = False,
        looped_transfer: bool = False,
        request_line: int = 0,
        channel: int = 0,
    ) -> Status:
        """Gives a system profile its channel for [direction]; a duplex one needs two calls.

        Source: WdfDmaEnablerConfigureSystemProfile function (wdfdmaenabler.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        descriptor = ffi.new("CM_PARTIAL_RESOURCE_DESCRIPTOR *")
        descriptor.Type = lib.CmResourceTypeDma
        descriptor.Flags = lib.CM_RESOURCE_DMA_V3
        descriptor.u.DmaV3.Channel = require_number("channel", channel, 0, ULONG)
        descriptor.u.DmaV3.RequestLine = require_number("request_line", request_line, 0, ULONG)
        config = ffi.new("WDF_DMA_SYSTEM_PROFILE_CONFIG *")
        config.Size = ffi.sizeof("WDF_DMA_SYSTEM_PROFILE_CONFIG")
        config.DemandMode = require_flag("demand_mode", demand_mode)
        config.LoopedTransfer = require_flag("looped_transfer", looped_transfer)
        config.DmaWidth = require_member("dma_width", dma_width, DmaWidth)
        config.DeviceAddress.QuadPart = require_number(
            "device_address", device_address, -(2**63), 2**63 - 1
        )
        config.DmaDescriptor = descriptor
        status = _configure(self._handle, config, require_direction(direction))
        if core.halted:
            core.fail()
        return Status(status) if status else SUCCESS

    def get_maximum_length(self) -> int:
        """The maximum length that the enabler was made with, in bytes.

        Source: WdfDmaEnablerGetMaximumLength function (wdfdmaenabler.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        length: int = _get_maximum_length(self._handle)
        if core.halted:
            core.fail()
        return length

    def get_maximum_scatter_gather_elements(self) -> int:
        """The limit on the elements of a list; 0xFFFFFFFF is none.

        Source: WdfDmaEnablerGetMaximumScatterGatherElements function (wdfdmaenabler.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        elements: int = _get_elements(self._handle)
        if core.halted:
            core.fail()
        return elements

    def set_maximum_scatter_gather_elements(self, elements: int) -> None:
        """Sets the limit on the elements of a list; 0 is ignored.

        Source: WdfDmaEnablerSetMaximumScatterGatherElements function (wdfdmaenabler.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        _set_elements(self._handle, require_number("elements", elements, 0, ULONG))
        if core.halted:
            core.fail()

    def get_fragment_length(self, direction: Direction | int | str = Direction.READ) -> int:
        """The most bytes that one transfer can have.

        Source: WdfDmaEnablerGetFragmentLength function (wdfdmaenabler.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        try:
            length: int = _get_fragment_length(self._handle, direction)
        except (OverflowError, TypeError):
            length = _get_fragment_length(self._handle, require_direction(direction))
        if core.halted:
            core.fail()
        return length

    def wdm_get_dma_adapter(self, direction: Direction | int | str = Direction.READ) -> int:
        """The address of the DMA_ADAPTER for [direction], 0 if there is none.

        Source: WdfDmaEnablerWdmGetDmaAdapter function (wdfdmaenabler.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        adapter = _get_adapter(self._handle, require_direction(direction))
        if core.halted:
            core.fail()
        return int(ffi.cast("uintptr_t", adapter))

    def complete_transfer(self, direction: Direction | int | str = Direction.READ) -> bool:
        """The system's DMA controller finishes the transfer on its channel; false if none was running."""
        core = self._core
        if core.halted:
            core.fail()
        try:
            was_running: bool = _complete_transfer(self._handle, direction)
        except (OverflowError, TypeError):
            was_running = _complete_transfer(self._handle, require_direction(direction))
        if core.halted:
            core.fail()
        return was_running

    def get_info(self, direction: Direction | int | str = Direction.READ) -> EnablerInfo:
        """What a debugger would show. Errors: StatusError for a deleted enabler."""
        self._core.get_machine()
        info = ffi.new("wdfdma_enabler_info *")
        status = lib.wdfdma_enabler_get_info(self._handle, require_direction(direction), info)
        Status(status).check("wdfdma_enabler_get_info")
        values = {name: getattr(info, name) for name in EnablerInfo.__slots__}
        owner = info.channel_owner
        values["profile"] = Profile(info.profile)
        values["channel_owner"] = None if owner == NULL else self._core.objects.get(owner)
        return EnablerInfo(**values)

    def dump(self, html: bool = False) -> str:
        """The enabler, its transactions and common buffers, as a debugger shows them: text, or a page of HTML.

        Of a halted machine too. Errors: StatusError for a deleted enabler. Models: !wdfkd.wdfdmaenabler.
        """
        from wdfdma.dumping.dump import dump_enabler

        self.get_info()
        return dump_enabler(self._core, self._handle, require_flag("html", html))

    def _describe(self) -> str:
        info = self.get_info()
        length = f"at most {info.fragment_length} bytes" if info.configured else "not configured"
        return f"{info.profile.label}, {length}, version {info.version}"
