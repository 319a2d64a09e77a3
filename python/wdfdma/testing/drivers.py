"""Drivers under test: those that ship, shared objects, and classes of Python; a case for one of them.

>>> result = run_case(get_driver("packet/offset-not-advanced"), bytes([0, 3, 0, 0, 0, 0, 0, 0, 0, 48]))
>>> print(result)
wrong data, at the end: byte 12288 of 12289
"""

import ctypes
import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from wdfdma._native import NULL, PACKAGE_FOLDER, ffi, lib, read_string
from wdfdma.status import Status
from wdfdma.testing.cases import CaseResult, read_result

if TYPE_CHECKING:
    from wdfdma.device import Device
    from wdfdma.testing.python_drivers import DriverRequest, Hardware

_SHIPPED_NAMES = ("lib/libwdfdma_drivers.so", "lib/libwdfdma_drivers.dylib", "wdfdma_drivers.dll")
_SHIPPED = "wdfdma"


class DriverUnderTest(Protocol):
    """A driver's DMA logic in Python: one object for each device. docs/drivers.md says when each is called."""

    def add_device(self, device: "Device", hardware: "Hardware", /) -> object:
        """Makes enablers and transactions. A status that is a failure ends the case as one."""

    def start_request(self, request: "DriverRequest", /) -> None:
        """[request], a read or a write, is the driver's until it completes it."""

    def cancel_request(self, request: "DriverRequest", /) -> None:
        """Asks for an early end of [request], which the driver completes, sooner or later."""

    def interrupt(self) -> None:
        """Of the device, at DISPATCH_LEVEL."""

    def remove_device(self) -> None:
        """All requests are completed; what the driver made goes by itself."""


Begin = Callable[[Any], object]
Look = Callable[[Any, CaseResult], object]


class DriverError(Exception):
    """A driver that cannot be had: no such file or name, or an object that is none."""


class NoDriverError(DriverError, TypeError):
    """An object of Python that is no driver."""


class Driver:
    """A driver as a workload takes it. [name] names it, [fault] is the bug of one that is faulty on purpose.

    [origin] is what `load_driver` or `get_driver` take it from again, in another process too; None for a class.
    """

    __slots__ = ("_keep", "_runner", "_watcher", "fault", "name", "native", "origin")

    def __init__(
        self,
        name: str,
        native: Any,
        *,
        fault: str | None = None,
        origin: str | None = None,
        runner: Callable[[bytes], CaseResult] | None = None,
        watcher: Callable[[bytes, Begin, Look], CaseResult] | None = None,
        keep: object = None,
    ) -> None:
        self.name = name
        self.fault = fault
        self.native = native
        self.origin = origin
        self._runner = runner
        self._watcher = watcher
        self._keep = keep

    def __repr__(self) -> str:
        return f"<Driver {self.name}>"

    def run(self, case: bytes) -> CaseResult:
        """Puts the driver through [case]. Errors: StatusError without memory."""
        if self._runner is not None:
            return self._runner(case)
        out = ffi.new("wdfdma_workload_result *")
        source = ffi.from_buffer("uint8_t[]", case) if case else NULL
        status = lib.wdfdma_workload_run_case(self.native, source, len(case), out)
        Status(status).check("wdfdma_workload_run_case")
        return read_result(out)

    def watch(self, case: bytes, begin: Begin, look: Look) -> CaseResult:
        """The same on a machine of C's, with a log, that [begin] gets before, and [look] with its result after it."""
        if self._watcher is not None:
            return self._watcher(case, begin, look)
        config = ffi.new("wdfdma_machine_config *")
        lib.wdfdma_machine_config_init(config)
        source = ffi.from_buffer("uint8_t[]", case) if case else NULL
        config.log_records = lib.WDFDMA_LOG_GROWS
        lib.wdfdma_workload_get_config(source, len(case), config)
        made = ffi.new("wdfdma_machine **")
        Status(lib.wdfdma_machine_create(config, made)).check("wdfdma_machine_create")
        try:
            begin(made[0])
            out = ffi.new("wdfdma_workload_result *")
            status = lib.wdfdma_workload_run(made[0], self.native, source, len(case), out)
            Status(status).check("wdfdma_workload_run")
            result = read_result(out)
            look(made[0], result)
            return result
        finally:
            lib.wdfdma_machine_destroy(made[0])

    @property
    def is_native(self) -> bool:
        """True for a driver in C, whose cases the library runs without Python."""
        return self._runner is None


