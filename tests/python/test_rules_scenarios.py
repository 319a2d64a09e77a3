"""Every rule has a scenario that breaks it and no other, and a near miss that breaks nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from wdfdma import Scenario, list_rules
from wdfdma.enums import RuleEnding
from wdfdma.rules import RuleInfo
from wdfdma.run import execute_scenario

FOLDER = Path(__file__).parents[1] / "rules"
SCENARIOS = [
    scenario for path in sorted(FOLDER.glob("*.jsonl")) for scenario in Scenario.load_all(path)
]
REACHABLE = [info for info in list_rules() if info.ending != RuleEnding.ABSENT]


def find_examples(info: RuleInfo) -> list[Scenario]:
    return [scenario for scenario in SCENARIOS if scenario.name.startswith(f"{info.name}: ")]


def find_near_misses(info: RuleInfo) -> list[Scenario]:
    return [s for s in SCENARIOS if s.name.startswith(f"{info.name}, near miss: ")]


@pytest.mark.parametrize("info", REACHABLE, ids=lambda info: info.name)
def test_example_breaks_its_rule_and_no_other(info: RuleInfo) -> None:
    (example,) = find_examples(info)
    assert example.name == info.example
    violations = execute_scenario(example).violations
    assert [violation.rule for violation in violations] == [info.rule]


@pytest.mark.parametrize("info", REACHABLE, ids=lambda info: info.name)
def test_near_miss_breaks_nothing(info: RuleInfo) -> None:
    (near_miss,) = find_near_misses(info)
    run = execute_scenario(near_miss)
    assert run.violations == []
    assert not any(record.get("event") == "bugcheck" for record in run.log)


@pytest.mark.parametrize("info", REACHABLE, ids=lambda info: info.name)
def test_both_ask_for_the_same(info: RuleInfo) -> None:
    """A near miss that ignored its rule, or did not look for leaks, would show nothing."""
    (example,), (near_miss,) = find_examples(info), find_near_misses(info)
    assert info.name not in [name for name, mode in near_miss.rules.items() if mode == "ignore"]
    assert near_miss.check_leaks == example.check_leaks


def test_each_scenario_is_of_a_rule() -> None:
    """None is left over, and what cannot arise has none."""
    of_rules = [item for info in REACHABLE for item in find_examples(info) + find_near_misses(info)]
    assert sorted(item.name for item in SCENARIOS) == sorted(item.name for item in of_rules)
    for info in list_rules():
        assert bool(info.example) == (info.ending != RuleEnding.ABSENT), info.name
