"""Which values are simpler than one that a scenario has: what a person would write comes first."""

from collections.abc import Iterator
from typing import Any

from wdfdma.operations import OPERATIONS, OperandKind

_PAGE = 4096
# In the order of their trying: the ends of ranges, then pages and a byte more, then powers of two.
_LENGTHS = (0, 1, *(_PAGE * pages + more for pages in (1, 2, 3, 4, 8, 16) for more in (0, 1)))
_SMALL = (0, 1, 2, 3, 4, 8, 16, 32, 64, 128, 256, 512)
_SIZES = (OperandKind.NUMBER, OperandKind.SIGNED)

Path = tuple[Any, ...]


def list_simpler(source: dict[str, Any]) -> Iterator[tuple[Path, list[Any]]]:
    """The places of a scenario, as JSON has it, that hold a number or a choice, each with simpler values."""
    for path, step in _list_steps(("steps",), source["steps"]):
        for operand in OPERATIONS[step["op"]].operands:
            if operand.name in step:
                values = _simplify_operand(operand, step[operand.name])
                if values:
                    yield (*path, operand.name), values
    yield from _list_world(source)


def _list_steps(path: Path, steps: list[Any]) -> Iterator[tuple[Path, Any]]:
    for index, step in enumerate(steps):
        yield (*path, index), step
        if "do" in step:
            yield from _list_steps((*path, index, "do"), step["do"])


def _simplify_operand(operand: Any, value: Any) -> list[Any]:
    if operand.kind in _SIZES:
        return simplify_number(value)
    if operand.kind == OperandKind.DIRECTION:
        return ["read"] if value != "read" else []
    if operand.kind in (OperandKind.ENABLER, OperandKind.BUFFER):
        return list(range(value))
    if operand.kind == OperandKind.BOOLEAN and operand.name == "returns":
        return [True] if not value else []
    return []


def _list_world(source: dict[str, Any]) -> Iterator[tuple[Path, list[Any]]]:
    machine = source.get("machine", {})
    for key in ("map_registers", "registers_per_adapter", "maximum_depth"):
        if key in machine:
            yield ("machine", key), simplify_number(machine[key])
    for index, enabler in enumerate(source["enablers"]):
        if enabler["profile"] != "packet":
            yield ("enablers", index, "profile"), _simplify_profile(enabler["profile"])
        for key in ("maximum_length", "maximum_elements"):
            if enabler.get(key):
                yield ("enablers", index, key), simplify_number(enabler[key])
    for index, buffer in enumerate(source["buffers"]):
        for place, part in enumerate(buffer):
            path = ("buffers", index, place)
            yield (*path, "length"), [value for value in simplify_number(part["length"]) if value]
            if part.get("offset"):
                yield (*path, "offset"), simplify_number(part["offset"])
            plain = list(range(len(part["pfns"])))
            if part["pfns"] != plain:
                yield (*path, "pfns"), [plain]


def _simplify_profile(profile: str) -> list[str]:
    simpler = ["packet", "scatter_gather", "system"]
    base = profile.removesuffix("_duplex").removesuffix("64")
    found = [profile.removesuffix("_duplex"), base, *simpler[: simpler.index(base)]]
    return [each for each in dict.fromkeys(reversed(found)) if each != profile]


def simplify_number(value: int) -> list[int]:
    """The numbers that are simpler than [value], the simplest first.

    >>> simplify_number(5)
    [0, 1, 2, 3, 4]
    >>> simplify_number(4096)
    [0, 1, 2, 3, 4, 8, 16, 32, 64, 128, 256, 512]
    """
    if value < 0:
        return [0, -1] if value < -1 else [0]
    return [each for each in sorted({*_SMALL, *_LENGTHS}) if each < value]
