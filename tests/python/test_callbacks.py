"""Callbacks of Python: what they get, and how an exception leaves them."""

import traceback
from collections.abc import Callable
from typing import Any

import pytest

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


class Oops(Exception):
    pass


def fail(*_arguments: Any) -> None:
    raise Oops


def ignore(*_arguments: Any) -> None:
    pass


def start(
    transaction: DmaTransaction, machine: Machine, program_dma: Any, length: int = 512
) -> Status:
    transaction.initialize(machine.mdl(length), program_dma=program_dma).check()
    return transaction.execute()


def assert_halted_by_python(machine: Machine) -> None:
    bugcheck = machine.bugcheck
    assert bugcheck is not None
    assert bugcheck.code == BugCheckCode.MANUALLY_INITIATED_CRASH
    with pytest.raises(BugCheck, match="MANUALLY_INITIATED_CRASH"):
        machine.device()


# Where an exception can arise, and the call that lets it out


def in_program_dma(machine: Machine, make: Make) -> Callable[[], object]:
    transaction = make()
    transaction.initialize(machine.mdl(512), program_dma=fail).check()
    return transaction.execute


def in_list_program_dma(machine: Machine, make: Make) -> Callable[[], object]:
    transaction = make(Profile.SCATTER_GATHER)
    transaction.initialize(machine.mdl(512), program_dma=fail).check()
    return transaction.execute


def in_reserve_dma(machine: Machine, make: Make) -> Callable[[], object]:
    transaction = make()
    return lambda: transaction.allocate_resources(map_registers=2, reserve_dma=fail)


def in_configure(machine: Machine, make: Make) -> Callable[[], object]:
    transaction = make(Profile.SYSTEM)
    transaction.set_channel_configuration_callback(fail)
    transaction.initialize(machine.mdl(512), program_dma=ignore).check()
    return transaction.execute


def in_transfer_complete(machine: Machine, make: Make) -> Callable[[], object]:
    transaction = make(Profile.SYSTEM)
    transaction.set_transfer_complete_callback(fail)
    start(transaction, machine, ignore)
    return transaction.enabler.complete_transfer


def in_stopped_transfer(machine: Machine, make: Make) -> Callable[[], object]:
    transaction = make(Profile.SYSTEM)
    transaction.set_transfer_complete_callback(fail)
    start(transaction, machine, ignore)
    return transaction.stop_system_transfer


def in_next_fragment(machine: Machine, make: Make) -> Callable[[], object]:
    transaction = make(maximum_length=4096)
    calls = iter((ignore, fail))
    start(transaction, machine, lambda *_: next(calls)(), length=8192)
    return transaction.dma_completed


def in_another_transaction(machine: Machine, make: Make) -> Callable[[], object]:
    holder, waiter = make(), make()
    holder.allocate_resources(map_registers=8, reserve_dma=ignore)
    start(waiter, machine, fail)
    return holder.free_resources


def in_another_transactions_delete(machine: Machine, make: Make) -> Callable[[], object]:
    holder, waiter = make(), make()
    holder.allocate_resources(map_registers=8, reserve_dma=ignore)
    start(waiter, machine, fail)
    return holder.delete


def in_another_transactions_completion(machine: Machine, make: Make) -> Callable[[], object]:
    holder, waiter = make(maximum_length=1 << 20), make()
    start(holder, machine, ignore, length=7 * 4096)
    start(waiter, machine, fail, length=8192)
    return lambda: holder.dma_completed_final(0)


def in_a_cancelled_neighbour(machine: Machine, make: Make) -> Callable[[], object]:
    holder, first, second = make(), make(), make()
    holder.allocate_resources(map_registers=6, reserve_dma=ignore)
    start(first, machine, ignore, length=3 * 4096)
    start(second, machine, fail)
    return first.cancel


def in_enabler_fill(machine: Machine, make: Make) -> Callable[[], object]:
    device = machine.device()
    device.enabler(fill=fail)
    return device.enter_d0


def in_enabler_flush(machine: Machine, make: Make) -> Callable[[], object]:
    device = machine.device()
    device.enabler(flush=fail)
    device.enter_d0().check()
    return device.leave_d0


def in_cleanup(machine: Machine, make: Make) -> Callable[[], object]:
    transaction = make().enabler.transaction(cleanup=fail)
    return transaction.delete


def in_destroy_of_a_child(machine: Machine, make: Make) -> Callable[[], object]:
    device = machine.device()
    device.enabler().transaction(destroy=fail)
    return device.delete


def after_a_restore(machine: Machine, make: Make) -> Callable[[], object]:
    transaction = make()
    transaction.initialize(machine.mdl(512), program_dma=fail).check()
    before = machine.snapshot()
    transaction.release()
    transaction.initialize(machine.mdl(512), program_dma=ignore).check()
    machine.restore(before)
    return transaction.execute


