"""docs/json_tools.md names every key that the tools print, and each has the type that stands there."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from wdfdma.faults import Outcome

Call = Callable[..., tuple[int, str, str]]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "json_tools.md"
# What is named by a driver, or by what was counted, is no key of ours.
OPEN = ("summary", "objects", "fault", "faults")


def find_keys(value: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each key below the ones above it, and its value."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not set(above) & set(OPEN):
                yield (*above, key), item
                yield from find_keys(item, (*above, key))
    elif isinstance(value, list):
        for item in value:
            yield from find_keys(item, above)


def list_documents(call: Call, tmp_path: Path) -> list[dict[str, Any]]:
    rules = ROOT / "tests" / "rules"
    calls: list[tuple[object, ...]] = [
        ("explain", "--json"),
        ("explain", "--json", "0xE2"),
        ("explain", "--json", "STATUS_WDF_BUSY"),
        ("faults", "--json", f"{rules / 'own.jsonl'}:3"),
        ("faults", "--json", "--chance", "500", "--runs", "2", f"{rules / 'own.jsonl'}:3"),
        ("faults", "--json", "--sites", tmp_path / "sites.log", f"{rules / 'own.jsonl'}:3"),
    ]
    lines = (rules / "own.jsonl").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        if any(word in line for word in ("common_buffer", "ReservationKept", "COMMON_BUFFER")):
            calls.append(("dump", "--json", f"{rules / 'own.jsonl'}:{number}"))
    documents = []
    for arguments in calls:
        code, out, _ = call(*arguments)
        assert code in (0, 1)
        documents.append(json.loads(out))
    return documents


def test_every_key_is_documented(call: Call, tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    documents = list_documents(call, tmp_path)
    keys = {path[-1] for document in documents for path, _ in find_keys(document)}
    assert {"behind_count", "holders", "logical", "site", "hits", "calls", "windows"} <= keys
    assert sorted(key for key in keys if f"`{key}`" not in text) == []


def test_one_type_for_each_key(call: Call, tmp_path: Path) -> None:
    """As the page says: a key has one type, or null beside it."""
    types: dict[tuple[str, ...], set[type]] = {}
    for document in list_documents(call, tmp_path):
        for path, value in find_keys(document):
            if value is not None:
                types.setdefault(path, set()).add(type(value))
    assert {place: found for place, found in types.items() if len(found) > 1} == {}


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_is_documented(outcome: Outcome) -> None:
    assert f"`{outcome.name.lower()}`" in PAGE.read_text(encoding="utf-8")
