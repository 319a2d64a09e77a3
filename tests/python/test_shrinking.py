"""Shrinking: noise that is planted around a core goes, and the core is what is left."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from scenario_support import make_initialize
from wdfdma import Scenario, ScenarioError
from wdfdma.export.scenario_json import normalize
from wdfdma.run import execute_scenario, first_difference
from wdfdma.shrink_numbers import simplify_number
from wdfdma.shrinking import shrink
from wdfdma.signatures import find_signature

RULES = Path(__file__).parents[1] / "rules"

# What breaks, as small as it can be: release of a transaction in transfer.
RELEASED = {
    "format": "wdfdma-scenario/1",
    "enablers": [{"profile": "packet", "maximum_length": 1}],
    "buffers": [[{"length": 1, "pfns": [0]}]],
    "steps": [
        {"op": "create", "transaction": 0, "enabler": 0},
        make_initialize(1),
        {"op": "execute", "transaction": 0},
        {"op": "release", "transaction": 0},
    ],
}
# A rule that is broken in a reaction: a transaction is deleted in its own EvtProgramDma.
NESTED = deepcopy(RELEASED)
NESTED["steps"][3:] = []  # type: ignore[index]
NESTED["steps"].insert(  # type: ignore[attr-defined]
    1,
    {
        "op": "on",
        "transaction": 0,
        "event": "program_dma",
        "do": [{"op": "release", "transaction": 0}],
    },
)


def make_cycle(transaction: int, enabler: int, buffer: int, length: int) -> list[dict[str, Any]]:
    """A transaction that comes and goes without a mistake."""
    name = {"transaction": transaction}
    place = {"buffer": buffer, "offset": 0, "length": length, "direction": "write"}
    inner = [{"op": "get_bytes_transferred", **name}, {"op": "dma_completed", **name}]
    return [
        {"op": "create", "enabler": enabler, **name},
        {"op": "on", "event": "program_dma", "do": inner, **name},
        {"op": "initialize", **name, **place},
        {"op": "get_transfer_info", **name},
        {"op": "execute", **name},
        {"op": "release", **name},
        {"op": "delete", **name},
    ]


def plant_noise(core: dict[str, Any]) -> dict[str, Any]:
    """The core among cycles of others, with bigger numbers and other names."""
    noisy = deepcopy(core)
    noisy["name"] = "noisy"
    noisy["machine"] = {"map_registers": 48, "physical_address_bits": 40}
    noisy["enablers"] = [
        {"profile": "scatter_gather64", "maximum_length": 65536, "dma_version": 3},
        {"profile": "packet", "maximum_length": 20000},
    ]
    noisy["buffers"] = [
        [{"offset": 7, "length": 9000, "pfns": [99, 3, 70]}],
        [{"offset": 100, "length": 12000, "pfns": [40, 12, 13]}],
    ]
    steps = []
    for at, step in enumerate(core["steps"]):
        step = deepcopy(step)
        for item in (step, *step.get("do", ())):
            item["transaction"] = 5
            if item["op"] == "create":
                item["enabler"] = 1
            if item["op"] == "initialize":
                item |= {"buffer": 1, "offset": 700, "length": 6000}
        if "do" in step:
            step["do"].insert(0, {"op": "get_bytes_transferred", "transaction": 5})
            step["do"].append({"op": "cancel", "transaction": 5})
        steps += [step, *make_cycle(10 + at, 0, 0, 1000 * at + 1)]
    noisy["steps"] = [*make_cycle(9, 0, 0, 9000), *steps]
    return noisy


@pytest.mark.parametrize("core", [RELEASED, NESTED], ids=["outermost", "nested"])
def test_planted_noise_goes(core: dict[str, Any]) -> None:
    noisy = plant_noise(core)
    wanted = find_signature(execute_scenario(core))
    assert wanted is not None
    assert find_signature(execute_scenario(noisy)) == wanted
    smallest = normalize(shrink(Scenario.parse(noisy)))
    smallest.pop("name")
    least = deepcopy(core)
    if core is NESTED:
        assert len(smallest["steps"]) == len(least["steps"])
    assert smallest["steps"] == least["steps"]
    assert smallest["buffers"] == least["buffers"]
    assert [enabler["profile"] for enabler in smallest["enablers"]] == ["packet"]
    assert "machine" not in smallest


def test_the_same_comes_each_time() -> None:
    noisy = Scenario.parse(plant_noise(RELEASED))
    assert normalize(shrink(noisy)) == normalize(shrink(noisy))


def test_every_rule_stays_broken_by_its_signature() -> None:
    for line in (RULES / "own.jsonl").read_text(encoding="utf-8").splitlines():
        scenario = Scenario.parse(json.loads(line))
        wanted = find_signature(execute_scenario(scenario))
        if wanted is not None:
            smallest = shrink(scenario)
            assert find_signature(execute_scenario(smallest)) == wanted, scenario.name
            assert len(smallest.steps) <= len(scenario.steps)
            assert smallest.check_leaks or "LEAK" not in wanted.rule.name, scenario.name


def test_the_state_that_a_fatal_error_is_about_stays() -> None:
    """Completing a transaction is fatal before Execute, too: in another state, which is another bug."""
    steps = [
        {"op": "create", "transaction": 0, "enabler": 0},
        make_initialize(4096),
        {"op": "execute", "transaction": 0},
        {"op": "dma_completed", "transaction": 0},
        {"op": "dma_completed", "transaction": 0},
    ]
    world = {"enablers": [{"profile": "packet", "maximum_length": 4096, "dma_version": 3}]}
    source = {"format": "wdfdma-scenario/1", "name": "twice", **world, "steps": steps}
    source["buffers"] = [[{"length": 4096, "pfns": [16]}]]
    found = shrink(Scenario.parse(source))
    assert [step["op"] for step in normalize(found)["steps"]] == [step["op"] for step in steps]


def test_a_difference_from_its_log_stays_the_same_difference() -> None:
    """No rule is broken, but a recording says something else of one record."""
    source = deepcopy(RELEASED)
    source["steps"] = [
        *make_cycle(1, 0, 0, 1),
        *make_cycle(2, 0, 0, 1),
        *make_cycle(3, 0, 0, 1),
    ]
    source["log"] = json.loads(json.dumps(execute_scenario(source).log))
    wrong = next(
        record
        for record in source["log"]  # type: ignore[attr-defined]
        if record.get("op") == "get_transfer_info" and record["transaction"] == 2
    )
    wrong["map_registers"] = 77
    smallest = shrink(Scenario.parse(source))
    assert [(step.op, step.transaction) for step in smallest.steps] == [
        ("create", 2),
        ("initialize", 2),
        ("get_transfer_info", 2),
    ]
    found = first_difference(smallest.log or [], execute_scenario(smallest).log)
    assert found is not None
    assert found.expected == wrong


def test_nothing_to_shrink_is_an_error(scenario: dict[str, Any]) -> None:
    with pytest.raises(ScenarioError, match="breaks no rule"):
        shrink(Scenario.parse(scenario))


def test_an_oracle_of_the_callers_own() -> None:
    def ask(source: dict[str, Any]) -> bool:
        return any(step["op"] == "cancel" for step in source["steps"])

    source = plant_noise(NESTED) | {
        "steps": [*make_cycle(1, 0, 0, 1), {"op": "cancel", "transaction": 1}]
    }
    assert [step.op for step in shrink(Scenario.parse(source), ask).steps] == ["cancel"]


@pytest.mark.parametrize(("value", "last"), [(1, 0), (4096, 512), (4097, 4096), (-5, -1)])
def test_simpler_numbers_are_below(value: int, last: int) -> None:
    assert simplify_number(value)[-1] == last


def test_the_command_writes_a_scenario(
    tmp_path: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    file = tmp_path / "noisy.json"
    file.write_text(json.dumps(plant_noise(RELEASED)), encoding="utf-8")
    status, printed, _ = call("shrink", file)
    assert status == 0
    assert len(json.loads(printed)["steps"]) == 4
    status, printed, _ = call("shrink", file, "-o", tmp_path / "small.json")
    assert (status, printed) == (0, "")
    assert len(Scenario.load(tmp_path / "small.json").steps) == 4


def test_the_command_says_where_there_is_nothing(
    tmp_path: Path, scenario: dict[str, Any], call: Callable[..., tuple[int, str, str]]
) -> None:
    file = tmp_path / "well.json"
    file.write_text(json.dumps(scenario), encoding="utf-8")
    status, _, problem = call("shrink", file)
    assert status == 2
    assert problem.startswith(f"{file}: it breaks no rule")
