"""A driver in C that crashes, built for the tests of who runs it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wdfdma import get_include
from wdfdma._native import PACKAGE_FOLDER

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "libwdfdma" / "drivers"


def build_crashing(folder: Path) -> Path:
    """The shared object of crashing_driver.c, with what it takes of the shipped drivers."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform == "win32":
        pytest.skip("no C compiler")
    library = Path(PACKAGE_FOLDER) / "lib" / "libwdfdma.so"
    include = Path(get_include())
    if not include.is_dir():  # a build folder: the library's own is beside it
        include = ROOT / "libwdfdma" / "include"
        library = Path(PACKAGE_FOLDER).parents[1] / "libwdfdma" / "libwdfdma.so"
    out = folder / "crashing.so"
    flags = ["-shared", "-fPIC", f"-I{include}", f"-I{include / 'wdk'}", f"-I{SOURCES}"]
    shipped = [path for path in sorted(SOURCES.glob("*.c")) if path.name != "table.c"]
    sources = [Path(__file__).with_name("crashing_driver.c"), *shipped]
    command = [compiler, *flags, "-o", str(out), *map(str, sources), str(library)]
    subprocess.run(command, check=True)
    return out
