"""Writes the C source of the extension module `wdfdma._ffi`.

    python ffi_build.py OUT.c HEADER...

The public headers are the only place where a type, a constant or a function is spelled: what stands
between `cffi: begin` and `cffi: end` becomes CFFI's declarations, and so does every macro that is a
plain number. The headers come in the order in which they include one another.
"""

import re
import sys
from pathlib import Path

from cffi import FFI

BLOCK = re.compile(r"/\* cffi: begin \*/(.*?)/\* cffi: end \*/", re.DOTALL)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
ENUM = re.compile(r"\benum\b[^{;]*\{[^}]*\}")
COMPUTED = re.compile(r"=(?!\s*-?(?:0[xX][0-9a-fA-F]+|\d+)\s*[,}\n])[^,}]+?(?=\s*[,}])")
NUMBER_MACRO = re.compile(
    r"^#define[ ]+([A-Za-z]\w*)[ ]+"
    r"(?:\(\(NTSTATUS\)0x[0-9A-Fa-f]+L?\)|0[xX][0-9A-Fa-f]+[uUlL]*|\d+[uUlL]*|UINT(?:32|64)_MAX)"
    r"[ ]*(?:/\*.*)?$",
    re.MULTILINE,
)

# The functions of Python's that C calls, each with the type of the callback that it is.
CALLBACKS = {
    "program_dma": "EVT_WDF_PROGRAM_DMA",
    "reserve_dma": "EVT_WDF_RESERVE_DMA",
    "configure_dma_channel": "EVT_WDF_DMA_TRANSACTION_CONFIGURE_DMA_CHANNEL",
    "dma_transfer_complete": "EVT_WDF_DMA_TRANSACTION_DMA_TRANSFER_COMPLETE",
    "enabler_fill": "EVT_WDF_DMA_ENABLER_FILL",
    "enabler_flush": "EVT_WDF_DMA_ENABLER_FLUSH",
    "enabler_enable": "EVT_WDF_DMA_ENABLER_ENABLE",
    "enabler_disable": "EVT_WDF_DMA_ENABLER_DISABLE",
    "enabler_self_managed_io_start": "EVT_WDF_DMA_ENABLER_SELFMANAGED_IO_START",
    "enabler_self_managed_io_stop": "EVT_WDF_DMA_ENABLER_SELFMANAGED_IO_STOP",
    "object_cleanup": "EVT_WDF_OBJECT_CONTEXT_CLEANUP",
    "object_destroy": "EVT_WDF_OBJECT_CONTEXT_DESTROY",
    "bugcheck": "wdfdma_bugcheck_handler",
    "name_site": "wdfdma_site_source",
    "driver_add_device": "wdfdma_driver_add",
    "driver_start_request": "wdfdma_driver_take",
    "driver_cancel_request": "wdfdma_driver_take",
    "driver_interrupt": "wdfdma_driver_tell",
    "driver_remove_device": "wdfdma_driver_tell",
    "run_case": "wdfdma_case_runner",
}

# The version comes from the build, which has it from pyproject.toml.
VERSION_DECLARATION = "static char *const WDFDMA_PACKAGE_VERSION;\n"


def read_declarations(text: str) -> str:
    """The declarations of one header, in a form that CFFI parses."""
    blocks = COMMENT.sub("", "\n".join(BLOCK.findall(text)))
    blocks = re.sub(r"\bWDFDMA_API\s+", "", blocks)
    blocks = re.sub(r"\bVOID\b", "void", blocks)
    # CFFI reads numbers only; the C compiler fills in what a header computes.
    return ENUM.sub(lambda enum: COMPUTED.sub("= ...", enum[0]), blocks)


def read_constants(text: str) -> str:
    """The macros of one header that are plain numbers."""
    return "".join(f"#define {name} ...\n" for name in NUMBER_MACRO.findall(text))


def declare_callback(name: str, type_name: str, declarations: str) -> str:
    """An `extern "Python"` function with the signature of the typedef [type_name]."""
    typedef = re.search(
        rf"\btypedef\s+([\w\s]+?)\s*(?:\(\s*\*?\s*{type_name}\s*\)|\b{type_name})\s*\(([^)]*)\)\s*;",
        declarations,
    )
    if typedef is None:
        raise SystemExit(f"ffi_build.py: the headers have no function type {type_name}")
    result, parameters = (" ".join(part.split()) for part in typedef.groups())
    return f"{result} wdfdma_python_{name}({parameters});"


def make_ffi(headers: list[Path]) -> FFI:
    """The FFI of all [headers]."""
    texts = [header.read_text(encoding="utf-8") for header in headers]
    declarations = "\n".join(read_declarations(text) for text in texts)
    constants = "".join(read_constants(text) for text in texts)
    callbacks = "\n".join(
        declare_callback(name, type_name, declarations) for name, type_name in CALLBACKS.items()
    )
    ffi = FFI()
    ffi.cdef(declarations + constants + VERSION_DECLARATION)
    ffi.cdef(f'extern "Python" {{\n{callbacks}\n}}\n')
    ffi.set_source("wdfdma._ffi", '#include "wdfdma.h"\n')
    return ffi


def main(arguments: list[str]) -> None:
    """Writes the source for the command line [arguments]."""
    if len(arguments) < 2:
        raise SystemExit("usage: python ffi_build.py OUT.c HEADER...")
    make_ffi([Path(header) for header in arguments[1:]]).emit_c_code(arguments[0])


if __name__ == "__main__":
    main(sys.argv[1:])
