"""The library and the reference model run the same scenarios, record for record."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import Model, Record, Undefined
from model import run_scenario as run_in_model
from stateful.actions import Author, Step, is_idle
from stateful.states import State, read_library, read_model
from wdfdma import Scenario, first_difference, run_scenario
from wdfdma.records import render_log
from wdfdma.run import _copy_log, check_scenario, run_program
from wdfdma.testing import worlds

REGRESSION = Path(__file__).parents[1] / "conformance" / "regression"
MOST_TURNS = 25
FORMAT = {"format": "wdfdma-scenario/1", "name": "drawn"}


@st.composite
def next_steps(draw: st.DrawFn, author: Author) -> list[Step]:
    return author.steps(draw)


@st.composite
def scenarios(draw: st.DrawFn) -> dict[str, Any]:
    """A whole scenario, written with the model at hand; it ends where the machine stops."""
    world = draw(worlds())
    model = Model(world["machine"], world["enablers"], world["buffers"])
    author = Author(world, model)
    steps: list[Step] = []
    for _ in range(draw(st.integers(1, MOST_TURNS))):
        for step in draw(next_steps(author)):
            if is_idle(model, step):
                continue
            try:
                model.step(step)
            except Undefined:
                pass
            except ValueError:
                # A reaction would touch a transaction that is not there any more.
                return {**FORMAT, **world, "steps": steps}
            steps.append(step)
            if model.halted:
                return {**FORMAT, **world, "steps": steps}
    return {**FORMAT, **world, "steps": steps}


def run_in_library(scenario: dict[str, Any]) -> tuple[list[Record], State]:
    """The log, and how the machine stands at the end."""
    parsed = Scenario.parse(scenario)
    with run_program(parsed, *check_scenario(parsed)) as machine:
        return render_log(_copy_log(machine)), read_library(machine)


def expect_same(scenario: dict[str, Any]) -> None:
    """Asserts that both logs and ends are equal, or that the library stops where the model knows no more."""
    actual, state = run_in_library(scenario)
    undefined = None
    try:
        model = run_in_model(scenario)
        expected: list[Record] = model.log
    except Undefined as stop:
        expected, undefined = stop.log, stop.reason
        assert len(actual) == len(expected) + 1, undefined
        assert actual[-1]["event"] == "bugcheck"
        assert actual[-1]["code"] == "WDFDMA_VIOLATION", undefined
        actual = actual[:-1]
    difference = first_difference(expected, actual)
    assert difference is None, f"{undefined or ''}\n{difference}"
    if undefined is None and not model.halted:
        assert state == read_model(model)


@given(scenarios())
def test_library_does_what_the_model_does(scenario: dict[str, Any]) -> None:
    expect_same(scenario)


@pytest.mark.parametrize("path", sorted(REGRESSION.glob("*.json")), ids=lambda path: path.stem)
def test_what_was_wrong_once_stays_right(path: Path) -> None:
    scenario = json.loads(path.read_text(encoding="utf-8"))
    expect_same(scenario)
    undefined = False
    try:
        log = run_in_model(scenario).log
    except Undefined as stop:
        log, undefined = stop.log, True
    assert undefined == ("undefined" in scenario)
    if "log" in scenario:
        assert first_difference(scenario["log"], log[: len(scenario["log"])]) is None
        assert undefined or len(log) == len(scenario["log"])


def test_the_model_refuses_what_it_does_not_know() -> None:
    """Steps beyond transactions and enablers are the library's alone."""
    steps = [{"op": "raise_irql", "irql": "dispatch_level"}]
    scenario = {**FORMAT, "enablers": [], "buffers": [], "steps": steps}
    assert run_scenario(scenario)[0] == {"op": "raise_irql"}
    with pytest.raises(NotImplementedError, match="raise_irql"):
        run_in_model(scenario)
