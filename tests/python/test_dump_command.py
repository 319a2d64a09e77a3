"""`wdfdma dump`: a moment of a scenario, what it prints, and what it refuses."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dump_support import CANONICAL
from wdfdma.dumping.command import dump_scenario, load_one

Call = Callable[..., tuple[int, str, str]]

T0, T1, T2 = "transaction 0", "transaction 1", "transaction 2"


def test_the_command(call: Call) -> None:
    where = f"{CANONICAL}:20"
    code, out, err = call("dump", where, "--at", 8)
    assert (code, err) == (0, "")
    assert "after step 8 (execute), the last is 11" in out
    assert f"From:     {where}" in out
    assert out.endswith("held by: transaction 0, in state transfer\n")
    assert call("dump", where, "--at", 8)[1] == out
    code, out, _ = call("dump", where)
    assert code == 0
    assert "after step 11 (dma_completed), the last is 11" in out
    assert "Wait-for graph\n   nobody waits\n" in out
    code, out, _ = call("dump", where, "--at", "8", "--html")
    assert (code, out.startswith("<!DOCTYPE html>")) == (0, True)


def test_the_command_runs_no_later_step(call: Call, tmp_path: Path, scenario: Any) -> None:
    path = tmp_path / "small.json"
    path.write_text(json.dumps(scenario), encoding="utf-8")
    assert "0 transaction" not in call("dump", path, "--at", 0)[1]
    for step, state in (
        (0, "created"),
        (2, "initialized"),
        (3, "transfer_completed"),
        (4, "released"),
    ):
        assert f"State:             {state}\n" in call("dump", path, "--at", step)[1]


def test_json_says_the_same(call: Call) -> None:
    code, out, err = call("dump", f"{CANONICAL}:20", "--at", 8, "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert (document["at"], document["where"]) == (8, f"{CANONICAL}:20")
    dump = document["dump"]
    assert dump["verdict"] == "starving"
    assert dump["halted"] is None
    assert dump["waits"][1] == {
        "transaction": "transaction 2",
        "waiting": "pool",
        "adapter": "adapter 2",
        "registers": 1,
        "position": 1,
        "behind": ["transaction 1"],
        "behind_count": 1,
        "holders": ["transaction 0"],
        "holder_count": 1,
        "verdict": "starving",
        "reason": "starving behind transaction 1",
    }
    assert dump["map_registers"] == [
        {"first": 0, "length": 2, "holder": "transaction 0", "lost": False}
    ]
    assert [item["name"] for item in dump["transactions"]] == [T0, T1, T2]
    assert dump["transactions"][1]["info"]["state"] == "transfer"
    assert [item["channel_owner"] for item in dump["adapters"]] == ["none", T1, T2]


def test_one_that_halts_before_says_so(call: Call, tmp_path: Path, scenario: Any) -> None:
    again = {"op": "execute", "transaction": 0}
    scenario["steps"][4:] = [again, *scenario["steps"][4:]]
    path = tmp_path / "halts.json"
    path.write_text(json.dumps(scenario), encoding="utf-8")
    code, out, _ = call("dump", path, "--at", 5)
    assert code == 0
    assert "halted in step 4 (execute), before step 5 was reached" in out
    assert "Halted:                WDF_VIOLATION (0x10D)" in out
    _, out, _ = call("dump", path, "--at", 4)
    assert "Moment:   halted in step 4 (execute)\n" in out
    _, out, _ = call("dump", path, "--at", 3)
    assert "halted" not in out
    document = json.loads(call("dump", path, "--json")[1])
    assert document["at"] == 4
    assert document["dump"]["halted"].startswith("WDF_VIOLATION")


def test_a_scenario_without_steps(tmp_path: Path, scenario: Any) -> None:
    path = tmp_path / "none.json"
    path.write_text(json.dumps({**scenario, "steps": []}), encoding="utf-8")
    assert "before the first step; there is none" in dump_scenario(load_one(str(path)))
    with pytest.raises(ValueError, match=r"steps\[0\]: no such step; there are none"):
        dump_scenario(load_one(str(path)), 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{small}", "--at", "5"], "{small}: steps[5]: no such step; the steps are 0 to 4"),
        (["{small}", "--at", "-1"], "{small}: steps[-1]: no such step; the steps are 0 to 4"),
        (["{small}", "--at", str(2**70)], "no such step"),
        (["{small}", "--at", "two"], "'two' is not a valid integer"),
        (["{small}", "--html", "--json"], "--html: not together with --json"),
        (["{small}:1"], "{small}:1: there is no scenario in this line"),
        (["{many}"], "{many}: 2 scenarios, not one; name one as FILE:NUMBER"),
        (["{many}:3"], "{many}:3: there is no scenario in this line"),
        (["{many}:4"], "{many}:4: there is no scenario in this line"),
        (["{many}:0"], "{many}:0: there is no scenario in this line"),
        (["{many}:two"], "{many}:two: No such file"),
        (["{empty}"], "{empty}: no scenarios, not one"),
        (["{bad}"], "{bad}: not JSON"),
        (["{wrong}"], "{wrong}: steps[0].transaction: 9 is not created"),
        (["{folder}"], "{folder}: a folder, not a scenario"),
        (["{folder}/nothing.json"], "{folder}/nothing.json: No such file"),
        (["{folder}/nothing.json:7"], "{folder}/nothing.json: No such file"),
        ([":7"], ":7: No such file"),
        (["{other}"], "{other}: neither .json nor .jsonl"),
        ([], "Missing argument 'SCENARIO'"),
    ],
)
def test_bad_input(
    call: Call, tmp_path: Path, scenario: Any, arguments: list[str], message: str
) -> None:
    line = json.dumps(scenario)
    wrong = {**scenario, "steps": [{"op": "execute", "transaction": 9}]}
    files = {
        "small": ("small.json", line),
        "many": ("many.jsonl", f"{line}\n{line}\n\n"),
        "empty": ("empty.jsonl", "\n"),
        "bad": ("bad.json", '{"format": '),
        "wrong": ("wrong.json", json.dumps(wrong)),
        "other": ("other.txt", line),
    }
    names = {"folder": str(tmp_path)}
    for key, (name, text) in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        names[key] = str(tmp_path / name)
    code, out, err = call("dump", *(argument.format(**names) for argument in arguments))
    assert code == 2
    assert bool(out) == ("--json" in arguments)
    assert message.format(**names) in err
    if not err.startswith("Usage"):
        assert err.count("\n") == 1


def test_errors_as_json(call: Call) -> None:
    code, out, _ = call("dump", CANONICAL, "--json")
    assert code == 2
    assert json.loads(out)["errors"] == [
        f"{CANONICAL}: {len(CANONICAL.read_text(encoding='utf-8').splitlines())} scenarios, not one; "
        "name one as FILE:NUMBER"
    ]


def test_a_file_with_a_colon_in_its_name(call: Call, tmp_path: Path, scenario: Any) -> None:
    path = tmp_path / "odd.jsonl:3.json"
    path.write_text(json.dumps(scenario), encoding="utf-8")
    assert call("dump", path)[0] == 0


def test_the_standard_input(scenario: Any) -> None:
    command = [sys.executable, "-m", "wdfdma", "dump", "-", "--at", "1"]
    done = subprocess.run(
        command, input=json.dumps(scenario), capture_output=True, text=True, check=True
    )
    assert "From:     <stdin>" in done.stdout
    assert "after step 1 (on), the last is 4" in done.stdout
