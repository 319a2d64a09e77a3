"""What a record names beyond the rule: the routine of DMA_OPERATIONS, and the line that made the object."""

import pickle
from pathlib import Path
from typing import Any

import pytest

from wdfdma import BugCheck, ClosedError, Machine, Op, Rule, Scenario, StatusError
from wdfdma.paging.page import describe_bugcheck
from wdfdma.record_json import make_record_entry
from wdfdma.run import execute_scenario

RULES = Path(__file__).parent.parent / "rules" / "dma.jsonl"

# The routine that the scenario's last step calls.
ROUTINES = {
    "flush_adapter_buffers": "FlushAdapterBuffers",
    "map_transfer": "MapTransfer",
    "free_map_registers": "FreeMapRegisters",
    "allocate_adapter_channel": "AllocateAdapterChannel",
    "put_scatter_gather_list": "PutScatterGatherList",
    "free_common_buffer": "FreeCommonBuffer",
    "put_dma_adapter": "PutDmaAdapter",
}


def list_scenarios() -> list[Any]:
    return [scenario for scenario in Scenario.load_all(RULES) if scenario.steps]


def test_the_routine_is_named_where_its_op_stands_for_many() -> None:
    seen = set()
    for scenario in list_scenarios():
        for violation in execute_scenario(scenario).violations:
            assert bool(violation.routine) == (violation.op == Op.ADAPTER_CALL), scenario.name
            if violation.routine:
                assert f"; in {violation.routine}, step" in violation.summary
                assert make_record_entry(violation, 0)["routine"] == violation.routine
            if violation.stopped and scenario.steps[-1].op in ROUTINES:
                assert violation.routine == ROUTINES[scenario.steps[-1].op], scenario.name
                seen.add(violation.routine)
    assert {"FlushAdapterBuffers", "MapTransfer"} <= seen


def test_a_bug_check_and_its_page_name_the_routine() -> None:
    scenario = next(item for item in list_scenarios() if "flush is one byte longer" in item.name)
    error = execute_scenario(scenario).bugcheck
    assert error is not None
    assert error.routine == "FlushAdapterBuffers"
    assert "; in FlushAdapterBuffers, step" in error.summary
    copied = pickle.loads(pickle.dumps(error))
    assert (copied.routine, copied.summary) == (error.routine, error.summary)
    assert "in call     FlushAdapterBuffers (adapter_call)" in describe_bugcheck(error)


def test_a_leak_has_the_line_that_made_it() -> None:
    with Machine(trace=True) as machine:
        machine.device().enabler().common_buffer(4096)
        (found,) = machine.check_leaks()
    (leak,) = machine.leaks
    place = (
        f"test_record_names.py:{test_a_leak_has_the_line_that_made_it.__code__.co_firstlineno + 2}"
    )
    for item in (found, leak):
        assert place in item.made_at
        assert item.summary.endswith(f"; made at {item.made_at}")
    trace = machine.get_trace(leak)
    assert trace is not None
    assert str(trace[-1].lineno) in leak.made_at


def test_the_page_of_a_leak_on_a_closed_machine() -> None:
    with Machine(trace=True) as machine:
        machine.device().enabler().common_buffer(4096)
    page = machine.report(machine.leaks[0])
    assert page.startswith("violation: LeakCommonBuffer, common_buffer 0, step 2; made at ")
    assert "made at     " in page
    assert "Why" in page
    with pytest.raises(ClosedError):
        machine.report()


def test_without_traces_there_is_no_line() -> None:
    with Machine() as machine:
        machine.device().enabler().common_buffer(4096)
    assert machine.leaks[0].summary == "violation: LeakCommonBuffer, common_buffer 0, step 2"
    assert "LeakCommonBuffer" in machine.report(machine.leaks[0])


@pytest.mark.parametrize(
    ("mode", "end"),
    [
        ("collect", "the machine went on, as the rule's mode says"),
        ("default", "the machine halted"),
    ],
)
def test_the_page_says_that_a_mode_let_the_machine_go_on(mode: str, end: str) -> None:
    with Machine() as machine:
        machine.set_rule(Rule.DMA_26, mode)
        with pytest.raises(BugCheck if mode == "default" else StatusError):
            machine.device_read(1 << 35, 1)
        rows = [line for line in machine.report().splitlines() if line.startswith("  then ")]
        assert [row.split(None, 1)[1] for row in rows] == [end]
