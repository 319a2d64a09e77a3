"""The machines of one test: how they are made, what fails the test, and what its report says."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.outcomes import Failed

from wdfdma.enums import Rule, RuleMode
from wdfdma.errors import BugCheck, CheckError
from wdfdma.problems import ScenarioError
from wdfdma.pytest_artifacts import write_artifacts
from wdfdma.pytest_machine import Capture, TestedMachine, TestedState, is_leak
from wdfdma.pytest_marks import MarkError, TestSettings
from wdfdma.rules import Violation, find_rule

if TYPE_CHECKING:
    from wdfdma.pytest_faults import FaultChoice
    from wdfdma.scenario import Scenario


class MachineFailed(Failed):
    """A rule was broken or something is still held: the test fails, whatever its own code says."""

    __module__ = "builtins"  # for the summary of pytest, which has Failed without a module too

    def __init__(self, text: str) -> None:
        super().__init__(text, pytrace=False)


def make_plan(settings: TestSettings) -> "Scenario":
    """The faults and the rules of a test's markers, as a scenario without steps. Errors: MarkError."""
    from wdfdma.scenario import Scenario

    source = {
        "format": "wdfdma-scenario/1",
        "enablers": [],
        "buffers": [],
        "steps": [],
        "faults": [dict(fault) for fault in settings.faults],
        "rules": dict(settings.rules),
    }
    try:
        return Scenario.parse(source, "wdfdma")
    except ScenarioError as error:
        raise MarkError("\n".join(error.lines)) from None


def check_allowed(settings: TestSettings) -> None:
    """Errors: MarkError for a name that no rule has."""
    allowed = settings.allow_violations
    for name in allowed if isinstance(allowed, tuple) else ():
        if find_rule(name) is None:
            raise MarkError(f"wdfdma(allow_violations=): {name!r} is no rule's name")


