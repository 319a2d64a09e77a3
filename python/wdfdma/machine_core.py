"""A machine of C's with its settings."""

import gc
from typing import Any

from wdfdma._core import Core
from wdfdma._native import ffi, lib
from wdfdma.status import Status


def count_records(log: bool | int | str) -> int:
    """What the setting [log] of a machine stands for. Errors: ValueError."""
    if log == "grow" or log is True:
        return int(lib.WDFDMA_LOG_GROWS)
    if isinstance(log, int):
        return int(log)
    raise ValueError(f'log is {log!r}, not False, a number of records, or "grow"')


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
    return core
