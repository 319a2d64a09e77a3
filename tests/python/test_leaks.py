"""What is still held, through the Python face: asked for, told by a deletion, left by a machine that was closed."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from wdfdma import (
    BugCheck,
    ClosedError,
    CommonBuffer,
    Direction,
    DmaEnabler,
    DmaTransaction,
    Machine,
    ObjectType,
    Op,
    Profile,
    RequestType,
    Rule,
    RuleMode,
    StatusError,
    TransactionState,
    Violation,
)

CANONICAL = Path(__file__).parents[1] / "conformance" / "canonical.jsonl"
LENGTH = 3 * 4096


def begin(enabler: DmaEnabler, machine: Machine) -> DmaTransaction:
    transaction = enabler.transaction()
    transaction.initialize(machine.mdl(LENGTH), program_dma=lambda *_: None).check()
    return transaction


def start(enabler: DmaEnabler, machine: Machine) -> DmaTransaction:
    transaction = begin(enabler, machine)
    transaction.execute().check()
    return transaction


def list_rules(leaks: list[Violation]) -> list[Rule]:
    return [leak.rule for leak in leaks]


def test_nothing_held_is_no_leak() -> None:
    with Machine() as machine:
        transaction = start(machine.device().enabler(), machine)
        transaction.dma_completed()
        transaction.release().check()
        assert machine.check_leaks() == []
        assert machine.violations == []
        assert machine.leaks == []
    assert machine.leaks == []


def test_a_transfer_that_nobody_completes() -> None:
    with Machine() as machine:
        start(machine.device().enabler(), machine)
        (leak,) = machine.check_leaks()
        assert leak.rule == Rule.NEVER_COMPLETED
        assert leak.parameters == (Rule.NEVER_COMPLETED, leak.handle, LENGTH, 0)
        assert (leak.object_type, leak.label) == (ObjectType.TRANSACTION, 0)
        assert (leak.op, leak.stopped) == (Op.NONE, False)
        assert leak.created_step < leak.step
        assert leak.summary.startswith("violation: NeverCompleted, transaction 0, step ")
        assert pickle.loads(pickle.dumps(leak)) == leak


def test_every_kind_is_told_in_order() -> None:
    with Machine(force_map_registers=True) as machine:
        device = machine.device()
        packet = device.enabler(dma_version=3)
        gather = device.enabler(Profile.SCATTER_GATHER)
        begin(packet, machine)
        start(gather, machine)
        reserved = packet.transaction()
        reserved.allocate_resources(map_registers=4, reserve_dma=lambda *_: None).check()
        packet.common_buffer(100)
        device.request(RequestType.READ)
        device.reference()
        leaks = machine.check_leaks()
        assert list_rules(leaks) == [
            Rule.LEAK_TRANSACTION,
            Rule.NEVER_COMPLETED,
            Rule.LEAK_LIST,
            Rule.LEAK_TRANSACTION,
            Rule.LEAK_RESERVATION,
            Rule.LEAK_COMMON_BUFFER,
            Rule.LEAK_REQUEST,
            Rule.LEAK_REFERENCE,
        ]
        assert [leak.parameters[2] for leak in leaks] == [
            TransactionState.INITIALIZED,
            LENGTH,
            LENGTH,
            TransactionState.RESERVED,
            4,
            100,
            0,
            1,
        ]
        machine.clear_violations()
        assert list_rules(machine.check_leaks(gather)) == [Rule.NEVER_COMPLETED, Rule.LEAK_LIST]
        machine.clear_violations()
        assert len(machine.check_leaks(device)) == 8
        assert machine.check_leaks(machine.device()) == []


def test_below_must_be_alive_and_here() -> None:
    with Machine() as machine, Machine() as other:
        enabler = machine.device().enabler()
        with pytest.raises(StatusError):
            other.check_leaks(enabler)
        enabler.delete()
        with pytest.raises(StatusError):
            machine.check_leaks(enabler)
        assert not machine.halted


def test_a_deletion_tells_what_it_ends() -> None:
    with Machine() as machine:
        device = machine.device()
        enabler = device.enabler()
        enabler.common_buffer(4096)
        transaction = start(enabler, machine)
        transaction.dma_completed()
        enabler.delete()
        (leak,) = machine.violations
        assert (leak.rule, leak.op) == (Rule.LEAK_TRANSACTION, Op.DELETE)
        assert leak.parameters[2] == TransactionState.TRANSFER_COMPLETED
        device.request(RequestType.READ)
        device.delete()
        assert list_rules(machine.violations) == [Rule.LEAK_TRANSACTION, Rule.LEAK_REQUEST]
    assert machine.leaks == []


def test_a_log_has_nothing_of_it() -> None:
    with Machine(log="grow") as machine:
        enabler = machine.device().enabler()
        begin(enabler, machine)
        before = machine.log_records()
        assert len(machine.check_leaks()) == 1
        assert machine.log_records() == before


def test_a_rule_stops_at_the_first() -> None:
    with Machine() as machine:
        enabler = machine.device().enabler()
        begin(enabler, machine)
        begin(enabler, machine)
        with machine.rules(RuleMode.IGNORE, Rule.LEAK_TRANSACTION):
            assert machine.check_leaks() == []
        machine.set_rule(Rule.LEAK_TRANSACTION, RuleMode.STOP)
        with pytest.raises(BugCheck) as caught:
            machine.check_leaks()
        assert (caught.value.rule, caught.value.label) == (Rule.LEAK_TRANSACTION, 0)
        assert len(machine.violations) == 1
        with pytest.raises(BugCheck):
            machine.check_leaks()
    assert machine.leaks == []


def test_close_tells_what_was_left() -> None:
    machine = Machine()
    start(machine.device().enabler(), machine)
    assert machine.leaks == []
    machine.close()
    assert list_rules(machine.leaks) == [Rule.NEVER_COMPLETED]
    machine.close()
    assert list_rules(machine.leaks) == [Rule.NEVER_COMPLETED]
    machine.leaks.clear()
    assert len(machine.leaks) == 1
    with pytest.raises(ClosedError):
        machine.check_leaks()


def test_close_raises_nothing() -> None:
    with Machine() as machine:
        enabler = machine.device().enabler()
        begin(enabler, machine)
        enabler.common_buffer(100)
        machine.set_rule(Rule.NONE, RuleMode.STOP)
        machine.set_rule(Rule.LEAK_COMMON_BUFFER, RuleMode.IGNORE)
        machine.fail_allocation(1)
    assert list_rules(machine.leaks) == [Rule.LEAK_TRANSACTION]


def test_close_tells_only_what_is_left() -> None:
    with Machine() as machine:
        begin(machine.device().enabler(), machine)
        machine.check_leaks()
    assert len(machine.leaks) == 1


def test_a_block_that_raises_is_closed_all_the_same() -> None:
    with pytest.raises(KeyError), Machine() as machine:
        begin(machine.device().enabler(), machine)
        raise KeyError
    assert list_rules(machine.leaks) == [Rule.LEAK_TRANSACTION]


def make_leaking(enabler: DmaEnabler, machine: Machine) -> DmaTransaction:
    return begin(enabler, machine)


def test_a_trace_shows_who_made_it() -> None:
    with Machine(trace=True) as machine:
        make_leaking(machine.device().enabler(), machine)
        (leak,) = machine.check_leaks()
        trace = machine.get_trace(leak)
        assert trace is not None
        assert [frame.name for frame in trace[-3:]] == [
            "test_a_trace_shows_who_made_it",
            "make_leaking",
            "begin",
        ]
        assert trace[-1].line == "transaction = enabler.transaction()"
        assert all(Path(frame.filename) == Path(__file__) for frame in trace[-3:])
    assert machine.get_trace(machine.leaks[0]) == trace


def test_a_trace_outlives_its_object() -> None:
    with Machine(trace=True) as machine:
        enabler = machine.device().enabler()
        begin(enabler, machine)
        enabler.delete()
        trace = machine.get_trace(machine.violations[0])
        assert trace is not None
        assert trace[-1].name == "begin"


def test_a_trace_of_what_a_parameter_names() -> None:
    """The channel is the adapter's, which Python knows as its enabler."""
    with Machine(trace=True) as machine:
        enabler = machine.device().enabler(Profile.SYSTEM)
        enabler.configure_system_profile(Direction.READ).check()
        start(enabler, machine)
        leak = machine.check_leaks()[-1]
        assert (leak.rule, leak.object_type) == (Rule.LEAK_CHANNEL, ObjectType.ENABLER)
        trace = machine.get_trace(leak)
        assert trace is not None
        assert trace[-1].name == "test_a_trace_of_what_a_parameter_names"


