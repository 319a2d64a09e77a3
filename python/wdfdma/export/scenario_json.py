"""Scenarios in their plain form: the keys in the order of their description, and nothing that is a default."""

from typing import Any

from wdfdma.files import dump_json
from wdfdma.operations import OPERATIONS
from wdfdma.scenario import Scenario

_SHORT = 118  # columns, up to which a value stands in one line


def normalize(scenario: Scenario) -> dict[str, Any]:
    """A scenario as JSON has it, in its plain form.

    >>> normalize(Scenario.parse({"steps": [], "buffers": [], "enablers": [], "format": "wdfdma-scenario/1"}))
    {'format': 'wdfdma-scenario/1', 'enablers': [], 'buffers': [], 'steps': []}
    """
    plain = scenario.model_dump(exclude_defaults=True, exclude={"steps", "log"})
    log = {} if scenario.log is None else {"log": scenario.log}
    whole = plain | log | {"steps": [normalize_step(step) for step in scenario.steps]}
    return {key: whole[key] for key in Scenario.model_fields if key in whole}


def normalize_step(step: Any) -> dict[str, Any]:
    """A step, its operation first, then its operands in their order."""
    plain: dict[str, Any] = {"op": step.op}
    for operand in OPERATIONS[step.op].operands:
        value = getattr(step, operand.name)
        field = type(step).model_fields[operand.name]
        if operand.name == "do":
            value = [normalize_step(inner) for inner in value]
        if field.is_required() or value != field.default:
            plain[operand.name] = value
    return plain


def export_json(scenario: Scenario) -> str:
    """The text of a scenario in its plain form: a line for each step and each record, where they are short."""
    return format_value(normalize(scenario), "") + "\n"


def format_value(value: Any, indent: str, dump: Any = dump_json) -> str:
    """A value as text, in several lines where it is long; [dump] writes what stands in one line."""
    line = _spell(value, dump)
    if len(indent) + len(line) <= _SHORT or not isinstance(value, dict | list) or not value:
        return line
    inner = indent + " "
    if isinstance(value, dict):
        items = [
            f"{inner}{dump(key)}: {format_value(item, inner, dump)}" for key, item in value.items()
        ]
        return "{\n" + ",\n".join(items) + f"\n{indent}}}"
    items = [inner + format_value(item, inner, dump) for item in value]
    return "[\n" + ",\n".join(items) + f"\n{indent}]"


def _spell(value: Any, dump: Any) -> str:
    """A value in one line, with the spaces that a person would write."""
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(f"{dump(key)}: {_spell(item, dump)}" for key, item in value.items())
            + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(_spell(item, dump) for item in value) + "]"
    return str(dump(value))
