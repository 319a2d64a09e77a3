"""Faults by chance, of routines and of mappings: in scenarios, and from Python."""

import pytest

from fault_support import GOOD, MORE, NO_RESOURCES, Data, list_calls
from wdfdma import DeviceBehaviour, Machine, Op, Routine, Status, StatusError, run_scenario
from wdfdma.fault_forms import Chance, Fault, translate_fault
from wdfdma.fault_records import ROUTINES, FaultKind, PlannedFault, read_faults
from wdfdma.fault_report import format_fault
from wdfdma.faults import sweep_faults
from wdfdma.problems import ScenarioError
from wdfdma.program import compile_scenario
from wdfdma.run import make_machine
from wdfdma.scenario import Scenario

HALF = {"per_mille": 500, "seed": 7}


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


# ---- A WDM driver's steps


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


# ---- From Python


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


def test_a_chance_is_a_value() -> None:
    assert Chance(per_mille=5, seed=6) == Chance.model_validate({"per_mille": 5, "seed": 6})
    assert str(PlannedFault(FaultKind.GRANT, nth=1)) == "register_grant 1 (met 0, hit 0)"
