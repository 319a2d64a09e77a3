"""Injected faults: in scenarios, from Python, and what `wdfdma faults` says of each."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wdfdma import Machine, Op, Rule, Status, StatusError, cli, get_rule_info, run_scenario
from wdfdma.fault_records import FAULT_STATUSES, list_fault_statuses
from wdfdma.fault_report import format_fault, make_entry
from wdfdma.faults import FaultRun, Outcome, sweep_faults
from wdfdma.problems import ScenarioError
from wdfdma.run import execute_scenario
from wdfdma.scenario import Scenario

Data = dict[str, Any]
Answer = tuple[int, str, str]
NO_RESOURCES = "STATUS_INSUFFICIENT_RESOURCES"
RESERVE = {"op": "allocate_resources", "transaction": 0, "direction": "read", "map_registers": 3}


def find_run(runs: list[FaultRun], name: str) -> FaultRun:
    return next(run for run in runs if format_fault(run.fault) == name)


def list_statuses(log: list[Data], op: str) -> list[str]:
    return [record["status"] for record in log if record.get("op") == op]


# ---- In a scenario


def test_the_nth_call_fails(scenario: Data) -> None:
    step = scenario["steps"][2:]
    scenario["steps"] += [*step, *step]
    scenario["faults"] = [{"op": "execute", "nth": 2, "status": NO_RESOURCES}]
    log = run_scenario(scenario)
    assert list_statuses(log, "execute") == ["STATUS_SUCCESS", NO_RESOURCES, "STATUS_SUCCESS"]
    states = [record["snapshot"]["transactions"].get("0") for record in log if "snapshot" in record]
    assert states[6] == {
        "state": "transfer_failed",
        "bytes_transferred": 0,
        "transfer_length": 8192,
    }
    assert states[7]["state"] == "released"


def test_a_denied_grant_waits(scenario: Data) -> None:
    scenario["faults"] = [{"register_grant": 1}]
    scenario["steps"][-1] = {"op": "cancel", "transaction": 0}
    log = run_scenario(scenario)
    assert list_statuses(log, "execute") == ["STATUS_SUCCESS"]
    assert not any(record.get("event") == "program_dma" for record in log)
    assert next(record for record in log if record.get("op") == "cancel")["returns"] is True


def test_memory_fails_after_the_set_up(scenario: Data) -> None:
    """The first allocations of the first step are the script's own notes; then comes the transaction."""
    scenario["steps"] = scenario["steps"][:1]
    statuses = []
    for nth in range(1, 7):
        scenario["faults"] = [{"allocation": nth}]
        try:
            statuses.append(run_scenario(scenario)[0]["status"])
        except MemoryError:
            statuses.append("none")
    made = statuses.index(NO_RESOURCES)
    assert statuses[:made] == ["none"] * made
    assert set(statuses[made + 1 :]) == {"STATUS_SUCCESS"}


def test_an_enabler_is_refused(scenario: Data) -> None:
    scenario["faults"] = [{"adapter": 1}]
    with pytest.raises(ScenarioError, match=r"enablers\[0\]: STATUS_UNSUCCESSFUL"):
        run_scenario(scenario)


def test_a_recording_carries_its_faults(scenario: Data, tmp_path: Path) -> None:
    scenario["faults"] = [{"op": "execute", "nth": 1, "status": NO_RESOURCES}]
    scenario["log"] = run_scenario(scenario)
    path = tmp_path / "faulty.json"
    path.write_text(json.dumps(scenario), encoding="utf-8")
    with pytest.raises(SystemExit) as caught:
        cli.main(["run", "--check", str(path)])
    assert caught.value.code == 0
    del scenario["faults"]
    path.write_text(json.dumps(scenario), encoding="utf-8")
    with pytest.raises(SystemExit) as caught:
        cli.main(["run", "--check", str(path)])
    assert caught.value.code == 1


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        ({}, "faults[0]: is not one of:"),
        ({"op": "execute", "register_grant": 1}, "faults[0]: is not one of:"),
        ({"adapter": 1, "register_grant": 1}, "faults[0]: is not one of:"),
        ({"op": "execute", "status": NO_RESOURCES}, "faults[0].nth: is missing"),
        ({"op": "execute", "nth": 1}, "faults[0].status: is missing"),
        ({"nth": 1, "status": NO_RESOURCES}, "faults[0].op: is missing"),
        ({"op": "execute", "nth": 0, "status": NO_RESOURCES}, "faults[0].nth: 0 is below 1"),
        ({"op": "release", "nth": 1, "status": NO_RESOURCES}, 'faults[0].op: "release" is no call'),
        ({"op": "create", "nth": 1, "status": "STATUS_WDF_BUSY"}, 'faults[0].status: "STATUS_WDF'),
        ({"grant": 1}, "faults[0].grant: unknown key"),
        ({"allocation": "1"}, 'faults[0].allocation: "1" is not a whole number'),
    ],
)
def test_what_is_wrong_with_a_fault(scenario: Data, fault: Data, line: str) -> None:
    scenario["faults"] = [fault]
    with pytest.raises(ScenarioError) as caught:
        Scenario.parse(scenario)
    assert caught.value.lines[0].startswith(line)


