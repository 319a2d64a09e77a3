"""Faults by chance, of routines, of mappings and of the device: in scenarios, from Python, and swept."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wdfdma import (
    BugCheck,
    DeviceBehaviour,
    Machine,
    Op,
    Routine,
    Status,
    StatusError,
    run_scenario,
)
from wdfdma.fault_chance import sweep_chances
from wdfdma.fault_forms import Chance, Fault, translate_fault
from wdfdma.fault_records import ROUTINES, FaultKind, PlannedFault, read_faults
from wdfdma.fault_report import format_fault, make_chance_entry
from wdfdma.faults import FaultRun, Outcome, sweep_faults
from wdfdma.problems import ScenarioError
from wdfdma.program import compile_scenario
from wdfdma.run import execute_scenario, make_machine
from wdfdma.scenario import Scenario

Data = dict[str, Any]
Answer = tuple[int, str, str]
NO_RESOURCES = "STATUS_INSUFFICIENT_RESOURCES"
HALF = {"per_mille": 500, "seed": 7}


@pytest.fixture
def stepwise(scenario: Data) -> Data:
    """The small scenario, completed by a step of its own: 3; then a getter and a release."""
    create, _, initialize, execute, release = scenario["steps"]
    getter = {"op": "get_bytes_transferred", "transaction": 0}
    complete = {"op": "dma_completed", "transaction": 0}
    scenario["steps"] = [create, initialize, execute, complete, getter, release]
    return scenario


def list_calls(log: list[Data]) -> list[Any]:
    """The calls of a log by step: the op, and what it gave back."""
    step, calls = 0, []
    for record in log:
        if "op" in record and "event" not in record:
            calls.append((step, record["op"], record.get("status", record.get("returns"))))
        elif record.get("event") in ("bugcheck", "break"):
            calls.append((step, record["event"], record.get("op")))
        step += "snapshot" in record
    return calls


def run_device(scenario: Data, behaviour: str, **more: Any) -> list[Any]:
    """What comes from step 3 on, whose completion is the move."""
    scenario["faults"] = [{"device": behaviour, "nth": 1, **more}]
    return [call for call in list_calls(run_scenario(scenario)) if call[0] >= 3]


# ---- The device in a scenario


GOOD, MORE = "STATUS_SUCCESS", "STATUS_MORE_PROCESSING_REQUIRED"


def test_a_short_completion_is_one_with_half_of_the_length(stepwise: Data) -> None:
    stepwise["steps"].insert(4, stepwise["steps"][3])
    calls = run_device(stepwise, "short")
    assert calls[:3] == [
        (3, "dma_completed_with_length", MORE),
        (4, "dma_completed", GOOD),
        (5, "get_bytes_transferred", 8192),
    ]
    stepwise["steps"][3] = {"op": "dma_completed_final", "transaction": 0, "length": 1001}
    del stepwise["steps"][4]
    calls = run_device(stepwise, "short")
    assert calls[:2] == [(3, "dma_completed_final", GOOD), (4, "get_bytes_transferred", 500)]


def test_a_silent_completion_does_not_come(stepwise: Data) -> None:
    del stepwise["steps"][5]
    assert run_device(stepwise, "silent") == [(4, "get_bytes_transferred", 0)]


def test_a_late_completion_comes_with_the_next_step(stepwise: Data) -> None:
    assert run_device(stepwise, "late") == [
        (4, "get_bytes_transferred", 0),
        (4, "dma_completed", GOOD),
        (5, "release", GOOD),
    ]
    del stepwise["steps"][4:]
    assert run_device(stepwise, "late") == []


def test_a_late_completion_needs_its_transaction(stepwise: Data) -> None:
    """Deleted meanwhile: the bug check is the delete's own; unverified, nobody is there for what comes late."""
    stepwise["steps"][4:] = [{"op": "delete", "transaction": 0}]
    assert run_device(stepwise, "late") == [(4, "bugcheck", None)]


def test_two_completions_are_one_too_many(stepwise: Data) -> None:
    assert run_device(stepwise, "twice") == [(3, "dma_completed", GOOD), (3, "bugcheck", None)]


def test_a_wrong_completion_is_of_more_than_was_programmed(stepwise: Data) -> None:
    calls = run_device(stepwise, "wrong")
    assert calls[:2] == [
        (3, "break", "dma_completed_with_length"),
        (3, "dma_completed_with_length", "STATUS_INVALID_PARAMETER"),
    ]


