"""Drivers in Python: what they are handed, and how C calls them."""

import importlib
import traceback
import zlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from wdfdma._core import Core
from wdfdma._native import NULL, ffi, lib
from wdfdma.device import Device
from wdfdma.enums import Direction, RequestType
from wdfdma.errors import BugCheck
from wdfdma.machine_core import make_core
from wdfdma.request import Request
from wdfdma.status import Status
from wdfdma.testing.cases import EXCEPTION, CaseResult, Signature, read_result
from wdfdma.testing.drivers import Driver, DriverError, DriverUnderTest, NoDriverError

if TYPE_CHECKING:
    from wdfdma.enabler import DmaEnabler

Look = Callable[[Any, CaseResult], object]
_FAILED = int(Status.STATUS_UNSUCCESSFUL)
_METHODS = ("add_device", "start_request", "cancel_request", "interrupt", "remove_device")


class Transfer(NamedTuple):
    """How a channel of the hardware ended: the bytes that it moved, and a status."""

    length: int
    status: Status


class Hardware:
    """The device of a workload, as its driver programs it: wdfdma/driver.h says what is wrong to do."""

    __slots__ = ("_core", "_device")

    def __init__(self, core: Core, device: Any) -> None:
        self._core = core
        self._device = device

    @property
    def revision(self) -> int:
        """Which make of the hardware it is, 0 to 255."""
        return int(lib.wdfdma_hardware_get_revision(self._device))

    def start(
        self,
        channel: int,
        position: int,
        elements: Sequence[tuple[int, int]],
        direction: Direction | int,
    ) -> Status:
        """Programs [channel] to move the bytes of [elements], addresses and lengths, from or to [position]."""
        sg_list = ffi.new("SCATTER_GATHER_LIST *", {"Elements": len(elements)})
        sg_list.NumberOfElements = len(elements)
        for i, (address, length) in enumerate(elements):
            sg_list.Elements[i].Address.QuadPart = address
            sg_list.Elements[i].Length = length
        status = lib.wdfdma_hardware_start(self._device, channel, position, sg_list, direction)
        self._leave()
        return Status(status)

    def stop(self, channel: int) -> None:
        """Stops [channel], whose command and result are lost."""
        lib.wdfdma_hardware_stop(self._device, channel)

    def get_result(self, channel: int) -> Transfer | None:
        """How [channel] ended since it was asked last, or None."""
        length = ffi.new("uint64_t *")
        status = ffi.new("NTSTATUS *")
        if not lib.wdfdma_hardware_get_result(self._device, channel, length, status):
            return None
        return Transfer(length[0], Status(status[0]))

    def attach(
        self, channel: int, enabler: "DmaEnabler", direction: Direction | int = Direction.READ
    ) -> None:
        """Ties [channel] to the system DMA controller's request line of [enabler]. Errors: StatusError."""
        status = lib.wdfdma_hardware_attach(self._device, channel, enabler._handle, direction)
        Status(status).check("wdfdma_hardware_attach")

    def _leave(self) -> None:
        if self._core.halted:
            self._core.fail()


class DriverRequest(Request):
    """A request as a driver is handed it. [length] in bytes; [position] in the hardware's memory."""

    __slots__ = ("direction", "length", "position")

    direction: Direction
    length: int
    position: int

    def __init__(self, core: Core, handle: Any) -> None:
        parameters = ffi.new("WDF_REQUEST_PARAMETERS *")
        parameters.Size = ffi.sizeof("WDF_REQUEST_PARAMETERS")
        lib.WdfRequestGetParameters(handle, parameters)
        self._kind = RequestType(parameters.Type)
        is_write = self._kind == RequestType.WRITE
        self.direction = Direction.WRITE if is_write else Direction.READ
        part = parameters.Parameters.Write if is_write else parameters.Parameters.Read
        self.length = part.Length
        self.position = part.DeviceOffset
        self._cleanup = self._destroy = None
        self._adopt(core, handle)


class _Run:
    """One case of a Python driver in progress."""

    def __init__(self, name: str, factory: Callable[[], DriverUnderTest], core: Core) -> None:
        self.name = name
        self.factory = factory
        self.core = core
        self.driver: DriverUnderTest | None = None

    def call(self, name: str, *arguments: Any) -> Any:
        return self.core.call(self._call, name, *arguments)

    def _call(self, name: str, *arguments: Any) -> Any:
        return getattr(self.driver, name)(*arguments)

    def start(self, handle: Any) -> None:
        assert self.driver is not None
        self.driver.start_request(DriverRequest(self.core, handle))

    def cancel(self, handle: Any) -> None:
        assert self.driver is not None
        self.driver.cancel_request(self.core.objects[handle])  # type: ignore[arg-type]

    def add_device(self, handle: Any) -> int:
        device = Device.__new__(Device)
        device._cleanup = device._destroy = None
        device._adopt(self.core, handle)
        status = self.core.call(self._add, device, Hardware(self.core, handle))
        return _FAILED if self.core.halted else int(status)

    def _add(self, device: Device, hardware: Hardware) -> Status:
        driver = self.factory()
        missing = [name for name in _METHODS if not callable(getattr(driver, name, None))]
        if missing:
            kind = type(driver).__name__
            raise NoDriverError(f"{self.name}: a {kind} is no driver: no {', '.join(missing)}")
        self.driver = driver
        status = driver.add_device(device, hardware)
        return Status(status) if isinstance(status, int) else Status.STATUS_SUCCESS


