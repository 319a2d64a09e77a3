"""Steps of a scenario that are not calls on a transaction: memory, requests, references, the world around."""

from __future__ import annotations

from typing import Any

import pytest

from model import run_scenario as run_in_model
from scenario_support import make_initialize
from wdfdma import Rule, Scenario, ScenarioError, run_scenario
from wdfdma.faults import sweep_faults
from wdfdma.run import execute_scenario

Step = dict[str, Any]
START: list[Step] = [
    {"op": "create", "transaction": 0, "enabler": 0},
    make_initialize(8192),
    {"op": "execute", "transaction": 0},
]
END: list[Step] = [{"op": "dma_completed", "transaction": 0}, {"op": "release", "transaction": 0}]
WRITE: Step = {"op": "device_write", "transaction": 0, "element": 0, "offset": 4000, "length": 200}
READ: Step = {"op": "mdl_read", "buffer": 0, "offset": 4090, "length": 10}


def make(*steps: Step, **keys: Any) -> dict[str, Any]:
    """A scenario of one packet enabler and one buffer of two pages apart."""
    return {
        "format": "wdfdma-scenario/1",
        "enablers": [{"profile": "packet", "maximum_length": 8192, "dma_version": 3}],
        "buffers": [[{"offset": 0, "length": 8192, "pfns": [40, 90]}]],
        "steps": list(steps),
        **keys,
    }


def run(*steps: Step, **keys: Any) -> list[dict[str, Any]]:
    """The records of a scenario, without its snapshots."""
    return [record for record in run_scenario(make(*steps, **keys)) if "snapshot" not in record]


def test_a_device_writes_what_the_processor_reads_after_completion() -> None:
    """Over the registers, bytes reach the buffer when the transfer is flushed, and not before."""
    forced = {"force_map_registers": True}
    log = run(*START, WRITE | {"value": 7}, READ, *END, READ, machine=forced)
    assert [
        record for record in log if record["op" if "op" in record else "event"] == "mdl_read"
    ] == [
        {"op": "mdl_read", "buffer": 0, "returns": 0, "status": "STATUS_SUCCESS"},
        {"op": "mdl_read", "buffer": 0, "returns": 70, "status": "STATUS_SUCCESS"},
    ]


def test_a_device_reads_what_the_processor_wrote() -> None:
    steps = [{**step, "direction": "write"} if "direction" in step else step for step in START]
    fill = {"op": "mdl_write", "buffer": 0, "offset": 0, "length": 8192, "value": 3}
    read = {"op": "device_read", "transaction": 0, "element": 0, "offset": 0, "length": 100}
    assert run(fill, *steps, read)[-1] == {
        "op": "device_read",
        "transaction": 0,
        "returns": 300,
        "status": "STATUS_SUCCESS",
    }


def test_an_address_is_where_the_element_is() -> None:
    write = {"op": "device_write_address", "address": 40 * 4096 + 5, "length": 2, "value": 255}
    read = {"op": "mdl_read", "buffer": 0, "offset": 0, "length": 20}
    sg = [{"profile": "scatter_gather", "maximum_length": 8192, "dma_version": 3}]
    log = run(*START, write, END[0], read, enablers=sg)
    assert [log[index].get("returns") for index in (-3, -1)] == [None, 510]
    bad = execute_scenario(make({"op": "device_read_address", "address": 2**64 - 1, "length": 1}))
    assert [item.rule for item in bad.violations] == [Rule.DEVICE_OUTSIDE_LIST, Rule.DMA_26]


def test_the_last_elements_are_remembered() -> None:
    log = execute_scenario(make(*START, WRITE | {"value": 1}, *END, WRITE | {"value": 1}))
    assert [item.rule for item in log.violations] == [Rule.DEVICE_AFTER_FREE, Rule.DMA_26]
    log = execute_scenario(make(*START, WRITE | {"value": 1, "offset": 4097 * 2}))
    assert log.violations[0].rule == Rule.DEVICE_OUTSIDE_LIST


def test_a_freed_buffer_is_freed_once() -> None:
    free = {"op": "free_mdl", "buffer": 0}
    parts = [[{"length": 5, "pfns": [40]}, {"length": 5, "pfns": [41]}]]
    assert [record["status"] for record in run(free, free, READ, buffers=parts)] == [
        "STATUS_SUCCESS",
        "STATUS_INVALID_PARAMETER",
        "STATUS_INVALID_PARAMETER",
    ]


REQUEST: Step = {
    "op": "request_create",
    "request": 5,
    "buffer": 0,
    "length": 8192,
    "direction": "write",
}


