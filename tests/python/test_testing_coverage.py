"""The state machine calls every DDI, and the strategies draw every kind of step."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, settings
from hypothesis.stateful import run_state_machine_as_test

from wdfdma._native import lib
from wdfdma.operations import OPERATIONS
from wdfdma.testing import DmaStateMachine, reactions
from wdfdma.testing.plays import PLAYS
from wdfdma.testing.step_strategies import FAMILIES, IN_PROGRAM_DMA

HEADERS = Path(__file__).parents[2] / "libwdfdma" / "include" / "wdk"
FACES = ("wdfdmatransaction.h", "wdfdmaenabler.h", "wdfcommonbuffer.h", "wdfobject.h")
OTHERS = ("wdfrequest.h", "wdfdevice.h")

# What the rules do not call, and why.
NOT_CALLED = {
    "WdfObjectGetTypedContextWorker": "a context is C's; Python's objects keep what they want",
    "WdfObjectAllocateContext": "the same",
    "WdfObjectContextGetObject": "the same",
    "WdfRequestGetParameters": "the driver of a state machine knows what its request is",
    "WdfDeviceWdmGetDeviceObject": "it is for drivers that call DMA_OPERATIONS themselves",
    "WdfDeviceWdmGetPhysicalDevice": "the same",
}
# What a scenario can do that the state machine does not, and why.
NOT_PLAYED = {
    "pass_wrong": "a correct driver hands over what is right",
    "object_delete": "a correct driver does not go on with the handle; it is `delete` otherwise",
    "free_mdl": "the buffers belong to the dispatcher",
    "device_read_address": "a correct device goes where it was programmed; ask_world reads common buffers",
    "device_write_address": "the same",
    "raise_irql": "the rules set the IRQL, as an interrupt does",
    "lower_irql": "the same",
}


def list_declared() -> set[str]:
    """The DDIs that the headers declare."""
    text = "".join((HEADERS / name).read_text(encoding="utf-8") for name in (*FACES, *OTHERS))
    return set(re.findall(r"^WDFDMA_API .*?\b(Wdf\w+)\(", text, re.MULTILINE))


class Told:
    """The library; it tells which of its DDIs are called."""

    def __init__(self, called: set[str]) -> None:
        self.called = called

    def __getattr__(self, name: str) -> Any:
        function = getattr(lib, name)
        return wrap(name, function, self.called) if name.startswith("Wdf") else function


def wrap(name: str, function: Any, called: set[str]) -> Any:
    if not callable(function):
        return function

    def tell(*arguments: Any) -> Any:
        called.add(name)
        return function(*arguments)

    return tell


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The DDIs that are called in a test."""
    found: set[str] = set()
    names = {id(getattr(lib, name)): name for name in list_declared()}
    told = Told(found)
    faces = [item for name, item in sys.modules.items() if name.startswith("wdfdma.")]
    for module in [
        item for item in faces if isinstance(item, ModuleType) and "_ffi" not in item.__name__
    ]:
        for key, value in list(vars(module).items()):
            if value is lib:
                monkeypatch.setattr(module, key, told)
            elif id(value) in names:
                monkeypatch.setattr(module, key, wrap(names[id(value)], value, found))
    return found


def test_every_ddi_has_a_rule(called: set[str]) -> None:
    """Runs until all are called; one that no rule calls fails."""
    missing = list_declared() - NOT_CALLED.keys()
    assert len(missing) > 40
    easy = settings(
        max_examples=50,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    for seed in range(20):
        DmaStateMachine._hypothesis_internal_use_seed = seed
        try:
            run_state_machine_as_test(DmaStateMachine, settings=easy)
        finally:
            del DmaStateMachine._hypothesis_internal_use_seed
        if missing <= called:
            break
    assert missing - called == set()
    assert NOT_CALLED.keys() & called == set()


def test_every_step_of_a_wdf_driver_is_played() -> None:
    steps = set(OPERATIONS) - set(FAMILIES["adapter"])
    assert steps == PLAYS.keys() | NOT_PLAYED.keys()
    assert not PLAYS.keys() & NOT_PLAYED.keys()


def test_every_kind_of_step_is_drawn() -> None:
    names = [op for family in FAMILIES.values() for op in family]
    assert len(names) == len(set(names))
    assert {*names, *IN_PROGRAM_DMA, "create"} == set(OPERATIONS)


def first_is(op: str) -> Callable[[dict[str, Any]], bool]:
    return lambda step: [inner["op"] for inner in step["do"]] == [op]


@pytest.mark.parametrize("op", IN_PROGRAM_DMA)
def test_device_moves_in_a_reaction(op: str) -> None:
    found = find(reactions(event="program_dma"), first_is(op))
    value = {"value": 1} if op == "device_write" else {}
    move = {"op": op, "transaction": 0, "element": 0, "offset": 0, "length": 1, **value}
    assert found == {"op": "on", "transaction": 0, "event": "program_dma", "do": [move]}
