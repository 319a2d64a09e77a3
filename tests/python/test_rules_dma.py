"""Bug check 0xE6 in scenarios: Windows' code and parameters, each mode, and near misses whose calls all succeed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wdfdma import Scenario, list_rules
from wdfdma.enums import BugCheckCode, Op, RuleEnding
from wdfdma.rules import RuleInfo
from wdfdma.run import execute_scenario

FILE = Path(__file__).parents[1] / "rules" / "dma.jsonl"
SCENARIOS = {scenario.name: scenario for scenario in Scenario.load_all(FILE)}
FAMILY = [info for info in list_rules() if info.code == BugCheckCode.DRIVER_VERIFIER_DMA_VIOLATION]
REACHABLE = [info for info in FAMILY if info.ending != RuleEnding.ABSENT]


def run_with_mode(info: RuleInfo, mode: str) -> tuple[list[Any], list[dict[str, Any]]]:
    """The violations and the log of the rule's example, with the rule in that mode."""
    source = SCENARIOS[info.example].source
    changed = {**source, "check_leaks": False, "rules": source.get("rules", {}) | {info.name: mode}}
    run = execute_scenario(changed)
    return run.violations, run.log


def find_near_miss(info: RuleInfo) -> Scenario:
    (name,) = [name for name in SCENARIOS if name.startswith(f"{info.name}, near miss: ")]
    return SCENARIOS[name]


def test_every_code_that_can_arise_has_its_two_scenarios() -> None:
    assert len(FAMILY) == 38
    assert len(SCENARIOS) == 2 * len(REACHABLE)
    assert {info.code_text for info in FAMILY} - {info.code_text for info in REACHABLE} == {
        "0xE6/1F/4",
        "0xE6/1F/5",
    }


@pytest.mark.parametrize("info", REACHABLE, ids=lambda info: info.code_text)
def test_example_halts_with_windows_code(info: RuleInfo) -> None:
    run = execute_scenario(SCENARIOS[info.example])
    (violation,) = run.violations
    assert (violation.rule, violation.code, violation.stopped) == (info.rule, info.code, True)
    assert violation.parameters[: len(info.parameters)] == info.parameters
    assert violation.op in (Op.ADAPTER_CALL, Op.DEVICE_WRITE)
    last = run.log[-1]
    assert (last["event"], last["code"]) == ("bugcheck", "DRIVER_VERIFIER_DMA_VIOLATION")
    assert last["parameters"][: len(info.parameters)] == list(info.parameters)


@pytest.mark.parametrize("info", REACHABLE, ids=lambda info: info.code_text)
def test_example_goes_on_where_its_rule_does_not_stop(info: RuleInfo) -> None:
    steps = len(SCENARIOS[info.example].steps)
    for mode, expected in (("collect", [info.rule]), ("ignore", [])):
        violations, log = run_with_mode(info, mode)
        assert [violation.rule for violation in violations] == expected
        assert not any(violation.stopped for violation in violations)
        assert sum("snapshot" in record for record in log) == steps


@pytest.mark.parametrize("info", REACHABLE, ids=lambda info: info.code_text)
def test_near_miss_succeeds_in_every_call(info: RuleInfo) -> None:
    """One that failed halfway would break no rule either."""
    near_miss = find_near_miss(info)
    run = execute_scenario(near_miss)
    assert run.violations == []
    calls = [record for record in run.log if "op" in record]
    assert [record["op"] for record in calls] == [step.op for step in near_miss.steps]
    for record in calls:
        assert record.get("status", "STATUS_SUCCESS") == "STATUS_SUCCESS", record
        assert record.get("returns", True), record
        assert record.get("length", 1) > 0, record