def test_a_completion_in_a_reaction_is_a_move_too(scenario: Data) -> None:
    scenario["faults"] = [{"device": "late", "nth": 1, "move": "dma_completed"}]
    scenario["steps"].insert(4, {"op": "get_bytes_transferred", "transaction": 0})
    calls = list_calls(run_scenario(scenario))
    assert calls[2:] == [
        (3, "execute", GOOD),
        (4, "get_bytes_transferred", 0),
        (4, "dma_completed", GOOD),
        (5, "release", GOOD),
    ]


def test_a_fault_of_another_move_leaves_it_alone(stepwise: Data) -> None:
    log = run_scenario(stepwise)
    for move in ("dma_completed_final", "complete_transfer", "device_write"):
        stepwise["faults"] = [{"device": "silent", "nth": 1, "move": move}]
        assert run_scenario(stepwise) == log


def test_a_completion_that_is_a_misuse_is_not_counted(stepwise: Data) -> None:
    """Nothing is transferring: the bug check is the driver's own."""
    del stepwise["steps"][2]
    stepwise["faults"] = [{"device": "silent", "nth": 1}]
    assert list_calls(run_scenario(stepwise))[-1] == (2, "bugcheck", None)


def test_a_controller_goes_wrong(scenario: Data) -> None:
    scenario["enablers"] = [{"profile": "system", "maximum_length": 16384}]
    create, _, initialize, execute, _ = scenario["steps"]
    callback = {"op": "set_callback", "transaction": 0, "value": True}
    end = {"op": "complete_transfer", "enabler": 0, "direction": "read"}
    getter = {"op": "get_bytes_transferred", "transaction": 0}
    scenario["steps"] = [create, callback | {"event": "dma_transfer_complete"}, initialize, execute]
    scenario["steps"] += [end, getter]
    seen = {}
    for behaviour in DeviceBehaviour:
        if behaviour:
            scenario["faults"] = [{"device": behaviour.label, "nth": 1}]
            log = run_scenario(scenario)
            seen[behaviour.label] = [
                record.get("status", record.get("returns"))
                for record in log
                if record.get("event") == "dma_transfer_complete"
                or record.get("op") == "complete_transfer"
            ]
    assert seen == {
        "short": ["aborted", True],
        "silent": [False],
        "late": [False, "complete"],
        "twice": ["complete", True],
        "wrong": ["error", True],
    }


# ---- Mappings, routines and chances in a scenario


def test_a_mapping_falls_short(stepwise: Data) -> None:
    stepwise["buffers"][0][0]["pfns"] = [40, 41, 42]
    stepwise["faults"] = [{"partial_map": 1}]
    stepwise["steps"].insert(4, stepwise["steps"][3])
    log = run_scenario(stepwise)
    elements = [record["elements"] for record in log if record.get("event") == "program_dma"]
    # One page of three, then the rest.
    assert elements == [[[40 * 4096 + 512, 3584]], [[41 * 4096, 4608]]]
    assert list_calls(log)[3:5] == [(3, "dma_completed", MORE), (4, "dma_completed", GOOD)]


def test_lists_do_not_fall_short(stepwise: Data) -> None:
    stepwise["enablers"][0]["profile"] = "scatter_gather"
    log = run_scenario(stepwise)
    stepwise["faults"] = [{"partial_map": 1}]
    assert run_scenario(stepwise) == log


def test_chance_hits_the_same_for_the_same_seed(stepwise: Data) -> None:
    create, *rest = stepwise["steps"]
    execute = rest[1]
    stepwise["machine"]["map_registers"] = 64
    initialize, release = rest[0], rest[4]
    cycle = [initialize, execute, release]
    stepwise["machine"]["verifier"] = False
    stepwise["enablers"][0]["profile"] = "scatter_gather"
    stepwise["steps"] = [create, *cycle * 12]

    def draw(seed: int) -> list[str]:
        stepwise["faults"] = [
            {"op": "initialize", "nth": {"per_mille": 1, "seed": 1}, "status": NO_RESOURCES},
            {"op": "execute", "nth": {"per_mille": 400, "seed": seed}, "status": NO_RESOURCES},
        ]
        return [status for _, op, status in list_calls(run_scenario(stepwise)) if op == "execute"]

    first = draw(7)
    assert set(first) == {GOOD, NO_RESOURCES}
    assert draw(7) == first
    assert draw(8) != first


