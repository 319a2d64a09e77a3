"""A page is of the moment that it tells of: the object, the pool and the log of then, whatever has come since."""

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import pytest

from wdfdma import (
    BugCheck,
    DmaTransaction,
    Irql,
    Machine,
    Rule,
    Violation,
    Waiting,
)
from wdfdma._native import ffi
from wdfdma.circumstances import Frame, Moment, ObjectState
from wdfdma.enums import Event, ObjectType, TransactionState

PAGE = 4096


@pytest.fixture
def small() -> Iterator[Machine]:
    with Machine(map_registers=8, log=64, force_map_registers=True) as made:
        yield made
        made.check()


def run(machine: Machine, pages: int, program_dma: Any = lambda *_transfer: None) -> DmaTransaction:
    transaction = machine.device().enabler(dma_version=3).transaction()
    transaction.initialize(machine.mdl(pages * PAGE), program_dma=program_dma).check()
    transaction.execute()
    return transaction


def wait(machine: Machine, registers: int) -> DmaTransaction:
    transaction = machine.device().enabler(dma_version=3).transaction()
    transaction.allocate_resources(map_registers=registers, reserve_dma=lambda *_: None).check()
    return transaction


def break_advice(machine: Machine) -> tuple[Violation, DmaTransaction]:
    """Five registers are held, a request for four waits; one that waited was cancelled, and keeps its count."""
    holder = run(machine, 5)
    cancelled = wait(machine, 6)
    wait(machine, 4)
    assert cancelled.cancel()
    (violation,) = machine.violations
    assert violation.rule == Rule.CANCELLED_RESERVATION_KEPT
    return violation, holder


def find_rows(page: str, label: str) -> list[str]:
    """What stands behind a label, in each place where it does."""
    lines = page.splitlines()
    return [line[14:] for line in lines if line.startswith(f"  {label:<12}")]


def test_how_the_object_stood(small: Machine) -> None:
    violation, _ = break_advice(small)
    assert violation.state == ObjectState(
        state=TransactionState.TRANSFER_FAILED, reserved=6, references=1
    )
    with pytest.raises(BugCheck) as caught:
        run(small, 2).release()
    error = caught.value
    assert error.state is not None
    assert error.state.waiting == Waiting.POOL
    assert error.state.registers == 2
    assert (error.state, error.moment) == (small.violations[-1].state, small.violations[-1].moment)
    assert error.handle == small.violations[-1].handle != 0
    assert error.created_step == small.violations[-1].created_step
    (row,) = find_rows(error.report(), "object")
    assert row.endswith(", transfer 0/8192 bytes, waiting for 2 registers")


def test_how_the_machine_stood(small: Machine) -> None:
    violation, holder = break_advice(small)
    then = Moment(log_records=violation.moment.log_records, free_registers=3, waiting_pool=1)
    assert violation.moment == then
    assert small.log[then.log_records]["object"] == 1
    holder.dma_completed()
    assert small.violations == [violation]


def test_then_and_now(small: Machine) -> None:
    violation, holder = break_advice(small)
    before = small.report(violation)
    holder.dma_completed()
    holder.release()
    page = small.report(violation)
    assert find_rows(page, "object") == find_rows(before, "object")
    assert f"The pool then, in step {violation.step}: 3 registers free" in page
    assert find_rows(page, "waiting")[0] == "1 request for registers"
    assert f"The pool now, in step {small.state.step}: 4 of 8 registers free" in page
    assert find_rows(page, "held") == ["0..3: transaction 2 of enabler 2, reserved, 4 reserved"]
    log = page[page.index(" of the log") : page.index("The pool then")]
    assert log == before[before.index(" of the log") : before.index("The pool then")]
    assert "dma_completed" not in log


def test_a_ring_that_has_gone_on(small: Machine) -> None:
    """First some records from before are still there, and then none is."""
    violation, holder = break_advice(small)
    written = small.log_lost + len(small.log)
    while small.log_lost < violation.moment.log_records - 2:
        holder.set_maximum_length(PAGE)
    page = small.report(violation)
    assert "The last 2 records of the log" in page
    assert "the ring has overwritten what was before; a longer one keeps more" in page
    holder.set_maximum_length(PAGE)
    holder.set_maximum_length(PAGE)
    assert small.log_lost + len(small.log) > written
    page = small.report(violation)
    assert "the ring has overwritten all that was before it; a longer one keeps more" in page
    assert "set_maximum_length" not in page


