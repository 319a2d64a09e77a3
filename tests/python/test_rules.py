"""Rules and their modes, through the Python face."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from wdfdma import (
    BugCheck,
    BugCheckCode,
    DmaTransaction,
    Event,
    Machine,
    ObjectType,
    Op,
    Profile,
    Rule,
    RuleMode,
    Severity,
    StatusError,
    get_rule_info,
    list_rules,
)
from wdfdma._native import ffi
from wdfdma.circumstances import Frame


def make_transaction(machine: Machine) -> DmaTransaction:
    enabler = machine.device().enabler(Profile.PACKET, maximum_length=65536, dma_version=3)
    return enabler.transaction()


def lose_immediate_execution(machine: Machine) -> DmaTransaction:
    """A cycle under immediate execution, then one that only seems to be."""
    transaction = make_transaction(machine)
    buffer = machine.mdl(4096)
    transaction.set_immediate_execution(True)
    for _ in range(2):
        transaction.initialize(buffer, program_dma=lambda *_: None).check()
        transaction.execute().check()
        transaction.dma_completed()
        transaction.release().check()
    return transaction


def test_advice_is_collected() -> None:
    with Machine() as machine:
        lose_immediate_execution(machine)
        (violation,) = machine.violations
        assert not machine.halted
        assert (violation.rule, violation.severity) == (Rule.IMMEDIATE_LOST, Severity.ADVICE)
        assert (violation.op, violation.object_type) == (Op.EXECUTE, ObjectType.TRANSACTION)
        assert (violation.label, violation.depth, violation.stopped) == (0, 0, False)
        assert violation.created_step < violation.step
        assert violation.summary.startswith(
            "advice: ImmediateLost, transaction 0; in execute, step"
        )
        assert pickle.loads(pickle.dumps(violation)) == violation


def test_a_restore_takes_violations_back() -> None:
    with Machine() as machine:
        before = machine.snapshot()
        lose_immediate_execution(machine)
        after = machine.snapshot()
        machine.restore(before)
        assert machine.violations == []
        machine.restore(after)
        assert [violation.rule for violation in machine.violations] == [Rule.IMMEDIATE_LOST]
        machine.clear_violations()
        assert (machine.violations, machine.violations_lost) == ([], 0)


def test_a_rule_stops_within_a_block() -> None:
    with Machine() as machine:
        with pytest.raises(BugCheck) as caught, machine.rules(RuleMode.STOP, Rule.IMMEDIATE_LOST):
            lose_immediate_execution(machine)
        assert caught.value.rule == Rule.IMMEDIATE_LOST
        assert caught.value.code == BugCheckCode.WDFDMA_VIOLATION
        assert [violation.stopped for violation in machine.violations] == [True]


def test_a_block_puts_modes_back() -> None:
    with Machine() as machine:
        machine.set_rule(Rule.RESERVATION_KEPT, RuleMode.STOP)
        with machine.rules(RuleMode.IGNORE):
            assert {machine.get_rule(info.rule) for info in list_rules()} == {RuleMode.IGNORE}
            lose_immediate_execution(machine)
        assert machine.violations == []
        assert machine.get_rule(Rule.RESERVATION_KEPT) == RuleMode.STOP
        assert machine.get_rule(Rule.IMMEDIATE_LOST) == RuleMode.DEFAULT


def test_windows_own_may_be_collected() -> None:
    """A device that goes astray: the write does not happen, and the machine goes on."""
    with Machine() as machine:
        machine.set_rule(Rule.DMA_26, RuleMode.COLLECT)
        with pytest.raises(StatusError):
            machine.device_write(0x5000, b"x")
        outside, fault = machine.violations
        assert outside.rule == Rule.DEVICE_OUTSIDE_LIST
        assert (fault.rule, fault.parameters[:2]) == (Rule.DMA_26, (0x26, 0x5000))
        assert not machine.halted
        machine.set_rule(Rule.DMA_26, RuleMode.DEFAULT)
        with pytest.raises(BugCheck):
            machine.device_write(0x5000, b"x")


def test_what_is_undefined_stops_in_every_mode() -> None:
    with Machine() as machine:
        machine.set_rule(Rule.NONE, RuleMode.IGNORE)
        transaction = make_transaction(machine)
        with pytest.raises(BugCheck) as caught:
            transaction.set_maximum_length(5)
        assert caught.value.rule == Rule.NO_ADAPTER


def test_frames_are_the_callbacks_in_progress() -> None:
    with Machine() as machine:
        transaction = make_transaction(machine)

        def program_dma(*_: object) -> None:
            machine.device_read(0x5000, 1)

        transaction.initialize(machine.mdl(4096), program_dma=program_dma).check()
        with pytest.raises(BugCheck):
            transaction.execute()
        frame = Frame(
            Event.PROGRAM_DMA,
            ObjectType.TRANSACTION,
            0,
            int(ffi.cast("uintptr_t", transaction._handle)),
        )
        assert {violation.frames for violation in machine.violations} == {(frame,)}


@pytest.mark.parametrize("rule", [-1, 99999, 10**6, 2**40, 2**70, -(2**70)])
def test_rules_that_are_none(rule: int) -> None:
    """One error, which names the number, whoever is asked."""
    with Machine() as machine:
        before = [machine.get_rule(info.rule) for info in list_rules()]
        for call in (
            lambda: get_rule_info(rule),
            lambda: machine.get_rule(rule),
            lambda: machine.set_rule(rule, RuleMode.STOP),
            lambda: machine.rules(RuleMode.STOP, Rule.NO_ADAPTER, rule).__enter__(),
        ):
            with pytest.raises(ValueError, match=rf"^rule: {rule} is (above \d+|below [01])$"):
                call()
        assert [machine.get_rule(info.rule) for info in list_rules()] == before


@pytest.mark.parametrize("mode", [-1, 4, 2**40])
def test_modes_that_are_none(mode: int) -> None:
    with Machine() as machine:
        with pytest.raises(ValueError, match=rf"^mode: {mode} is (above 3|below 0)$"):
            machine.set_rule(Rule.NO_ADAPTER, mode)
        with pytest.raises(ValueError, match=f"^mode: {mode} is "), machine.rules(mode):
            pass
        assert {machine.get_rule(info.rule) for info in list_rules()} == {RuleMode.DEFAULT}


@pytest.mark.parametrize("rule", [b"DMA_05", None, 1.5, True])
def test_what_is_no_number_of_a_rule(rule: Any) -> None:
    with Machine() as machine:
        for call in (get_rule_info, machine.get_rule):
            with pytest.raises(TypeError, match=r"^rule: .* is not a "):
                call(rule)


def test_a_block_for_all_rules_puts_each_mode_back() -> None:
    with Machine() as machine:
        machine.set_rule(Rule.RESERVATION_KEPT, RuleMode.STOP)
        with machine.rules(RuleMode.IGNORE, Rule.NONE):
            assert machine.get_rule(Rule.DMA_05) == RuleMode.IGNORE
        assert machine.get_rule(Rule.RESERVATION_KEPT) == RuleMode.STOP
        assert machine.get_rule(Rule.DMA_05) == RuleMode.DEFAULT


def test_every_rule_says_what_it_is() -> None:
    infos = list_rules()
    assert len({info.name for info in infos}) == len({info.rule for info in infos}) == len(infos)
    codes = [info.code_text for info in infos if info.code_text]
    assert len(set(codes)) == len(codes)
    assert {"0x10D/08", "0xE6/0F/2", "0xE6/26"} <= set(codes)
    for info in infos:
        assert all((info.cause, info.source)), info.name
