"""What `wdfdma run --json` says of broken rules and bug checks, and scenarios named by their line."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wdfdma import cli
from wdfdma.faults import FaultRun, FaultSweep, Outcome
from wdfdma.run import execute_scenario
from wdfdma.scenario import Fault

Data = dict[str, Any]
Answer = tuple[int, str, str]
Call = Callable[..., Answer]
DOCUMENTED = Path(__file__).parents[2] / "docs" / "json.md"

OF_BUGCHECK = {
    *(
        "rule",
        "severity",
        "code",
        "parameters",
        "step",
        "time_ns",
        "op",
        "routine",
        "object",
        "others",
        "depth",
    ),
    *("callbacks", "log_index", "free_registers", "waiting_pool", "waiting_channel", "irql"),
}
OF_STATE = {
    *("state", "waiting", "waiters", "first_register", "registers", "reserved", "references"),
    *("deleted", "length", "bytes_transferred", "transfer_length"),
}


@pytest.fixture
def broken(scenario: Data) -> Data:
    """A scenario that collects one violation, and halts in a callback of another transaction."""
    create, reaction, initialize, execute, release = scenario["steps"]
    again = [
        {"op": "set_immediate_execution", "transaction": 0, "value": True},
        *(initialize, execute, release, reaction, initialize, execute, release),
    ]
    releases = {**reaction, "transaction": 4, "do": [{"op": "release", "transaction": 4}]}
    halting = [{**step, "transaction": 4} for step in (create, releases, initialize, execute)]
    halting[1] = releases
    return {**scenario, "name": "broken", "steps": [create, reaction, *again, *halting]}


@pytest.fixture
def lines(tmp_path: Path, scenario: Data, halted: Data) -> Path:
    """A file whose second line halts, and whose fourth is no scenario."""
    path = tmp_path / "lines.jsonl"
    path.write_text("\n".join([json.dumps(scenario), json.dumps(halted), "", "{}"]) + "\n")
    return path


def get_entries(call: Call, *arguments: object) -> list[Data]:
    code, out, _ = call("run", "--json", *arguments)
    assert code in (0, 1)
    entries: list[Data] = json.loads(out)["scenarios"]
    return entries


def test_a_bug_check_and_its_violation(call: Call, lines: Path) -> None:
    (entry,) = get_entries(call, f"{lines}:2")
    (violation,) = entry["violations"]
    halt = entry["bug_check"]
    assert set(halt) == OF_BUGCHECK
    assert violation == halt | {"stopped": True}
    assert (halt["rule"], halt["severity"]) == ("WdfDmaFatalError", "bugcheck")
    assert (halt["code"], halt["op"], halt["step"]) == ("WDF_VIOLATION", "execute", 5)
    assert halt["object"]["type"] == "transaction"
    assert set(halt["object"]["state"]) == OF_STATE
    record = entry["log"][halt["log_index"]]
    assert record["event"] == "bugcheck"
    assert (record["code"], halt["parameters"][0]) == ("WDF_VIOLATION", 8)
    assert halt["object"]["handle"] == halt["parameters"][1] < 2**36
    assert halt["callbacks"] == []


def test_the_document_is_the_same_each_time(call: Call, lines: Path) -> None:
    assert get_entries(call, f"{lines}:2") == get_entries(call, f"{lines}:2")


def test_what_is_collected_and_what_halts(call: Call, broken: Data, tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(broken))
    (entry,) = get_entries(call, path)
    advice, halt = entry["violations"]
    assert (advice["rule"], advice["severity"]) == ("ImmediateLost", "advice")
    assert (advice["stopped"], halt["stopped"]) == (False, True)
    assert entry["log"][advice["log_index"]]["event"] == "program_dma"
    state = advice["object"]["state"]
    assert (state["state"], state["length"], state["waiting"]) == ("initialized", 8192, "not")
    assert (halt["rule"], halt["depth"]) == ("WdfDmaFatalError", 1)
    (frame,) = halt["callbacks"]
    assert frame == {
        "event": "program_dma",
        "type": "transaction",
        "label": 4,
        "handle": halt["object"]["handle"],
    }
    run = execute_scenario(broken)
    assert run.bugcheck is not None
    assert (run.bugcheck.frames, run.bugcheck.handle) == (
        run.violations[1].frames,
        halt["object"]["handle"],
    )


def test_nothing_broken(call: Call, lines: Path) -> None:
    (entry,) = get_entries(call, f"{lines}:1")
    assert (entry["violations"], entry["bug_check"]) == ([], None)
    assert "log" in entry


def test_with_check_too(call: Call, lines: Path, tmp_path: Path) -> None:
    path = tmp_path / "recorded.jsonl"
    assert call("run", f"{lines}:2", "-o", path)[0] == 0
    (entry,) = get_entries(call, "--check", path)
    assert entry["match"] is True
    assert "log" not in entry
    assert entry["bug_check"]["rule"] == "WdfDmaFatalError"


def test_every_key_is_documented(call: Call, lines: Path) -> None:
    text = DOCUMENTED.read_text()
    (entry,) = get_entries(call, f"{lines}:2")
    halt = entry["bug_check"]
    keys = {*entry, *entry["violations"][0], *halt["object"], *halt["object"]["state"]}
    assert [key for key in sorted(keys) if f"`{key}`" not in text] == []


# Lines of files


def test_one_line_of_a_file(call: Call, lines: Path) -> None:
    """What the others hold is of no account."""
    entries = get_entries(call, f"{lines}:2", f"{lines}:1")
    assert [entry["where"] for entry in entries] == [f"{lines}:2", f"{lines}:1"]
    assert call("run", lines)[0] == 2
    assert call("faults", f"{lines}:1")[0] == 0
    code, out, _ = call("faults", "--json", f"{lines}:2")
    assert (code, [entry["name"] for entry in json.loads(out)["scenarios"]]) == (0, ["halts"])


@pytest.mark.parametrize("command", ["run", "faults"])
@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["{lines}:3"], "{lines}:3: there is no scenario in this line"),
        (["{lines}:0"], "{lines}:0: there is no scenario in this line"),
        (["{lines}:4"], "{lines}:4: format: is missing"),
        (["{lines}:1", "{lines}:1"], "{lines}:1: given twice"),
        (["{lines}:1", "{lines}"], "{lines}: given twice"),
        (["{lines}:99999999999999999999999"], "No such file or directory"),
        (["{folder}:1"], "{folder}: a folder, not a scenario"),
        (["{folder}/none.jsonl:1"], "{folder}/none.jsonl: No such file or directory"),
    ],
)
def test_lines_that_are_none(
    call: Call, lines: Path, command: str, names: list[str], message: str
) -> None:
    values = {"lines": lines, "folder": lines.parent}
    code, _, err = call(command, *(name.format(**values) for name in names))
    assert code == 2
    assert message.format(**values) in err.splitlines()[0]


def test_a_file_named_like_a_line(call: Call, lines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(lines.parent)
    named = lines.parent / "a.jsonl:2"
    named.mkdir()
    (named / "one.jsonl").write_text(lines.read_text().splitlines()[0])
    (entry,) = get_entries(call, "a.jsonl:2")
    assert entry["name"] == "small"


def test_lines_are_not_written_over_their_file(call: Call, lines: Path) -> None:
    before = lines.read_bytes()
    for output in (lines, lines.parent):
        code, _, err = call("run", f"{lines}:1", "-o", output)
        assert code == 2
        assert f"has other lines than {lines}:1, which would be lost" in err
    assert lines.read_bytes() == before


# Pages


def test_pages_are_of_then(call: Call, broken: Data, tmp_path: Path) -> None:
    """The first violation is advice: its page has the pool of then by name, though the machine went on to halt."""
    path = tmp_path / "my broken.jsonl"
    path.write_text(f"\n{json.dumps(broken)}\n")
    code, out, _ = call("run", "--pages", f"{path}:2")
    assert code == 0
    violations = execute_scenario(broken).violations
    assert out.count("What happened") == len(violations) == 2
    first, second = out[out.index("1 scenario, ") :].split("What happened")[1:]
    assert f"step {violations[0].step}, 0 ns of virtual time" in first
    assert "  then        the machine went on" in first
    assert "The pool: 8 of 8 registers free" in first
    assert "object      transaction 0, made in step 0, initialized 0/8192 bytes" in first
    assert "bugcheck" not in first[: first.index("Why")]
    log = first[first.index("records of the log") : first.index("The pool")].splitlines()
    assert log[-2].endswith("transaction 0 initialized 0+0")
    assert "  then        the machine halted" in second
    assert "  held        none" in first
    assert "  held        0..2: transaction 4 of enabler 0, transfer" in second
    for page in (first, second):
        (line,) = [row for row in page.splitlines() if row.startswith("  replay ")]
        words = shlex.split(line)[1:]
        assert words[:2] == ["wdfdma", "run"]
        assert call(*words[1:])[0] == 0


def test_pages_go_with_a_check_and_not_with_json(call: Call, lines: Path, tmp_path: Path) -> None:
    path = tmp_path / "recorded.jsonl"
    assert call("run", f"{lines}:2", "-o", path)[0] == 0
    code, out, _ = call("run", "--check", "--pages", path)
    assert (code, out.count("What happened")) == (0, 1)
    code, out, err = call("run", "--pages", f"{lines}:2", "-o", "-")
    assert (code, len(out.splitlines()), err.count("What happened")) == (0, 1, 1)
    assert call("run", "--pages", f"{lines}:1")[1].count("What happened") == 0
    code, _, err = call("run", "--pages", "--json", path)
    assert (code, err) == (2, "--pages: not together with --json\n")


# How commands end


def test_faults_that_end_in_an_error_of_ours(
    call: Call, lines: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sweep(scenario: Any, _show: Any) -> FaultSweep:
        return FaultSweep(
            scenario, [FaultRun(Fault(adapter=1), None, Outcome.ERROR, "CheckError: none")]
        )

    monkeypatch.setattr("wdfdma.fault_command.sweep_faults", sweep)
    assert call("faults", f"{lines}:1")[0] == cli.OUR_ERROR == 3


@pytest.mark.parametrize(
    "arguments",
    [["run", "none.json"], ["dump", "none.json"], ["faults", "none.json"], ["explain", "nothing"]],
)
def test_all_commands_refuse_alike(
    call: Call, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    code, out, again = call(*arguments, "--json")
    assert (code, again) == (2, err)
    assert json.loads(out)["errors"] == err.splitlines()
