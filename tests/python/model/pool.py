"""The pool of map registers and the channels of adapters, first come first served.

Registers leave the pool as runs of consecutive ones, and a run is free again only when the very run
that was taken comes back. A request first wants its adapter's channel and then its registers, so it
waits in at most one of the two queues at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

SUCCESS = "STATUS_SUCCESS"
INSUFFICIENT_RESOURCES = "STATUS_INSUFFICIENT_RESOURCES"

Record = dict[str, Any]


class Undefined(Exception):
    """The driver did something that has no defined outcome; [log] holds what came before."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.log: list[Record] = []


class Action(Enum):
    """What a routine wants done with the channel it was called on."""

    KEEP_CHANNEL = auto()
    KEEP_REGISTERS = auto()


@dataclass(eq=False)
class Run:
    """[count] consecutive registers; two runs are the same only if they are one allocation."""

    first: int
    count: int

    def registers(self) -> range:
        return range(self.first, self.first + self.count)


Routine = Callable[[Run | None], Action]


@dataclass(eq=False)
class TransferContext:
    """What the system controller knows of one transfer."""

    cancelled: bool = False
    mapped: bool = False
    completion: Callable[[str], None] | None = None


@dataclass(eq=False)
class Adapter:
    """One adapter: what it can reach, its channel, and for a system adapter its controller."""

    width: int
    scatter_gather: bool
    system: bool
    map_registers: int
    needs_registers: bool
    force: bool
    channel: Request | None = None
    queue: deque[Request] = field(default_factory=deque)
    running_queue: bool = False
    running: TransferContext | None = None


@dataclass(eq=False)
class Request:
    """One call for a channel and [count] registers. [arrival] orders a queue."""

    adapter: Adapter
    owner: object
    count: int
    routine: Routine
    run: Run | None = None
    arrival: int = 0


class Pool:
    """All registers of a machine, who holds them, and who waits for them."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.used = [False] * size
        self.held: list[Run] = []
        self.waiting: deque[Request] = deque()
        self._draining = False
        self._arrivals = 0

    def free(self) -> int:
        """How many registers nobody holds."""
        return self.used.count(False)

    def holds(self, run: Run) -> bool:
        """Whether somebody holds registers that look like [run]."""
        return any((r.first, r.count) == (run.first, run.count) for r in self.held)

    def allocate(self, request: Request, synchronous: bool) -> str:
        """Grants [request] at once, queues it, or refuses it."""
        adapter = request.adapter
        if adapter.needs_registers and request.count > adapter.map_registers:
            return INSUFFICIENT_RESOURCES
        if adapter.channel is not None:
            if synchronous:
                return INSUFFICIENT_RESOURCES
            self._wait(adapter.queue, request)
            return SUCCESS
        adapter.channel = request
        if self._take(request):
            self._deliver(request)
        elif synchronous:
            adapter.channel = None
            return INSUFFICIENT_RESOURCES
        else:
            self._wait(self.waiting, request)
        return SUCCESS

    def give_back(self, run: Run) -> None:
        """Frees [run] and serves whoever waited for it."""
        if not any(held is run for held in self.held):
            raise Undefined("map registers freed twice")
        self.held = [held for held in self.held if held is not run]
        for register in run.registers():
            self.used[register] = False
        self._drain()

    def free_channel(self, adapter: Adapter, owner: object) -> None:
        """Frees the registers that came with the channel, then the channel itself."""
        request = adapter.channel
        if request is None or request.owner is not owner:
            raise Undefined("a channel freed by one that does not own it")
        if adapter.running is not None:
            raise Undefined("a channel freed while the controller transfers")
        run, request.run = request.run, None
        if run is not None:
            self.give_back(run)
        if adapter.channel is not request:
            raise Undefined("a channel freed again by what its own registers let through")
        self._release_channel(adapter)

    def cancel(self, adapter: Adapter, owner: object) -> bool:
        """Takes the oldest waiting request of [owner] out of its queue, if there is one."""
        for request in adapter.queue:
            if request.owner is owner:
                adapter.queue.remove(request)
                return True
        for request in self.waiting:
            if request.adapter is adapter and request.owner is owner:
                self.waiting.remove(request)
                self._release_channel(adapter)
                self._drain()
                return True
        return False

    def invariants(self) -> None:
        """Asserts that the books balance and that nobody waits who could be served."""
        registers = [register for run in self.held for register in run.registers()]
        assert len(registers) == len(set(registers)), "two runs share a register"
        assert sorted(registers) == [i for i in range(self.size) if self.used[i]]
        assert self.free() + len(registers) == self.size, "free + held = N"
        in_order(self.waiting)
        for request in self.waiting:
            assert request.adapter.channel is request, "waits for registers without its channel"
        if self.waiting:
            assert self._lowest(self.waiting[0].count) is None, "the head could be served"

    def _wait(self, queue: deque[Request], request: Request) -> None:
        self._arrivals += 1
        request.arrival = self._arrivals
        queue.append(request)

    def _lowest(self, count: int) -> int | None:
        for first in range(self.size - count + 1):
            if not any(self.used[first : first + count]):
                return first
        return None

    def _mark(self, request: Request) -> bool:
        first = self._lowest(request.count)
        if first is None:
            return False
        request.run = Run(first, request.count)
        self.held.append(request.run)
        for register in request.run.registers():
            self.used[register] = True
        return True

    def _take(self, request: Request) -> bool:
        if not request.adapter.needs_registers:
            return True
        return not self.waiting and self._mark(request)

    def _deliver(self, request: Request) -> None:
        if request.routine(request.run) is Action.KEEP_REGISTERS:
            self._release_channel(request.adapter)

    def _release_channel(self, adapter: Adapter) -> None:
        adapter.channel = None
        self._run_queue(adapter)

    def _run_queue(self, adapter: Adapter) -> None:
        if adapter.running_queue:
            return
        adapter.running_queue = True
        while adapter.queue and adapter.channel is None:
            request = adapter.queue.popleft()
            adapter.channel = request
            if self._take(request):
                self._deliver(request)
            else:
                self._wait(self.waiting, request)
        adapter.running_queue = False

    def _drain(self) -> None:
        if self._draining:
            return
        self._draining = True
        while self.waiting and self._mark(self.waiting[0]):
            self._deliver(self.waiting.popleft())
        self._draining = False


def in_order(queue: deque[Request]) -> None:
    """Asserts that [queue] stands in the order of arrival."""
    arrivals = [request.arrival for request in queue]
    assert arrivals == sorted(set(arrivals)), "a queue is out of order"
