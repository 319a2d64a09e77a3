"""The log of a machine as a NumPy array over its memory."""

from typing import TYPE_CHECKING, Any

from wdfdma._core import Core
from wdfdma._native import ffi, lib
from wdfdma.memory import make_array, make_view
from wdfdma.status import Status

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_RECORD = ffi.typeof("wdfdma_log_record")


def make_dtype() -> "np.dtype[Any]":
    """The NumPy type of a log record, with the fields of the header.

    >>> make_dtype()["values"].shape, make_dtype().itemsize
    ((5,), 64)
    """
    import numpy as np

    names, formats, offsets = [], [], []
    for name, field in _RECORD.fields:
        item, shape = field.type, tuple[int, ...]()
        if item.kind == "array":
            item, shape = item.item, (item.length,)
        sign = "i" if item.cname.startswith("int") else "u"
        names.append(name)
        formats.append((f"{sign}{ffi.sizeof(item)}", shape))
        offsets.append(field.offset)
    return np.dtype(
        {"names": names, "formats": formats, "offsets": offsets, "itemsize": ffi.sizeof(_RECORD)}
    )


def _get_view(core: Core) -> Any:
    view = ffi.new("wdfdma_log_view *")
    Status(lib.wdfdma_log_get_view(core.get_machine(), view)).check("wdfdma_log_get_view")
    return view


def make_log_array(core: Core) -> "NDArray[Any]":
    """The records, oldest first. Without a copy, unless a ring has wrapped."""
    import numpy as np

    view, dtype = _get_view(core), make_dtype()
    array = make_array(core, view.first, view.first_count, dtype)
    if view.second_count == 0:
        return array
    return np.concatenate([array, make_array(core, view.second, view.second_count, dtype)])


def copy_log(core: Core) -> bytes:
    """The bytes of the records, oldest first."""
    view = _get_view(core)
    size = ffi.sizeof(_RECORD)
    first = make_view(core, view.first, view.first_count * size)
    return bytes(first) + bytes(make_view(core, view.second, view.second_count * size))


def count_lost(core: Core) -> int:
    """How many records a ring has overwritten, or found no memory."""
    return int(_get_view(core).lost)


class MachineLog:
    """The part of a `Machine` that is about its log."""

    __slots__ = ()
    _core: Core

    @property
    def log(self) -> "NDArray[Any]":
        """The records of the log, oldest first: an array with the fields of wdfdma_log_record.

        It lies over the machine's memory (a ring that has wrapped is copied) and may outlive the machine.
        """
        return make_log_array(self._core)

    @property
    def log_lost(self) -> int:
        """How many records a ring has overwritten."""
        return count_lost(self._core)

    def log_records(self) -> list[dict[str, Any]]:
        """The log as a scenario shows it."""
        from wdfdma.records import render_log

        return render_log(copy_log(self._core))

    def format_log(self) -> str:
        """The log for reading, a line for each record."""
        from wdfdma.records import format_record

        return "\n".join(format_record(record) for record in self.log_records())
