"""A device that goes wrong, as an injected fault: in scenarios, and from Python."""

from typing import Any

import pytest

from fault_support import GOOD, MORE, Data, list_calls
from wdfdma import BugCheck, DeviceBehaviour, Machine, Op, run_scenario


def run_device(scenario: Data, behaviour: str, **more: Any) -> list[Any]:
    """What comes from step 3 on, whose completion is the move."""
    scenario["faults"] = [{"device": behaviour, "nth": 1, **more}]
    return [call for call in list_calls(run_scenario(scenario)) if call[0] >= 3]


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
        with pytest.raises(BugCheck, match=r"^.*0x26"):
            buffer.delete()