def test_memory_fails_once(scenario: Data) -> None:
    scenario["faults"] = [{"allocation": 1}, {"allocation": 2}]
    with pytest.raises(ScenarioError, match=r"faults\[1\].allocation: memory can fail once only"):
        Scenario.parse(scenario)


# ---- From Python


def test_every_documented_status_is_taken() -> None:
    with Machine() as machine:
        for op in Op:
            for status in list_fault_statuses(op):
                machine.faults.fail_call(op, status=status, nth=1)
        assert len(machine.faults) == sum(map(len, FAULT_STATUSES.values()))
        machine.faults.clear()
        assert list(machine.faults) == []
        with pytest.raises(ValueError, match=r"^op: release is no call that can be made to fail$"):
            machine.faults.fail_call(Op.RELEASE, nth=1)
        with pytest.raises(ValueError, match=r"^status: STATUS_WDF_BUSY is not STATUS_INS.*create"):
            machine.faults.fail_call(Op.CREATE, status=Status.STATUS_WDF_BUSY, nth=1)
        with pytest.raises(ValueError, match="per_mille: 1001 is above 1000"):
            machine.faults.deny_registers(per_mille=1001)


def test_what_was_hit_is_told() -> None:
    with Machine() as machine:
        enabler = machine.device().enabler(maximum_length=4096)
        machine.faults.fail_call(Op.CREATE, nth=2)
        machine.faults.deny_adapter(nth=1)
        snapshot = machine.snapshot()
        for _ in range(2):
            enabler.transaction()
            with pytest.raises(StatusError):
                enabler.transaction()
            created, adapter = machine.faults
            assert (created.met, created.hits, created.hit_op) == (2, 1, Op.CREATE)
            assert created.hit_step == machine.state.step
            assert (adapter.met, adapter.hits) == (0, 0)
            machine.restore(snapshot)
        assert [fault.met for fault in machine.faults] == [0, 0]


# ---- wdfdma faults


def test_each_fault_once_and_what_it_led_to(scenario: Data) -> None:
    sweep = sweep_faults(Scenario.parse(scenario))
    names = [format_fault(run.fault) for run in sweep.runs]
    assert len(set(names)) == len(names)
    assert not sweep.has_error
    executed = find_run(sweep.runs, f"execute 1: {NO_RESOURCES}")
    assert (executed.step, executed.outcome) == (3, Outcome.STATUS)
    assert executed.detail == f"execute: {NO_RESOURCES}"
    initialized = find_run(sweep.runs, f"initialize 1: {NO_RESOURCES}")
    assert (initialized.step, initialized.outcome) == (2, Outcome.BUGCHECK)
    assert initialized.detail == "WdfDmaFatalError (0x10D/08)"
    created = find_run(sweep.runs, f"create 1: {NO_RESOURCES}")
    assert (created.step, created.outcome) == (0, Outcome.UNMADE)
    refused = find_run(sweep.runs, "adapter 1")
    assert (refused.step, refused.outcome) == (None, Outcome.REFUSED)
    assert "register_grant 1" in names
    assert not any("BUSY" in name or "TOO" in name for name in names)


def test_a_wait_and_a_break_are_told(scenario: Data) -> None:
    del scenario["steps"][-1]
    sweep = sweep_faults(Scenario.parse(scenario))
    waits = find_run(sweep.runs, "register_grant 1")
    assert (waits.outcome, waits.detail) == (Outcome.WAITS, "1 request")
    scenario["enablers"][0]["dma_version"] = 2
    sweep = sweep_faults(Scenario.parse(scenario))
    busy = find_run(sweep.runs, "execute 1: STATUS_WDF_BUSY")
    assert (busy.outcome, busy.detail) == (Outcome.BREAK, "in execute")


def test_a_status_not_heeded_is_a_bug_check(scenario: Data) -> None:
    scenario["steps"].insert(1, RESERVE)
    sweep = sweep_faults(Scenario.parse(scenario))
    run = find_run(sweep.runs, f"allocate_resources 1: {NO_RESOURCES}")
    assert (run.step, run.outcome) == (1, Outcome.BUGCHECK)
    assert run.detail == "WdfDmaFatalError (0x10D/08)"


