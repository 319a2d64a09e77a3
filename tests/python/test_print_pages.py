"""What prints as a page, what as one line, and what a page that nobody reads costs."""

import copy
import gc
import pickle
import traceback
import weakref
from typing import Any

import pytest

from wdfdma import BugCheck, DmaTransaction, Machine, Rule
from wdfdma.paging import keeping
from wdfdma.paging import page as pages

PAGE = 4096


def start(machine: Machine) -> DmaTransaction:
    transaction = machine.device().enabler(dma_version=3).transaction()
    transaction.initialize(machine.mdl(2 * PAGE), program_dma=lambda *_transfer: None).check()
    transaction.execute().check()
    return transaction


def halt() -> BugCheck:
    """The bug check of a machine that its `with` has closed."""
    with pytest.raises(BugCheck) as caught, Machine(map_registers=8, log="grow") as machine:
        start(machine).release()
    return caught.value


def lose_immediate(machine: Machine) -> None:
    transaction = machine.device().enabler(dma_version=3).transaction()
    transaction.set_immediate_execution(True)
    for _ in range(2):
        transaction.initialize(machine.mdl(PAGE), program_dma=lambda *_transfer: None).check()
        transaction.execute().check()
        transaction.dma_completed()
        transaction.release()


def test_str_is_the_page_and_repr_the_line() -> None:
    with Machine(map_registers=8, log=64) as machine:
        lose_immediate(machine)
        (violation,) = machine.violations
        assert str(violation) == violation.report() == machine.report(violation)
        assert repr(violation) == violation.summary == str(violation).splitlines()[0]
        with pytest.raises(BugCheck) as caught:
            start(machine).release()
        error = caught.value
        assert str(error) == error.report() == machine.report()
        assert repr(error) == error.summary == str(error).splitlines()[0]
        for text in (str(violation), str(error)):
            assert "records of the log" in text
            assert "\n  fix  " in text
        named = violation.report(scenario="driver.jsonl:3")
        assert named == machine.report(violation, scenario="driver.jsonl:3")
        assert "\n  replay      wdfdma run driver.jsonl:3" in named


def test_the_page_of_a_violation_without_its_machine() -> None:
    """It has what the record has: not the log, of the pool only the numbers."""
    machine = Machine(map_registers=8, log=64)
    lose_immediate(machine)
    (violation,) = machine.violations
    core = weakref.ref(machine._core)
    machine.close()
    closed = str(violation)
    del machine
    gc.collect()
    assert core() is None
    for text in (closed, str(violation)):
        assert " of the log" not in text
        assert f"The pool then, in step {violation.step}: 8 registers free" in text
        assert "  replay      python -m pytest " in text
    for other in (pickle.loads(pickle.dumps(violation)), copy.copy(violation)):
        assert other == violation
        assert hash(other) == hash(violation)
        head = f"The pool then, in step {violation.step}"
        assert str(other).partition(head)[0] == closed.partition(head)[0]
        assert f"the same calls up to step {violation.step}, on a machine" in str(other)


def test_a_violation_that_is_cleared_is_a_record_alone() -> None:
    with Machine(map_registers=8, log=64) as machine:
        lose_immediate(machine)
        (violation,) = machine.violations
        assert " of the log" in str(violation)
        machine.clear_violations()
        assert " of the log" not in str(violation)


def test_a_traceback_has_the_page_once() -> None:
    error = halt()
    text = "".join(traceback.format_exception(error))
    assert text.count("What happened") == 1
    assert text.count(error.summary) == 1
    assert "The pool: 6 of 8 registers free" in text
    assert not hasattr(error, "__notes__")


@pytest.fixture
def made_pages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each page that is made from now on."""
    made: list[str] = []
    make = pages._make_page

    def count(subject: Any) -> str:
        made.append(make(subject))
        return made[-1]

    monkeypatch.setattr(pages, "_make_page", count)
    return made


def test_a_page_that_nobody_reads_is_not_made(made_pages: list[str]) -> None:
    for _ in range(100):
        error = halt()
    assert not made_pages
    assert " records of the log" in str(error)
    assert "0..1: transaction 0 of enabler 0, transfer" in str(error)


def test_a_closed_machine_goes_with_its_exception() -> None:
    error = halt()
    kept = weakref.ref(error._kept)
    assert kept() is not None
    del error
    gc.collect()  # what pytest caught it in is a cycle
    assert kept() is None


def test_without_with_the_page_is_the_same() -> None:
    machine = Machine(map_registers=8, log=64)
    with pytest.raises(BugCheck) as caught:
        start(machine).release()
    before = str(caught.value)
    machine.close()
    assert str(caught.value) == before


def test_a_machine_that_was_restored_is_not_kept() -> None:
    with Machine(map_registers=8, log=64) as machine:
        before = machine.snapshot()
        with pytest.raises(BugCheck) as caught:
            start(machine).release()
        machine.restore(before)
    assert caught.value._kept is None
    assert "The pool then, in step" in str(caught.value)


def test_the_cause_of_another_exception_has_its_page() -> None:
    with pytest.raises(RuntimeError) as caught, Machine(map_registers=8) as machine:
        transaction = start(machine)
        try:
            transaction.release()
        except BugCheck as error:
            raise RuntimeError from error
    assert "The pool: 6 of 8 registers free" in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("limit", ["_MOST", "_MOST_BYTES"])
def test_of_many_exceptions_the_oldest_get_their_pages(
    monkeypatch: pytest.MonkeyPatch, made_pages: list[str], limit: str
) -> None:
    monkeypatch.setattr(keeping, "_keepers", keeping.deque())
    monkeypatch.setattr(keeping, "_kept_bytes", 0)
    before = halt()
    used = keeping._kept_bytes
    monkeypatch.setattr(keeping, limit, {"_MOST": 2, "_MOST_BYTES": 2 * used}[limit])
    errors = [halt() for _ in range(4)]
    assert len(made_pages) == 3
    kept = [isinstance(error._kept, str) for error in (before, *errors)]
    assert kept == [True, True, True, False, False]
    first, last = str(errors[0]), str(errors[-1])
    assert first.partition("  parameters")[0] == last.partition("  parameters")[0]
    assert first.count("The pool: 6 of 8 registers free") == 1
    named = [error.report(scenario="a.json") for error in (errors[0], errors[-1])]
    for text in named:
        assert text.splitlines()[-1] == "  replay      wdfdma run a.json"
    assert named[0].count("replay") == 1
    assert keeping._kept_bytes == sum(size for _, size in keeping._keepers)


def test_leaks_print_as_lines_in_a_list() -> None:
    with Machine() as machine:
        machine.device().enabler().common_buffer(PAGE)
    assert repr(machine.leaks) == "[violation: LeakCommonBuffer, common_buffer 0, step 2]"
    assert machine.leaks[0].rule == Rule.LEAK_COMMON_BUFFER
    assert "\nWhy\n" in str(machine.leaks[0])