def _read_driver(native: Any, origin: str, keep: object) -> Driver:
    if native.size != ffi.sizeof("wdfdma_driver"):
        raise DriverError(f"{origin}: made for another version of wdfdma/driver.h")
    fault = None if native.fault == NULL else read_string(native.fault)
    name = read_string(native.name)
    return Driver(name, native, fault=fault, origin=f"{origin}:{name}", keep=keep)


def _read_drivers(path: str, origin: str) -> Iterator[Driver]:
    try:
        library = ctypes.CDLL(path)
        getter = library.wdfdma_driver_get
    except OSError as error:
        raise DriverError(f"{origin}: {error}") from error
    except AttributeError as error:
        raise DriverError(f"{origin}: it exports no wdfdma_driver_get") from error
    getter.restype = ctypes.c_void_p
    getter.argtypes = (ctypes.c_uint32,)
    index = 0
    while (address := getter(index)) is not None:
        yield _read_driver(ffi.cast("const wdfdma_driver *", address), origin, library)
        index += 1


@cache
def list_drivers() -> tuple[Driver, ...]:
    """The drivers that ship: the correct ones (no `fault`) and the faulty ones. Errors: DriverError."""
    for name in _SHIPPED_NAMES:
        path = Path(PACKAGE_FOLDER) / name
        if path.exists():
            return tuple(_read_drivers(str(path), _SHIPPED))
    raise DriverError("the shipped drivers are not installed")


def get_driver(name: str) -> Driver:
    """A driver that ships, by its name. Errors: DriverError.

    >>> get_driver("packet")
    <Driver packet>
    """
    for driver in list_drivers():
        if driver.name == name:
            return driver
    raise DriverError(f"{name}: no driver that ships; there are {_list_names(list_drivers())}")


def _list_names(drivers: tuple[Driver, ...]) -> str:
    return ", ".join(driver.name for driver in drivers)


def load_drivers(path: str | os.PathLike[str]) -> tuple[Driver, ...]:
    """All drivers that the shared object in [path] exports. Errors: DriverError."""
    where = Path(path)
    if not where.is_file():
        raise DriverError(f"{path}: no such file")
    drivers = tuple(_read_drivers(str(where.resolve()), str(where)))
    if not drivers:
        raise DriverError(f"{path}: it has no drivers")
    return drivers


def load_driver(path: str | os.PathLike[str], name: str | None = None) -> Driver:
    """The driver [name] of the shared object in [path], or its first. Errors: DriverError."""
    drivers = load_drivers(path)
    for driver in drivers:
        if name is None or driver.name == name:
            return driver
    raise DriverError(f"{path}: no driver {name}; there are {_list_names(drivers)}")


def find_driver(origin: str) -> Driver:
    """What [origin] names: a driver that ships, PATH or PATH:NAME of a shared object, module:Class.

    Errors: DriverError.
    """
    path, _, name = origin.rpartition(":")
    if origin.startswith(f"{_SHIPPED}:"):
        return get_driver(name)
    if Path(origin).is_file():
        return load_driver(origin)
    if path and Path(path).is_file():
        return load_driver(path, name)
    if _is_path(origin):
        raise DriverError(f"{origin}: no such file")
    if path and "/" not in origin and os.sep not in origin:
        from wdfdma.testing.python_drivers import import_driver

        return import_driver(path, name)
    return get_driver(origin)


def _is_path(origin: str) -> bool:
    """Whether [origin] is meant for a file: no driver that ships has such a name."""
    name, _, _ = origin.partition(":")
    return origin.startswith((".", "/", "~")) or Path(name).suffix in (".so", ".dylib", ".dll")


def find_origin(driver: Driver) -> str:
    """What another process on this machine finds [driver] by. Errors: ValueError where none can."""
    if driver.origin is None:
        raise ValueError(f"{driver.name}: another process cannot find it; give it as module:Class")
    path, _, name = driver.origin.rpartition(":")
    is_file = not driver.origin.startswith(f"{_SHIPPED}:") and Path(path).is_file()
    return f"{Path(path).absolute()}:{name}" if is_file else driver.origin


def make_driver(factory: "Callable[[], DriverUnderTest] | Driver | str") -> Driver:
    """A driver of [factory], which makes one object of Python for each case.

    A Driver stays as it is; a name is what `find_driver` takes. Errors: DriverError, NoDriverError.
    """
    if isinstance(factory, Driver):
        return factory
    if isinstance(factory, str):
        return find_driver(factory)
    from wdfdma.testing.python_drivers import make_python_driver

    return make_python_driver(factory)


def run_case(driver: "Callable[[], DriverUnderTest] | Driver | str", case: bytes) -> CaseResult:
    """Puts [driver] through [case]: any bytes. Errors: StatusError without memory."""
    return make_driver(driver).run(case)