PLACES = [
    in_program_dma,
    in_list_program_dma,
    in_reserve_dma,
    in_configure,
    in_transfer_complete,
    in_stopped_transfer,
    in_next_fragment,
    in_another_transaction,
    in_another_transactions_delete,
    in_another_transactions_completion,
    in_a_cancelled_neighbour,
    in_enabler_fill,
    in_enabler_flush,
    in_cleanup,
    in_destroy_of_a_child,
    after_a_restore,
]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_an_exception_reaches_the_outermost_caller(
    place: Callable[[Machine, Make], Callable[[], object]],
    machine: Machine,
    make_transaction: Make,
    capfd: pytest.CaptureFixture[str],
) -> None:
    call = place(machine, make_transaction)
    with pytest.raises(Oops):
        call()
    assert_halted_by_python(machine)
    assert capfd.readouterr().err == ""


def test_the_traceback_shows_the_callback(machine: Machine, make_transaction: Make) -> None:
    with pytest.raises(Oops) as caught:
        start(make_transaction(), machine, fail)
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names[-1] == "fail"
    assert "execute" in names


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_no_error_gets_out_too(
    error: type[BaseException], machine: Machine, make_transaction: Make
) -> None:
    def stop(*_arguments: Any) -> None:
        raise error

    with pytest.raises(error):
        start(make_transaction(), machine, stop)
    assert_halted_by_python(machine)


def test_an_exception_goes_through_nested_calls(machine: Machine, make_transaction: Make) -> None:
    seen: list[str] = []
    inner = make_transaction()
    inner.initialize(machine.mdl(512), program_dma=fail).check()

    def outer(*_arguments: Any) -> None:
        try:
            inner.execute()
        except Oops:
            seen.append("inner")
            raise
        finally:
            seen.append("finally")

    with pytest.raises(Oops) as caught:
        start(make_transaction(), machine, outer)
    assert seen == ["inner", "finally"]
    assert caught.value.__context__ is None


def test_an_exception_cannot_be_swallowed(machine: Machine, make_transaction: Make) -> None:
    inner = make_transaction()
    inner.initialize(machine.mdl(512), program_dma=fail).check()

    def outer(*_arguments: Any) -> None:
        with pytest.raises(Oops):
            inner.execute()
        with pytest.raises(Oops):
            machine.advance(1)

    with pytest.raises(Oops):
        start(make_transaction(), machine, outer)
    assert_halted_by_python(machine)


def test_a_bug_check_in_a_callback_unwinds_it(machine: Machine, make_transaction: Make) -> None:
    seen: list[BugCheck] = []
    victim = make_transaction()

    def program(*_arguments: Any) -> None:
        try:
            victim.execute()
        except BugCheck as error:
            seen.append(error)
            raise

    with pytest.raises(BugCheck) as caught:
        start(make_transaction(), machine, program)
    assert caught.value is seen[0]
    assert caught.value.code == BugCheckCode.WDF_VIOLATION
    assert caught.value.depth == 1
    with pytest.raises(BugCheck) as later:
        victim.execute()
    assert later.value is not seen[0]
    assert str(later.value) == str(seen[0])


def test_a_swallowed_bug_check_is_raised_by_the_outermost_call(
    machine: Machine, make_transaction: Make
) -> None:
    victim = make_transaction()

    def program(*_arguments: Any) -> str:
        for _ in range(3):
            with pytest.raises(BugCheck, match="WDF_VIOLATION"):
                victim.execute()
        return "all is well"

    with pytest.raises(BugCheck, match="WDF_VIOLATION"):
        start(make_transaction(), machine, program)


def test_an_error_raised_for_a_bug_check_carries_it(
    machine: Machine, make_transaction: Make
) -> None:
    victim = make_transaction()

    def program(*_arguments: Any) -> None:
        try:
            victim.execute()
        except BugCheck as error:
            raise Oops from error

    with pytest.raises(Oops) as caught:
        start(make_transaction(), machine, program)
    assert isinstance(caught.value.__cause__, BugCheck)


def test_the_first_of_two_errors_is_raised_and_shows_the_other(
    machine: Machine, make_transaction: Make
) -> None:
    victim = make_transaction()

    def program(*_arguments: Any) -> None:
        with pytest.raises(BugCheck):
            victim.execute()
        raise Oops

    with pytest.raises(BugCheck) as caught:
        start(make_transaction(), machine, program)
    assert isinstance(caught.value.__context__, Oops)


def test_an_interrupt_does_not_wait_behind_a_bug_check(
    machine: Machine, make_transaction: Make
) -> None:
    victim = make_transaction()

    def program(*_arguments: Any) -> None:
        with pytest.raises(BugCheck):
            victim.execute()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        start(make_transaction(), machine, program)
    assert isinstance(caught.value.__context__, BugCheck)


def test_one_machines_failure_is_not_anothers(machine: Machine, make_transaction: Make) -> None:
    start(make_transaction(), machine, ignore)
    with Machine() as other:
        with pytest.raises(Oops):
            start(other.device().enabler().transaction(), other, fail)
        assert other.halted
    assert not machine.halted


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
