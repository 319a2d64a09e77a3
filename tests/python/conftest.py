"""What the tests have in common: profiles of Hypothesis, machines, recordings."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from scenario_support import make_initialize
from wdfdma import DmaTransaction, Machine, cli

settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile(
    "ci",
    max_examples=500,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "long", max_examples=20000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("dev")

CONFORMANCE = Path(__file__).parents[1] / "conformance"


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(map_registers=8, log="grow") as made:
        yield made
        made.check()


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Calls the command inside this process: its exit code and what it printed."""

    def run_command(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return caught.value.code, printed.out, printed.err

    return run_command


@pytest.fixture
def make_transaction(machine: Machine) -> Callable[..., DmaTransaction]:
    """Makes transactions of one device; the settings are those of the enabler."""
    device = machine.device()

    def make(profile: int = 1, **enabler_settings: Any) -> DmaTransaction:
        enabler_settings.setdefault("dma_version", 3)
        enabler = device.enabler(profile, **enabler_settings)
        if profile >= 7:
            enabler.configure_system_profile().check()
        return enabler.transaction()

    return make


@pytest.fixture(scope="session")
def recordings() -> dict[str, list[Any]]:
    """The recorded scenarios by file."""
    return {
        path.stem: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in sorted(CONFORMANCE.glob("*.jsonl"))
    }


@pytest.fixture
def scenario() -> dict[str, Any]:
    """A small scenario without mistakes, to be spoiled."""
    return {
        "format": "wdfdma-scenario/1",
        "name": "small",
        "machine": {"map_registers": 8},
        "enablers": [{"profile": "packet", "maximum_length": 16384, "dma_version": 3}],
        "buffers": [[{"offset": 512, "length": 8192, "pfns": [40, 12, 13]}]],
        "steps": [
            {"op": "create", "transaction": 0, "enabler": 0},
            {
                "op": "on",
                "transaction": 0,
                "event": "program_dma",
                "do": [{"op": "dma_completed", "transaction": 0}],
            },
            make_initialize(8192),
            {"op": "execute", "transaction": 0},
            {"op": "release", "transaction": 0},
        ],
    }


@pytest.fixture
def halted(scenario: dict[str, Any]) -> dict[str, Any]:
    """The small scenario, which then ends in a bug check."""
    steps = [*scenario["steps"], {"op": "execute", "transaction": 0}]
    return {**scenario, "name": "halts", "steps": steps}


@pytest.fixture
def stepwise(scenario: dict[str, Any]) -> dict[str, Any]:
    """The small scenario, completed by a step of its own: 3; then a getter and a release."""
    create, _, initialize, execute, release = scenario["steps"]
    getter = {"op": "get_bytes_transferred", "transaction": 0}
    complete = {"op": "dma_completed", "transaction": 0}
    scenario["steps"] = [create, initialize, execute, complete, getter, release]
    return scenario
