"""What a message says beyond what is wrong: what was meant, which key it is."""

import copy
from pathlib import Path
from typing import Any

import pytest

from wdfdma import Scenario, ScenarioError, run_scenario
from wdfdma.cli import cli

ENABLER = {"profile": "packet", "maximum_length": 4096}


def make_scenario(**changes: Any) -> dict[str, Any]:
    return {
        "format": "wdfdma-scenario/1",
        "enablers": [ENABLER],
        "buffers": [],
        "steps": [{"op": "create", "transaction": 0, "enabler": 0}],
        **copy.deepcopy(changes),
    }


def test_an_operation_and_a_rule_that_were_nearly_named() -> None:
    with pytest.raises(ScenarioError, match=r'^steps\[0\].op: "exexute" is not .* mean execute'):
        Scenario.parse(make_scenario(steps=[{"op": "exexute", "transaction": 0}]))
    with pytest.raises(ScenarioError, match=r'^steps\[0\].op: "zzz" is not an operation$'):
        Scenario.parse(make_scenario(steps=[{"op": "zzz"}]))
    with pytest.raises(ScenarioError, match=r"^rules.ImediateLost: .* did you mean ImmediateLost"):
        Scenario.parse(make_scenario(rules={"ImediateLost": "stop"}))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"maximum_length": 0}, r"maximum_length: 0 is below 1; STATUS_INVALID_PARAMETER: "),
        ({"address_width": 40}, r"address_width: 40 is above 32; "),
        ({"profile": "system", "address_width": 8}, r"address_width: 8 is not 0, which a system "),
        (
            {"profile": "packet64", "address_width": 64, "dma_version": 2},
            r"dma_version: 2 is not 3, w",
        ),
        ({"single_transfer": True}, r"dma_version: 0 is not 3, which single_transfer needs"),
        ({"profile": "system", "dma_version": 2}, r"dma_version: 2 is not 3, which a system"),
    ],
)
def test_an_enabler_that_is_refused_names_its_key(settings: dict[str, Any], message: str) -> None:
    refused = make_scenario(enablers=[{**ENABLER, **settings}])
    with pytest.raises(ScenarioError, match=rf"^enablers\[0\].{message}"):
        run_scenario(refused)


@pytest.mark.parametrize(
    "settings",
    [
        {"profile": "packet64", "address_width": 64},
        {"address_width": 32},
        {"single_transfer": True, "dma_version": 3},
        {"profile": "system"},
        {"dma_version": 2},
    ],
)
def test_an_enabler_that_is_not_refused(settings: dict[str, Any]) -> None:
    run_scenario(make_scenario(enablers=[{**ENABLER, **settings}]))


def test_tables_in_a_file_have_no_spaces_at_the_ends(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    import json

    path = tmp_path / "one.json"
    path.write_text(json.dumps(make_scenario()), encoding="utf-8")
    cli.main(["faults", str(path)], standalone_mode=False)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 4
    assert [line for line in lines if line != line.rstrip()] == []
