"""docs/testing.md has a row for every argument of every strategy, and what stands there is what the calls take."""

import re
from collections.abc import Callable
from inspect import isfunction, signature
from pathlib import Path
from typing import Any

import pytest
from hypothesis.strategies import SearchStrategy

from wdfdma import testing

PAGE = Path(__file__).parents[2] / "docs" / "testing.md"
HEAD = "| argument | of | takes | default |\n"
HUGE = 10**30
POWERS = {2**32 - 1: "2^32 - 1", 2**40 - 1: "2^40 - 1"}
NAMES = [name for name in testing.__all__ if isfunction(getattr(testing, name))]
STRATEGIES = [name for name in NAMES if name != "transaction_rule"]
ARGUMENTS = [
    (name, key) for name in STRATEGIES for key in signature(getattr(testing, name)).parameters
]


def read_rows() -> dict[tuple[str, str], tuple[str, str]]:
    """What an argument takes and its default, by strategy and argument."""
    table = PAGE.read_text(encoding="utf-8").split(HEAD)[1].split("\n\n")[0]
    rows = {}
    for line in table.splitlines()[1:]:
        arguments, strategies, takes, default = line.strip("| ").split(" | ")
        for strategy in re.findall(r"\w+", strategies):
            for argument in re.findall(r"\w+", arguments):
                rows[strategy, argument] = takes, default
    return rows


def refuse(make: Callable[..., Any], argument: str, value: object) -> str:
    """What the strategy says of a value that no argument takes."""
    with pytest.raises((TypeError, ValueError)) as caught:
        make(**{argument: value})
    return str(caught.value)


def describe(make: Callable[..., Any], argument: str) -> str:
    """How the page begins on it, found out by calls."""
    said = refuse(make, argument, object())
    if "whole number" in said:
        ends = (refuse(make, argument, value).split()[-1] for value in (-HUGE, HUGE))
        return " to ".join(POWERS.get(int(end), f"{int(end):,}") for end in ends)
    if "neither True nor False" in said:
        return "True or False"
    if SearchStrategy.__name__ in said:
        return "a strategy"
    is_one = "is no str" in said
    names = refuse(make, argument, "?" if is_one else ["?"]).split(" is none of ")[1].split(", ")
    return ("one of " if is_one else "one or more of ") + ", ".join(f"`{name}`" for name in names)


def test_the_table_has_every_argument() -> None:
    assert len(ARGUMENTS) > 15
    assert set(read_rows()) == set(ARGUMENTS)


@pytest.mark.parametrize(("name", "argument"), ARGUMENTS)
def test_an_argument_takes_what_the_table_says(name: str, argument: str) -> None:
    make = getattr(testing, name)
    takes, default = read_rows()[name, argument]
    begin = describe(make, argument)
    assert re.fullmatch(rf"{re.escape(begin)}(, or None)?(: .*)?", takes), begin
    if ", or None" in takes:
        make(**{argument: None})
    else:
        refuse(make, argument, None)
    if default.startswith("`"):
        assert default == f"`{signature(make).parameters[argument].default}`"