class Bench:
    """The machines that the fixtures make for one run of a test.

    [choices] are faults of the command line, [is_counting] says that this run counts what faults could hit,
    [artifacts] is the folder for what a failing test leaves. Errors: MarkError.
    """

    def __init__(
        self,
        item: pytest.Item,
        settings: TestSettings,
        *,
        seed: int | None,
        choices: "list[FaultChoice]",
        is_counting: bool,
        artifacts: Path | None,
    ) -> None:
        self.item = item
        self.settings = settings
        check_allowed(settings)
        # Most tests have none, and pydantic need not be imported for them.
        self.plan = make_plan(settings) if settings.faults or settings.rules else None
        self.seed = seed or 0
        self.choices = choices
        self.is_counting = is_counting
        self.artifacts = artifacts
        self.machines: list[TestedMachine] = []
        self.passed = True

    def make(self, *, allow_leaks: bool = False, **settings: Any) -> TestedMachine:
        """Makes a machine, with [settings] of Machine before those of the markers; it is closed after the test."""
        values = {
            "log": "grow",
            "trace": True,
            "seed": self.seed,
            **self.settings.machine,
            **settings,
        }
        machine = TestedMachine(**values)
        machine.tested = TestedState(
            index=len(self.machines),
            seed=int(values["seed"]),
            allow_leaks=allow_leaks or self.settings.allow_leaks,
            wants_all=self.artifacts is not None,
        )
        machine.allow_violations = self.settings.allow_violations
        self.machines.append(machine)
        for name, mode in self.plan.rules.items() if self.plan else ():
            machine.set_rule(find_rule(name) or Rule.NONE, RuleMode[mode.upper()])
        if self.plan or self.choices:
            self._plan_faults(machine)
        if self.is_counting:
            machine.start_counting()
        return machine

    def _plan_faults(self, machine: TestedMachine) -> None:
        from wdfdma.fault_forms import plan_faults

        index = machine.tested.index
        chosen = [item.fault for item in self.choices if item.machine in (None, index)]
        marked = self.plan.faults if self.plan else []
        allocation = plan_faults(machine._core.get_machine(), [*marked, *chosen])
        if allocation:
            machine.fail_allocation(allocation)

    def list_choices(self) -> "list[FaultChoice]":
        """Every fault that the machines, closed by now, could have met."""
        from wdfdma.pytest_faults import list_choices

        plan = self.plan or make_plan(self.settings)
        states = [machine.tested for machine in self.machines]
        return [choice for state in states for choice in list_choices(plan, state, len(states))]

    def require_order(self) -> None:
        """Fails the test for the rules that were broken so far. Errors: MachineFailed."""
        found = [
            (machine, machine.tested.problems if machine._core.closed else machine.list_problems())
            for machine in self.machines
        ]
        self._fail_for(found)

    def finish(self) -> None:
        """Closes the machines and tells what came of them. Errors: MachineFailed, where the test itself passed."""
        for machine in self.machines:
            machine.close()
        self._add_properties()
        if self.passed:
            self._fail_for([(machine, machine.tested.problems) for machine in self.machines])

    def _fail_for(self, found: list[tuple[TestedMachine, list[Violation]]]) -> None:
        broken = [
            (machine, item) for machine, items in found for item in items if not is_leak(item)
        ]
        leaks = [(machine, item) for machine, items in found for item in items if is_leak(item)]
        lines = [f"with {choice}" for choice in self.choices if broken or leaks]
        if broken:
            lines.append(f"{_count(len(broken), 'rule')} broken:")
            lines += [line for machine, item in broken for line in self._describe(machine, item)]
        if leaks:
            lines.append(f"{_count(len(leaks), 'leak')}, still held when the test was over:")
            lines += [line for machine, item in leaks for line in self._describe(machine, item)]
        if broken or leaks:
            raise MachineFailed("\n".join(lines))

    def _describe(self, machine: TestedMachine, item: Violation) -> list[str]:
        lines = machine.describe(item)
        if len(self.machines) > 1:
            lines[0] += f", of machine {machine.tested.index}"
        return lines

    def _add_properties(self) -> None:
        """What JUnit's XML is told, as plain values, which xdist carries."""
        for machine in self.machines:
            state = machine.tested
            prefix = f"wdfdma_{state.index}" if len(self.machines) > 1 else "wdfdma"
            rows: list[tuple[str, object]] = [(f"{prefix}_seed", state.seed)]
            if state.least_free is not None:
                rows.append((f"{prefix}_least_free_registers", state.least_free))
                rows.append((f"{prefix}_high_water", state.high_water))
            rows.append((f"{prefix}_violations", len(state.violations)))
            rows += [(f"{prefix}_violation", item.summary) for item in state.violations]
            self.item.user_properties.extend(rows)
        self.item.user_properties.extend(
            ("wdfdma_fault", choice.argument) for choice in self.choices
        )

    # The report

    def complete(self, report: pytest.TestReport, call: pytest.CallInfo[None]) -> None:
        """Adds to the report of a phase what the machines say, and takes away what a fault of ours explains."""
        error = None if call.excinfo is None else call.excinfo.value
        if report.failed and error is not None and self.choices and not is_serious(error):
            self._excuse(report, error)
            call.excinfo = None  # nobody is to debug it
            self.passed = False  # what it held goes with it
            return
        self.passed = self.passed and error is None and report.passed
        if not report.failed:
            return
        captures = self._capture_all()
        for index, capture in captures:
            number = f": machine {index}" if len(self.machines) > 1 else ""
            faults = "".join(f"With {choice}\n\n" for choice in self.choices)
            # The page of a bug check that was raised stands above, in its traceback.
            page = "" if capture.page in str(error) else capture.page
            if faults or page:
                report.sections.append((f"wdfdma{number}", (faults + page).rstrip("\n")))
        if self.artifacts is not None:
            write_artifacts(self.artifacts, self.item.nodeid, self.choices, captures)

    def _excuse(self, report: pytest.TestReport, error: BaseException) -> None:
        report.outcome, report.longrepr = "passed", None
        if report.when == "setup":  # there is no test to call then
            reason = f"Skipped: {self.choices[0]} ended the set-up: {type(error).__name__}: {error}"
            report.outcome = "skipped"
            report.longrepr = (str(self.item.path), self.item.location[1] or 0, reason)

    def _capture_all(self) -> list[tuple[int, Capture]]:
        captures = []
        for machine in self.machines:
            state = machine.tested
            if not machine._core.closed:
                problems = [] if machine.halted else machine.list_problems()
                state.capture = machine.capture(problems[0] if problems else None)
            if state.capture is not None:
                captures.append((state.index, state.capture))
        return captures


def is_serious(error: BaseException) -> bool:
    """Whether an exception tells of a driver's mistake, or of ours, and not just of a call that failed."""
    if isinstance(error, BugCheck | CheckError | MachineFailed):
        return True
    inner = [*getattr(error, "exceptions", ()), error.__cause__ or error.__context__]
    return any(is_serious(item) for item in inner if item is not None)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
