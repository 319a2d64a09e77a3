"""Exceptions in callbacks of Python: where they can arise, and how they leave."""

import traceback
from collections.abc import Callable
from typing import Any

import pytest

from callback_support import Oops, assert_halted_by_python, fail, ignore, start
from wdfdma import (
    BugCheck,
    BugCheckCode,
    DmaTransaction,
    Machine,
    Profile,
)

Make = Callable[..., DmaTransaction]


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
            with pytest.raises(BugCheck, match=r"^WDF_VIOLATION"):
                victim.execute()
        return "all is well"

    with pytest.raises(BugCheck, match=r"^WDF_VIOLATION"):
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


def fail_after_a_bug_check(
    victim: DmaTransaction, error: type[BaseException]
) -> Callable[..., None]:
    """A routine that swallows a bug check, and raises an error of its own."""

    def program(*_arguments: Any) -> None:
        with pytest.raises(BugCheck):
            victim.execute()
        raise error

    return program


def test_the_first_of_two_errors_is_raised_and_shows_the_other(
    machine: Machine, make_transaction: Make
) -> None:
    program = fail_after_a_bug_check(make_transaction(), Oops)
    with pytest.raises(BugCheck) as caught:
        start(make_transaction(), machine, program)
    assert isinstance(caught.value.__context__, Oops)


def test_an_interrupt_does_not_wait_behind_a_bug_check(
    machine: Machine, make_transaction: Make
) -> None:
    program = fail_after_a_bug_check(make_transaction(), KeyboardInterrupt)
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
