"""Cases in a process of their own: one that crashes or never ends is a failure of the driver, and fuzzing goes on.

The loop in C runs there as it does here, with its state in a mapped file: where the process ends, the state says which
case it was in. That case is run again alone, with a journal, whose last call is part of the failure's signature.
"""

import atexit
import json
import mmap
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

from wdfdma._native import NULL, ffi, lib
from wdfdma.coverage import Coverage
from wdfdma.journal import copy_written, find_last_call
from wdfdma.testing.cases import CRASH, HANG, CaseResult, Signature, make_crash_number, write_result
from wdfdma.testing.drivers import Driver, DriverError
from wdfdma.testing.isolation_child import count_shared_bytes, share_fuzz
from wdfdma.testing.reproducers import Reproducer

CASE_SECONDS = 2.0
_SCENARIO_SECONDS = 10.0  # more, to make and run one
_START_SECONDS = 60.0  # for Python to begin on a machine that is busy


class Ended(NamedTuple):
    """How a process ended: [code] is below 0 for a signal; None: it was ended, since it took too long."""

    code: int | None


class IsolationError(Exception):
    """The process that cases run in cannot be had, or an error of ours in it."""


class Sandbox:
    """A process for the cases of the driver that [origin] names. For one thread at a time."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self._process: subprocess.Popen[bytes] | None = None
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._worker = 0  # the number of the process that runs the cases
        self._folder = tempfile.TemporaryDirectory(prefix="wdfdma-")
        self._journal = Path(self._folder.name) / "journal"
        self.shared = Path(self._folder.name) / "fuzz"

    def run(self, case: bytes, seconds: float = CASE_SECONDS) -> CaseResult:
        """What comes of a case. Errors: IsolationError."""
        self._journal.unlink(missing_ok=True)
        answer = self._ask({"case": case.hex(), "journal": str(self._journal)}, seconds)
        if isinstance(answer, Ended):
            return make_crash(case, answer, find_last_call(self._journal))
        values = dict(zip(CaseResult.__slots__, answer["result"], strict=True))
        return CaseResult(**values | {"signature": Signature(*values["signature"])})

    def read_journal(self) -> bytes:
        """The journal of the case that was run last, without what is not written of it; nothing where it has none."""
        return copy_written(self._journal)

    def reproduce(self, case: bytes, name: str, seconds: float = CASE_SECONDS) -> Reproducer:
        """As `make_reproducer` does, where the driver may end its process. Errors: IsolationError."""
        answer = self._ask({"case": case.hex(), "name": name}, seconds + _SCENARIO_SECONDS)
        if isinstance(answer, Ended):
            return Reproducer(None, "no scenario: the driver ends its process by itself", [])
        return Reproducer(**answer)

    def fuzz(
        self, runs: int, seconds: float, progress: Callable[[], int], *, collects: bool
    ) -> Ended | Coverage | None:
        """Some runs of the loop in the file `shared`; how the process ended, or what was reached if it [collects].

        Errors: IsolationError.
        """
        request = {"fuzz": str(self.shared), "runs": runs, "collects": collects}
        answer = self._ask(request, seconds, progress)
        if isinstance(answer, Ended) or not collects:
            return answer if isinstance(answer, Ended) else None
        cells = {(cell[0], cell[1], cell[2]): cell[3] for cell in answer["cells"]}
        return Coverage(cells, answer["goals"])

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._kill()
            self._stop()
        self._folder.cleanup()

    def _start(self) -> subprocess.Popen[bytes]:
        self._lines = queue.SimpleQueue()
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)  # noqa: PTH109
        process = subprocess.Popen(
            [sys.executable, "-m", "wdfdma.testing.isolation_child", self.origin],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": paths},
        )
        threading.Thread(
            target=_read_lines, args=(process.stdout, self._lines), daemon=True
        ).start()
        return process

    def _stop(self) -> int:
        """Ends the process for good; how it ended."""
        process, self._process = self._process, None
        assert process is not None
        for stream in (process.stdin, process.stdout):
            with suppress(OSError):
                stream.close()  # type: ignore[union-attr]
        try:
            return process.wait(1.0)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def _kill(self) -> None:
        """Ends the process that runs the case: a fork of the one that serves, or that one itself."""
        if self._worker:
            with suppress(OSError):
                os.kill(self._worker, getattr(signal, "SIGKILL", signal.SIGTERM))
        self._worker = 0

    def _ask(
        self, request: dict[str, Any], seconds: float, progress: Callable[[], int] | None = None
    ) -> dict[str, Any] | Ended:
        """The answer, or how the process ended; [progress] changes while it is on its way, and has more time then."""
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        with suppress(OSError):  # it has ended: that is the answer
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
        try:
            return self._wait(seconds, progress)
        except BaseException:  # an interrupt: nobody waits for this answer any more
            self._kill()
            self._stop()
            raise

    def _wait(self, seconds: float, progress: Callable[[], int] | None) -> dict[str, Any] | Ended:
        before, was_killed = -1, False
        deadline = monotonic() + _START_SECONDS
        while True:
            try:
                line = self._lines.get(timeout=max(deadline - monotonic(), 0.001))
            except queue.Empty:
                now = progress() if progress else before
                if now == before:
                    if was_killed or not self._worker:
                        raise IsolationError(f"{self.origin}: no answer") from None
                    self._kill()
                    was_killed = True
                before, deadline = now, monotonic() + (_START_SECONDS if was_killed else seconds)
                continue
            if line is None:
                code = self._stop()
                if not self._worker and not was_killed:
                    raise IsolationError(f"{self.origin}: the process for its cases has not begun")
                self._worker = 0
                return Ended(None if was_killed else code)
            message: dict[str, Any] = json.loads(line)
            if "is_driver" in message:
                raise DriverError(message["error"])
            if "error" in message:
                raise IsolationError(f"{self.origin}: {message['error']}")
            if "pid" in message:
                self._worker = message["pid"]
                deadline = monotonic() + seconds
                continue
            self._worker = 0
            return (
                Ended(None if was_killed else message["ended"]) if "ended" in message else message
            )


def _read_lines(stream: Any, lines: "queue.SimpleQueue[bytes | None]") -> None:
    with suppress(ValueError, OSError):  # closed
        for line in stream:
            lines.put(line)
    lines.put(None)


def make_crash(case: bytes, ended: Ended, op: int) -> CaseResult:
    """The failure of a case in which the process ended; [op] is the last call, 0 where it is not known."""
    source = ffi.from_buffer("uint8_t[]", case) if case else NULL
    moves = int(lib.wdfdma_workload_count_moves(source, len(case)))
    signature = Signature(CRASH, make_crash_number(ended.code), 0, op)
    return CaseResult(signature, moves, moves, 0, 0, 0, 0, 0, 0, 0)


def isolate_driver(driver: Driver, sandbox: Sandbox, seconds: float = CASE_SECONDS) -> Driver:
    """[driver], each of whose cases runs in [sandbox], and takes at most so many [seconds]."""
    return Driver(
        driver.name,
        driver.native,
        fault=driver.fault,
        origin=driver.origin,
        runner=lambda case: sandbox.run(case, seconds),
        watcher=lambda case, _begin, _look: sandbox.run(case, seconds),
        keep=(driver, sandbox),
    )


class SharedFuzz:
    """The loop in C with its state in a file that a sandbox has, too.

    [coverage] is what was reached, without what came before a crash in the same part; None: it is not collected.
    """

    def __init__(
        self, sandbox: Sandbox, seconds: float, deadline: float | None, *, collects: bool
    ) -> None:
        self.coverage = Coverage() if collects else None
        self._sandbox = sandbox
        self._deadline = deadline
        self._seconds = seconds
        sandbox.shared.write_bytes(bytes(count_shared_bytes()))
        with sandbox.shared.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 0)
        self._view = ffi.from_buffer(self._memory)
        self.fuzz, self.findings = share_fuzz(self._view)

    def run(self, runs: int) -> None:
        """So many runs more, as far as there is time; what crashes is one of them. Errors: IsolationError."""
        fuzz = self.fuzz
        end = fuzz.runs + runs
        while fuzz.runs < end and (self._deadline is None or monotonic() < self._deadline):
            try:
                came = self._sandbox.fuzz(
                    end - fuzz.runs,
                    self._seconds,
                    lambda: int(fuzz.runs),
                    collects=self.coverage is not None,
                )
            finally:
                fuzz.findings = self.findings  # where they are in this process
            if isinstance(came, Coverage) and self.coverage is not None:
                self.coverage = self.coverage.merge(came)
            elif isinstance(came, Ended) and fuzz.runs < end:
                self._count_ended(came)

    def _count_ended(self, ended: Ended) -> None:
        """Runs the case again that was in progress. One that took too long only then was the machine's fault."""
        bytes_ = ffi.new("uint8_t[]", lib.WDFDMA_CASE_BYTES)
        size = lib.wdfdma_fuzz_get_next(self.fuzz, bytes_)
        case = bytes(ffi.buffer(bytes_, size))
        result = self._sandbox.run(case, self._seconds)
        if not result.has_failed and ended.code is not None:
            result = make_crash(case, ended, 0)
        out = ffi.new("wdfdma_workload_result *")
        write_result(result, out)
        lib.wdfdma_fuzz_count(self.fuzz, out)

    def close(self) -> None:
        """Gives the memory back: `fuzz` and `findings` are not to be used any more."""
        self.fuzz = self.findings = None
        ffi.release(self._view)
        self._memory.close()


# Sandboxes that nobody uses now, by their origins: to begin one takes long. A fork of this process has its own.
_idle: dict[tuple[int, str], list[Sandbox]] = {}


@contextmanager
def take_sandbox(origin: str) -> Iterator[Sandbox]:
    """A sandbox for the caller alone."""
    idle = _idle.setdefault((os.getpid(), origin), [])
    try:
        sandbox = idle.pop()
    except IndexError:
        sandbox = Sandbox(origin)
    try:
        yield sandbox
    finally:
        idle.append(sandbox)


@atexit.register
def _close_all() -> None:
    for (process, _), idle in _idle.items():
        while idle and process == os.getpid():
            idle.pop().close()


def choose_seconds(result: CaseResult, seconds: float) -> float:
    """How long a try of a shorter case may take: of one that never ends, all do that still show it."""
    is_hang = result.signature.failure == CRASH and result.signature.rule == HANG
    return max(0.05, seconds / 20) if is_hang else seconds
