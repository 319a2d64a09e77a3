"""Coverage of behaviour: what is counted, how counts are merged, kept and shown."""

import csv
import io
import json
import pickle
import re
from pathlib import Path
from typing import Any

import numpy
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from wdfdma import (
    BugCheck,
    Coverage,
    CoverageError,
    CoverageMap,
    Machine,
    collect_coverage,
    list_cells,
    list_goals,
)
from wdfdma._native import lib
from wdfdma.cli import cli
from wdfdma.cli_ends import BAD_INPUT, MATCH
from wdfdma.coverage import CellUse, get_use
from wdfdma.coverage_files import SUFFIX, format_coverage, parse_coverage
from wdfdma.coverage_html import render_coverage
from wdfdma.coverage_report import list_goal_rows, list_rows, make_document
from wdfdma.run import execute_scenario
from wdfdma.scenario import Scenario
from wdfdma.status import StatusError

ROOT = Path(__file__).parents[2]
RECORDINGS = sorted((ROOT / "tests/conformance").glob("*.jsonl"))
RULES = sorted((ROOT / "tests/rules").glob("*.jsonl"))


def run_cycle(machine: Machine) -> None:
    transaction = machine.device().enabler(maximum_length=8192, dma_version=3).transaction()
    transaction.initialize(machine.mdl(4096), program_dma=lambda *transfer: None).check()
    transaction.execute().check()
    transaction.dma_completed()
    transaction.release()


def count_recordings(*paths: Path) -> Coverage:
    counters = CoverageMap()
    with collect_coverage(counters):
        for path in paths:
            for scenario in Scenario.load_all(path):
                execute_scenario(scenario)
    return counters.read()


@pytest.fixture(scope="module")
def recorded() -> Coverage:
    return count_recordings(*RECORDINGS)


# What is counted


def test_a_machine_counts_its_calls() -> None:
    with Machine(coverage=True) as machine:
        run_cycle(machine)
        assert machine.coverage().cells["release", "transfer_completed", "STATUS_SUCCESS"] == 1
    found = machine.coverage()
    assert sum(found.cells.values()) == 6
    assert found.goals["profile_scatter_gather"] == 0
    assert found.reached().reached == 6
    assert [name for name, count in found.goals.items() if count] == ["profile_packet"]


def test_without_coverage_there_is_none() -> None:
    with Machine() as machine:
        run_cycle(machine)
        machine.sometimes("it is not told", True)
    assert machine.coverage() == Coverage()


def test_coverage_ends_when_it_is_asked_to() -> None:
    with Machine(coverage=True) as machine:
        run_cycle(machine)
        before = machine.coverage()
        machine.collect_coverage(False)
        run_cycle(machine)
        assert machine.coverage() == Coverage()
        machine.collect_coverage()
        run_cycle(machine)
        assert machine.coverage() == before


def test_machines_of_a_block_count_into_its_map() -> None:
    counters = CoverageMap()
    with collect_coverage(counters), Machine() as machine:
        run_cycle(machine)
    with Machine() as outside:
        run_cycle(outside)
    with Machine(coverage=counters) as shared:
        run_cycle(shared)
    assert counters.read().cells["create", "no transaction", "STATUS_SUCCESS"] == 2
    counters.clear()
    assert counters.read() == machine.coverage() == Coverage()


def test_a_map_is_not_changed_inside_a_callback() -> None:
    errors: list[StatusError] = []

    def program_dma(*_transfer: Any) -> None:
        with pytest.raises(StatusError) as caught:
            machine.collect_coverage()
        errors.append(caught.value)

    with Machine() as machine:
        transaction = machine.device().enabler(maximum_length=8192).transaction()
        transaction.initialize(machine.mdl(4096), program_dma=program_dma).check()
        transaction.execute().check()
    assert len(errors) == 1


@pytest.mark.parametrize("wrong", ["", "x" * 101, "a\0b"])
def test_a_goal_needs_a_name(wrong: str) -> None:
    with Machine(coverage=True) as machine, pytest.raises(ValueError, match="name"):
        machine.sometimes(wrong, True)


def test_a_goal_of_the_users_is_there_before_it_is_reached() -> None:
    with Machine(coverage=True) as machine:
        machine.sometimes("zürich", False)
        assert machine.coverage().goals["zürich"] == 0
        machine.sometimes("zürich", [1])
        machine.sometimes("zürich", True)
    assert machine.coverage().goals["zürich"] == 2


# The recordings