def test_a_request_has_the_number_that_the_scenario_gives_it() -> None:
    use = {"op": "initialize_using_request", "transaction": 0, "request": 5, "direction": "write"}
    done = {"op": "request_complete", "request": 5}
    log = run(REQUEST, START[0], use, START[2], *END, done)
    assert log[0] == {"op": "request_create", "request": 5, "status": "STATUS_SUCCESS"}
    assert log[2] == {
        "op": "initialize_using_request",
        "transaction": 0,
        "status": "STATUS_SUCCESS",
    }
    assert log[3]["elements"] == [[2**20, 8192]]
    assert log[-1] == {"op": "request_complete", "request": 5}
    (leak,) = execute_scenario(make(REQUEST, {"op": "check_leaks"})).violations
    assert (leak.rule, leak.label) == (Rule.LEAK_REQUEST, 5)
    twice = run(REQUEST, done, done)[-1]
    assert twice["parameters"][:2] == [6, "request 5"]


def test_a_common_buffer_comes_and_goes() -> None:
    create = {"op": "common_buffer_create", "common_buffer": 3, "enabler": 0, "length": 100}
    delete = {"op": "common_buffer_delete", "common_buffer": 3}
    leaks = {"op": "check_leaks"}
    log = run(create, leaks, delete, leaks, create)
    assert [record.get("returns") for record in log] == [None, 1, None, 0, None]
    assert log[0] == {"op": "common_buffer_create", "common_buffer": 3, "status": "STATUS_SUCCESS"}
    assert log[2] == {"op": "common_buffer_delete", "common_buffer": 3}


@pytest.mark.parametrize(
    "gone",
    [
        {"op": "object_delete", "transaction": 0},
        {"op": "delete_enabler", "enabler": 0},
        {"op": "remove_device"},
    ],
    ids=lambda step: str(step["op"]),
)
def test_a_deleted_transaction_has_a_handle_and_no_state(gone: Step) -> None:
    other = {"op": "create", "transaction": 1, "enabler": 0}
    log = run_scenario(make(START[0], other, gone, {"op": "release", "transaction": 0}))
    snapshots = [record["snapshot"]["transactions"] for record in log if "snapshot" in record]
    left = [] if "enabler" in gone or gone["op"] == "remove_device" else ["1"]
    assert [list(states) for states in snapshots] == [["0"], ["0", "1"], left]
    assert log[-1]["code"] == "WDF_VIOLATION"
    assert log[-1]["parameters"][0] == 5


def test_references_keep_a_transaction() -> None:
    reference, dereference, delete = (
        {"op": f"object_{verb}", "transaction": 0}
        for verb in ("reference", "dereference", "delete")
    )
    log = run(START[0], reference, delete, dereference, dereference)
    assert [record.get("op") for record in log] == [
        "create",
        "object_reference",
        "delete",
        "object_dereference",
        None,
    ]
    assert log[-1]["parameters"][0] == 5


@pytest.mark.parametrize(
    ("argument", "step", "parameter"),
    [
        ("null_handle", START[2], 5),
        ("forged_handle", START[2], 5),
        ("other_handle", START[2], 5),
        ("null_mdl", START[1], 4),
        ("null_callback", START[1], 4),
        ("null_handle", {"op": "object_reference", "transaction": 0}, 5),
    ],
)
def test_a_wrong_argument_is_found(argument: str, step: Step, parameter: int) -> None:
    wrong = {"op": "pass_wrong", "transaction": 0, "argument": argument}
    last = run(START[0], wrong, step)[-1]
    assert (last["code"], last["parameters"][0]) == ("WDF_VIOLATION", parameter)
    right = run(START[0], wrong, wrong | {"argument": "right"}, START[1])[-1]
    assert right["status"] == "STATUS_SUCCESS"


def test_a_wrong_argument_is_passed_once() -> None:
    """The first call of a NULL MDL that does not take one uses it up."""
    wrong = {"op": "pass_wrong", "transaction": 0, "argument": "null_mdl"}
    length = {"op": "get_bytes_transferred", "transaction": 0}
    assert run(START[0], wrong, length, START[1])[-1]["status"] == "STATUS_SUCCESS"


def test_the_world_around() -> None:
    log = run(
        {"op": "enter_d0"},
        {"op": "set_irql", "irql": "dispatch_level"},
        {"op": "lower_irql", "irql": "passive_level"},
        {"op": "leave_d0"},
    )
    assert log == [
        {"op": "enter_d0", "status": "STATUS_SUCCESS"},
        {"op": "set_irql"},
        {"op": "lower_irql"},
        {"op": "leave_d0", "status": "STATUS_SUCCESS"},
    ]


def test_keys_for_rules() -> None:
    """A mode of a rule, the look for leaks at the end, and the depth of the stack."""
    assert [item.rule for item in execute_scenario(make(*START)).violations] == []
    leaking = execute_scenario(make(*START, check_leaks=True))
    assert leaking.violations[0].rule == Rule.NEVER_COMPLETED
    stopped = execute_scenario(make(*START, check_leaks=True, rules={"NeverCompleted": "stop"}))
    assert stopped.log[-1]["parameters"] == ["NeverCompleted"]
    ignored = execute_scenario(
        make(*START[:2], check_leaks=True, rules={"LeakTransaction": "ignore"})
    )
    assert ignored.violations == []
    nested = {**START[2], "transaction": 1}
    steps = [
        START[0],
        {**START[0], "transaction": 1, "enabler": 1},
        START[1],
        {**START[1], "transaction": 1, "buffer": 1},
        {"op": "on", "transaction": 0, "event": "program_dma", "do": [nested]},
        START[2],
    ]
    enabler = make()["enablers"][0]
    world = {
        "enablers": [enabler, enabler],
        "buffers": [*make()["buffers"], [{"length": 8192, "pfns": [7, 8]}]],
    }
    assert run(*steps, **world)[-1]["op"] == "execute"
    shallow = run(*steps, machine={"maximum_depth": 1}, **world)
    assert shallow[-1]["code"] == "UNEXPECTED_KERNEL_MODE_TRAP"


