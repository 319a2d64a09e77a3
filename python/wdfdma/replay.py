"""The line that does again what is done now: a test, a script, a command. Where there is none, what is true instead.

It is found when it is asked for, in the process that ran into the record.
"""

import os
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

_STAGE = re.compile(r" \((setup|call|teardown)\)$")
# Options of the interpreter that have their value in the next argument.
_WITH_VALUE = ("-X", "-W", "--check-hash-based-pycs")

# What the test that runs needs beside its name, as the pytest plugin has it.
_test_arguments: list[str] = []


def set_test_arguments(arguments: Sequence[str]) -> None:
    """Sets what `find_command` adds to the line of a test of pytest: options without which it does something else."""
    _test_arguments[:] = arguments


def find_scenario_command(scenario: str) -> str:
    """The line that runs a scenario: a file, or FILE:NUMBER for one of its lines.

    >>> find_scenario_command("my drivers.jsonl:3")
    "wdfdma run 'my drivers.jsonl:3'"
    """
    if scenario.startswith("<stdin>"):
        return "wdfdma run -, with the same standard input"
    name = shorten_path(scenario)
    return shlex.join(["wdfdma", "run", f"./{name}" if name.startswith("-") else name])


def find_command() -> str:
    """The line that runs this process's work again, to be typed in the folder that it is in now; or prose."""
    return _find_test() or _describe_prompt() or _find_program() or "the same program again"


def shorten_path(path: str) -> str:
    """An absolute path as one from the folder that the process is in, where there is one."""
    if not Path(path).is_absolute():
        return path
    try:
        return os.path.relpath(path)
    except (OSError, ValueError):  # no such folder any more; another drive
        return path


def _find_test() -> str:
    """The test of pytest that runs; a child that a test starts is no test."""
    current = os.environ.get("PYTEST_CURRENT_TEST", "")
    if not current or "pytest" not in sys.modules:
        return ""
    path, mark, name = _STAGE.sub("", current).partition("::")
    return shlex.join(
        ["python", "-m", "pytest", f"{_locate_test(path)}{mark}{name}", *_test_arguments]
    )


def _locate_test(path: str) -> str:
    """A test's file, which pytest names from its own root, from here."""
    if Path(path).exists():
        return path
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None) or ""
        if file.replace(os.sep, "/").endswith(f"/{path}"):
            return shorten_path(file)
    return path


def _describe_prompt() -> str:
    """Where calls are typed, no line has them all."""
    shell = sys.modules.get("IPython")
    if shell is not None and shell.get_ipython() is not None:
        where = "cells" if "ipykernel" in sys.modules else "inputs"
        return f"the same {where} again, from the one that makes the machine on"
    return "the same calls again at the prompt" if hasattr(sys, "ps1") else ""


def _find_program() -> str:
    arguments = list(sys.orig_argv)
    at = 1
    while at < len(arguments) and arguments[at].startswith("-") and arguments[at] != "-":
        option = arguments[at]
        if option[1] not in "-XW" and ("c" in option or "m" in option):
            return shlex.join(["python", *arguments[1:]])  # -c CODE, -m MODULE
        at += 2 if option in _WITH_VALUE else 1
    if at >= len(arguments) or arguments[at] == "-":
        return "the same program again, by the standard input" if arguments else ""
    return shlex.join(_make_script_line(arguments, at))


def _make_script_line(arguments: list[str], at: int) -> list[str]:
    """The line with the script at its place: by its name alone where that is a command."""
    script, rest = arguments[at], arguments[at + 1 :]
    name = Path(script).name
    found = shutil.which(name)
    if found and Path(script).is_absolute() and Path(found).resolve() == Path(script).resolve():
        return [name, *rest]
    if not Path(script).exists():  # the process has gone to another folder since
        script = getattr(sys.modules.get("__main__"), "__file__", None) or script
    return ["python", *arguments[1:at], shorten_path(script), *rest]