def test_a_broken_rule_is_named(scenario: Data) -> None:
    create, _, initialize, execute, release = scenario["steps"]
    other = {"transaction": 1}
    steps = [create, RESERVE, create | other, initialize | other, execute | other, release]
    sweep = sweep_faults(Scenario.parse({**scenario, "steps": steps}))
    run = find_run(sweep.runs, "register_grant 2")
    assert (run.step, run.outcome) == (4, Outcome.VIOLATION)
    assert run.detail == get_rule_info(Rule.RESERVATION_KEPT).name


def test_the_scenarios_own_faults_are_in_every_run(scenario: Data) -> None:
    scenario["faults"] = [{"op": "execute", "nth": 1, "status": NO_RESOURCES}, {"allocation": 900}]
    sweep = sweep_faults(Scenario.parse(scenario))
    own = find_run(sweep.runs, f"execute 1: {NO_RESOURCES}")
    assert (own.outcome, own.detail) == (Outcome.UNCHANGED, "")
    names = [format_fault(run.fault) for run in sweep.runs]
    assert "register_grant 1" not in names
    assert not any(name.startswith("allocation") for name in names)


def test_an_error_of_ours_is_one(scenario: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    from wdfdma import faults

    observe = faults.observe

    def break_down(changed: Scenario, *, count: bool = False) -> Any:
        if any(fault.op == "execute" for fault in changed.faults):
            raise AssertionError("broken")
        return observe(changed, count=count)

    monkeypatch.setattr(faults, "observe", break_down)
    sweep = sweep_faults(Scenario.parse(scenario))
    assert sweep.has_error
    run = find_run(sweep.runs, f"execute 1: {NO_RESOURCES}")
    assert (run.outcome, run.detail) == (Outcome.ERROR, "AssertionError: broken")


def test_twice_is_the_same(recordings: dict[str, list[Any]]) -> None:
    for source in recordings["canonical"][::40]:
        scenario = Scenario.parse(source)
        first = make_entry(sweep_faults(scenario))
        assert first == make_entry(sweep_faults(scenario))
        assert "error" not in {run["outcome"] for run in first["runs"]}


def test_what_fails_so_by_itself_is_left_as_it_is(recordings: dict[str, list[Any]]) -> None:
    """Where calls fail anyway, a fault with their status leaves nothing else than they do."""
    from wdfdma.fault_kinds import list_faults
    from wdfdma.faults import observe, run_fault

    seen = 0
    for source in recordings["random"][::2]:
        scenario = Scenario.parse(source)
        base = observe(scenario, count=True)
        statuses: dict[str, set[str]] = {}
        for record in base.log:
            if "op" in record and "status" in record:
                statuses.setdefault(record["op"], set()).add(record["status"])
        if base.log[-1].get("event") == "bugcheck":
            continue
        for fault in list_faults(scenario, base.plan, base.allocations):
            if fault.op is not None and statuses.get(fault.op) == {fault.status}:
                run = run_fault(scenario, fault, base)
                assert run is not None
                assert run.outcome == Outcome.UNCHANGED, (source["name"], format_fault(fault))
                seen += 1
    assert seen > 20


def test_counting_changes_nothing(recordings: dict[str, list[Any]]) -> None:
    from wdfdma.faults import observe

    for source in recordings["canonical"][::7]:
        scenario = Scenario.parse(source)
        assert observe(scenario, count=True).log == execute_scenario(scenario).log


def test_the_command(call: Callable[..., Answer], tmp_path: Path, scenario: Data) -> None:
    path = tmp_path / "small.json"
    path.write_text(json.dumps(scenario), encoding="utf-8")
    code, out, err = call("faults", path)
    assert (code, err) == (0, "")
    assert "small" in out
    line = next(line for line in out.splitlines() if f"execute 1: {NO_RESOURCES}" in line)
    assert line.split() == [
        "execute",
        "1:",
        NO_RESOURCES,
        "3",
        "another",
        "status",
        "execute:",
        NO_RESOURCES,
    ]
    code, out, err = call("faults", "--json", path)
    assert (code, err) == (0, "")
    (entry,) = json.loads(out)["scenarios"]
    assert entry["name"] == "small"
    assert sum(entry["summary"].values()) == len(entry["runs"])
    assert entry["runs"][0] == {
        "fault": {"op": "create", "nth": 1, "status": NO_RESOURCES},
        "step": 0,
        "outcome": "unmade",
        "detail": "steps[1].transaction: 0 is not created",
    }


def test_the_command_on_what_is_none(call: Callable[..., Answer], tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    assert call("faults", path) == (2, "", f"{path}: No such file or directory\n")
    path.write_text("{}", encoding="utf-8")
    code, out, err = call("faults", path)
    assert (code, out) == (2, "")
    assert f"{path}: format: is missing" in err
    assert json.loads(call("faults", "--json", path)[1])["errors"] == err.splitlines()
