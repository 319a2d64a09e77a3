"""A machine of C's with its settings."""

import gc
from typing import Any

from wdfdma._core import Core
from wdfdma._native import ffi, lib
from wdfdma.arguments import SIZE, require_number
from wdfdma.collecting import attach_collecting
from wdfdma.status import Status


def count_records(log: bool | int | str) -> int:
    """What the setting [log] of a machine stands for. Errors: TypeError, ValueError."""
    if log == "grow" or log is True:
        return int(lib.WDFDMA_LOG_GROWS)
    if log is False:
        return 0
    if isinstance(log, str):
        raise ValueError(f'log: {log!r} is not False, a number of records, or "grow"')
    return require_number("log", log, 0, SIZE)


def make_core(config: Any) -> Core:
    """A machine with these settings; once more if address space was short and garbage held some."""
    core = Core()
    config.handler = lib.wdfdma_python_bugcheck
    config.handler_context = core.context
    out = ffi.new("wdfdma_machine **")
    status = Status(lib.wdfdma_machine_create(config, out))
    if status == Status.STATUS_INSUFFICIENT_RESOURCES:
        gc.collect()
        status = Status(lib.wdfdma_machine_create(config, out))
    status.check("wdfdma_machine_create")
    core.adopt(out[0])
    core.coverage = attach_collecting(out[0])
    return core
