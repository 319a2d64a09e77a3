"""The wait-for graph of a machine: who waits for what, behind whom, and whether it can come."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from wdfdma.enums import Waiting
from wdfdma.views import RequestView, RunView, World, read_world


class Verdict(str, Enum):
    """What is to be said of a wait, or of a machine: the worst of its waits.

    NOBODY_WAITS: no request is in any queue.

    QUEUED, behind X: it is served when those before it are, and those who hold what it waits for give it back; that
    can still happen. X is the request next before it in its queue, or for the first one whoever holds the channel, or
    the map registers.

    STARVING, behind X: as many map registers together as it asks for are free at this moment, and only the order keeps
    it from them. Either requests before it in the pool's queue ask for more than is free, and X is the one next before
    it; or it waits for the channel, which X owns, itself waiting for map registers.

    DEADLOCKED, held by X: it cannot be served any more, whatever is given back. That is decided by playing on, with
    the queues as strict as they are: every transaction that does not wait gives back its registers and its channel,
    whoever is served by that does so too, and so on until nobody else is. A WDM driver gives back what it holds. Two
    things are never given back: what a transaction holds that waits itself and is not served (only a scatter-gather
    one can: completed in between, it gives its list back, and loses the next one), and registers that no transaction
    names any more, on an adapter whose address no driver ever had. X is who holds these; nobody, where the grant did
    not come (a fault denied it, or the machine halted in it) and nobody holds map registers whose freeing would bring
    it.

    What a driver does between its transactions is not known here: one that frees a reservation only when another of
    its own has come holds and waits, and reads as QUEUED behind the first, whose registers it could free at any time.
    """

    NOBODY_WAITS = "nobody waits"
    QUEUED = "queued"
    STARVING = "starving"
    DEADLOCKED = "deadlocked"

    def __str__(self) -> str:
        return self.value


# How many names stand for a long row of them: each of many waits has such rows.
FEW = 4
_WORST_LAST = (Verdict.NOBODY_WAITS, Verdict.QUEUED, Verdict.STARVING, Verdict.DEADLOCKED)


@dataclass(frozen=True, slots=True)
class Wait:
    """A request that waits, of [transaction] (its name, or what stands for a WDM driver).

    [waiting] says for what: CHANNEL, of [adapter], or POOL, for [registers] map registers together. [position] counts
    from 0 in that queue, whose requests are [line], in order. [holders] are those who hold what it waits for: the
    channel's owner, or all who hold map registers, lowest first; for one that is DEADLOCKED only those of them who
    never give it back. All are names, as logs have them.
    """

    transaction: str
    waiting: Waiting
    adapter: str
    registers: int
    position: int
    line: tuple[str, ...]
    holders: tuple[str, ...]
    verdict: Verdict

    @property
    def behind(self) -> tuple[str, ...]:
        """Who is before it in its queue."""
        return self.line[: self.position]

    @property
    def reason(self) -> str:
        """The verdict, with who is in the way: `queued behind transaction 0`."""
        if self.verdict is Verdict.DEADLOCKED:
            return f"deadlocked{self._name_stuck()}"
        by_order = self.verdict is Verdict.QUEUED or self.waiting == Waiting.POOL
        if by_order and self.position:
            return f"{self.verdict} behind {self.line[self.position - 1]}"
        return f"{self.verdict} behind {_name_few(self.holders)}"

    def _name_stuck(self) -> str:
        if self.holders:
            return f", held by {_name_few(self.holders)}"
        if self.position:
            return f" behind {self.line[self.position - 1]}"
        return (
            ": its grant did not come, and nobody holds map registers whose freeing would bring it"
        )

    def __str__(self) -> str:
        if self.waiting == Waiting.POOL:
            what = f"{self.registers} map register{'' if self.registers == 1 else 's'}"
        else:
            what = f"the channel of {self.adapter}"
        return f"{self.transaction} waits for {what}, position {self.position}: {self.reason}"


def _name_few(names: tuple[str, ...]) -> str:
    """The first names of a row, and how many more there are.

    >>> _name_few(("transaction 0",) * 10)
    'transaction 0, transaction 0, transaction 0, transaction 0, and 6 more'
    """
    if len(names) <= FEW:
        return ", ".join(names)
    return f"{', '.join(names[:FEW])}, and {len(names) - FEW} more"


def list_waits(machine: Any) -> list[Wait]:
    """All waits of a machine of C's: those for map registers first, then adapter by adapter, each queue in order."""
    return judge_waits(read_world(machine))


def judge_waits(world: World) -> list[Wait]:
    """The waits of what was read of a machine; the same order as list_waits."""
    judge = _Judge(world)
    queues = [world.queue, *(adapter.waiters for adapter in world.adapters.values())]
    return [wait for queue in queues for wait in judge.judge(queue)]


def judge_machine(waits: list[Wait]) -> Verdict:
    """The worst of the verdicts.

    >>> judge_machine([])
    <Verdict.NOBODY_WAITS: 'nobody waits'>
    """
    verdicts = [wait.verdict for wait in waits]
    return max(verdicts, key=_WORST_LAST.index, default=Verdict.NOBODY_WAITS)


