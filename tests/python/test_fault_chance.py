"""Faults of every kind swept, and swept by chance."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fault_support import Answer, Data
from wdfdma import run_scenario
from wdfdma.fault_chance import sweep_chances
from wdfdma.fault_report import format_fault, make_chance_entry
from wdfdma.faults import FaultRun, Outcome, sweep_faults
from wdfdma.problems import ScenarioError
from wdfdma.run import execute_scenario
from wdfdma.scenario import Scenario


def find_run(runs: list[FaultRun], name: str) -> FaultRun:
    return next(run for run in runs if format_fault(run.fault) == name)


def test_the_new_kinds_are_swept(stepwise: Data) -> None:
    stepwise["buffers"][0][0]["pfns"] = [40, 41, 42]
    runs = sweep_faults(Scenario.parse(stepwise)).runs
    found = {format_fault(run.fault): run for run in runs}
    assert found["device twice 1"].outcome == Outcome.BUGCHECK
    assert found["device wrong 1"].outcome == Outcome.BREAK
    assert found["device late 1"].outcome == Outcome.COURSE
    assert found["device late 1"].step == 3
    assert found["partial_map 1"].step == 2
    del stepwise["steps"][5]
    runs = sweep_faults(Scenario.parse(stepwise)).runs
    silent = find_run(runs, "device silent 1")
    assert (silent.outcome, silent.detail) == (Outcome.TRANSFERS, "1 transaction")


def test_a_sweep_by_chance_is_its_seed(stepwise: Data) -> None:
    scenario = Scenario.parse(stepwise)
    first = make_chance_entry(sweep_chances(scenario, 200, 5, 20))
    assert first == make_chance_entry(sweep_chances(scenario, 200, 5, 20))
    assert [run["seed"] for run in first["runs"]] == list(range(5, 25))
    assert first["runs"][3:] == make_chance_entry(sweep_chances(scenario, 200, 8, 17))["runs"]
    assert len(first["summary"]) > 2
    assert any(not run["hits"] for run in first["runs"])
    assert not any(run["outcome"] == "refused" for run in first["runs"])


def test_the_faults_of_a_run_by_chance_do_the_same_in_a_scenario(stepwise: Data) -> None:
    base = run_scenario(stepwise)
    seen = 0
    for run in sweep_chances(Scenario.parse(stepwise), 300, 0, 30).runs:
        faults = [fault.model_dump(exclude_none=True) for fault in run.faults]
        source = json.loads(json.dumps({**stepwise, "faults": faults}))
        if run.outcome == Outcome.UNMADE:
            with pytest.raises(ScenarioError, match=re.escape(run.detail)):
                execute_scenario(source)
        else:
            log = execute_scenario(source).log
            assert (log == base) == (run.outcome == Outcome.UNCHANGED)
        seen += bool(run.hits)
    assert seen > 5


def test_an_error_of_ours_is_one(stepwise: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    from wdfdma import fault_chance

    observe = fault_chance.observe

    def break_down(changed: Scenario, *, count: bool = False) -> Any:
        if changed.faults:
            raise AssertionError("broken")
        return observe(changed, count=count)

    monkeypatch.setattr(fault_chance, "observe", break_down)
    sweep = sweep_chances(Scenario.parse(stepwise), 100, 0, 2)
    assert sweep.has_error
    assert {run.detail for run in sweep.runs} == {"AssertionError: broken"}


def test_the_command_by_chance(call: Callable[..., Answer], tmp_path: Path, stepwise: Data) -> None:
    path = tmp_path / "small.json"
    path.write_text(json.dumps(stepwise), encoding="utf-8")
    code, out, err = call("faults", "--chance", 300, "--seed", 4, "--runs", 8, path)
    assert (code, err) == (0, "")
    assert [line.split()[1] for line in out.splitlines() if line.startswith("  seed ")] == [
        str(seed) for seed in range(4, 12)
    ]
    assert call("faults", "--chance", 300, "--seed", 4, "--runs", 8, path)[1] == out
    code, out, err = call("faults", "--json", "--chance", 300, path)
    assert (code, err) == (0, "")
    (entry,) = json.loads(out)["scenarios"]
    assert (entry["per_mille"], len(entry["runs"])) == (300, 100)
    for option in ("--seed", "--runs"):
        code, out, err = call("faults", option, 1, path)
        assert (code, out, err) == (2, "", f"{option}: only together with --chance\n")
    assert call("faults", "--chance", 1001, path)[0] == 2
