"""What a dump is made from: a machine at one moment, and the sections that say it."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from wdfdma.views import ChildView, RunView, World
from wdfdma.waits import Wait

_SHOWN = 12  # names in a row


@dataclass
class Section:
    """A part of a dump: its title, what is said in fields and in lines, and the parts below it."""

    title: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    parts: list["Section"] = field(default_factory=list)


@dataclass(frozen=True)
class Scene:
    """A machine at one moment, and what is to be said of it."""

    world: World
    waits: list[Wait]
    own_waits: dict[str, list[Wait]]  # by who waits
    halted: str  # why, or nothing

    @cached_property
    def runs_by_adapter(self) -> dict[int, list[RunView]]:
        """The runs of each adapter, by its handle."""
        return _group(self.world.runs, "adapter")

    @cached_property
    def runs_by_holder(self) -> dict[int, list[RunView]]:
        """The runs of each transaction, by its handle."""
        return _group(self.world.runs, "handle")

    @cached_property
    def transactions_by_enabler(self) -> dict[int, list[ChildView]]:
        """The transactions of each enabler, by its handle."""
        return _group(self.world.transactions.values(), "enabler")

    @cached_property
    def buffers_by_enabler(self) -> dict[int, list[ChildView]]:
        """The common buffers of each enabler, by its handle."""
        return _group(self.world.buffers.values(), "enabler")

    @cached_property
    def transactions_by_name(self) -> dict[str, ChildView]:
        """The transactions by what they are called; the first of those that are called the same."""
        return {item.name: item for item in reversed(list(self.world.transactions.values()))}

    @cached_property
    def waiters_by_holder(self) -> dict[str, list[dict[str, None]]]:
        """Who waits for each holder: a row for each thing waited for, which its holders share."""
        rows: dict[int, tuple[tuple[str, ...], dict[str, None]]] = {}
        for wait in self.waits:
            _, row = rows.setdefault(id(wait.holders), (wait.holders, {}))
            row[wait.transaction] = None
        found: dict[str, list[dict[str, None]]] = defaultdict(list)
        for holders, row in rows.values():
            for name in holders:
                found[name].append(row)
        return found

    @cached_property
    def lines_with_doubles(self) -> set[int]:
        """The queues, by identity, in which somebody stands twice."""
        lines = {id(wait.line): wait.line for wait in self.waits}
        return {key for key, line in lines.items() if len(set(line)) < len(line)}


def _group(items: Iterable[Any], by: str) -> dict[int, list[Any]]:
    groups: dict[int, list[Any]] = defaultdict(list)
    for item in items:
        groups[getattr(item, by)].append(item)
    return groups
