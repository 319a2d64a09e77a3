"""A chunk of a fuzzing run: so many cases from a seed of its own, by the loops in C, and what they found."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic, time
from typing import TYPE_CHECKING, Any

from wdfdma._native import ffi, lib
from wdfdma.collecting import collect_coverage
from wdfdma.coverage_map import CoverageMap
from wdfdma.status import Status
from wdfdma.testing.cases import MOVES, CaseResult, Signature, read_result, write_result
from wdfdma.testing.drivers import Driver, DriverUnderTest, find_driver, find_origin, make_driver

if TYPE_CHECKING:
    from wdfdma.coverage import Coverage
    from wdfdma.testing.isolation import Sandbox

CHUNK_RUNS = 1000
PYTHON_CHUNK_RUNS = 50
MAXIMUM_FINDINGS = 16
_MOST_TRIES = 1000  # to make a case shorter in another process
_MOST_HANGS = 150  # the same for one that never ends
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
    coverage: "Coverage | None" = None  # of those chunks that collected it

    def add(self, other: "FuzzReport") -> list[Finding]:
        """Counts [other], which came later, in; returns what it found first."""
        for name in ("moves", "steps", "requests", "failures", "chunks"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.features |= other.features
        if other.coverage is not None:
            before = self.coverage
            self.coverage = before.merge(other.coverage) if before else other.coverage
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


class ChunkInterrupt(KeyboardInterrupt):
    """Somebody pressed Ctrl-C; [report] is of the runs before it, and what they found may not be short."""

    def __init__(self, report: FuzzReport) -> None:
        super().__init__()
        self.report = report


def _replace(finding: Finding, hits: int, run: int) -> Finding:
    return Finding(finding.signature, finding.found, finding.case, finding.result, hits, run)


class Target:
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
        """Raises what the driver's own end or [status] says."""
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


def count_left_out(moves: Iterable[str] | None) -> int:
    """The bits of the kinds of moves that are not in [moves]; None: all are. Errors: TypeError, ValueError."""
    if moves is None:
        return 0
    if isinstance(moves, (str, bytes)):
        raise TypeError(f"moves: {moves!r} is one name, not a sequence of them")
    wanted = set(moves)
    if not wanted:
        raise ValueError(f"moves: it is empty; there are {', '.join(MOVES)}")
    unknown = sorted(wanted - set(MOVES))
    if unknown:
        raise ValueError(
            f"{', '.join(name or repr(name) for name in unknown)}: no moves; there are {', '.join(MOVES)}"
        )
    return sum(1 << number for number, name in enumerate(MOVES) if name not in wanted)


def shrink_case(
    driver: "Callable[[], DriverUnderTest] | Driver | str", case: bytes, *, runs: int = 0
) -> tuple[bytes, CaseResult]:
    """A failing [case] as short as its signature allows, and its result; at most [runs] runs (0: as it takes).

    Errors: StatusError for a case that does not fail.
    """
    target = Target(make_driver(driver))
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
    until: float | None = None,
    isolate: float | None = None,
    coverage: bool = False,
) -> FuzzReport:
    """Puts [driver] (or what `find_driver` takes) through [runs] cases from [seed], and shrinks what fails.

    Signatures in [known] are counted, and not shrunk. No later than [deadline], a time of `monotonic`, it stops, or
    [until], one of `time`.
    [coverage] is collected into the report.
    [isolate]: the cases run in another process, each for so many seconds at most; it must find the driver there.
    Errors: StatusError, DriverError, ValueError for an unknown move, IsolationError; ChunkInterrupt.
    """
    taken = find_driver(driver) if isinstance(driver, str) else driver
    if until is not None:
        deadline = monotonic() + until - time()
    chunk = _Chunk(taken, seed, runs, count_left_out(moves), set(known), deadline)
    if isolate is None:
        return chunk.run_here(CoverageMap() if coverage else None)
    from wdfdma.testing.isolation import take_sandbox

    with take_sandbox(find_origin(taken)) as sandbox:
        return chunk.run_there(sandbox, isolate, coverage)


@dataclass(slots=True)
class _Chunk:
    driver: Driver
    seed: int
    runs: int
    left_out: int
    known: set[Signature]
    deadline: float | None
    interrupted: bool = False

    def run_here(self, counters: CoverageMap | None) -> FuzzReport:
        target = Target(self.driver)
        if counters is not None:
            target.native.coverage = counters.native
        fuzz = ffi.new("wdfdma_fuzz *")
        findings = ffi.new("wdfdma_finding[]", MAXIMUM_FINDINGS)

        def run(part: int) -> None:
            target.check(lib.wdfdma_workload_fuzz(fuzz, target.native, part, False), "fuzz")

        with collect_coverage(counters):  # a driver in Python has machines of its own
            self._run(fuzz, findings, run)
        report = self._report(fuzz, lambda case, _result: shrink_case(self.driver, case))
        report.coverage = None if counters is None else counters.read()
        return report

    def run_there(self, sandbox: "Sandbox", seconds: float, collects: bool) -> FuzzReport:
        from wdfdma.testing.isolation import SharedFuzz, choose_seconds, isolate_driver

        def shrink(case: bytes, result: CaseResult) -> tuple[bytes, CaseResult]:
            short = choose_seconds(result, seconds)
            tries = _MOST_TRIES if short == seconds else _MOST_HANGS
            found = shrink_case(isolate_driver(self.driver, sandbox, short), case, runs=tries)
            again = sandbox.run(found[0], seconds)
            return (found[0], again) if again.signature == result.signature else (case, result)

        shared = SharedFuzz(sandbox, seconds, self.deadline, collects=collects)
        try:
            self._run(shared.fuzz, shared.findings, shared.run)
            report = self._report(shared.fuzz, shrink)
            report.coverage = shared.coverage
            return report
        finally:
            shared.close()

    def _run(self, fuzz: Any, findings: Any, run: Callable[[int], None]) -> None:
        lib.wdfdma_fuzz_init(fuzz, self.seed, findings, MAXIMUM_FINDINGS)
        fuzz.left_out = self.left_out
        step = 100 if self.driver.is_native else 5
        while fuzz.runs < self.runs and (self.deadline is None or monotonic() < self.deadline):
            try:
                run(min(step, self.runs - fuzz.runs))
            except KeyboardInterrupt:
                self.interrupted = True
                return

    def _report(
        self, fuzz: Any, shrink: Callable[[bytes, CaseResult], tuple[bytes, CaseResult]]
    ) -> FuzzReport:
        report = FuzzReport(
            fuzz.runs, fuzz.moves, fuzz.steps, fuzz.requests, fuzz.failures, fuzz.features, 1
        )
        for place in range(fuzz.finding_count):
            finding = fuzz.findings[place]
            case = found = bytes(ffi.buffer(finding.bytes, finding.size))
            result = read_result(finding.result)
            if not result.has_failed:
                continue  # an interrupt came while it was written
            if result.signature not in self.known and not self.interrupted:
                try:
                    case, result = shrink(found, result)
                except KeyboardInterrupt:
                    self.interrupted = True
            report.findings[result.signature] = Finding(
                result.signature, found, case, result, finding.hits, finding.run
            )
        if self.interrupted:
            raise ChunkInterrupt(report)
        return report


def make_seed(seed: int, chunk: int) -> int:
    """The seed of the chunk with this number."""
    mixed = (seed * _MIX + chunk * 0xBF58476D1CE4E5B9 + 1) % 2**64
    return (mixed ^ mixed >> 31) * _MIX % 2**64
