"""Journals: what a driver did, written before it ran, replays to the same log."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from test_export import compile_and_run, make_c
from wdfdma import (
    BugCheck,
    DmaTransaction,
    Machine,
    Scenario,
    ScenarioError,
    TransactionState,
    read_journal,
)
from wdfdma._native import NULL, lib
from wdfdma.enums import Op
from wdfdma.journal import Journal
from wdfdma.operations import OPERATIONS
from wdfdma.records import Record, render_log
from wdfdma.run import _copy_log, check_scenario, execute_scenario, make_machine

ROOT = Path(__file__).parents[2]


def keep_framework(log: list[Record]) -> list[Record]:
    """The records that the framework itself writes, for any driver."""
    last = int(Op.COMPLETE_TRANSFER)
    of_framework = {name for name, item in OPERATIONS.items() if item.number <= last}
    of_framework.add("initialize_using_request")
    return [
        record
        for record in log
        if "snapshot" not in record
        and ("op" not in record or "event" in record or record["op"] in of_framework)
    ]


def record_run(source: dict[str, Any], path: Path) -> list[Record]:
    """Runs a scenario with a journal; its log."""
    scenario = Scenario.parse(source)
    program, result = check_scenario(scenario)
    machine = make_machine(scenario, program)
    try:
        assert lib.wdfdma_journal_begin(machine, str(path).encode(), 1 << 20) == 0
        lib.wdfdma_program_run(machine, program, len(program), 2**64 - 1, result)
        return render_log(_copy_log(machine))
    finally:
        lib.wdfdma_machine_destroy(machine)


def names_transactions_once(source: dict[str, Any]) -> bool:
    """A driver's own transactions never have a label again; a script's may."""
    text = json.dumps(source["steps"])
    return not any(text.count(f'"op": "create", "transaction": {at},') > 1 for at in range(20))


@pytest.mark.parametrize("name", ["canonical", "random", "undefined"])
def test_recordings_replay_from_their_journals(
    name: str, recordings: dict[str, list[Any]], tmp_path: Path
) -> None:
    """Each run is written down, read back as a scenario, and run again: the log is the same."""
    compared = 0
    path = tmp_path / "journal"
    for source in recordings[name][:: 1 if name != "random" else 5]:
        if not names_transactions_once(source):
            continue
        log = record_run(source, path)
        journal = read_journal(path)
        if journal.omitted:
            continue
        came = execute_scenario(journal.scenario).log
        assert keep_framework(came) == keep_framework(log), source["name"]
        compared += 1
    assert compared > 20


def play(machine: Machine) -> DmaTransaction:
    """A driver of Python's: two transactions, a chain, a request, and a callback that starts the next."""
    enabler = machine.device().enabler(maximum_length=8192, dma_version=3)
    first, second = enabler.transaction(), enabler.transaction()
    chain = machine.chain(machine.mdl(5000, offset=100, pfns=[9, 4]), machine.mdl(300, pfns=[77]))

    def program_second(*_: Any) -> None:
        second.get_bytes_transferred()

    def program_first(*_: Any) -> None:
        if second.state == TransactionState.TRANSFER:
            return
        second.initialize(machine.mdl(4096, pfns=[3]), program_dma=program_second)
        second.execute()

    first.initialize(chain, program_dma=program_first, length=5200)
    first.execute()
    while not first.dma_completed().completed:
        pass
    first.release()
    return second


def copy_log(machine: Machine) -> list[Record]:
    return render_log(_copy_log(machine._core.machine))


