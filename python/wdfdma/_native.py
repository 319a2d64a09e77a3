"""The one door to C: everything else takes `ffi` and `lib` from here."""

import os.path
from typing import Any

import wdfdma._ffi as _ffi

ffi: Any = _ffi.ffi
lib: Any = _ffi.lib

NULL = ffi.NULL

# Where the built files lie; in an editable install the Python sources are somewhere else.
PACKAGE_FOLDER = os.path.dirname(_ffi.__file__)


def read_string(chars: Any) -> str:
    """The text that a pointer of C's leads to."""
    return str(ffi.string(chars).decode())


VERSION = read_string(lib.WDFDMA_PACKAGE_VERSION)


def get_include() -> str:
    """The folder with `wdfdma.h`; `wdk`, inside it, has `wdf.h`.

    >>> os.path.basename(get_include())
    'include'
    """
    return os.path.join(PACKAGE_FOLDER, "include")


def get_cmake_dir() -> str:
    """The folder for `wdfdma_DIR`: with it, CMake's `find_package(wdfdma)` finds this library.

    >>> os.path.basename(get_cmake_dir())
    'wdfdma'
    """
    return os.path.join(PACKAGE_FOLDER, "lib", "cmake", "wdfdma")
