"""What the rules say of the recordings of the framework's own code: no false alarm, and every alarm right."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from wdfdma import Rule, Scenario, Severity
from wdfdma.rules import Violation
from wdfdma.run import execute_scenario

CONFORMANCE = Path(__file__).parents[1] / "conformance"

# The rules that a driver breaks in canonical scenarios on purpose, though their names have no "traps".
ON_PURPOSE = {
    "wrong state, allocate_resources: transfer_failed": Rule.STATUS_IGNORED,
    "verifier off: release during a transfer frees its registers": Rule.RELEASED_IN_TRANSFER,
}

# How often each rule is broken in random.jsonl.
IN_RANDOM = {
    Rule.WDF_DMA_FATAL_ERROR: 388,
    Rule.BUFFER_SHARED: 56,
    Rule.CANCELLED_RESERVATION_KEPT: 46,
    Rule.IMMEDIATE_LOST: 41,
    Rule.STATUS_IGNORED: 9,
    Rule.RESERVATION_KEPT: 9,
    Rule.RELEASED_IN_TRANSFER: 3,
    Rule.ZERO_LENGTH_LIVELOCK: 1,
}


def run_all(name: str) -> dict[str, tuple[Scenario, list[Violation]]]:
    scenarios = Scenario.load_all(CONFORMANCE / name)
    return {
        scenario.name: (scenario, execute_scenario(scenario).violations) for scenario in scenarios
    }


@pytest.fixture(scope="module")
def random() -> dict[str, tuple[Scenario, list[Violation]]]:
    return run_all("random.jsonl")


def test_canonical_scenarios_raise_no_false_alarm() -> None:
    alarms = {}
    for name, (_, violations) in run_all("canonical.jsonl").items():
        collected = [
            violation.rule
            for violation in violations
            if not violation.stopped and violation.severity != Severity.ADVICE
        ]
        if collected and not name.startswith("traps"):
            alarms[name] = collected
    assert alarms == {name: [rule] for name, rule in ON_PURPOSE.items()}


def test_undefined_scenarios_end_in_a_rule() -> None:
    for name, (_, violations) in run_all("undefined.jsonl").items():
        assert violations, name
        assert violations[-1].stopped, name
        assert violations[-1].severity == Severity.VIOLATION, name


def test_random_scenarios_break_each_rule_as_often_as_recorded(
    random: dict[str, tuple[Scenario, list[Violation]]],
) -> None:
    found = Counter(violation.rule for _, violations in random.values() for violation in violations)
    assert found == IN_RANDOM
