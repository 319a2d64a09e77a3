"""Every recording of the framework's own code is matched, record for record."""

import json
from pathlib import Path
from typing import Any

import pytest

from wdfdma import Scenario, first_difference, run_scenario
from wdfdma.cli import main
from wdfdma.run import compare, execute_scenario


@pytest.mark.parametrize("name", ["canonical", "random"])
def test_recordings_match(name: str, recordings: dict[str, list[Any]]) -> None:
    differences = {}
    for recording in recordings[name]:
        difference = first_difference(recording["log"], run_scenario(recording))
        if difference is not None:
            differences[recording["name"]] = str(difference)
    assert not differences


def test_undefined_behaviour_is_stopped_by_a_named_rule(recordings: dict[str, list[Any]]) -> None:
    differences = {}
    rules = set()
    for recording in recordings["undefined"]:
        scenario = Scenario.parse(recording)
        log = execute_scenario(scenario).log
        difference = compare(scenario, log)
        if difference is not None:
            differences[scenario.name] = str(difference)
        else:
            rules.add(log[-1]["parameters"][0])
    assert not differences
    assert len(rules) > 5


def test_rendered_keys_are_those_of_the_recordings(recordings: dict[str, list[Any]]) -> None:
    """Equality of dictionaries takes 1 for true; JSON does not."""
    for recording in recordings["canonical"]:
        expected = json.dumps(recording["log"], sort_keys=True)
        assert json.dumps(run_scenario(recording), sort_keys=True) == expected


def test_command_checks_all_recordings(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(__file__).parents[1] / "conformance"
    with pytest.raises(SystemExit) as caught:
        main(["run", "--check", str(folder)])
    assert caught.value.code == 0, capsys.readouterr().out
    assert capsys.readouterr().out.endswith(": all match\n")


def test_first_difference_names_step_and_both_records(recordings: dict[str, list[Any]]) -> None:
    recording = recordings["canonical"][0]
    actual = run_scenario(recording)
    expected = json.loads(json.dumps(actual))
    expected[4]["elements"][0][1] = 1
    difference = first_difference(expected, actual)
    assert difference is not None
    assert (difference.index, difference.step) == (4, 2)
    assert difference.expected["elements"] != difference.actual["elements"]
    assert "step 2, record 4" in str(difference)


def test_a_number_is_not_a_boolean() -> None:
    expected = [{"op": "cancel", "transaction": 0, "returns": 1}]
    actual = [{"op": "cancel", "transaction": 0, "returns": True}]
    assert first_difference(expected, actual) is not None


@pytest.mark.parametrize(("shorter", "longer"), [(0, 1), (1, 0)])
def test_a_missing_record_is_a_difference(shorter: int, longer: int) -> None:
    record = {"snapshot": {"free_registers": 1, "transactions": {}}}
    difference = first_difference([record] * (1 + shorter), [record] * (1 + longer))
    assert difference is not None
    assert (difference.index, difference.step) == (1, 1)
    assert "nothing" in str(difference)
