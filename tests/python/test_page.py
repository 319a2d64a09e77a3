"""The page of a violation: what it says of the event, the log, the pool, the cause, and the way back."""

import copy
import gc
import json
import pickle
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wdfdma import (
    BugCheck,
    Device,
    Direction,
    DmaTransaction,
    Machine,
    Profile,
    Rule,
    RuleMode,
    cli,
    get_rule_info,
)
from wdfdma.run import execute_scenario

PAGE = 4096


@pytest.fixture
def seeded() -> Iterator[Machine]:
    with Machine(map_registers=8, seed=7, log="grow", force_map_registers=True) as made:
        yield made
        made.check()


def run(machine: Machine, pages: int, device: Device | None = None) -> DmaTransaction:
    """A transaction of an enabler of its own, executed on a buffer of as many pages."""
    transaction = (device or machine.device()).enabler(dma_version=3).transaction()
    transaction.initialize(machine.mdl(pages * PAGE), program_dma=lambda *_transfer: None).check()
    transaction.execute().check()
    return transaction


def read(page: str) -> dict[str, list[str]]:
    """The rows of a page by their labels; rows without one belong to the label before."""
    rows: dict[str, list[str]] = {}
    label = ""
    for line in page.splitlines():
        if line.startswith("  ") and len(line) > 14 and line[13] == " " and line[14] != " ":
            label = line[2:14].strip() or label
            rows.setdefault(label, []).append(line[14:])
    return rows


def break_release(transaction: DmaTransaction) -> BugCheck:
    """Halts the machine: a transaction that transfers is not to be released."""
    with pytest.raises(BugCheck) as caught:
        transaction.release()
    return caught.value


def test_what_happened(seeded: Machine) -> None:
    transaction = run(seeded, 2)
    seeded.advance(1500)
    error = break_release(transaction)
    page = error.report()
    rows = read(page)
    assert page.splitlines()[0] == error.summary
    assert rows["rule"] == ["WdfDmaFatalError (0x10D/08); bug check: Windows stops"]
    assert rows["code"] == ["WDF_VIOLATION (0x10D)"]
    assert rows["parameters"] == [
        "1: 0x8, WdfDmaFatalError",
        f"2: 0x{error.parameters[1]:X}, the transaction's handle, transaction 0",
        "3: 0x4, its state, transfer",
    ]
    made = seeded.violations[-1].created_step
    assert rows["object"] == [
        f"transaction 0, made in step {made}, transfer 0/8192 bytes, registers 0..1"
    ]
    assert (rows["in call"], rows["callbacks"]) == (["release"], ["none"])
    assert rows["when"] == [f"step {error.step}, 1500 ns of virtual time"]
    assert rows["then"] == ["the machine halted"]
    info = get_rule_info(error.rule)
    assert (" ".join(rows["cause"]), " ".join(rows["fix"])) == (info.cause, info.fix)
    made_so = "Machine(map_registers=8, force_map_registers=True, seed=7)"
    assert " ".join(rows["machine"]) == f"{made_so}, then the same calls up to step {error.step}"
    assert max(len(line) for line in page.splitlines() if "  replay  " not in line) <= 100


def test_the_same_page_from_the_machine(seeded: Machine) -> None:
    error = break_release(run(seeded, 2))
    assert seeded.report() == error.report()
    assert seeded.report(seeded.violations[-1]).splitlines()[2:] == error.report().splitlines()[2:]
    assert error.report() == error.report()
    with_file = error.report(scenario="driver.json")
    assert with_file == seeded.report(scenario="driver.json")
    assert read(with_file)["replay"] == ["wdfdma run driver.json"]


def test_the_log_ends_with_the_event(seeded: Machine) -> None:
    device = seeded.device()
    for _ in range(10):
        run(seeded, 1, device).dma_completed()
    error = break_release(run(seeded, 2, device))
    lines = error.report().splitlines()
    at = lines.index("The last 20 records of the log")
    shown = lines[at + 1 : lines.index("", at)]
    assert len(shown) == 20
    assert shown == [f"  {line}" for line in seeded.format_log().splitlines()[-20:]]
    assert shown[-1].startswith("  * bugcheck: ")


def test_a_log_that_is_off_is_told() -> None:
    with Machine(map_registers=8) as machine:
        page = break_release(run(machine, 2)).report()
    assert 'The log is off: Machine(log="grow"), or log=1000 for a ring, keeps one' in page


def test_long_lists_are_cut() -> None:
    with Machine(map_registers=64, log=64) as machine:
        mdl = machine.mdl(30 * PAGE, pfns=range(100, 160, 2))
        enabler = machine.device().enabler(Profile.SCATTER_GATHER, maximum_length=1 << 20)
        transaction = enabler.transaction()
        transaction.initialize(mdl, program_dma=lambda *_transfer: None)
        transaction.execute()
        page = break_release(transaction).report()
    (line,) = [line for line in page.splitlines() if "program_dma: " in line]
    assert len(line) == 100
    assert line.endswith(" ...")


