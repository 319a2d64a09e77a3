"""Callbacks of Python: what they get, what they return, what they may do."""

from collections.abc import Callable
from typing import Any

import pytest

from callback_support import Oops, assert_halted_by_python, fail, ignore, start
from wdfdma import (
    BugCheck,
    BugCheckCode,
    Direction,
    DmaTransaction,
    Element,
    Machine,
    Profile,
    Status,
    StatusError,
    TransactionState,
    _callbacks,
)

Make = Callable[..., DmaTransaction]


def test_what_a_callback_returns(machine: Machine, make_transaction: Make) -> None:
    class Stubborn:
        def __bool__(self) -> bool:
            raise Oops

    for answer, state in ((False, TransactionState.TRANSFER), (None, TransactionState.TRANSFER)):
        programmed: list[Any] = []
        transaction = make_transaction(Profile.SYSTEM, maximum_length=4096)
        transaction.set_channel_configuration_callback(lambda *_, answer=answer: answer)
        start(transaction, machine, lambda *_, to=programmed: to.append(1))
        assert transaction.state == state
        assert len(programmed) == (answer is None)
    transaction = make_transaction(Profile.SYSTEM, maximum_length=4096)
    transaction.set_channel_configuration_callback(lambda *_: Stubborn())
    with pytest.raises(Oops):
        start(transaction, machine, ignore)
    assert_halted_by_python(machine)


def test_an_event_that_returns_no_status(machine: Machine) -> None:
    device = machine.device()
    device.enabler(fill=lambda _: "fine")
    with pytest.raises(ValueError, match="invalid literal"):
        device.enter_d0()
    assert_halted_by_python(machine)


def test_callbacks_may_be_methods(machine: Machine, make_transaction: Make) -> None:
    class Driver:
        def __init__(self) -> None:
            self.transfers: list[int] = []

        def program(
            self, transaction: DmaTransaction, direction: Direction, elements: list[Element]
        ) -> None:
            self.transfers.append(sum(length for _, length in elements))
            if len(self.transfers) < 4:
                assert not transaction.dma_completed().completed

    driver = Driver()
    transaction = make_transaction(maximum_length=4096)
    start(transaction, machine, driver.program, length=4 * 4096)
    assert driver.transfers == [4096] * 4
    assert transaction.dma_completed().completed


def test_nested_completions_keep_their_own_status(machine: Machine, make_transaction: Make) -> None:
    answers: list[Any] = []
    outer, inner = make_transaction(maximum_length=4096), make_transaction()

    def complete_inner(transaction: DmaTransaction, *_rest: Any) -> None:
        answers.append(transaction.dma_completed())

    def program(*_arguments: Any) -> None:
        inner.release()
        start(inner, machine, complete_inner)

    start(outer, machine, program, length=8192)
    first = outer.dma_completed()
    assert (first.completed, first.status) == (False, Status.STATUS_MORE_PROCESSING_REQUIRED)
    assert [answer.status for answer in answers] == [Status.STATUS_SUCCESS] * 2
    past = outer.dma_completed_with_length(5000)
    assert (past.completed, past.status) == (True, Status.STATUS_INVALID_PARAMETER)


def test_a_transaction_may_end_in_its_own_callback(
    machine: Machine, make_transaction: Make
) -> None:
    def finish(transaction: DmaTransaction, *_rest: Any) -> None:
        transaction.dma_completed()
        transaction.release()
        transaction.delete()

    transaction = make_transaction()
    assert start(transaction, machine, finish) is Status.STATUS_SUCCESS
    assert not transaction.is_live
    assert repr(transaction) == "<DmaTransaction 0 deleted>"


def test_a_transaction_may_be_executed_again_in_its_callback(
    machine: Machine, make_transaction: Make
) -> None:
    buffer = machine.mdl(512)
    lengths: list[int] = []

    def program(
        transaction: DmaTransaction, _direction: Direction, elements: list[Element]
    ) -> None:
        lengths.append(elements[0].length)
        transaction.dma_completed()
        if len(lengths) < 5:
            transaction.release()
            transaction.initialize(buffer, length=len(lengths) + 1, program_dma=program)
            transaction.execute()

    transaction = make_transaction()
    transaction.initialize(buffer, length=1, program_dma=program)
    transaction.execute()
    assert lengths == [1, 2, 3, 4, 5]


def nest(machine: Machine, depth: int) -> None:
    """Executes each of [depth] transactions in the callback of the one before."""
    device = machine.device()
    rest = [device.enabler(dma_version=3).transaction() for _ in range(depth)]

    def execute_next(*_arguments: Any) -> None:
        if rest:
            start(rest.pop(), machine, execute_next, length=1)

    execute_next()


def test_callbacks_in_one_another_use_up_the_stack() -> None:
    with Machine(maximum_depth=20) as machine:
        nest(machine, 20)
        machine.check()
        with pytest.raises(BugCheck) as caught:
            nest(machine, 21)
        assert caught.value.code == BugCheckCode.UNEXPECTED_KERNEL_MODE_TRAP
        assert caught.value.parameters[0] == 8
        assert caught.value.depth == 20


def test_recursion_of_python_ends_in_its_own_error() -> None:
    with Machine(map_registers=2000, maximum_depth=1024) as machine:
        with pytest.raises((RecursionError, BugCheck)):
            nest(machine, 1025)
        assert machine.halted


def test_what_only_looks_is_allowed_in_a_callback(machine: Machine, make_transaction: Make) -> None:
    def look(transaction: DmaTransaction, *_rest: Any) -> None:
        assert machine.state.depth == 1
        assert repr(transaction).startswith("<DmaTransaction transfer 0/512 bytes, registers")
        machine.check()
        assert len(machine.log) > 0

    start(make_transaction(), machine, look)


@pytest.mark.parametrize(
    "call",
    [
        lambda machine, snapshot: machine.close(),
        lambda machine, snapshot: machine.snapshot(),
        lambda machine, snapshot: machine.restore(snapshot),
    ],
    ids=["close", "snapshot", "restore"],
)
def test_what_is_refused_in_a_callback(
    call: Callable[[Machine, Any], None], machine: Machine, make_transaction: Make
) -> None:
    transaction = make_transaction()
    snapshot = machine.snapshot()

    def program(*_arguments: Any) -> None:
        with pytest.raises(StatusError, match="STATUS_INVALID_DEVICE_STATE"):
            call(machine, snapshot)

    start(transaction, machine, program)
    assert transaction.dma_completed().completed


def test_a_callback_without_a_context_finds_its_machine(
    machine: Machine, make_transaction: Make
) -> None:
    """A grant that a release did not take back meets a buffer that nobody has executed."""
    holder, waiter = make_transaction(), make_transaction()
    holder.allocate_resources(map_registers=8, reserve_dma=ignore).check()
    waiter.allocate_resources(map_registers=1, reserve_dma=ignore).check()
    waiter.release()
    waiter.initialize(machine.mdl(512), program_dma=fail).check()
    with pytest.raises(Oops):
        holder.free_resources()
    assert_halted_by_python(machine)


def test_an_interrupt_before_the_callback_begins_is_not_lost(
    machine: Machine, make_transaction: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = _callbacks._get_core
    errors = iter([KeyboardInterrupt])

    def interrupt(handle: Any, context: Any) -> Any:
        for error in errors:
            raise error
        return find(handle, context)

    monkeypatch.setattr(_callbacks, "_get_core", interrupt)
    with pytest.raises(KeyboardInterrupt):
        start(make_transaction(), machine, ignore)
    assert_halted_by_python(machine)