@pytest.mark.parametrize("key", ["register_grant", "adapter", "partial_map"])
def test_chance_stands_for_any_place(key: str) -> None:
    fault = Fault.model_validate({key: HALF})
    planned = translate_fault(fault)
    assert planned is not None
    assert (planned.nth, planned.per_mille, planned.seed) == (0, 500, 7)
    assert format_fault(fault) == f"{key} by chance (500 of 1000, seed 7)"


def test_every_routine_may_be_named(stepwise: Data) -> None:
    """No step of this scenario calls one, so that nothing changes; but each is planned."""
    log = run_scenario(stepwise)
    stepwise["faults"] = [
        {"routine": info.name, "nth": 1, "status": status.name}
        for info in ROUTINES.values()
        for status in info.statuses
    ]
    assert run_scenario(stepwise) == log
    scenario = Scenario.parse(stepwise)
    program = compile_scenario(scenario)
    plan = read_faults(make_machine(scenario, program))
    assert [fault.routine for fault in plan] == list(ROUTINES)


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        ({"op": "execute", "nth": HALF, "status": "STATUS_X"}, 'faults[0].status: "STATUS_X" is'),
        (
            {"op": "execute", "nth": {"seed": 1}, "status": NO_RESOURCES},
            "faults[0].nth.per_mille: is miss",
        ),
        ({"register_grant": {"per_mille": 50}}, "faults[0].register_grant.seed: is missing"),
        ({"adapter": {"per_mille": 0, "seed": 0}}, "faults[0].adapter.per_mille: 0 is below 1"),
        ({"adapter": {"per_mille": 1001, "seed": 0}}, "faults[0].adapter.per_mille: 1001 is above"),
        ({"adapter": {"per_mille": 1, "seed": 2**64}}, "faults[0].adapter.seed: 18446744073709551"),
        ({"adapter": {"per_mille": 1, "seed": -1}}, "faults[0].adapter.seed: -1 is below 0"),
        ({"adapter": HALF | {"x": 1}}, "faults[0].adapter.x: unknown key"),
        ({"adapter": [1]}, "faults[0].adapter: [1] is not a whole number"),
        ({"partial_map": 2**32}, "faults[0].partial_map: 4294967296 is above 4294967295"),
        ({"partial_map": 10**4000}, "faults[0].partial_map: a number of "),
        ({"allocation": HALF}, "faults[0].allocation: "),
        ({"routine": "MapTransfer", "nth": 1, "status": NO_RESOURCES}, 'faults[0].routine: "MapTr'),
        (
            {"routine": "MapTransferEx", "nth": 1, "status": "STATUS_NOT_SUPPORTED"},
            "faults[0].stat",
        ),
        ({"routine": "MapTransferEx", "status": NO_RESOURCES}, "faults[0].nth: is missing"),
        (
            {"routine": "MapTransferEx", "op": "execute", "nth": 1},
            "faults[0]: is not one of: op or",
        ),
        ({"device": "loud", "nth": 1}, 'faults[0].device: "loud" is not short or silent or late'),
        ({"device": "obeys", "nth": 1}, 'faults[0].device: "obeys" is not short'),
        ({"device": "late"}, "faults[0].nth: is missing"),
        ({"device": "late", "nth": 1, "move": "execute"}, 'faults[0].move: "execute" is not dma_'),
        ({"device": "late", "nth": 1, "status": NO_RESOURCES}, "faults[0].status: does not belong"),
        ({"device": "late", "nth": 1, "partial_map": 1}, "faults[0]: is not one of: op or routine"),
        ({"move": "dma_completed"}, "faults[0].device: is missing"),
        ({"register_grant": 1, "nth": 1}, "faults[0].nth: does not belong to register_grant"),
    ],
)
def test_what_is_wrong_with_a_fault(scenario: Data, fault: Data, line: str) -> None:
    scenario["faults"] = [fault]
    with pytest.raises(ScenarioError) as caught:
        Scenario.parse(scenario)
    assert caught.value.lines[0].startswith(line)
    assert len(caught.value.lines) == 1


# ---- A WDM driver's steps, and the device's