def test_a_violation_has_the_log_before_it(seeded: Machine) -> None:
    """What the machine did afterwards does not push the event off the page."""
    transaction = seeded.device().enabler(dma_version=3).transaction()
    mdl = seeded.mdl(PAGE)
    transaction.set_immediate_execution(True)
    transaction.initialize(mdl, program_dma=lambda *_transfer: None)
    transaction.execute().check()
    transaction.dma_completed()
    transaction.release()
    transaction.initialize(mdl, program_dma=lambda *_transfer: None)
    transaction.execute().check()
    (violation,) = seeded.violations
    assert violation.rule == Rule.IMMEDIATE_LOST
    for _ in range(30):
        transaction.set_maximum_length(PAGE)
    page = seeded.report(violation)
    assert read(page)["then"] == ["the machine went on"]
    lines = page.splitlines()
    assert lines[lines.index("") - 1] == violation.summary
    at = next(place for place, line in enumerate(lines) if line.endswith(" of the log"))
    before = seeded.format_log().splitlines()
    shown = [line.strip() for line in lines[at + 1 : lines.index("", at)]]
    last = max(place for place, line in enumerate(before) if line.startswith("initialize: "))
    assert shown == before[: last + 1][-20:]
    assert seeded.report() == page
    assert "set_maximum_length" not in page


def test_the_pool_names_holders_and_waiters(seeded: Machine) -> None:
    device = seeded.device()
    first, second = run(seeded, 2, device), run(seeded, 3, device)
    first.dma_completed()
    enabler = device.enabler(dma_version=3)
    waiting, queued = enabler.transaction(), enabler.transaction()
    for transaction, pages in ((waiting, 6), (queued, 1)):
        transaction.initialize(seeded.mdl(pages * PAGE), program_dma=lambda *_transfer: None)
        transaction.execute().check()
    last = device.enabler(dma_version=3).transaction()
    last.allocate_resources(map_registers=4, reserve_dma=lambda _transaction: None).check()
    page = seeded.report()
    rows = read(page)
    assert "The pool: 5 of 8 registers free" in page.splitlines()
    assert rows["free"] == ["0..1, 5..7"]
    assert rows["held"] == ["2..4: transaction 1 of enabler 1, transfer"]
    assert rows["waiting"] == [
        "1. transaction 2 of enabler 2, 6 registers, has its channel meanwhile",
        "2. transaction 4 of enabler 3, 4 registers, has its channel meanwhile",
    ]
    assert rows["channels"] == [
        "enabler 2, read: transaction 2 has the channel",
        "1. transaction 3 of enabler 2, 1 register",
    ]
    assert page.startswith("No rule is broken; step ")
    second.dma_completed()
    last_rows = read(seeded.report())
    assert last_rows["held"] == ["0..5: transaction 2 of enabler 2, transfer"]


def test_a_duplex_enabler_has_two_queues(seeded: Machine) -> None:
    enabler = seeded.device().enabler(Profile.SYSTEM_DUPLEX, dma_version=3)
    for direction in (Direction.READ, Direction.WRITE):
        enabler.configure_system_profile(direction).check()
        for _ in range(2):
            enabler.transaction().allocate_resources(
                direction, map_registers=1, reserve_dma=lambda _transaction: None
            )
    assert read(seeded.report())["channels"] == [
        "enabler 0, read: transaction 0 has the channel",
        "1. transaction 1 of enabler 0, 1 register",
        "enabler 0, write: transaction 2 has the channel",
        "1. transaction 3 of enabler 0, 1 register",
    ]


def test_an_idle_pool(seeded: Machine) -> None:
    rows = read(seeded.report())
    assert (rows["free"], rows["held"]) == (["0..7"], ["none"])
    assert (rows["waiting"], rows["channels"]) == (["nobody"], ["nobody waits for one"])


def test_callbacks_around_the_call(seeded: Machine) -> None:
    device = seeded.device()
    other = run(seeded, 1, device)
    outer = device.enabler(dma_version=3).transaction()
    outer.initialize(seeded.mdl(PAGE), program_dma=lambda *_transfer: other.release())
    with pytest.raises(BugCheck) as caught:
        outer.execute()
    rows = read(caught.value.report())
    assert rows["callbacks"] == ["program_dma of transaction 1"]
    assert rows["object"][0].startswith("transaction 0, ")


def test_the_exception_alone(seeded: Machine) -> None:
    error = break_release(run(seeded, 2))
    alone = pickle.loads(pickle.dumps(error))
    assert alone.summary == error.summary
    rows = read(alone.report())
    full = read(error.report())
    for label in ("rule", "code", "object", "in call", "when", "then", "cause", "fix", "source"):
        assert rows[label] == full[label]
    assert rows["replay"] == [
        f"the same calls up to step {error.step}, on a machine with the same settings and seed"
    ]
    assert "The pool then, in step" in alone.report()
    assert "The pool:" not in alone.report()
    assert copy.copy(error).report() == alone.report()


