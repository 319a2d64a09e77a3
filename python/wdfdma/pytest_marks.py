"""The marker `wdfdma` of a test, and what its keys come to."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

# The settings of a machine by their keys; only the first has another name in Machine.
_MACHINE = {
    "registers": "map_registers",
    "verifier": "verifier",
    "seed": "seed",
    "log": "log",
    "registers_per_adapter": "registers_per_adapter",
    "physical_address_bits": "physical_address_bits",
    "force_map_registers": "force_map_registers",
    "maximum_depth": "maximum_depth",
    "reserve_bytes": "reserve_bytes",
    "trace": "trace",
}
_OTHERS = ("faults", "rules", "allow_leaks", "allow_violations")

MARKER = (
    "wdfdma(registers=, verifier=, faults=, rules=, allow_leaks=, allow_violations=, ...): "
    "the machines that `machine` and `machine_factory` give the test, and what does not fail it; see docs/pytest.md"
)


class MarkError(ValueError):
    """A marker that says something unknown; the message is a sentence."""


@dataclass(frozen=True)
class TestSettings:
    """What the markers of a test say: `machine` as Machine takes it, the rest by its key."""

    __test__ = False

    machine: dict[str, Any] = field(default_factory=dict)
    faults: Any = ()
    rules: Any = field(default_factory=dict)
    allow_leaks: bool = False
    allow_violations: bool | tuple[str, ...] = False


def read_marks(marks: Iterable[Any]) -> TestSettings:
    """The settings of a test with these markers, the closest first, which go before those farther out.

    Errors: MarkError for an unknown key, or a value that is of no use.
    """
    given: dict[str, Any] = {}
    for mark in reversed(list(marks)):
        if mark.args:
            raise MarkError(f"wdfdma({mark.args[0]!r}): {_describe_keys('it takes keys only')}")
        for key in mark.kwargs:
            if key not in _MACHINE and key not in _OTHERS:
                raise MarkError(f"wdfdma({key}=): {_describe_keys('there is no such key')}")
        given |= mark.kwargs
    others = {key: given[key] for key in _OTHERS if key in given}
    _check_values(others)
    machine = {_MACHINE[key]: value for key, value in given.items() if key in _MACHINE}
    return TestSettings(machine=machine, **others)


def _describe_keys(problem: str) -> str:
    return f"{problem}; the keys are {', '.join([*_MACHINE, *_OTHERS])}"


def _check_values(others: dict[str, Any]) -> None:
    """Makes plain values of what may be given in several ways. Errors: MarkError."""
    faults = others.get("faults", ())
    if isinstance(faults, dict):
        others["faults"] = [faults]
    elif not isinstance(faults, list | tuple):
        raise MarkError(f"wdfdma(faults={faults!r}): not a fault of a scenario, nor a list of them")
    if not isinstance(others.get("rules", {}), dict):
        raise MarkError(f"wdfdma(rules={others['rules']!r}): not a mapping of names to modes")
    if not isinstance(others.get("allow_leaks", False), bool):
        raise MarkError(f"wdfdma(allow_leaks={others['allow_leaks']!r}): not True or False")
    allowed = others.get("allow_violations", False)
    if isinstance(allowed, str):
        others["allow_violations"] = (allowed,)
    elif isinstance(allowed, list | tuple | set | frozenset):
        others["allow_violations"] = tuple(sorted(map(str, allowed)))
    elif not isinstance(allowed, bool):
        raise MarkError(f"wdfdma(allow_violations={allowed!r}): not True, nor names of rules")