REACHED = (
    "cancel_while_two_wait",
    "cancel_too_late",
    "cancel_reservation",
    "immediate_denied",
    "reservation_kept",
    "pool_empty",
    "completed_in_program_dma",
    "partial_then_bounce",
    "bounce_forced",
    "zero_length",
    "final_with_rest",
    "three_transfers",
    "stopped_before_next",
    "configure_refused",
    "chain",
    "duplex_both_ways",
    "single_transfer_executed",
    "version_2_busy",
    "profile_packet",
    "profile_scatter_gather",
    "profile_packet_64",
    "profile_scatter_gather_64",
    "profile_scatter_gather_duplex",
    "profile_scatter_gather_64_duplex",
    "profile_system",
    "profile_system_duplex",
)


@pytest.mark.parametrize("goal", REACHED)
def test_the_recordings_reach_the_goal(recorded: Coverage, goal: str) -> None:
    assert recorded.goals[goal] > 0


def test_the_recordings_reach_most_calls_in_their_right_states(recorded: Coverage) -> None:
    for cell in (
        ("execute", "initialized", "STATUS_SUCCESS, it waits"),
        ("execute", "initialized, with a reservation", "STATUS_SUCCESS, called back inside"),
        ("dma_completed", "transfer", "STATUS_MORE_PROCESSING_REQUIRED, called back inside"),
        ("cancel", "transfer, waits for registers", "TRUE"),
        ("cancel", "created", "a bug check"),
        ("allocate_resources", "created", "a break of the framework's verifier"),
    ):
        assert recorded.cells[cell] > 0
    assert recorded.reached().percent > 60


def test_nothing_impossible_is_ever_reached(recorded: Coverage) -> None:
    """The table of cells is the specification's: what the recordings or the scenarios of the rules do is in it."""
    found = recorded.merge(count_recordings(*RULES))
    assert [cell for cell in found.cells if get_use(cell) == CellUse.IMPOSSIBLE] == []


def test_counting_changes_no_log() -> None:
    for scenario in Scenario.load_all(RECORDINGS[0])[:200]:
        plain = execute_scenario(scenario)
        with collect_coverage(CoverageMap()):
            assert execute_scenario(scenario).data == plain.data


# The table


def test_there_are_goals_enough_and_each_says_what_it_is() -> None:
    goals = list_goals()
    assert len(goals) >= 20
    assert len({goal.name for goal in goals}) == len({goal.words for goal in goals}) == len(goals)
    page = (ROOT / "docs/coverage.md").read_text(encoding="utf-8")
    for goal in goals:
        assert f"| `{goal.name}` | {goal.words} |" in page


def test_cells_have_one_use_each() -> None:
    cells = list_cells()
    assert len({cell.key for cell in cells}) == len(cells)
    assert {cell.use for cell in cells} == {CellUse.RIGHT, CellUse.MISUSE}
    assert get_use(("cancel", "created", "TRUE")) == CellUse.IMPOSSIBLE


def test_a_matrix_has_the_counts(recorded: Coverage) -> None:
    for operation in {cell.operation for cell in list_cells()}:
        rows, columns, counts = recorded.matrix(operation)
        assert counts.dtype == numpy.uint64
        total = sum(number for key, number in recorded.cells.items() if key[0] == operation)
        assert int(counts.sum()) == total
        for (name, row, column), number in recorded.cells.items():
            if name == operation:
                assert counts[rows.index(row), columns.index(column)] == number
    with pytest.raises(ValueError, match="operation"):
        recorded.matrix("none such")


# Merging

CELLS = st.sampled_from([cell.key for cell in list_cells()] + [("a", "b", "c")])
COUNTS = st.integers(0, 10) | st.sampled_from([2**64 - 1, 2**64 - 2])
NAMES = st.sampled_from([list_goals()[0].name, "mine", "zürich"])
COVERAGES = st.builds(
    Coverage,
    st.dictionaries(CELLS, COUNTS, max_size=5),
    st.dictionaries(NAMES, COUNTS, max_size=3),
)


@given(COVERAGES, COVERAGES, COVERAGES)
def test_merging_is_associative_and_commutative(
    one: Coverage, two: Coverage, three: Coverage
) -> None:
    assert one.merge(two) == two.merge(one)
    assert one.merge(two).merge(three) == one.merge(two.merge(three)) == one.merge(three, two)
    assert one.merge(Coverage()) == one
    assert hash(one.merge(two)) == hash(two.merge(one))


@given(COVERAGES)
def test_a_file_and_a_pickle_are_read_as_they_were_written(coverage: Coverage) -> None:
    assert parse_coverage(format_coverage(coverage)) == coverage
    assert pickle.loads(pickle.dumps(coverage)) == coverage


# Files


