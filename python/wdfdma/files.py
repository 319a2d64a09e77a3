"""Scenario files: how they are read, and written in one piece."""

import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from wdfdma.problems import Problem, ScenarioError, show

STDIN = Path("-")


def split_number(name: str) -> tuple[Path, int | None]:
    """The file that [name] names and, where it is FILE:NUMBER, the line; a file of that very name goes first.

    >>> split_number("driver.jsonl:3")[1]
    3
    """
    path = Path(name)
    before, _, after = name.rpartition(":")
    is_number = after.isascii() and after.isdigit() and len(after) < 20
    if before and is_number and not path.exists():
        return Path(before), int(after)
    return path, None


def read_line(path: Path, number: int) -> tuple[str, Any]:
    """The JSON value in line [number], counted from 1, of a .jsonl file, and where it stands.

    The other lines are not looked at. Errors: ScenarioError, OSError.
    """
    if path.is_dir():
        raise ScenarioError([Problem("", "a folder, not a scenario")], str(path))
    found = next(read_values(path, number), None)
    if found is None:
        where = f"{'<stdin>' if path == STDIN else path}:{number}"
        raise ScenarioError([Problem("", "there is no scenario in this line")], where)
    return found


def read_values(path: Path, number: int | None = None) -> Iterator[tuple[str, Any]]:
    """The JSON values in a file, each with where it stands. Errors: ScenarioError, OSError.

    With [number], only the one in this line, if there is one.
    """
    if path == STDIN:
        where, data = "<stdin>", sys.stdin.buffer.read()
    else:
        where, data = str(path), path.read_bytes()
    text = _decode(data, where)
    if path.suffix == ".json" or (path == STDIN and number is None and _is_one_value(text)):
        if number is None:
            yield where, parse_json(text, where)
    elif path.suffix == ".jsonl" or path == STDIN:
        for place, line in enumerate(text.split("\n"), 1):
            if line.strip() and number in (None, place):
                yield f"{where}:{place}", parse_json(line, f"{where}:{place}")
    else:
        raise ScenarioError([Problem("", "neither .json nor .jsonl")], where)


def _decode(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"not UTF-8: byte 0x{data[error.start]:02X} in line {line}"
        raise ScenarioError([Problem("", message)], where) from None


def _is_one_value(text: str) -> bool:
    """False where the first line is a value of its own and more follow."""
    first, _, rest = text.strip().partition("\n")
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return True
    return not rest


def parse_json(text: str, where: str) -> Any:
    """The JSON value [text]. Errors: ScenarioError, also for a key that stands twice and for NaN.

    >>> parse_json('{"a": 1, "a": 2}', "x.json")
    Traceback (most recent call last):
        ...
    wdfdma.problems.ScenarioError: x.json: not JSON: the key "a" stands twice in an object
    """
    try:
        return json.loads(text, object_pairs_hook=_make_object, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        message = f"{error.msg.removesuffix(' at')} at {place if error.lineno > 1 else f'column {error.colno}'}"
    except RecursionError:
        message = "nested too deeply"
    except ValueError as error:
        message = str(error).partition(";")[0]
    raise ScenarioError([Problem("", f"not JSON: {message}")], where)


def _make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {show(twice)} stands twice in an object")
    return made


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number of JSON")


def list_files(path: Path) -> list[Path]:
    """The scenario files that an argument names: itself, or those in a folder. Errors: ScenarioError."""
    if not path.is_dir():
        return [path]
    found = sorted(item for item in path.iterdir() if item.suffix in (".json", ".jsonl"))
    if not found:
        raise ScenarioError([Problem("", "no .json and no .jsonl in this folder")], str(path))
    return found


class SeenFiles:
    """The files, and the lines of files, that were named so far; [names] as they were given."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._numbers: dict[Path, set[int | None]] = {}

    def add(self, path: Path, number: int | None = None) -> None:
        """Notes a file, or one line of it. Errors: ScenarioError for what was named before, in part or as a whole."""
        identity = path if path == STDIN else path.resolve()
        numbers = self._numbers.setdefault(identity, set())
        whole = number is None or path == STDIN or None in numbers
        name = str(path) if number is None else f"{path}:{number}"
        if number in numbers or (numbers and whole):
            raise ScenarioError([Problem("", "given twice")], name)
        numbers.add(number)
        self.names.append(name)


def dump_json(value: Any, indent: int | None = None) -> str:
    """[value] as JSON, without spaces unless indented."""
    separators = (",", ":") if indent is None else None
    return json.dumps(value, ensure_ascii=False, separators=separators, indent=indent)


def write_file(path: Path, lines: Iterable[str]) -> None:
    """Writes a file all at once: it has its old content until it has all of the new. Errors: OSError."""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:  # it names the file that was to become this one
        raise OSError(error.errno, error.strerror, str(path)) from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogatepass", newline="\n") as file:
            file.writelines(f"{line}\n" for line in lines)
        Path(temporary).chmod(_get_mode(path))
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _get_mode(path: Path) -> int:
    """The permissions of the file that is replaced, or those of a new one."""
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