@pytest.mark.parametrize("end", ["restore", "forget"])
def test_a_machine_that_is_not_there_any_more(end: str) -> None:
    machine = Machine(map_registers=8)
    transaction = run(machine, 2)
    before = machine.snapshot()
    error = break_release(transaction)
    alone = pickle.loads(pickle.dumps(error)).report().partition("  replay  ")[0]
    assert "registers free" in error.report()
    assert not error.report().startswith(alone)
    if end == "restore":
        machine.restore(before)
    else:
        error.__traceback__ = None
        del machine, transaction, before
        gc.collect()
    page, _, replay = error.report().partition("  replay  ")
    assert page == alone
    assert replay.startswith("    python -m pytest ")


def test_a_halt_without_a_rule() -> None:
    with Machine(map_registers=8) as machine:
        transaction = machine.device().enabler(dma_version=3).transaction()

        def fail(*_transfer: object) -> None:
            raise ZeroDivisionError

        transaction.initialize(machine.mdl(PAGE), program_dma=fail)
        with pytest.raises(ZeroDivisionError):
            transaction.execute()
        page = machine.report()
    rows = read(page)
    assert "rule" not in rows
    assert rows["code"] == ["MANUALLY_INITIATED_CRASH (0xE2)"]
    assert "an exception left a callback" in " ".join(rows["cause"])


def test_an_object_that_is_gone(seeded: Machine) -> None:
    device = seeded.device()
    holder = run(seeded, 8, device)
    waiting = device.enabler(dma_version=3).transaction()
    waiting.allocate_resources(map_registers=4, reserve_dma=lambda _transaction: None).check()
    assert waiting.cancel()
    waiting.delete()
    (violation,) = seeded.violations
    assert violation.rule == Rule.CANCELLED_RESERVATION_KEPT
    page = seeded.report(violation)
    assert " ".join(read(page)["object"]) == (
        f"transaction 1, made in step {violation.created_step}, transfer_failed, 4 reserved, "
        "deleted since"
    )
    holder.dma_completed()


def test_an_object_that_lives_on_for_its_references_is_deleted(seeded: Machine) -> None:
    kept = seeded.device().enabler().transaction()
    kept.reference()
    (early,) = seeded.check_leaks()
    kept.delete()
    since = read(seeded.report(early))
    seeded.clear_violations()
    (late,) = seeded.check_leaks()
    for rows, said in (
        (since, "created, deleted since"),
        (read(seeded.report(late)), "deleted"),
    ):
        assert rows["object"] == [f"transaction 0, made in step {late.created_step}, {said}"]
        assert rows["parameters"][1] == f"2: 0x{late.handle:X}, the object's handle, deleted"
    kept.dereference()


def test_one_line_for_each_violation(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, scenario: dict[str, Any]
) -> None:
    scenario["steps"].append({"op": "execute", "transaction": 0})
    violations = execute_scenario(scenario).violations
    assert [violation.rule for violation in violations] == [Rule.WDF_DMA_FATAL_ERROR]
    path = tmp_path / "halts.json"
    path.write_text(json.dumps({**scenario, "log": execute_scenario(scenario).log}))
    outs = []
    for options in ([], ["--check"], ["-o", "-"]):
        with pytest.raises(SystemExit):
            cli.main(["run", str(path), *options])
        outs.append(capsys.readouterr())
    line = "bugcheck: WdfDmaFatalError (0x10D/08), transaction 0; in execute, step 5"
    assert [violation.summary for violation in violations] == [line]
    assert outs[0].out.splitlines()[-1] == line
    assert outs[0].out.splitlines()[-2].startswith("1 scenario, ")
    assert line not in outs[1].out
    assert outs[2].err.splitlines()[-1] == line


def test_ignored_rules_leave_nothing_to_tell(seeded: Machine) -> None:
    with seeded.rules(RuleMode.IGNORE, Rule.CANCELLED_RESERVATION_KEPT):
        device = seeded.device()
        run(seeded, 8, device)
        waiting = device.enabler(dma_version=3).transaction()
        waiting.allocate_resources(map_registers=4, reserve_dma=lambda _transaction: None)
        assert waiting.cancel()
    assert seeded.report().startswith("No rule is broken")


def test_pages_do_not_depend_on_the_machine() -> None:
    """Two machines that do the same give the same page, but for the bits of a handle that name the machine."""
    pages = []
    for _ in range(2):
        with Machine(map_registers=8, seed=3, log="grow") as machine:
            page = break_release(run(machine, 2)).report()
            pages.append(re.sub(r"2: 0x[0-9A-F]+", "2: 0x", page))
    assert pages[0] == pages[1]


def test_a_traceback_ends_with_the_page() -> None:
    with pytest.raises(BugCheck) as caught, Machine(log=8) as machine:
        machine.device().enabler().transaction().execute()
    page = "".join(traceback.format_exception(caught.value))
    assert page.count("What happened") == 1
    assert "The last 2 records of the log" in page
    assert "The pool: 64 of 64 registers free" in page
    if sys.version_info >= (3, 11):
        caught.value.add_note("a note of the driver's")
        assert "".join(traceback.format_exception(caught.value)).endswith("driver's\n")
