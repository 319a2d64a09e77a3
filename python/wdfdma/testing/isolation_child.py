"""The process that cases run in when they are isolated: `python -m wdfdma.testing.isolation_child ORIGIN`.

It reads requests, a line of JSON each, and answers each with a line. Where the system has it, each request has a fork
of this process, which says its number first: what that ends by is an answer too. Elsewhere this process ends, and is
begun again by who asked.
"""

import json
import mmap
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wdfdma._native import ffi, lib
from wdfdma.collecting import collect_coverage
from wdfdma.coverage import Coverage
from wdfdma.coverage_map import CoverageMap
from wdfdma.testing.cases import CaseResult
from wdfdma.testing.chunks import MAXIMUM_FINDINGS, Target
from wdfdma.testing.drivers import Driver, DriverError, find_driver
from wdfdma.testing.reproducers import make_reproducer

GOOD = 77  # the exit code of a fork that has answered
JOURNAL_BYTES = 1 << 22
_LONGEST_SECONDS = 600  # of a fork that nobody ends


def list_values(result: CaseResult) -> list[Any]:
    """A result for JSON."""
    return [getattr(result, name) for name in CaseResult.__slots__]


class Child:
    """The serving end: [driver], and where answers go."""

    def __init__(self, driver: Driver, out: Any) -> None:
        self.driver = driver
        self._out = out

    def say(self, message: dict[str, Any]) -> None:
        """Writes a line."""
        self._out.write(json.dumps(message).encode() + b"\n")
        self._out.flush()

    def serve(self, request: dict[str, Any]) -> None:
        """Answers a request, in a fork where there is such a thing."""
        if not hasattr(os, "fork"):
            self._answer(request)
            return
        child = os.fork()
        if child == 0:
            signal.alarm(_LONGEST_SECONDS)
            self._answer(request)
            os._exit(GOOD)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        if code != GOOD:
            self.say({"ended": code})

    def _answer(self, request: dict[str, Any]) -> None:
        self.say({"pid": os.getpid()})
        try:
            answer = self._choose(request)(request)
        except DriverError as error:
            answer = {"error": str(error), "is_driver": False}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        self.say(answer)

    def _choose(self, request: dict[str, Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
        if "fuzz" in request:
            return self._fuzz
        return self._reproduce if "name" in request else self._run

    def _reproduce(self, request: dict[str, Any]) -> dict[str, Any]:
        """A case as a scenario."""
        made = make_reproducer(self.driver, bytes.fromhex(request["case"]), request["name"])
        return {"source": made.source, "tells": made.tells, "omitted": made.omitted}

    def _run(self, request: dict[str, Any]) -> dict[str, Any]:
        """One case, with a journal."""

        def begin(machine: Any) -> None:
            lib.wdfdma_journal_begin(machine, os.fsencode(request["journal"]), JOURNAL_BYTES)

        case = bytes.fromhex(request["case"])
        result = self.driver.watch(case, begin, lambda _machine, _result: None)
        return {"result": list_values(result)}

    def _fuzz(self, request: dict[str, Any]) -> dict[str, Any]:
        """Some runs of the loop in C, whose state lies in a file that the other end has mapped, too.

        What they have reached is a part of the answer, where that is asked for.
        """
        counters = CoverageMap() if request["collects"] else None
        with Path(request["fuzz"]).open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
            view = ffi.from_buffer(memory)
            fuzz, findings = share_fuzz(view)
            fuzz.findings = findings
            target = Target(self.driver)
            if counters is not None:
                target.native.coverage = counters.native
            with collect_coverage(counters):
                status = lib.wdfdma_workload_fuzz(fuzz, target.native, request["runs"], False)
            del fuzz, findings
            ffi.release(view)
            target.check(status, "wdfdma_workload_fuzz")
        return {} if counters is None else _list_reached(counters.read())


def _list_reached(coverage: Coverage) -> dict[str, Any]:
    cells = [[*cell, count] for cell, count in coverage.cells.items()]
    return {"cells": cells, "goals": dict(coverage.goals)}


def share_fuzz(view: Any) -> tuple[Any, Any]:
    """The loop's state and its findings in memory that is shared."""
    fuzz = ffi.cast("wdfdma_fuzz *", view)
    return fuzz, ffi.cast("wdfdma_finding *", ffi.cast("char *", view) + ffi.sizeof("wdfdma_fuzz"))


def count_shared_bytes() -> int:
    """How long that memory is."""
    return int(ffi.sizeof("wdfdma_fuzz") + MAXIMUM_FINDINGS * ffi.sizeof("wdfdma_finding"))


def _leave_no_core() -> None:
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def main() -> None:
    """Serves until its input ends. What a driver prints is nobody's answer."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _leave_no_core()
    try:
        driver = find_driver(sys.argv[1])
    except DriverError as error:
        out.write(json.dumps({"error": str(error)}).encode() + b"\n")
        return
    child = Child(driver, out)
    for line in sys.stdin.buffer:
        child.serve(json.loads(line))


if __name__ == "__main__":
    main()