def test_a_driver_of_pythons_replays(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Machine(map_registers=6, log="grow", journal=path) as machine:
        second = play(machine)
        with pytest.raises(BugCheck):
            second.release()  # in transfer
        log = copy_log(machine)
    journal = read_journal(path)
    assert journal.omitted == []
    run = execute_scenario(journal.scenario)
    assert keep_framework(run.log) == keep_framework(log)
    assert run.bugcheck is not None
    on = [step for step in journal.scenario.steps if step.op == "on"]
    inner = [[inner.op for inner in step.do] for step in on]
    assert inner[:2] == [["initialize", "execute"], ["get_bytes_transferred"]]


def test_a_driver_of_cs_replays(tmp_path: Path, scenario: dict[str, Any]) -> None:
    text = make_c(scenario)
    begin = f'    wdfdma_journal_begin(machine, "{tmp_path / "journal"}", 0);\n'
    before = "    wdfdma_device_create("
    assert compile_and_run(text.replace(before, begin + before, 1), tmp_path).returncode == 0
    journal = read_journal(tmp_path / "journal")
    assert journal.omitted == []
    log = execute_scenario(journal.scenario).log
    assert keep_framework(log) == keep_framework(execute_scenario(scenario).log)


_CRASH = """
import ctypes, sys
from wdfdma import Machine
machine = Machine(map_registers=6, journal=sys.argv[1])
enabler = machine.device().enabler(maximum_length=8192)
transaction = enabler.transaction()
def program_dma(*_):
    transaction.get_current_dma_transfer_length()
    ctypes.string_at(0)
transaction.initialize(machine.mdl(4096, pfns=[3]), program_dma=program_dma)
transaction.execute()
"""


def test_what_came_before_a_crash_is_there(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    ended = subprocess.run(
        [sys.executable, "-c", _CRASH, str(path)], check=False, capture_output=True
    )
    assert ended.returncode not in (0, 1), ended.stderr
    journal = read_journal(path)
    assert not journal.is_whole
    ops = [
        (step.op, [inner.op for inner in getattr(step, "do", [])])
        for step in journal.scenario.steps
    ]
    assert ops == [
        ("create", []),
        ("initialize", []),
        ("on", ["get_current_dma_transfer_length"]),
        ("execute", []),
    ]


def read_of(tmp_path: Path, drive: Callable[[Machine], None]) -> Journal:
    path = tmp_path / "journal"
    with Machine(journal=path) as machine:
        drive(machine)
    return read_journal(path)


def test_what_no_scenario_has_is_told(tmp_path: Path) -> None:
    def drive(machine: Machine) -> None:
        enabler = machine.device().enabler(maximum_length=4096)
        enabler.common_buffer(100).delete()

    journal = read_of(tmp_path, drive)
    assert any(line.startswith("common_buffer_create") for line in journal.omitted)
    assert journal.is_whole


def test_it_can_be_begun_later_and_ended(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Machine() as machine:
        machine.record(path)
        transaction = machine.device().enabler(maximum_length=4096).transaction()
        machine.record(None)
        transaction.cancel()
    assert [step.op for step in read_journal(path).scenario.steps] == ["create"]


def test_a_file_that_cannot_be_had_is_an_error(tmp_path: Path) -> None:
    with Machine() as machine, pytest.raises(OSError, match="no journal can be written"):
        machine.record(tmp_path / "none" / "journal")


def test_no_journal_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b"WDJ")
    with pytest.raises(ScenarioError, match="not a journal"):
        read_journal(path)


def test_a_journal_that_is_cut_off_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Machine(map_registers=6, journal=path) as machine:
        play(machine).cancel()
    data = path.read_bytes()
    count = int.from_bytes(data[8:16], "little")
    assert count > 100
    path.write_bytes(data[: 16 + count // 2])
    with pytest.raises(ScenarioError, match="cut off"):
        read_journal(path)


def test_what_was_made_before_it_is_told(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Machine() as machine:
        enabler = machine.device().enabler(maximum_length=4096)
        machine.record(path)
        enabler.transaction()
    journal = read_journal(path)
    assert journal.omitted == ["create: of an enabler that was made before the journal"]
    assert journal.scenario.steps == []


def test_a_wrong_handle_replays(tmp_path: Path) -> None:
    """A transaction that is used after its deletion, as C does it."""
    path = tmp_path / "journal"
    with Machine(log="grow", journal=path) as machine:
        transaction = machine.device().enabler(maximum_length=4096).transaction()
        handle = transaction._handle
        transaction.delete()
        lib.WdfDmaTransactionExecute(handle, NULL)
        log = copy_log(machine)
    run = execute_scenario(read_journal(path).scenario)
    assert run.violations
    assert keep_framework(run.log) == keep_framework(log)


def test_the_commands_take_a_journal(
    tmp_path: Path, call: Callable[..., tuple[int, str, str]]
) -> None:
    path = tmp_path / "journal"
    with Machine(map_registers=6, journal=path) as machine, pytest.raises(BugCheck):
        play(machine).release()
    status, printed, _ = call("export", path, "--to", "c")
    assert (status, "WdfDmaTransactionRelease" in printed) == (0, True)
    status, printed, problem = call("shrink", path)
    assert (status, problem) == (0, "")
    assert len(json.loads(printed)["steps"]) == 4