class _Judge:
    """What is asked for each wait, found once."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._played = _Play(world)
        self._played.run()
        self._free = _find_longest_free(world.runs, world.state["map_registers"])
        self._holders = _name_holders(world.runs)
        self._stuck = _name_holders(self._played.runs)
        self._owned_by_waiters = {request.adapter for request in world.queue}

    def judge(self, queue: tuple[RequestView, ...]) -> Iterator[Wait]:
        line = tuple(request.name for request in queue)
        for position, request in enumerate(queue):
            adapter = self._world.adapters[request.adapter]
            verdict = self._decide(request, position)
            holders = self._stuck if verdict is Verdict.DEADLOCKED else self._holders
            if request.waiting == Waiting.CHANNEL:
                holders = (adapter.channel_owner,)
            yield Wait(
                request.name,
                request.waiting,
                adapter.name,
                request.registers,
                position,
                line,
                holders,
                verdict,
            )

    def _decide(self, request: RequestView, position: int) -> Verdict:
        if not self._played.serves(request):
            return Verdict.DEADLOCKED
        by_order = position > 0
        if request.waiting == Waiting.CHANNEL:
            by_order = request.adapter in self._owned_by_waiters
        starves = by_order and request.registers <= self._free
        return Verdict.STARVING if starves else Verdict.QUEUED


def _name_holders(runs: Iterable[RunView]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(run.holder for run in runs))


def _find_longest_free(runs: Iterable[RunView], map_registers: int) -> int:
    """The longest row of free registers between runs, which come lowest first."""
    longest, at = 0, 0
    for run in runs:
        longest, at = max(longest, run.first - at), run.first + run.length
    return max(longest, map_registers - at)


class _Play:
    """What can still happen, for Verdict.DEADLOCKED. It does to copies what the library's queues do.

    [runs] are those that are left.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._served: set[int] = set()  # by identity: two requests may say the same
        self._pool = deque(world.queue)
        self._waiters = {item.adapter for item in world.queue}  # they own their channels
        self._queues = {
            handle: deque(adapter.waiters) for handle, adapter in world.adapters.items()
        }
        waiting = [*world.queue, *(item for queue in self._queues.values() for item in queue)]
        self._pending = Counter(item.handle for item in waiting if item.handle)
        self.runs = list(world.runs)
        self._was_freed = False  # any run: only then is the pool's queue looked at
        self._owned = {
            handle for handle, adapter in world.adapters.items() if adapter.info["channel_owned"]
        }

    def run(self) -> None:
        """Plays until nothing more happens."""
        while self._give_back() | self._run_queues() | self._drain():
            pass

    def serves(self, request: RequestView) -> bool:
        """Whether the request was served."""
        return id(request) in self._served

    def _give_back(self) -> bool:
        kept = [run for run in self.runs if run.lost or self._pending[run.handle]]
        freed = {handle for handle in self._owned if not self._keeps_channel(handle)}
        self._was_freed |= len(kept) != len(self.runs)
        changed = len(kept) != len(self.runs) or bool(freed)
        self.runs = kept
        self._owned -= freed
        return changed

    def _keeps_channel(self, handle: int) -> bool:
        """A bus master's is free again when the routine returns that it was given to."""
        if handle in self._waiters:
            return True
        adapter = self._world.adapters[handle]
        return not adapter.info["master"] and self._pending[adapter.channel_handle] > 0

    def _run_queues(self) -> bool:
        changed = False
        for handle, queue in self._queues.items():
            while queue and handle not in self._owned:
                changed = True
                request = queue.popleft()
                if not self._needs_registers(request) or (not self._pool and self._take(request)):
                    self._serve(request)
                else:
                    self._owned.add(handle)
                    self._waiters.add(handle)
                    self._pool.append(request)
        return changed

    def _needs_registers(self, request: RequestView) -> bool:
        adapter = self._world.adapters[request.adapter]
        return bool(adapter.info["needs_map_registers"] and request.registers)

    def _drain(self) -> bool:
        changed = False
        while self._was_freed and self._pool and self._take(self._pool[0]):
            changed = True
            request = self._pool.popleft()
            self._waiters.discard(request.adapter)
            self._owned.discard(request.adapter)
            self._serve(request)
        return changed

    def _serve(self, request: RequestView) -> None:
        self._served.add(id(request))
        self._pending[request.handle] -= bool(request.handle)

    def _take(self, request: RequestView) -> bool:
        """Finds the lowest run; who waits for something else as well keeps it."""
        at = 0
        for place, run in enumerate([*self.runs, None]):
            end = self._world.state["map_registers"] if run is None else run.first
            if end - at >= request.registers:
                if self._pending[request.handle] > 1:
                    self.runs.insert(place, _make_run(at, request))
                return True
            if run is not None:
                at = run.first + run.length
        return False


def _make_run(first: int, request: RequestView) -> RunView:
    length, adapter = request.registers, request.adapter
    return RunView(first, length, adapter, request.handle, request.name, lost=False)