@pytest.fixture
def wdm() -> Data:
    """A WDM driver that maps two pages of a buffer, flushes and frees."""
    where = {"adapter": 0, "base": 0, "buffer": 0, "offset": 0, "direction": "read"}
    settings = {"scatter_gather": False, "maximum_length": 65536, "address_width": 32, "version": 3}
    channel = {"adapter": 0, "base": 0, "map_registers": 4, "action": "keep_object"}
    return {
        "format": "wdfdma-scenario/1",
        "name": "wdm",
        "machine": {"map_registers": 8},
        "enablers": [],
        "buffers": [[{"offset": 100, "length": 8192, "pfns": [40, 41, 42]}]],
        "steps": [
            {"op": "io_get_dma_adapter", "adapter": 0, **settings},
            {"op": "raise_irql", "irql": "dispatch_level"},
            {"op": "allocate_adapter_channel", **channel},
            {"op": "map_transfer_ex", "length": 8192, **where},
            {"op": "flush_adapter_buffers_ex", "length": 8192, **where},
            {"op": "free_adapter_channel", "adapter": 0},
        ],
    }


def test_a_routine_fails_in_a_scenario(wdm: Data) -> None:
    wdm["faults"] = [{"routine": "MapTransferEx", "nth": 1, "status": NO_RESOURCES}]
    log = run_scenario(wdm)
    assert (3, "map_transfer_ex", NO_RESOURCES) in list_calls(log)
    wdm["faults"] = [{"op": "adapter_call", "nth": 1, "status": NO_RESOURCES}]
    assert (2, "allocate_adapter_channel", NO_RESOURCES) in list_calls(run_scenario(wdm))


def test_a_wdm_drivers_mapping_falls_short(wdm: Data) -> None:
    wdm["faults"] = [{"partial_map": 1}]
    mapped = next(record for record in run_scenario(wdm) if record.get("op") == "map_transfer_ex")
    assert (mapped["address"], mapped["length"]) == (40 * 4096 + 100, 3996)
    del wdm["faults"]
    mapped = next(record for record in run_scenario(wdm) if record.get("op") == "map_transfer_ex")
    assert mapped["length"] == 8192


def test_routines_are_swept(wdm: Data) -> None:
    found = {format_fault(run.fault): run for run in sweep_faults(Scenario.parse(wdm)).runs}
    assert found[f"AllocateAdapterChannel 1: {NO_RESOURCES}"].step == 2
    assert found[f"MapTransferEx 1: {NO_RESOURCES}"].step == 3
    assert found["partial_map 1"].step == 3
    assert found["adapter 1"].step == 0
    assert not any("adapter_call" in name or "Buffer" in name for name in found)


def test_a_devices_write_goes_wrong(stepwise: Data) -> None:
    write = {"op": "device_write", "transaction": 0, "element": 0, "offset": 0}
    read = {"op": "mdl_read", "buffer": 0, "offset": 0, "length": 10}
    stepwise["steps"].insert(3, write | {"length": 10, "value": 1})
    stepwise["steps"].insert(5, read)
    seen = {}
    for behaviour in ("short", "silent", "twice", "late", "wrong"):
        stepwise["faults"] = [{"device": behaviour, "nth": 1, "move": "device_write"}]
        log = run_scenario(stepwise)
        sums = [record["returns"] for record in log if record.get("op") == "mdl_read"]
        seen[behaviour] = sums or log[-1]["parameters"][0]
    # What comes late comes at the end of the step in which the transfer completes.
    assert seen == {
        "short": [5],
        "silent": [0],
        "twice": 0x26,
        "late": 0x26,
        "wrong": [10 * 254],
    }


# ---- From Python


def test_a_late_write_is_part_of_the_machines_value() -> None:
    with Machine() as machine:
        enabler = machine.device().enabler(maximum_length=4096)
        buffer = enabler.common_buffer(64)
        address = buffer.get_aligned_logical_address()
        machine.faults.disturb_device("late", nth=1)
        machine.device_write(address, b"late")
        assert machine.faults.late == 1
        snapshot = machine.snapshot()
        for _ in range(2):
            assert machine.faults.late == 1
            assert machine.device_read(address, 4) == bytes(4)
            assert machine.faults.late == 0
            assert machine.device_read(address, 4) == b"late"
            machine.restore(snapshot)
        machine.faults.clear()
        assert machine.device_read(address, 4) == bytes(4)
        assert machine.device_read(address, 4) == b"late"
        machine.check()


