"""The library and the reference model run the same scenarios, record for record."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import Model, Record, Undefined
from model import run_scenario as run_in_model
from stateful.actions import Author, Step
from stateful.worlds import worlds
from wdfdma import first_difference, run_scenario

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


def is_idle(model: Model, step: Step) -> bool:
    """Whether what the step belongs to has failed before."""
    number = step.get("transaction", 0)
    if step["op"] == "create" or "enabler" in step:
        return False
    state = model.transactions[number].state if number in model.transactions else "deleted"
    return state == "deleted" or (step["op"] == "execute" and state != "initialized")


def expect_same(scenario: dict[str, Any]) -> None:
    """Asserts that both logs are equal, or that the library stops where the model knows no more."""
    actual = run_scenario(scenario)
    undefined = None
    try:
        expected: list[Record] = run_in_model(scenario)
    except Undefined as stop:
        expected, undefined = stop.log, stop.reason
        assert len(actual) == len(expected) + 1, undefined
        assert actual[-1]["event"] == "bugcheck"
        assert actual[-1]["code"] == "WDFDMA_VIOLATION", undefined
        actual = actual[:-1]
    difference = first_difference(expected, actual)
    assert difference is None, f"{undefined or ''}\n{difference}"


@given(scenarios())
def test_library_does_what_the_model_does(scenario: dict[str, Any]) -> None:
    expect_same(scenario)


@pytest.mark.parametrize("path", sorted(REGRESSION.glob("*.json")), ids=lambda path: path.stem)
def test_what_was_wrong_once_stays_right(path: Path) -> None:
    scenario = json.loads(path.read_text(encoding="utf-8"))
    expect_same(scenario)
    undefined = False
    try:
        log = run_in_model(scenario)
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
