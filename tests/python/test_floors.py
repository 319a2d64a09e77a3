"""The floors of the C library stay apart: a call goes down, nothing goes sideways."""

import re
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parents[2] / "libwdfdma"
SOURCE = LIBRARY / "src"
PUBLIC = (LIBRARY / "include", LIBRARY / "include" / "wdk")

# Each floor with the floors whose headers it may include, besides its own. The verifier stands
# beside the hal and the framework, which ask it; explore and workload stand side by side.
FLOORS = {
    "machine": set(),
    "verifier": {"machine"},
    "hal": {"machine", "verifier"},
    "framework": {"machine", "verifier", "hal"},
    "program": {"machine", "verifier", "hal", "framework"},
    "explore": {"machine", "verifier", "hal", "framework", "program"},
    "workload": {"machine", "verifier", "hal", "framework", "program"},
}

# What a C11 implementation has; other system headers are for the platform file alone.
STANDARD = {
    "<errno.h>",
    "<limits.h>",
    "<stdalign.h>",
    "<stdarg.h>",
    "<stdatomic.h>",
    "<stdbool.h>",
    "<stddef.h>",
    "<stdint.h>",
    "<stdio.h>",
    "<stdlib.h>",
    "<string.h>",
}
PLATFORM = SOURCE / "machine" / "platform.c"

FILES = sorted(path for path in SOURCE.rglob("*") if path.suffix in {".c", ".h"})
INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]+(\"[^\"]+\"|<[^>]+>)", re.MULTILINE)


def read_includes(path: Path) -> list[str]:
    return INCLUDE.findall(path.read_text(encoding="utf-8"))


def resolve(name: str, includer: Path) -> Path | None:
    """The file that the quoted [name] means in [includer], as the compiler looks for it."""
    for folder in (includer.parent, SOURCE, *PUBLIC):
        if (folder / name).is_file():
            return (folder / name).resolve()
    return None


def find_faults(path: Path) -> list[str]:
    floor = path.relative_to(SOURCE).parts[0]
    faults = []
    for include in read_includes(path):
        if include.startswith("<"):
            if include not in STANDARD and path != PLATFORM:
                faults.append(f"{include}: only {PLATFORM.name} knows the operating system")
            continue
        target = resolve(include.strip('"'), path)
        if target is None:
            faults.append(f"{include}: no such file")
        elif target.is_relative_to(SOURCE.resolve()):
            other = target.relative_to(SOURCE.resolve()).parts[0]
            if other != floor and other not in FLOORS[floor]:
                faults.append(f"{include}: {floor} must not include from {other}")
    return faults


def test_there_are_sources() -> None:
    assert FILES


def test_every_file_is_on_a_floor() -> None:
    assert {path.relative_to(SOURCE).parts[0] for path in FILES} <= set(FLOORS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(SOURCE).as_posix())
def test_includes_go_down(path: Path) -> None:
    assert find_faults(path) == []


def test_sources_and_headers_are_listed() -> None:
    """CMake builds and installs what is listed by hand; a file left out would be a silent hole."""
    listed = set(re.findall(r"^\s*((?:src|include)/\S+\.[ch])\b", _read_cmake(), re.MULTILINE))
    sources = {path.relative_to(LIBRARY).as_posix() for path in FILES if path.suffix == ".c"}
    headers = {path.relative_to(LIBRARY).as_posix() for path in PUBLIC[0].rglob("*.h")}
    assert listed == sources | headers


def _read_cmake() -> str:
    return (LIBRARY / "CMakeLists.txt").read_text(encoding="utf-8")


def test_a_fault_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "machine").mkdir()
    (tmp_path / "hal").mkdir()
    (tmp_path / "hal" / "hal.h").write_text("")
    wrong = tmp_path / "machine" / "wrong.c"
    wrong.write_text('#include "hal/hal.h"\n#include "none.h"\n#include <unistd.h>\n')
    monkeypatch.setitem(globals(), "SOURCE", tmp_path)
    assert len(find_faults(wrong)) == 3
