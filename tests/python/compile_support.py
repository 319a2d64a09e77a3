"""What the tests build in C, against the library that they run: of an installed package, or of a build folder."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from wdfdma import get_include
from wdfdma._native import PACKAGE_FOLDER

SOURCES = Path(__file__).parents[2] / "libwdfdma"


@dataclass(frozen=True)
class Toolchain:
    """What a program is built with: the compiler, the folder of the headers, the shared library."""

    compiler: str
    include: Path
    library: Path


def find_toolchain() -> Toolchain:
    """Skips the test where there is none."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or sys.platform == "win32":
        # Who only tries an installed package may have none; Windows' link in another way.
        pytest.skip("no C compiler")
    package = Path(PACKAGE_FOLDER)
    if Path(get_include()).is_dir():
        return Toolchain(compiler, Path(get_include()), package / "lib" / "libwdfdma.so")
    # A build folder has the library beside the package, and the headers are the checkout's.
    library = package.parents[1] / "libwdfdma" / "libwdfdma.so"
    return Toolchain(compiler, SOURCES / "include", library)


def build(out: Path, *sources: Path, flags: tuple[str, ...] = ()) -> Path:
    """Builds [out], a shared object if it is called so and else a program, and returns it."""
    tools = find_toolchain()
    shared = ("-shared", "-fPIC") if out.suffix == ".so" else ()
    includes = (f"-I{tools.include}", f"-I{tools.include / 'wdk'}")
    link = (tools.library, f"-Wl,-rpath,{tools.library.parent}")
    command = [tools.compiler, *shared, *flags, *includes, *sources, *link, "-o", out]
    subprocess.run(command, check=True)
    return out