def test_a_folder_is_the_sum_of_its_files(tmp_path: Path, recorded: Coverage) -> None:
    folder = tmp_path / "new" / "folder"
    first, second = recorded.save(folder), recorded.save(folder)
    assert first != second
    assert first.read_bytes() == second.read_bytes()
    Coverage({("cancel", "created", "a bug check"): 1}, {"mine": 0}).save(folder)
    found = Coverage.load(folder)
    assert found.cells["create", "no transaction", "STATUS_SUCCESS"] == (
        2 * recorded.cells["create", "no transaction", "STATUS_SUCCESS"]
    )
    assert found.goals["mine"] == 0
    assert Coverage.load(first) == recorded
    assert sorted(item.name for item in folder.iterdir() if not item.name.endswith(SUFFIX)) == []


GOOD = '{"format":"wdfdma-coverage/1","cells":[["a","b","c",1]],"goals":{"x":0}}'


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not JSON"),
        (GOOD[:40].encode(), "not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[1]", "not coverage"),
        (b"{}", "not coverage"),
        (GOOD.replace("/1", "/2").encode(), "wdfdma-coverage/2"),
        (GOOD.replace('"goals"', '"gaols"').encode(), "keys"),
        (GOOD.replace("[[", "[{}, [").encode(), r"cells\[0\]: not three names"),
        (GOOD.replace('"c",1', '"c",0').encode(), r"cells\[0\]: 0 is no count"),
        (GOOD.replace('"c",1', '"c",true').encode(), "true is no count"),
        (GOOD.replace('"c",1', f'"c",{2**64}').encode(), "no count"),
        (GOOD.replace('"c",1', '"c",1.5').encode(), "no count"),
        (GOOD.replace('"c",1', "3,1").encode(), "a name that is none"),
        (GOOD.replace("]]", '],["a","b","c",2]]').encode(), "twice"),
        (GOOD.replace('"x":0', '"x":-1').encode(), "goals.x: -1 is no count"),
        (GOOD.replace('"x":0', '"x":0,"x":1').encode(), "twice"),
        (GOOD.replace('{"x":0}', "[]").encode(), "goals: not an object"),
        (GOOD.replace('[["a","b","c",1]]', "3").encode(), "cells: not a list"),
        (b"[" * 100000, "nested too deeply"),
    ],
)
def test_a_file_that_is_none_is_one_error(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / f"x{SUFFIX}"
    path.write_bytes(content)
    for where in (path, tmp_path):
        with pytest.raises(CoverageError, match=reason) as caught:
            Coverage.load(where)
        assert str(caught.value).startswith(str(path))
        assert "\n" not in str(caught.value)
    result = CliRunner().invoke(cli, ["coverage", str(tmp_path)], standalone_mode=False)
    assert (result.return_value, result.output.count("\n")) == (BAD_INPUT, 1)


@settings(max_examples=50)
@given(st.binary(max_size=60))
def test_no_bytes_crash_the_reader(data: bytes) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    with pytest.raises(ValueError, match=r"JSON|coverage"):
        parse_coverage(text)


def test_an_empty_folder_and_a_missing_one_are_errors(tmp_path: Path) -> None:
    with pytest.raises(CoverageError, match=re.escape(SUFFIX)):
        Coverage.load(tmp_path)
    result = CliRunner().invoke(cli, ["coverage", str(tmp_path / "no")], standalone_mode=False)
    assert result.return_value == BAD_INPUT
    assert "No such file" in result.output


# The command


def invoke(*arguments: str) -> str:
    result = CliRunner().invoke(cli, list(arguments), standalone_mode=False)
    assert result.exception is None
    assert result.return_value == MATCH, result.output
    return result.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("coverage")
    invoke("run", "--check", *map(str, RECORDINGS), "--coverage", str(where))
    return where


def test_a_run_writes_what_it_counted(folder: Path, recorded: Coverage) -> None:
    assert Coverage.load(folder) == recorded


def test_the_table_has_what_was_never_reached_first(folder: Path) -> None:
    text = invoke("coverage", str(folder))
    assert text.index("Cells never reached") < text.index("Cells reached")
    assert text.splitlines()[-1].startswith("cells ")
    assert "misuse" not in text.split("Cells reached")[1].rsplit("\n", 2)[0].replace(
        "of misuse", ""
    )
    assert len(invoke("coverage", str(folder), "--all")) > len(text)


def test_csv_and_json_have_every_cell_and_goal(folder: Path, recorded: Coverage) -> None:
    rows = list(csv.DictReader(io.StringIO(invoke("coverage", str(folder), "--csv"))))
    document = json.loads(invoke("coverage", str(folder), "--json"))
    assert document == json.loads(json.dumps(make_document(recorded)))
    counts = [int(row["count"]) for row in rows if row["kind"] == "cell"]
    assert counts == [row.count for row in list_rows(recorded)]
    assert counts[0] == 0
    assert len(rows) == len(counts) + len(list_goal_rows(recorded))
    assert document["summary"]["cells"]["reached"] == recorded.reached().reached


def test_the_page_stands_alone_and_escapes(folder: Path, tmp_path: Path) -> None:
    invoke("coverage", str(folder), "--html", str(tmp_path / "page.html"))
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "http" not in page
    assert "prefers-color-scheme: dark" in page
    assert page.index("Never reached") < page.index("Goals") < page.index('class="matrix"')
    assert page.count('class="matrix"') == len({cell.operation for cell in list_cells()})
    text = render_coverage(Coverage({("<b>", "a", "c"): 1}, {"<i>": 1}))
    assert "<b>" not in text
    assert "<i>" not in text
    assert 'class="m0 impossible"' in text


def test_forms_exclude_each_other(folder: Path) -> None:
    result = CliRunner().invoke(
        cli, ["coverage", str(folder), "--csv", "--json"], standalone_mode=False
    )
    assert result.return_value == BAD_INPUT


# Goals that no recording reaches


def make_reserver(machine: Machine, **callbacks: Any) -> Any:
    """A transaction on an enabler of its own that asks for all of a pool of two."""
    transaction = machine.device().enabler(maximum_length=8192, dma_version=3).transaction()
    settings = {"reserve_dma": lambda _transaction: None, **callbacks}
    transaction.allocate_resources(map_registers=2, **settings).check()
    return transaction


def test_who_waits_behind_three_is_granted_in_turn() -> None:
    with Machine(map_registers=2, coverage=True) as machine:
        reservers = [make_reserver(machine) for _ in range(6)]
        for reserver in reservers[:3]:
            reserver.free_resources()
            assert machine.coverage().goals["reservation_behind_three"] == 0
        reservers[3].free_resources()
    goals = machine.coverage().goals
    assert (goals["reservation_behind_three"], goals["five_wait"]) == (1, 1)


def test_who_is_deleted_in_its_callback_is_told_from_who_is_deleted_by_another() -> None:
    with Machine(map_registers=2, coverage=True) as machine:
        idle = machine.device().enabler(maximum_length=8192).transaction()
        make_reserver(machine, reserve_dma=lambda _transaction: idle.delete())
        assert machine.coverage().goals["deleted_in_own_callback"] == 0
    with Machine(map_registers=2, coverage=True) as machine:
        make_reserver(machine, reserve_dma=lambda transaction: transaction.delete())
        assert machine.coverage().goals["deleted_in_own_callback"] == 1


def test_a_call_inside_a_callback_serves_the_last_waiter() -> None:
    def program_dma(*_transfer: Any) -> None:
        first.free_resources()

    with Machine(map_registers=2, coverage=True) as machine:
        free = machine.device().enabler("scatter_gather64", maximum_length=8192).transaction()
        first = make_reserver(machine)
        make_reserver(machine)
        free.initialize(machine.mdl(4096), program_dma=program_dma).check()
        assert machine.coverage().goals["last_waiter_in_callback"] == 0
        free.execute().check()
        assert machine.coverage().goals["last_waiter_in_callback"] == 1
        cells = machine.coverage().cells
        assert cells["free_resources", "reserved", "returned, others were let through"] == 1


def test_a_restore_forgets_who_waited() -> None:
    """A handle that waited behind three is another transaction's after it."""
    with Machine(map_registers=2, coverage=True) as machine:
        reservers = [make_reserver(machine) for _ in range(3)]
        snapshot = machine.snapshot()
        gone = [make_reserver(machine)._handle for _ in range(2)]
        machine.restore(snapshot)
        for reserver in reservers:
            reserver.free_resources()
        for handle in gone:
            again = make_reserver(machine)
            assert again._handle == handle
            again.free_resources()
    assert machine.coverage().goals["reservation_behind_three"] == 0
    assert machine.coverage().goals["pool_empty"] > 0


def test_deleted_and_wrong_handles_have_rows_of_their_own() -> None:
    with Machine(coverage=True) as machine:
        transaction = machine.device().enabler(maximum_length=8192).transaction()
        handle = transaction._handle
        transaction.delete()
        with pytest.raises(BugCheck):
            lib_release(machine, handle)
    assert machine.coverage().cells["release", "no transaction", "a bug check"] == 1


def lib_release(machine: Machine, handle: Any) -> None:
    lib.WdfDmaTransactionRelease(handle)
    assert machine.bugcheck is not None
    raise machine.bugcheck
