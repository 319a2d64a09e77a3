"""What is wrong with a scenario, a clear line for each thing."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pydantic import ValidationError

# The keys whose items are steps; pydantic names the operation between the index and the key.
_STEP_KEYS = ("steps", "do")
# The forms that a value may have, which pydantic names too.
_FORMS = ("(n)", "(chance)")


class Problem(NamedTuple):
    """One thing that is wrong: the place in the scenario, such as `steps[3].length`, and what is wrong there."""

    place: str
    message: str


class ScenarioError(ValueError):
    """A scenario that cannot be run; [problems] are all that is known to be wrong with it, in [where].

    >>> print(ScenarioError([Problem("steps[3].length", "-5 is below 0")], "scenarios.jsonl:12"))
    scenarios.jsonl:12: steps[3].length: -5 is below 0
    """

    def __init__(self, problems: Sequence[Problem], where: str = "") -> None:
        self.problems = list(problems)
        self.where = where
        super().__init__("\n".join(self.lines))

    @property
    def lines(self) -> list[str]:
        """A line for each problem."""
        return [
            ": ".join(part for part in (self.where, problem.place, problem.message) if part)
            for problem in self.problems
        ]

    def __reduce__(self) -> Any:
        return type(self), (self.problems, self.where)


def list_problems(error: "ValidationError") -> list[Problem]:
    """The problems that pydantic has found, in our words."""
    return [_translate(item) for item in error.errors(include_url=False)]


def _translate(item: Any) -> Problem:
    kind, location, value, context = item["type"], item["loc"], item["input"], item.get("ctx", {})
    place = format_place(location)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        place = f"{place}.op"
        kind = "literal_error" if kind == "union_tag_invalid" else "missing"
        value = value.get("op") if isinstance(value, dict) else value
        context = {"expected": f"an operation{suggest(value, _list_operations())}"}
    shown = show(value)
    if kind == "greater_than_equal":
        message = f"{shown} is below {context['ge']}"
    elif kind == "less_than_equal":
        message = f"{shown} is above {context['le']}"
    elif kind == "missing":
        message = "is missing"
    elif kind == "extra_forbidden":
        message = "unknown key"
    elif kind == "literal_error":
        message = f"{shown} is not {context['expected'].replace(chr(39), '')}"
    elif kind == "too_short":
        message = "is empty"
    elif kind == "recursion_loop":
        message = "nested too deeply"
    else:
        message = f"{shown} is not {_KINDS.get(kind, 'valid')}"
    return Problem(place, message)


def suggest(value: Any, known: Iterable[str]) -> str:
    """What of [known] was perhaps meant, as the end of a message; empty where nothing is like it.

    >>> suggest("exexute", ["execute", "release"])
    '; did you mean execute?'
    """
    from wdfdma.arguments import list_closest

    close = list_closest(value, known) if isinstance(value, str) and len(value) < 100 else []
    return f"; did you mean {' or '.join(close)}?" if close else ""


def _list_operations() -> Iterable[str]:
    from wdfdma.operations import OPERATIONS

    return OPERATIONS


_KINDS = {
    "bool_type": "true or false",
    "dict_type": "an object",
    "int_parsing_size": "a number that can be read",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_attributes_type": "an object",
    "model_type": "an object",
    "string_type": "a string",
    "string_unicode": "a string of Unicode",
}


def format_place(location: Iterable[int | str]) -> str:
    """A location of pydantic's as one reads it.

    >>> format_place(("steps", 3, "on", "do", 1, "create", "enabler"))
    'steps[3].do[1].enabler'
    """
    place = ""
    parts = list(location)
    for at, part in enumerate(parts):
        if isinstance(part, int):
            place += f"[{part}]"
        elif _is_name_of_form(parts, at):
            continue
        else:
            place += f".{_quote_key(part)}" if place else _quote_key(part)
    return place


def _is_name_of_form(parts: list[int | str], at: int) -> bool:
    """Whether pydantic's own name for one form of what may have several stands at [at]: no place of the scenario."""
    if at < 2:
        return False
    is_step = isinstance(parts[at - 1], int) and parts[at - 2] in _STEP_KEYS
    return is_step or (parts[0] == "faults" and parts[at] in _FORMS)


def _quote_key(key: str) -> str:
    return key if key.isidentifier() else show(key)


def show(value: Any) -> str:
    """A value as JSON has it, shortened."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**30:
        return f"a number of {value.bit_length()} bits"
    import json

    try:
        text = json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        text = type(value).__name__
    return text if len(text) <= 60 else f"{text[:56]} ..."