@pytest.mark.parametrize("how", ["restore", "clear"])
def test_a_machine_that_knows_of_it_no_more(small: Machine, how: str) -> None:
    """The log and the pool are of another course; the record is what it was."""
    before = small.snapshot()
    violation, _ = break_advice(small)
    if how == "restore":
        small.restore(before)
    else:
        small.clear_violations()
    page = small.report(violation)
    assert " of the log" not in page
    assert "The pool now" not in page
    assert f"The pool then, in step {violation.step}: 3 registers free" in page
    assert "transfer_failed, 6 reserved" in page


def test_a_halt_without_a_rule(small: Machine) -> None:
    def fail(*_transfer: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(small, 3, fail)
    error = small.bugcheck
    assert error is not None
    assert error.rule == Rule.NONE
    assert (error.state, error.handle) == (None, 0)
    (frame,) = error.frames
    assert frame[:3] == (Event.PROGRAM_DMA, ObjectType.TRANSACTION, 0)
    assert error.moment.free_registers == 5
    assert error.moment.irql == Irql.DISPATCH_LEVEL
    assert find_rows(error.report(), "callbacks") == ["program_dma of transaction 0"]


def test_frames_by_handle(small: Machine) -> None:
    other = run(small, 1)
    with pytest.raises(BugCheck) as caught:
        run(small, 1, lambda *_transfer: other.release())
    error = caught.value
    (frame,) = error.frames
    assert frame == small.violations[-1].frames[0]
    assert (frame.object_type, frame.label) == (ObjectType.TRANSACTION, 1)
    made = [item for item in small._core.objects.values() if isinstance(item, DmaTransaction)]
    assert frame.handle == int(ffi.cast("uintptr_t", made[1]._handle))
    assert error.handle == int(ffi.cast("uintptr_t", other._handle))


def test_callbacks_of_other_objects(small: Machine) -> None:
    enabler = small.device().enabler(cleanup=lambda _enabler: small.device_read(0x5000, 1))
    with pytest.raises(BugCheck) as caught:
        enabler.delete()
    assert find_rows(caught.value.report(), "callbacks") == ["a callback of enabler 0"]


def test_all_of_it_survives_a_pickle(small: Machine) -> None:
    with pytest.raises(BugCheck) as caught:
        run(small, 1, lambda transaction, *_transfer: transaction.release())
    error = caught.value
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        for name in ("state", "moment", "frames", "handle", "created_step"):
            assert getattr(other, name) == getattr(error, name), name
    violation = small.violations[0]
    assert pickle.loads(pickle.dumps(violation)) == violation


def test_where_the_object_was_made() -> None:
    with Machine(map_registers=8, trace=True) as machine:
        transaction = run(machine, 1)
        with pytest.raises(BugCheck) as caught:
            transaction.release()
        (row,) = find_rows(caught.value.report(), "made at")
    path, line, place = row.replace(", ", ":").split(":")
    assert path.endswith("test_page_moment.py")
    assert not path.startswith("/")
    assert (int(line) > 0, place) == (True, "in run")


def test_words_for_states() -> None:
    kinds = ObjectType
    assert ObjectState(length=10).describe(kinds.COMMON_BUFFER) == "10 bytes"
    assert ObjectState(length=10).describe(kinds.MDL) == "10 bytes"
    assert ObjectState(state=1, length=10).describe(kinds.REQUEST) == "completed, 0/10 bytes"
    assert ObjectState(deleted=True).describe(kinds.DEVICE) == "deleted"
    assert ObjectState(registers=1, waiters=2).describe(kinds.ADAPTER) == (
        "1 register held, 2 requests waiting for its channel"
    )
    channel = ObjectState(state=1, waiting=Waiting.CHANNEL)
    assert channel.describe(kinds.TRANSACTION) == "created, waiting for the channel"
    assert str(Frame(Event(4), kinds.ENABLER, 2, 0)) == "a callback of enabler 2"
