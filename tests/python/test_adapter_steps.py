"""Steps of a WDM driver in scenarios: what they log, the steps inside their routines, and the errors of a scenario."""

from __future__ import annotations

from typing import Any

import pytest

from wdfdma import Rule, ScenarioError, run_scenario
from wdfdma.faults import sweep_faults
from wdfdma.run import execute_scenario
from wdfdma.scenario import Scenario

Step = dict[str, Any]
GET: Step = {
    "op": "io_get_dma_adapter",
    "adapter": 0,
    "scatter_gather": False,
    "maximum_length": 65536,
    "address_width": 32,
    "version": 3,
}
UP: Step = {"op": "raise_irql", "irql": "dispatch_level"}
ALLOCATE: Step = {
    "op": "allocate_adapter_channel",
    "adapter": 0,
    "base": 0,
    "map_registers": 2,
    "action": "deallocate_object_keep_registers",
}
PART: Step = {"adapter": 0, "buffer": 0, "offset": 0, "length": 100, "direction": "read"}
MAP: Step = {"op": "map_transfer", "base": 0, **PART}
FLUSH: Step = {"op": "flush_adapter_buffers", "base": 0, **PART}
FREE: Step = {"op": "free_map_registers", "adapter": 0, "base": 0, "map_registers": 2}
LIST: Step = {"op": "get_scatter_gather_list", "list": 0, **PART}
PUT_LIST: Step = {
    "op": "put_scatter_gather_list",
    "adapter": 0,
    "list": 0,
    "direction": "read",
}
PUT: Step = {"op": "put_dma_adapter", "adapter": 0}
START = [GET, UP, ALLOCATE]


def make(*steps: Step, **keys: Any) -> dict[str, Any]:
    """A scenario without enablers, and with a buffer of two pages."""
    return {
        "format": "wdfdma-scenario/1",
        "machine": {"map_registers": 8},
        "enablers": [],
        "buffers": [[{"offset": 512, "length": 6000, "pfns": [40, 90]}]],
        "steps": list(steps),
        **keys,
    }


def run(*steps: Step, **keys: Any) -> list[dict[str, Any]]:
    """The records of a scenario, without its snapshots."""
    return [record for record in run_scenario(make(*steps, **keys)) if "snapshot" not in record]


def test_a_mapping_says_where_the_device_is_to_go() -> None:
    assert run(*START, MAP, FLUSH, FREE, PUT)[2:] == [
        {"op": "allocate_adapter_channel", "adapter": 0, "status": "STATUS_SUCCESS"},
        {"op": "map_transfer", "adapter": 0, "address": 40 * 4096 + 512, "length": 100},
        {"op": "flush_adapter_buffers", "adapter": 0, "returns": True},
        {"op": "free_map_registers", "adapter": 0},
        {"op": "put_dma_adapter", "adapter": 0},
    ]


def test_what_a_routine_does_stands_before_the_call() -> None:
    """The body maps with the base that AdapterControl was given, and the answer keeps the registers."""
    log = run(*START[:2], ALLOCATE | {"do": [MAP, FLUSH]}, FREE, LIST | {"do": [PUT_LIST]}, PUT)
    assert [record["op"] for record in log[2:]] == [
        "map_transfer",
        "flush_adapter_buffers",
        "allocate_adapter_channel",
        "free_map_registers",
        "put_scatter_gather_list",
        "get_scatter_gather_list",
        "put_dma_adapter",
    ]


def test_a_routine_runs_when_its_request_is_granted() -> None:
    other = {"adapter": 1, "base": 1}
    waiting = ALLOCATE | other | {"map_registers": 7, "do": [MAP | other]}
    log = run(GET, GET | {"adapter": 1}, UP, ALLOCATE, waiting, FREE)
    assert [record["op"] for record in log[-3:]] == [
        "allocate_adapter_channel",
        "map_transfer",
        "free_map_registers",
    ]


def test_a_name_keeps_what_is_gone() -> None:
    for steps, rule in (
        ([GET, PUT, {"op": "get_dma_alignment", "adapter": 0}], Rule.DMA_18),
        ([*START, FREE, MAP], Rule.CANCELLED_RESERVATION_USED),
        ([GET, UP, LIST, PUT_LIST, PUT_LIST], Rule.DMA_06),
    ):
        (violation,) = execute_scenario(make(*steps)).violations
        assert (violation.rule, violation.stopped) == (rule, True)


def test_a_violation_names_the_adapter_by_its_number() -> None:
    adapter = {"adapter": 7}
    (violation,) = execute_scenario(
        make(GET | adapter, UP, ALLOCATE | adapter | {"map_registers": 9})
    ).violations
    assert (violation.rule, violation.label) == (Rule.DMA_0C, 7)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([PUT], "steps[0].adapter: 0 is not created"),
        ([GET, GET], "steps[1].adapter: 0 is created already"),
        ([GET, UP, MAP], "steps[2].base: 0 is not created"),
        ([*START, MAP | {"buffer": 1}], "steps[3].buffer: there is no buffer 1"),
        ([*START, MAP | {"offset": -(2**32)}], "steps[3].offset: -4294967296 is below -4294967295"),
        (
            [GET, UP, ALLOCATE | {"action": "keep"}],
            'steps[2].action: "keep" is not keep_object, deallocate_object or'
            " deallocate_object_keep_registers",
        ),
        (
            [GET, UP, ALLOCATE | {"do": [FREE | {"base": 5}]}],
            "steps[2].do[0].base: 5 is not created",
        ),
        (
            [
                GET,
                {"op": "allocate_common_buffer", "adapter": 0, "common_buffer": 0, "length": 10},
                {"op": "write_common_buffer", "common_buffer": 0, "offset": 10, "length": 9},
            ],
            "steps[2].offset: 10 does not fit here",
        ),
    ],
)
def test_an_error_names_its_place(steps: list[Step], message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        run_scenario(make(*steps))
    assert caught.value.lines == [message]


@pytest.mark.parametrize("offset", [0, 1, 63, 64, 2**32 - 1, -1, -64, -65, -(2**32) + 1])
def test_an_offset_may_be_on_either_side(offset: int) -> None:
    """Parameter 2 is the address: as far from the first byte as the step says."""
    where = [
        execute_scenario(make(*START, MAP | {"offset": at})).violations for at in (6000, offset)
    ]
    if 0 <= offset < 6000:
        assert where[1] == []
    else:
        first, second = (violations[0].parameters[1] for violations in where)
        assert (second - first) % 2**64 == (offset - 6000) % 2**64


def test_injected_failures_meet_what_the_machine_allocates() -> None:
    """The driver's own variables are none of it: an error of the program would end the sweep."""
    sweep = sweep_faults(Scenario.parse(make(*START, MAP, FLUSH, FREE, LIST, PUT_LIST, PUT)))
    hit = {run.step for run in sweep.runs if run.fault.allocation is not None}
    assert {0, 2, 3, 6} <= hit
    assert not sweep.has_error
    assert any(run.fault.adapter is not None for run in sweep.runs)
