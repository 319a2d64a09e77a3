"""Files of coverage: each is what one run or one worker counted, and a folder is their sum."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from wdfdma.coverage import Cell, Coverage, merge_all
from wdfdma.files import dump_json, parse_json
from wdfdma.problems import ScenarioError, show

FORMAT = "wdfdma-coverage/1"
SUFFIX = ".coverage.json"
_MOST = 2**64 - 1
_KEYS = {"format", "cells", "goals"}
_PARTS = 4  # of a cell: three names and a count


class CoverageError(Exception):
    """A file that is not what `Coverage.save` wrote; its message has the file and the reason."""


def format_coverage(coverage: Coverage) -> str:
    """The content of a file: the same for the same counts, a line for each."""
    cells = [dump_json([*key, number]) for key, number in sorted(coverage.cells.items())]
    goals = [
        f"{dump_json(name)}:{number}" for name, number in sorted(coverage.goals.items()) if number
    ]
    goals += [
        f"{dump_json(name)}:0"
        for name in sorted(set(coverage.goals) - set(Coverage().goals))
        if not coverage.goals[name]
    ]
    parts = [
        f'{{"format":"{FORMAT}"',
        '"cells":[\n' + ",\n".join(cells) + "]",
        '"goals":{\n' + ",\n".join(goals) + "}}",
    ]
    return ",\n".join(parts) + "\n"


def save_coverage(coverage: Coverage, folder: str | Path) -> Path:
    """As `Coverage.save`. The file's name comes from what is in it; a number tells apart those with the same."""
    where = Path(folder)
    where.mkdir(parents=True, exist_ok=True)
    data = format_coverage(coverage).encode()
    stem = hashlib.sha256(data).hexdigest()[:16]
    handle, name = tempfile.mkstemp(dir=where, prefix=".coverage.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        for number in count(1):
            path = where / f"{stem}{'' if number == 1 else f'-{number}'}{SUFFIX}"
            if _take_name(temporary, path):
                return path
        raise AssertionError
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


def _take_name(temporary: Path, path: Path) -> bool:
    """Gives a whole file its name; False where another one has it."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        return False
    except (
        OSError
    ):  # no links here: between the look and the move another process may take the name
        if path.exists():
            return False
        temporary.replace(path)
    path.chmod(0o644)
    return True


def load_coverage(path: str | Path) -> Coverage:
    """As `Coverage.load`: one file, or the sum of a folder's."""
    where = Path(path)
    if not where.is_dir():
        return _read_file(where)
    return merge_all(_read_file(file) for file in _list_files(where))


def _list_files(folder: Path) -> Iterator[Path]:
    found = sorted(item for item in folder.iterdir() if item.name.endswith(SUFFIX))
    if not found:
        raise CoverageError(f"{folder}: no {SUFFIX} in this folder")
    yield from found


def _read_file(path: Path) -> Coverage:
    data = path.read_bytes()
    try:
        return parse_coverage(data.decode())
    except UnicodeDecodeError as error:
        raise CoverageError(f"{path}: not UTF-8: byte {error.start}") from None
    except ValueError as error:
        raise CoverageError(f"{path}: {error}") from None


def parse_coverage(text: str) -> Coverage:
    """What a file with this content holds. Errors: ValueError with the first thing that is wrong."""
    try:
        value = parse_json(text, "")
    except ScenarioError as error:
        raise ValueError(error.lines[0].removeprefix(": ")) from None
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        found = show(value.get("format")) if isinstance(value, dict) else "no object"
        raise ValueError(f"not coverage of the format {FORMAT}: {found}")
    if set(value) != _KEYS:
        raise ValueError(f"it has not the keys {', '.join(sorted(_KEYS))}")
    return Coverage(_read_cells(value["cells"]), _read_goals(value["goals"]))


def _read_cells(value: Any) -> dict[Cell, int]:
    if not isinstance(value, list):
        raise ValueError("cells: not a list")
    cells: dict[Cell, int] = {}
    for place, item in enumerate(value):
        where = f"cells[{place}]"
        if not isinstance(item, list) or len(item) != _PARTS:
            raise ValueError(f"{where}: not three names and a count")
        if not all(isinstance(name, str) and name for name in item[:3]):
            raise ValueError(f"{where}: {show(item)} has a name that is none")
        key = (item[0], item[1], item[2])
        if key in cells:
            raise ValueError(f"{where}: {show(item)} stands twice")
        cells[key] = _read_count(where, item[3], 1)
    return cells


def _read_goals(value: Any) -> dict[str, int]:
    if not isinstance(value, dict):
        raise ValueError("goals: not an object")
    return {name: _read_count(f"goals.{name}", number, 0) for name, number in value.items()}


def _read_count(where: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _MOST:
        raise ValueError(f"{where}: {show(value)} is no count")
    return value
