"""Scenarios as a test file of pytest's, which needs nothing but wdfdma."""

from typing import Any

from wdfdma.enums import Rule
from wdfdma.errors import BugCheck
from wdfdma.export.scenario_json import format_value, normalize
from wdfdma.records import Record
from wdfdma.rules import Violation, get_rule_info
from wdfdma.run import Run
from wdfdma.scenario import Scenario

_TEXT = '''\
"""{title}

Made by wdfdma export: the same rules are broken, with the same parameters, at the same steps, and the log is the same.
"""

from typing import Any

import pytest

from wdfdma.run import Run, execute_scenario

SCENARIO: dict[str, Any] = {scenario}

# Of each rule that is broken: its name, the bug check, its parameters, the step.
VIOLATIONS: list[Any] = {violations}

# Why the machine halts: the bug check, its parameters, the step; None: it does not.
BUGCHECK: Any = {bugcheck}

LOG: list[Any] = {log}


@pytest.fixture(scope="module")
def run() -> Run:
    return execute_scenario(SCENARIO)


def test_the_same_rules_are_broken(run: Run) -> None:
    came = [
        [item.info.name, item.code.name, list(item.parameters), item.step]
        for item in run.violations
    ]
    assert came == VIOLATIONS


def test_the_machine_halts_in_the_same_way(run: Run) -> None:
    halt = run.bugcheck
    came = None if halt is None else [halt.code.name, list(halt.parameters), halt.step]
    assert came == BUGCHECK


def test_the_log_is_the_same(run: Run) -> None:
    assert run.log == LOG
'''


def export_pytest(scenario: Scenario, run: Run) -> str:
    """The text of a test file that runs [scenario] and compares what comes with [run]."""
    plain = normalize(scenario)
    plain.pop("log", None)
    return _TEXT.format(
        title=_write_title(scenario),
        scenario=_write(plain),
        violations=_write([_describe(item) for item in run.violations]),
        bugcheck=_write(None if run.bugcheck is None else _describe_halt(run.bugcheck)),
        log=_write(_as_json(run.log)),
    )


def _write_title(scenario: Scenario) -> str:
    title = (scenario.name or "A scenario").rstrip(".")
    return f"{title}.".encode("unicode_escape").decode("ascii").replace('"', "'")


def _write(value: Any) -> str:
    return format_value(value, "", repr)


def _as_json(log: list[Record]) -> list[Any]:
    return [dict(record) for record in log]


def _describe(item: Violation) -> list[Any]:
    name = get_rule_info(item.rule).name if item.rule != Rule.NONE else ""
    return [name, item.code.name, list(item.parameters), item.step]


def _describe_halt(halt: BugCheck) -> list[Any]:
    return [halt.code.name, list(halt.parameters), halt.step]
