"""Tests with faults: those of the command line, and one run of a test for every fault that it could meet."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.runner import runtestprotocol

from wdfdma.fault_forms import Fault
from wdfdma.fault_kinds import list_faults
from wdfdma.fault_report import format_fault
from wdfdma.problems import Problem, ScenarioError
from wdfdma.pytest_keys import BENCH, CHOICE, COUNTING
from wdfdma.scenario import Scenario

if TYPE_CHECKING:
    from wdfdma.pytest_machine import TestedState

_EMPTY: dict[str, Any] = {
    "format": "wdfdma-scenario/1",
    "enablers": [],
    "buffers": [],
    "steps": [],
}


@dataclass(frozen=True)
class FaultChoice:
    """A fault for the machines of a test: for all (None), or for the one that is made as [machine], from 0.

    >>> str(parse_choice('{"register_grant": 1, "machine": 2}'))
    'the fault register_grant 1 of machine 2'
    """

    fault: Fault
    machine: int | None = None

    @property
    def argument(self) -> str:
        """What --wdfdma-fault takes."""
        value = self.fault.model_dump(exclude_none=True)
        return json.dumps(value if self.machine is None else value | {"machine": self.machine})

    def __str__(self) -> str:
        which = "" if self.machine is None else f" of machine {self.machine}"
        return f"the fault {format_fault(self.fault)}{which}"


def parse_choice(text: str) -> FaultChoice:
    """The fault that an argument of --wdfdma-fault stands for. Errors: ScenarioError."""
    where = "--wdfdma-fault"
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ScenarioError([Problem("", f"not JSON: {error}")], where) from None
    if not isinstance(value, dict):
        raise ScenarioError([Problem("", "not a fault as scenarios have them")], where)
    machine = value.pop("machine", None)
    if machine is not None and (type(machine) is not int or machine < 0):
        raise ScenarioError([Problem("machine", "not the number of a machine, from 0")], where)
    return FaultChoice(Scenario.parse(_EMPTY | {"faults": [value]}, where).faults[0], machine)


def list_choices(plan: Scenario, state: "TestedState", machines: int) -> list[FaultChoice]:
    """Every fault that a machine whose counts were kept has met; [machines] is how many the test made."""
    if not state.counted:
        return []
    faults = list_faults(plan, state.counted, state.allocations)
    return [FaultChoice(fault, state.index if machines > 1 else None) for fault in faults]


def run_with_faults(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Runs a test that has passed once more for every fault that it could meet; failures are told last."""
    properties = list(item.user_properties)
    item.stash[COUNTING] = True
    runtestprotocol(item, log=False, nextitem=nextitem)
    del item.stash[COUNTING]
    failed = []
    for choice in item.stash[BENCH].list_choices():
        if item.session.shouldstop or item.session.shouldfail:
            break
        item.user_properties.clear()
        item.stash[CHOICE] = choice
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        if any(report.failed for report in reports):
            failed.append(reports)  # a later one that passes would be taken for the test's mending
        else:
            _tell(item, reports)
    if CHOICE in item.stash:
        del item.stash[CHOICE]
    item.user_properties[:] = properties
    for reports in failed:
        _tell(item, reports)


def _tell(item: pytest.Item, reports: list[pytest.TestReport]) -> None:
    hook = item.ihook
    hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in reports:
        hook.pytest_runtest_logreport(report=report)
    hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
