"""Makes scenarios smaller while they still show the same: first what they have, then how big its numbers are.

Each pass tries changes that make the scenario simpler, and keeps one where the oracle says that it still shows what is
looked for; passes follow one another until none finds anything. Nothing is left to chance: the same scenario gives
the same one.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from wdfdma.export.scenario_json import normalize
from wdfdma.log_cutting import cut_log
from wdfdma.scenario import Scenario
from wdfdma.shrink_numbers import list_simpler
from wdfdma.signatures import Oracle, Source, make_oracle

# Operands that name something; all steps with one of these names may go at once.
_NAMES = ("transaction", "request", "common_buffer", "adapter", "base", "context", "list")


def shrink(scenario: Scenario, oracle: Oracle | None = None) -> Scenario:
    """The smallest scenario found that shows what [scenario] does. Errors: ScenarioError where it shows nothing.

    What it shows is what it breaks (rule, kind of object, call), or how its log differs from the one that it carries;
    an [oracle] of the caller's own says it instead.
    """
    shrinker = Shrinker(normalize(scenario), oracle or make_oracle(scenario))
    return Scenario.parse(shrinker.shrink())


class Shrinker:
    """The smallest [source] so far, and what is tried on it; [tries] counts the candidates that were run."""

    def __init__(self, source: Source, oracle: Oracle) -> None:
        self.source = source
        self.tries = 0
        self._oracle = oracle
        self._seen: set[str] = set()

    def shrink(self) -> Source:
        """Runs all passes until none finds anything."""
        self._try(_pop, (), "log")
        while True:
            before = self.source
            self._cut_end()
            self._drop_names()
            self._drop_steps()
            self._drop_settings()
            self._simplify_numbers()
            self._drop_unused()
            if self.source is before:
                return before

    def _try(self, change: Callable[..., object], *arguments: Any) -> bool:
        """Keeps a change where the scenario still shows the same."""
        candidate = deepcopy(self.source)
        change(candidate, *arguments)
        text = repr(candidate)
        if candidate == self.source or text in self._seen:
            return False
        self._seen.add(text)
        self.tries += 1
        if not self._oracle(candidate):
            return False
        self.source = candidate
        return True

    # ---- Steps ----

    def _cut_end(self) -> None:
        """As few of the first steps as will do, by halves."""
        least, most = 0, len(self.source["steps"])
        while least < most:
            middle = (least + most) // 2
            if self._try(_keep_steps, range(middle)):
                most = middle
            else:
                least = middle + 1

    def _drop_names(self) -> None:
        """All steps on one transaction, one request, ... at once."""
        for key in _NAMES:
            numbers = {step[key] for step in _walk(self.source["steps"]) if key in step}
            for number in sorted(numbers, reverse=True):
                self._try(_drop_named, key, number)

    def _drop_steps(self) -> None:
        """Runs of steps, ever shorter, in each list of steps, the outermost first."""
        done: set[tuple[Any, ...]] = set()
        while True:
            path = next((path for path in _list_paths(self.source) if path not in done), None)
            if path is None:
                return
            done.add(path)
            self._drop_from(path)

    def _drop_from(self, path: tuple[Any, ...]) -> None:
        size = len(_follow(self.source, path))
        while size:
            at = max(0, len(_follow(self.source, path)) - size)
            while True:
                self._try(_cut, path, at, at + size)
                if at == 0:
                    break
                at = max(0, at - size)
            size //= 2

    # ---- Settings, numbers ----

    def _drop_settings(self) -> None:
        """Keys that may be left out: whole parts first, then settings of the machine and the enablers."""
        for key in ("faults", "rules", "check_leaks", "undefined", "machine"):
            self._try(_pop, (), key)
        for index in reversed(range(len(self.source.get("faults", ())))):
            self._try(_pop, ("faults",), index)
        for place in ("machine", "rules"):
            for key in list(self.source.get(place, ())):
                self._try(_pop, (place,), key)
        for index, enabler in enumerate(self.source["enablers"]):
            for key in [key for key in enabler if key not in ("profile", "maximum_length")]:
                self._try(_pop, ("enablers", index), key)

    def _simplify_numbers(self) -> None:
        for path, values in list(list_simpler(self.source)):
            for value in values:
                if self._try(_put, path, value):
                    break
        self._halve_numbers()

    def _halve_numbers(self) -> None:
        """What no simple number will do for: the smallest that a search by halves finds."""
        for path, values in list(list_simpler(self.source)):
            value = _follow(self.source, path)
            smaller = [each for each in values if isinstance(each, int)]
            if isinstance(value, bool) or not isinstance(value, int) or not smaller:
                continue
            least = max((each for each in smaller if each < value), default=value)
            while least + 1 < value:
                middle = (least + value) // 2
                if self._try(_put, path, middle):
                    value = middle
                else:
                    least = middle

    # ---- What nothing needs ----

    def _drop_unused(self) -> None:
        for kind, name in (("enablers", "enabler"), ("buffers", "buffer")):
            for index in reversed(range(len(self.source[kind]))):
                self._try(_drop_item, kind, name, index)
        for key in _NAMES:
            self._try(_renumber, key)
        for index, buffer in enumerate(self.source["buffers"]):
            for part in reversed(range(1, len(buffer))):
                self._try(_pop, ("buffers", index), part)


def _walk(steps: list[Any]) -> Iterator[Any]:
    for step in steps:
        yield step
        yield from _walk(step.get("do", []))


def _list_paths(source: Source) -> Iterator[tuple[Any, ...]]:
    """Where lists of steps are, those around others first."""

    def find(path: tuple[Any, ...], steps: list[Any]) -> Iterator[tuple[Any, ...]]:
        yield path
        for index, step in enumerate(steps):
            if step.get("do"):
                yield from find((*path, index, "do"), step["do"])

    yield from find(("steps",), source["steps"])


def _follow(source: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        source = source[part]
    return source


def _pop(source: Source, path: tuple[Any, ...], key: str | int) -> None:
    where = _follow(source, path)
    if isinstance(key, int) or key in where:
        del where[key]


def _put(source: Source, path: tuple[Any, ...], value: Any) -> None:
    where = _follow(source, path[:-1])
    where[path[-1]] = value
    if path[0] == "buffers":
        pages = (where["length"] + where.get("offset", 0) + 4095) // 4096
        where["pfns"] = where["pfns"][:pages]


def _cut(source: Source, path: tuple[Any, ...], begin: int, end: int) -> None:
    steps = _follow(source, path)
    if path == ("steps",):
        _keep_steps(source, [at for at in range(len(steps)) if not begin <= at < end])
    else:
        del steps[begin:end]


def _keep_steps(source: Source, kept: Any) -> None:
    """Keeps these of the outermost steps, and what the log says of them."""
    if "log" in source:
        source["log"] = cut_log(source["log"], source["steps"], list(kept))
    source["steps"] = [source["steps"][at] for at in kept]


def _drop_named(source: Source, key: str, number: int) -> None:
    steps = source["steps"]
    _keep_steps(source, [at for at, step in enumerate(steps) if step.get(key) != number])
    for step in _walk(source["steps"]):
        if "do" in step:
            step["do"] = [inner for inner in step["do"] if inner.get(key) != number]


def _drop_item(source: Source, kind: str, name: str, index: int) -> None:
    """An enabler or a buffer that no step names; those after it are named anew."""
    if any(step.get(name) == index for step in _walk(source["steps"])):
        return
    del source[kind][index]
    for step in _walk(source["steps"]):
        if step.get(name, -1) > index:
            step[name] -= 1


def _renumber(source: Source, key: str) -> None:
    """Names from 0 on, in the order in which they first stand."""
    order: dict[int, int] = {}
    for step in _walk(source["steps"]):
        if key in step:
            step[key] = order.setdefault(step[key], len(order))