def test_a_trace_from_inside_a_callback() -> None:
    made: list[CommonBuffer] = []
    with Machine(trace=True) as machine:
        enabler = machine.device().enabler()

        def fill(_: Any) -> None:
            made.append(enabler.common_buffer(64))

        filled = machine.device().enabler(fill=fill)
        filled.device.enter_d0().check()
    (leak,) = machine.leaks
    trace = machine.get_trace(leak)
    assert trace is not None
    assert [frame.name for frame in trace[-2:]] == ["test_a_trace_from_inside_a_callback", "fill"]


def test_no_trace_without_being_asked() -> None:
    with Machine() as machine:
        begin(machine.device().enabler(), machine)
    assert machine.get_trace(machine.leaks[0]) is None


def test_what_is_told_already_is_returned_again_and_recorded_once() -> None:
    with Machine() as machine:
        enabler = machine.device().enabler()
        begin(enabler, machine)
        first = machine.check_leaks()
        assert machine.check_leaks() == first == machine.check_leaks(enabler)
        assert machine.violations == first
        begin(enabler, machine)
        both = machine.check_leaks()
        assert len(both) == 2 * len(first)
        assert machine.violations == [*first, *both[len(first) :]]
        machine.clear_violations()
        assert machine.check_leaks() == both == machine.violations
