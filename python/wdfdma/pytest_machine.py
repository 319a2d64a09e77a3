"""A machine of a test: it keeps what it was when it is closed, by whomever."""

from contextlib import suppress
from dataclasses import dataclass, field
from traceback import StackSummary
from types import TracebackType

from wdfdma._native import lib
from wdfdma.enums import Rule, Severity
from wdfdma.errors import BugCheck
from wdfdma.fault_records import PlannedFault, add_fault, read_faults
from wdfdma.machine import Machine
from wdfdma.replay import find_command, shorten_path
from wdfdma.rules import Violation

_NEVER = 2**64 - 1  # an allocation that does not come
# Frames of who called the test.
_RUNNERS = ("_pytest", "pluggy", "xdist", "execnet")


@dataclass(frozen=True)
class Capture:
    """A machine for reading: its page (the last records of the log, the pool, how to see it again), log and dump."""

    page: str
    log: str
    html: str


@dataclass
class TestedState:
    """What a test's runner knows of one machine of the test; the rest is noted when that is closed."""

    __test__ = False

    index: int
    seed: int
    allow_leaks: bool
    wants_all: bool  # log and dump, too
    problems: list[Violation] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    least_free: int | None = None
    high_water: int = 0  # the most registers that were held at once
    capture: Capture | None = None
    counters_from: int | None = None  # where the faults that only count begin in the plan
    counters: int = 0
    counted: list[PlannedFault] = field(default_factory=list)
    allocations: int = 0


def is_leak(violation: Violation) -> bool:
    """Whether a rule says that something is still held, or never completed."""
    return violation.rule == Rule.NEVER_COMPLETED or violation.rule.name.startswith("LEAK_")


class TestedMachine(Machine):
    """What the fixtures make: a Machine, with what its test is told of it."""

    __test__ = False
    __slots__ = ("allow_violations", "tested")

    tested: TestedState
    allow_violations: bool | tuple[str, ...]

    def list_problems(self) -> list[Violation]:
        """What was broken so far and fails the test: not advice, not allowed, and no bug check, which was raised."""
        broken = [item for item in self.violations if not item.stopped]
        return [item for item in broken if not self._allows(item)]

    def _allows(self, item: Violation) -> bool:
        if item.severity == Severity.ADVICE or self.allow_violations is True:
            return True
        allowed = self.allow_violations or ()
        return item.info.name in allowed or (is_leak(item) and self.tested.allow_leaks)

    def start_counting(self) -> None:
        """Counts everything that a fault could hit from now on."""
        from wdfdma.fault_kinds import list_counters

        machine = self._core.get_machine()
        self.tested.counters_from = len(read_faults(machine))
        counters = list_counters()
        self.tested.counters = len(counters)
        for fault in counters:
            add_fault(machine, fault).check("wdfdma_machine_add_fault")
        if not lib.wdfdma_machine_get_fail_allocation(machine):
            self.fail_allocation(_NEVER)

    def _note_counts(self) -> None:
        machine, begin = self._core.get_machine(), self.tested.counters_from
        if begin is None:
            return
        self.tested.counted = read_faults(machine)[begin : begin + self.tested.counters]
        left = int(lib.wdfdma_machine_get_fail_allocation(machine))
        # A test that makes an allocation fail itself has set another count.
        self.tested.allocations = _NEVER - left if left > _NEVER // 2 else 0

    def capture(self, violation: Violation | None = None) -> Capture:
        """The machine as it is, about [violation] or what it thinks worst."""
        page = self.report(violation)
        if "\n  replay " not in page:
            page += f"\n\nAgain\n  replay      {find_command()}"
        if not self.tested.wants_all:
            return Capture(page, "", "")
        return Capture(page, self.format_log(), self.dump(html=True))

    def close(self) -> None:
        """As Machine does; what is still held is noted before."""
        if not self._core.closed and not self._core.depth:
            self._note_end()
        super().close()

    def _note_end(self) -> None:
        state = self.tested
        of_machine = self.state
        state.least_free = of_machine.least_free_registers
        state.high_water = of_machine.map_registers - of_machine.least_free_registers
        self._note_counts()
        state.violations, state.problems = self.violations, self.list_problems()
        if not self.halted:
            known = len(state.violations)
            with suppress(BugCheck):  # of a rule that stops; its violation is there all the same
                self.check_leaks()
            state.violations = self.violations
            state.problems += [item for item in state.violations[known:] if not self._allows(item)]
        if state.problems and state.capture is None:
            state.capture = self.capture(state.problems[0])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Once it is closed, nobody can show what led to the error.
        if error is not None and not self._core.closed and not self._core.depth:
            self.tested.capture = self.capture()
        super().__exit__(kind, error, traceback)

    def describe(self, violation: Violation) -> list[str]:
        """The lines about a violation: what it is, and the stack of what made the object."""
        lines = [f"  {violation.summary}"]
        stack = self.get_trace(violation)
        if stack:
            lines.append("    made by")
            lines += [f"    {line}" for line in _list_frames(stack)]
        return lines


def _list_frames(stack: StackSummary) -> list[str]:
    """The frames of the test, outermost first, with their source."""
    frames = list(stack)
    inner = [at for at, frame in enumerate(frames) if _is_runner(frame.filename)]
    lines = []
    for frame in frames[inner[-1] + 1 :] if inner else frames:
        lines.append(f"  {shorten_path(frame.filename)}:{frame.lineno}, in {frame.name}")
        if frame.line:
            lines.append(f"    {frame.line}")
    return lines


def _is_runner(filename: str) -> bool:
    parts = filename.replace("\\", "/").split("/")
    return any(part in _RUNNERS for part in parts)