# Cases in progress, the innermost last: one driver may run another's case.
_runs: list[_Run] = []


def _define(function: Any) -> Any:
    name = f"wdfdma_python_driver_{function.__name__}"
    ffi.def_extern(name=name, error=_FAILED if function.__name__ == "add_device" else None)(
        function
    )
    return getattr(lib, name)


@_define
def add_device(device: Any, _context: Any) -> int:
    """Makes the driver's object, and hands it its device."""
    return _runs[-1].add_device(device)


@_define
def start_request(_context: Any, handle: Any) -> None:
    """Hands the driver a request."""
    run = _runs[-1]
    run.core.call(run.start, handle)


@_define
def cancel_request(_context: Any, handle: Any) -> None:
    """Asks the driver for the end of a request."""
    run = _runs[-1]
    run.core.call(run.cancel, handle)


@_define
def interrupt(_context: Any) -> None:
    """Interrupts the driver."""
    _runs[-1].call("interrupt")


@_define
def remove_device(_context: Any) -> None:
    """Tells the driver that its device goes."""
    _runs[-1].call("remove_device")


def _make_native(name: str) -> tuple[Any, Any]:
    text = ffi.new("char[]", name.encode())
    native = ffi.new("wdfdma_driver *")
    native.size = ffi.sizeof("wdfdma_driver")
    native.name = text
    native.add_device = add_device
    native.start_request = start_request
    native.cancel_request = cancel_request
    native.interrupt = interrupt
    native.remove_device = remove_device
    return native, text


def _tell_exception(result: CaseResult, error: BaseException) -> CaseResult:
    """The exception as a failure: what it is and where it was raised are its signature."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].name}:{frames[-1].lineno}" if frames else ""
    number = zlib.crc32(f"{type(error).__name__} {place}".encode())
    values = {name: getattr(result, name) for name in result.__slots__}
    values["signature"] = Signature(EXCEPTION, 0, 0, number)
    values["detail"] = f"{type(error).__name__}: {error}"
    return CaseResult(**values)


def _run_on(core: Core, native: Any, case: bytes, look: Look | None) -> CaseResult:
    out = ffi.new("wdfdma_workload_result *")
    source = ffi.from_buffer("uint8_t[]", case) if case else NULL
    status = lib.wdfdma_workload_run(core.machine, native, source, len(case), out)
    Status(status).check("wdfdma_workload_run")
    result = read_result(out)
    if look is not None:
        look(core.machine, result)
    error = core.pending
    if error is None or isinstance(error, BugCheck):
        return result
    if isinstance(error, NoDriverError) or not isinstance(error, Exception):
        raise error
    return _tell_exception(result, error)


def _run_python(
    name: str,
    factory: Callable[[], DriverUnderTest],
    native: Any,
    case: bytes,
    begin: Callable[[Any], object] | None = None,
    look: Look | None = None,
) -> CaseResult:
    """A case on a machine of its own, which [begin] gets before it, and [look] with what came of it."""
    config = ffi.new("wdfdma_machine_config *")
    lib.wdfdma_machine_config_init(config)
    config.log_records = 0 if look is None else lib.WDFDMA_LOG_GROWS
    source = ffi.from_buffer("uint8_t[]", case) if case else NULL
    lib.wdfdma_workload_get_config(source, len(case), config)
    core = make_core(config)
    _runs.append(_Run(name, factory, core))
    try:
        if begin is not None:
            begin(core.machine)
        return _run_on(core, native, case, look)
    finally:
        _runs.pop()
        core.closed = core.halted = True
        core.machine = core.pending = core.context = None
        core.objects.clear()
        core.mdls.clear()


def make_python_driver(
    factory: Callable[[], DriverUnderTest], name: str | None = None, origin: str | None = None
) -> Driver:
    """A driver that makes an object of [factory]'s for each case. Errors: NoDriverError."""
    made: object = factory
    if not callable(made):
        what = f"a {type(factory).__name__} is no driver, and makes none: it is not callable"
        raise NoDriverError(f"{name}: {what}" if name else what)
    title = name or str(getattr(factory, "__name__", "driver"))
    native, text = _make_native(title)
    return Driver(
        title,
        native,
        origin=origin,
        runner=lambda case: _run_python(title, factory, native, case),
        watcher=lambda case, begin, look: _run_python(title, factory, native, case, begin, look),
        keep=text,
    )


def import_driver(module: str, name: str) -> Driver:
    """The driver of the class [name] in [module]. Errors: DriverError."""
    try:
        factory = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise DriverError(f"{module}:{name}: {error}") from error
    if isinstance(factory, Driver):
        return factory
    return make_python_driver(factory, f"{module}:{name}", f"{module}:{name}")