def test_a_device_that_writes_late_is_seen() -> None:
    """The buffer has gone by then: the violation is found at the end of the call that deletes it."""
    with Machine() as machine:
        enabler = machine.device().enabler(maximum_length=4096)
        buffer = enabler.common_buffer(64)
        machine.faults.disturb_device(DeviceBehaviour.TWICE, move=Op.DEVICE_WRITE, nth=1)
        machine.device_write(buffer.get_aligned_logical_address(), b"late")
        with pytest.raises(BugCheck, match="0x26"):
            buffer.delete()


def test_a_routine_is_planned_by_name() -> None:
    with Machine() as machine:
        machine.faults.fail_routine("GetDmaTransferInfo", nth=3)
        machine.faults.fail_routine(Routine.MAP_TRANSFER_EX, per_mille=10, seed=4)
        machine.faults.shorten_map(nth=2)
        first, second, third = machine.faults
        assert first.status == Status.STATUS_NOT_SUPPORTED
        assert (first.op, second.routine) == (Op.ADAPTER_CALL, Routine.MAP_TRANSFER_EX)
        assert third.kind == FaultKind.MAP


def test_a_plan_prints() -> None:
    with Machine() as machine:
        assert str(machine.faults) == "no faults"
        enabler = machine.device().enabler(maximum_length=4096)
        machine.faults.fail_routine("WdfCommonBufferCreate", nth=1)
        machine.faults.disturb_device("wrong", move=Op.DEVICE_READ, per_mille=5, seed=9)
        machine.faults.deny_registers(nth=4)
        machine.faults.deny_adapter(nth=5)
        machine.faults.shorten_map(nth=6)
        with pytest.raises(StatusError):
            enabler.common_buffer(64)
        step = machine.state.step
        assert str(machine.faults).splitlines() == [
            "WdfCommonBufferCreate 1: STATUS_INSUFFICIENT_RESOURCES "
            f"(met 1, hit 1 in step {step}, common_buffer_create)",
            "device wrong device_read by chance, 5 of 1000, seed 9 (met 0, hit 0)",
            "register_grant 4 (met 0, hit 0)",
            "adapter 5 (met 0, hit 0)",
            "partial_map 6 (met 0, hit 0)",
        ]
        assert repr(machine.faults) == "<FaultPlan: 5 faults, 1 hits>"


def test_what_python_refuses() -> None:
    with Machine() as machine:
        faults = machine.faults
        with pytest.raises(ValueError, match="routine: 'Nothing' is none of AllocateCommonBuffer"):
            faults.fail_routine("Nothing", nth=1)
        with pytest.raises(ValueError, match="routine"):
            faults.fail_routine(Routine.ANY, nth=1)
        with pytest.raises(ValueError, match="routine"):
            faults.fail_routine(Routine(2**31), nth=1)
        with pytest.raises(ValueError, match="behaviour: 'loud' is none of short"):
            faults.disturb_device("loud", nth=1)
        with pytest.raises(ValueError, match="behaviour"):
            faults.disturb_device(DeviceBehaviour.OBEYS, nth=1)
        with pytest.raises(ValueError, match="nth: 4294967296 is above"):
            faults.shorten_map(nth=2**32)
        with pytest.raises(ValueError, match="seed"):
            faults.shorten_map(per_mille=1, seed=2**64)
        for move in (Op.EXECUTE, Op.DMA_COMPLETED):
            with pytest.raises(ValueError, match=r"move: .* is none of device_read, device_write"):
                faults.disturb_device("late", move=move, nth=1)
        with pytest.raises(ValueError, match="nth, per_mille: one of them"):
            faults.deny_registers(nth=1, per_mille=5)
        with pytest.raises(
            ValueError, match=r"status: STATUS_NOT_SUPPORTED is not .*MapTransferEx"
        ):
            faults.fail_routine("MapTransferEx", status=Status.STATUS_NOT_SUPPORTED, nth=1)
        assert len(faults) == 0


# ---- wdfdma faults


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


def test_a_chance_is_a_value() -> None:
    assert Chance(per_mille=5, seed=6) == Chance.model_validate({"per_mille": 5, "seed": 6})
    assert str(PlannedFault(FaultKind.GRANT, nth=1)) == "register_grant 1 (met 0, hit 0)"
