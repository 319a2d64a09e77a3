"""Views of a machine's memory that keep it in place for as long as they live."""

from typing import TYPE_CHECKING, Any

from wdfdma._core import Core
from wdfdma._native import ffi
from wdfdma.arguments import require_buffer

if TYPE_CHECKING:
    from numpy.typing import NDArray


def make_view(core: Core, address: Any, length: int) -> Any:
    """A buffer over [length] bytes of the machine; its memory stays until the last such view is gone."""
    owner = core.machine
    held = ffi.gc(ffi.cast("char *", address), lambda _: owner)
    return ffi.buffer(held, length)


def make_array(
    core: Core, address: Any, count: int, dtype: Any, *, writable: bool = False
) -> "NDArray[Any]":
    """A NumPy array over [count] items of the machine's memory, without a copy."""
    import numpy as np

    if count == 0:
        return np.empty(0, dtype)
    view = memoryview(make_view(core, address, count * np.dtype(dtype).itemsize))
    return np.frombuffer(view if writable else view.toreadonly(), dtype)


def get_bytes(data: Any) -> Any:
    """A C array over the bytes of [data], anything with a contiguous buffer."""
    return ffi.from_buffer("char[]", require_buffer("data", data))
