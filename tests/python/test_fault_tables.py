"""Tables of faults on a screen: no word is broken, and no line is longer than the screen."""

from io import StringIO

import pytest
from rich.console import Console

from wdfdma.fault_forms import Fault
from wdfdma.fault_report import fit_table, make_table
from wdfdma.faults import FaultRun, FaultSweep, Outcome
from wdfdma.scenario import Scenario

LONG = "STATUS_INSUFFICIENT_RESOURCES"
ROUTINE = "BuildScatterGatherListEx"
DETAIL = "RequestCompletedInTransfer in dma_completed_with_length; PendingReservationDisturbed"


def make_sweep(detail: str = DETAIL) -> FaultSweep:
    scenario = Scenario.model_construct(name="a read [of] 8192 bytes", where="a.json")
    faults = [
        Fault(op="allocate_resources", nth=12, status=LONG),
        Fault(routine=ROUTINE, nth=3, status=LONG),
        Fault(register_grant=1),
    ]
    runs = [FaultRun(fault, 1234, outcome, detail) for fault in faults for outcome in Outcome]
    return FaultSweep(scenario, runs)


def draw(sweep: FaultSweep, width: int) -> str:
    table = make_table(sweep)
    fit_table(table, width)
    out = StringIO()
    Console(file=out, width=width, highlight=False).print(table)
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 81, 90, 100, 120, 160, 300])
def test_words_are_whole(width: int) -> None:
    lines = draw(make_sweep(), width).splitlines()
    words = " ".join(lines).split()
    for word in (LONG, "allocate_resources", ROUTINE, "register_grant", *DETAIL.split()):
        assert any(word in found for found in words), word
    assert max(len(line) for line in lines) <= width


def test_a_wide_screen_has_a_line_for_each_fault() -> None:
    text = draw(make_sweep(), 300)
    assert sum("RequestCompletedInTransfer" in line for line in text.splitlines()) == 3 * len(
        Outcome
    )
    assert all(DETAIL in line for line in text.splitlines() if LONG in line)


def test_where_nothing_helps_a_word_is_broken_and_nothing_is_lost() -> None:
    text = draw(make_sweep("x" * 100), 80)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert text.count("x") >= 100 * 3 * len(Outcome)