def test_a_system_enabler_may_have_no_channel() -> None:
    enabler = {"profile": "system", "maximum_length": 8192, "configured": False}
    log = run(*START[:2], enablers=[enabler])
    assert log[-1]["parameters"] == ["NotConfigured"]


MISTAKES: list[tuple[list[Step], dict[str, Any], str]] = [
    ([{**WRITE, "value": 1}], {}, "steps[0].transaction: 0 is not created"),
    ([START[0], WRITE | {"value": 1}], {}, "steps[1].element: there is no element 0"),
    ([*START, WRITE | {"value": 1, "element": 1}], {}, "steps[3].element: there is no element 1"),
    ([WRITE | {"value": 256}], {}, "steps[0].value: 256 is above 255"),
    ([WRITE], {}, "steps[0].value: is missing"),
    ([READ | {"length": 2**20 + 1}], {}, "steps[0].length: 1048577 is above 1048576"),
    ([READ | {"buffer": 1}], {}, "steps[0].buffer: there is no buffer 1"),
    ([{"op": "device_read_address", "address": 2**64, "length": 1}], {}, "steps[0].address: "),
    ([{"op": "request_complete", "request": 2}], {}, "steps[0].request: 2 is not created"),
    ([REQUEST, REQUEST], {}, "steps[1].request: 5 is created already"),
    (
        [
            START[0],
            {
                "op": "initialize_using_request",
                "transaction": 0,
                "request": 1,
                "direction": "read",
            },
        ],
        {},
        "steps[1].request: 1 is not created",
    ),
    (
        [{"op": "common_buffer_delete", "common_buffer": 0}],
        {},
        "steps[0].common_buffer: 0 is not created",
    ),
    (
        [START[0], {"op": "pass_wrong", "transaction": 0, "argument": "nothing"}],
        {},
        'steps[1].argument: "nothing" is not right, null_handle, ',
    ),
    ([{"op": "set_irql", "irql": 2}], {}, "steps[0].irql: 2 is not passive_level, "),
    ([{"op": "remove_device", "transaction": 0}], {}, "steps[0].transaction: unknown key"),
    ([], {"rules": {"NoSuchRule": "stop"}}, "rules.NoSuchRule: there is no rule of this name"),
    (
        [],
        {"rules": {"NoAdapter": "halt"}},
        'rules.NoAdapter: "halt" is not stop, collect or ignore',
    ),
    ([], {"rules": ["NoAdapter"]}, 'rules: ["NoAdapter"] is not an object'),
    ([], {"check_leaks": 1}, "check_leaks: 1 is not true or false"),
    ([], {"machine": {"maximum_depth": 0}}, "machine.maximum_depth: 0 is below 1"),
    ([], {"machine": {"maximum_depth": 1025}}, "machine.maximum_depth: 1025 is above 1024"),
]


@pytest.mark.parametrize(
    ("steps", "keys", "expected"), MISTAKES, ids=[item[2][:40] for item in MISTAKES]
)
def test_a_mistake_is_named(steps: list[Step], keys: dict[str, Any], expected: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        run_scenario(Scenario.parse(make(*steps, **keys), "s.jsonl:1"))
    assert str(caught.value).startswith(f"s.jsonl:1: {expected}")
    assert len(caught.value.problems) == 1


def list_allocations(*steps: Step) -> list[int | None]:
    """The allocations that can fail, by their places."""
    sweep = sweep_faults(Scenario.parse(make(*steps)))
    return [run.fault.allocation for run in sweep.runs if run.fault.allocation is not None]


def test_what_is_remembered_meets_no_injected_failure() -> None:
    """The n-th allocation is the same one, whether a step goes where the device was programmed or not."""
    length = {"op": "get_bytes_transferred", "transaction": 0}
    after = START[0] | {"transaction": 1}
    without = list_allocations(*START, length, after)
    assert without
    assert list_allocations(*START, WRITE | {"value": 1, "length": 0}, after) == without


@pytest.mark.parametrize(
    "step", [WRITE, {"op": "check_leaks"}, REQUEST], ids=lambda step: step["op"]
)
def test_the_reference_model_refuses_them(step: Step) -> None:
    with pytest.raises(NotImplementedError, match=f"^{step['op']}: "):
        run_in_model(make(*START, step))
