"""The functions that C calls, and how each finds the Python function that it stands for."""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from wdfdma._core import Core, find_core
from wdfdma._native import ffi, lib
from wdfdma.enums import CompletionStatus, Direction
from wdfdma.objects import run_end_callback
from wdfdma.status import Status

if TYPE_CHECKING:
    from wdfdma.enabler import DmaEnabler
    from wdfdma.transaction import DmaTransaction

_DIRECTIONS = {int(direction): direction for direction in Direction}
_COMPLETIONS = {int(status): status for status in CompletionStatus}
_FAILED = int(Status.STATUS_UNSUCCESSFUL)


class Element(NamedTuple):
    """One run of consecutive logical addresses."""

    address: int
    length: int


def _catch_stray(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """An interrupt that came between C and the callback's own try."""
    names = traceback.tb_frame.f_locals if traceback is not None else {}
    try:
        core = _get_core(names.get("handle"), names.get("context"))
    except (KeyError, TypeError):
        sys.excepthook(kind, error, traceback)
    else:
        core.catch(error)


def _define(function: Any) -> Any:
    """Makes [function] the one that C calls as wdfdma_python_NAME."""
    name = f"wdfdma_python_{function.__name__}"
    ffi.def_extern(name=name, onerror=_catch_stray)(function)
    return getattr(lib, name)


def _get_core(handle: Any, context: Any) -> Core:
    """The core of the machine that calls. After a release the framework hands on no context of Execute's."""
    return ffi.from_handle(context) if context else find_core(handle)


def _find_transaction(core: Core, handle: Any) -> "DmaTransaction":
    return cast("DmaTransaction", core.objects[handle])


def _is_true(returned: Any) -> bool:
    """A callback that returns nothing has nothing against it."""
    return returned is None or bool(returned)


@_define
def program_dma(handle: Any, _device: Any, context: Any, direction: int, sg_list: Any) -> bool:
    core = _get_core(handle, context)
    transaction = _find_transaction(core, handle)
    parts = sg_list.Elements
    elements = [
        Element(parts[i].Address.QuadPart, parts[i].Length) for i in range(sg_list.NumberOfElements)
    ]
    function = transaction._program_dma
    return _is_true(core.call(function, transaction, _DIRECTIONS[direction], elements))


@_define
def reserve_dma(handle: Any, context: Any) -> None:
    core = _get_core(handle, context)
    transaction = _find_transaction(core, handle)
    core.call(transaction._reserve_dma, transaction)


@_define
def configure_dma_channel(
    handle: Any, _device: Any, context: Any, mdl: Any, offset: int, length: int
) -> bool:
    core = _get_core(handle, context)
    transaction = _find_transaction(core, handle)
    function = transaction._configure_dma_channel
    return _is_true(core.call(function, transaction, core.mdls.get(mdl), offset, length))


@_define
def dma_transfer_complete(
    handle: Any, _device: Any, context: Any, direction: int, status: int
) -> None:
    core = _get_core(handle, context)
    transaction = _find_transaction(core, handle)
    core.call(
        transaction._dma_transfer_complete,
        transaction,
        _DIRECTIONS[direction],
        _COMPLETIONS[status],
    )


def _call_enabler(handle: Any, event: str) -> int:
    core = find_core(handle)
    enabler = cast("DmaEnabler", core.objects[handle])
    status = core.call(enabler._events[event], enabler)
    if core.halted:
        return _FAILED
    return 0 if status is None else int(status)


@_define
def enabler_fill(handle: Any) -> int:
    return _call_enabler(handle, "fill")


@_define
def enabler_flush(handle: Any) -> int:
    return _call_enabler(handle, "flush")


@_define
def enabler_enable(handle: Any) -> int:
    return _call_enabler(handle, "enable")


@_define
def enabler_disable(handle: Any) -> int:
    return _call_enabler(handle, "disable")


@_define
def enabler_self_managed_io_start(handle: Any) -> int:
    return _call_enabler(handle, "self_managed_io_start")


@_define
def enabler_self_managed_io_stop(handle: Any) -> int:
    return _call_enabler(handle, "self_managed_io_stop")


@_define
def bugcheck(_machine: Any, _record: Any, context: Any) -> None:
    ffi.from_handle(context).halted = True


@_define
def object_cleanup(handle: Any) -> None:
    run_end_callback(handle, "_cleanup")


@_define
def object_destroy(handle: Any) -> None:
    run_end_callback(handle, "_destroy")
