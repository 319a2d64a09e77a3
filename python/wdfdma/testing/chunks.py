"""A chunk of a fuzzing run: so many cases from a seed of its own, by the loops in C, and what they found."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from wdfdma._native import ffi, lib
from wdfdma.status import Status
from wdfdma.testing.cases import MOVES, CaseResult, Signature, read_result, write_result
from wdfdma.testing.drivers import Driver, DriverUnderTest, find_driver, make_driver

CHUNK_RUNS = 1000
PYTHON_CHUNK_RUNS = 50
MAXIMUM_FINDINGS = 16
_MIX = 0x9E3779B97F4A7C15


@dataclass(frozen=True, slots=True)
class Finding:
    """The first case of a signature, as it was found and as short as it became. [hits]: runs with the signature."""

    signature: Signature
    found: bytes
    case: bytes
    result: CaseResult
    hits: int
    run: int


@dataclass(slots=True)
class FuzzReport:
    """What came of a number of runs. [features]: bits, of what has come about at all."""

    runs: int = 0
    moves: int = 0
    steps: int = 0
    requests: int = 0
    failures: int = 0
    features: int = 0
    chunks: int = 0
    seconds: float = 0.0
    findings: dict[Signature, Finding] = field(default_factory=dict)

    def add(self, other: "FuzzReport") -> list[Finding]:
        """Counts [other], which came later, in; returns what it found first."""
        for name in ("moves", "steps", "requests", "failures", "chunks"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.features |= other.features
        new = []
        for signature, finding in other.findings.items():
            known = self.findings.get(signature)
            if known is None:
                new.append(finding)
                self.findings[signature] = _replace(finding, finding.hits, self.runs + finding.run)
            else:
                self.findings[signature] = _replace(known, known.hits + finding.hits, known.run)
        self.runs += other.runs
        return new


def _replace(finding: Finding, hits: int, run: int) -> Finding:
    return Finding(finding.signature, finding.found, finding.case, finding.result, hits, run)


class _Target:
    """A driver for the loops in C."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.error: BaseException | None = None
        self.native = ffi.new("wdfdma_case_target *")
        if driver.is_native:
            self.native.driver = driver.native
        else:
            self._context = ffi.new_handle(self)
            self.native.runner = lib.wdfdma_python_run_case
            self.native.runner_context = self._context

    def check(self, status: int, call: str) -> None:
        error, self.error = self.error, None
        if error is not None:
            raise error
        Status(status).check(call)


def _define(function: Any) -> None:
    ffi.def_extern(name="wdfdma_python_run_case", error=int(Status.STATUS_UNSUCCESSFUL))(function)


@_define
def _run_case(case: Any, size: int, out: Any, context: Any) -> int:
    target = ffi.from_handle(context)
    try:
        write_result(target.driver.run(bytes(ffi.buffer(case, size))), out)
    except BaseException as error:
        target.error = error
        return int(Status.STATUS_UNSUCCESSFUL)
    return 0


def _count_left_out(moves: Iterable[str] | None) -> int:
    if moves is None:
        return 0
    wanted = set(moves)
    unknown = sorted(wanted - set(MOVES))
    if unknown:
        raise ValueError(f"{', '.join(unknown)}: no moves; there are {', '.join(MOVES)}")
    return sum(1 << number for number, name in enumerate(MOVES) if name not in wanted)


def shrink_case(
    driver: "Callable[[], DriverUnderTest] | Driver", case: bytes, *, runs: int = 0
) -> tuple[bytes, CaseResult]:
    """A failing [case] as short as its signature allows, and its result; at most [runs] runs (0: as it takes).

    Errors: StatusError for a case that does not fail.
    """
    target = _Target(make_driver(driver))
    room = max(len(case), int(lib.WDFDMA_CASE_BYTES))
    source = ffi.new("uint8_t[]", room)
    ffi.memmove(source, case, len(case))
    size = ffi.new("size_t *", len(case))
    out = ffi.new("wdfdma_workload_result *")
    status = lib.wdfdma_workload_shrink(target.native, source, size, runs, out)
    target.check(status, "wdfdma_workload_shrink")
    short = bytes(ffi.buffer(source, size[0]))
    return short, read_result(out) if target.driver.is_native else target.driver.run(short)


def run_chunk(
    driver: "str | Driver",
    seed: int,
    runs: int,
    *,
    moves: Sequence[str] | None = None,
    known: Iterable[Signature] = (),
    deadline: float | None = None,
) -> FuzzReport:
    """Puts [driver] (or what `find_driver` takes) through [runs] cases from [seed], and shrinks what fails.

    Signatures in [known] are counted, and not shrunk. No later than [deadline], a time of `monotonic`, it stops.
    Errors: StatusError, DriverError, ValueError for an unknown move.
    """
    taken = find_driver(driver) if isinstance(driver, str) else driver
    target = _Target(taken)
    findings = ffi.new("wdfdma_finding[]", MAXIMUM_FINDINGS)
    fuzz = ffi.new("wdfdma_fuzz *")
    lib.wdfdma_fuzz_init(fuzz, seed, findings, MAXIMUM_FINDINGS)
    fuzz.left_out = _count_left_out(moves)
    step = 100 if taken.is_native else 5
    while fuzz.runs < runs and (deadline is None or monotonic() < deadline):
        part = min(step, runs - fuzz.runs)
        target.check(lib.wdfdma_workload_fuzz(fuzz, target.native, part, False), "fuzz")
    report = FuzzReport(
        fuzz.runs, fuzz.moves, fuzz.steps, fuzz.requests, fuzz.failures, fuzz.features, 1
    )
    skip = set(known)
    for finding in findings[0 : fuzz.finding_count]:
        made = _make_finding(taken, finding, skip)
        report.findings[made.signature] = made
    return report


def _make_finding(driver: Driver, finding: Any, known: set[Signature]) -> Finding:
    found = bytes(ffi.buffer(finding.bytes, finding.size))
    result = read_result(finding.result)
    case = found
    if result.signature not in known:
        case, result = shrink_case(driver, found)
    return Finding(result.signature, found, case, result, finding.hits, finding.run)


def make_seed(seed: int, chunk: int) -> int:
    """The seed of the chunk with this number."""
    mixed = (seed * _MIX + chunk * 0xBF58476D1CE4E5B9 + 1) % 2**64
    return (mixed ^ mixed >> 31) * _MIX % 2**64
