"""The command line: what it prints, writes, and ends with."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import wdfdma
from wdfdma import cli, run_scenario

Data = dict[str, Any]
Answer = tuple[int, str, str]
CONFORMANCE = Path(__file__).parents[1] / "conformance"


@pytest.fixture
def recorded(tmp_path: Path, scenario: Data, halted: Data) -> Path:
    """A file with two scenarios that match, and one that ends in a bug check."""
    path = tmp_path / "recorded.jsonl"
    lines = [
        json.dumps({**item, "log": run_scenario(item)}) for item in (scenario, scenario, halted)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def change(path: Path, line: int, function: Callable[[Data], object]) -> None:
    """Changes the scenario in one line of a file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    scenario = json.loads(lines[line])
    function(scenario)
    lines[line] = json.dumps(scenario)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_check_of_what_matches(call: Callable[..., Answer], recorded: Path) -> None:
    code, out, err = call("run", "--check", recorded)
    assert (code, err) == (0, "")
    assert out == "3 scenarios, 19 steps, 37 records, 1 bug check: all match\n"


def test_check_of_what_differs(call: Callable[..., Answer], recorded: Path) -> None:
    change(recorded, 1, lambda item: item["log"][5].update(status="STATUS_WDF_BUSY"))
    change(recorded, 2, lambda item: item["log"].pop())
    code, out, err = call("run", "--check", recorded)
    assert (code, err) == (1, "")
    lines = out.splitlines()
    assert lines[0] == f"{recorded}:2: small"
    assert lines[1].startswith("step ")
    assert "STATUS_WDF_BUSY" in lines[2]
    assert lines[2].startswith("  expected: {")
    assert lines[3].startswith("  came:     {")
    assert lines[-1].endswith(": 2 differ")
    code, out, _ = call("run", "--check", "-x", recorded)
    assert code == 1
    assert out.splitlines()[-1].startswith("2 scenarios, ")


def test_check_of_what_is_undefined(call: Callable[..., Answer], recorded: Path) -> None:
    change(recorded, 0, lambda item: item.update(undefined="nothing, really"))
    code, out, _ = call("run", "--check", recorded)
    assert code == 1
    assert 'expected: {"event":"bugcheck","code":"WDFDMA_VIOLATION"}' in out
    assert call("run", "--check", CONFORMANCE / "undefined.jsonl")[0] == 0


def test_check_needs_a_log(call: Callable[..., Answer], recorded: Path) -> None:
    change(recorded, 2, lambda item: item.pop("log"))
    code, out, err = call("run", "--check", recorded)
    assert (code, out) == (2, "")
    assert err == f"{recorded}:3: log: is missing, and --check compares with it\n"


def test_run_writes_what_check_accepts(
    call: Callable[..., Answer], recorded: Path, tmp_path: Path
) -> None:
    bare, out_path = tmp_path / "bare.jsonl", tmp_path / "out.jsonl"
    bare.write_bytes(recorded.read_bytes())
    for line in range(3):
        change(bare, line, lambda item: item.pop("log"))
    assert call("run", bare, "-o", out_path)[0] == 0
    expected = [json.loads(line) for line in recorded.read_text().splitlines()]
    assert [json.loads(line) for line in out_path.read_text().splitlines()] == expected
    assert call("run", "--check", out_path)[0] == 0
    assert out_path.stat().st_mode & 0o777 == bare.stat().st_mode & 0o777
    assert call("run", bare, "-o", bare)[0] == 0
    assert [json.loads(line) for line in bare.read_text().splitlines()] == expected
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "bare.jsonl",
        "out.jsonl",
        "recorded.jsonl",
    ]


def test_output_to_the_standard_output(call: Callable[..., Answer], recorded: Path) -> None:
    code, out, err = call("run", recorded, "-o", "-")
    assert code == 0
    assert len(out.splitlines()) == 3
    assert all("log" in json.loads(line) for line in out.splitlines())
    assert err.startswith("3 scenarios, ")


def test_one_scenario_is_shown(call: Callable[..., Answer], tmp_path: Path, scenario: Data) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps(scenario, indent=2))
    code, out, _ = call("run", path)
    assert code == 0
    assert out.startswith("small\ncreate: transaction 0, status STATUS_SUCCESS\n")
    assert out.splitlines()[-1].startswith("1 scenario, ")


def test_folders(
    call: Callable[..., Answer], recorded: Path, tmp_path: Path, scenario: Data
) -> None:
    (tmp_path / "one.json").write_text(json.dumps(scenario))
    (tmp_path / "notes.txt").write_text("not a scenario")
    code, out, _ = call("run", tmp_path)
    assert (code, out.split(",")[0]) == (0, "4 scenarios")
    folder = tmp_path / "results"
    folder.mkdir()
    assert call("run", tmp_path, "-o", folder)[0] == 0
    assert sorted(path.name for path in folder.iterdir()) == ["one.json", "recorded.jsonl"]
    assert call("run", "--check", folder)[0] == 0
    empty = tmp_path / "empty"
    empty.mkdir()
    code, _, err = call("run", empty)
    assert (code, err) == (2, f"{empty}: no .json and no .jsonl in this folder\n")


def test_json(call: Callable[..., Answer], recorded: Path) -> None:
    code, out, err = call("run", "--json", recorded)
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert document["version"] == wdfdma.__version__
    assert document["summary"] == {"scenarios": 3, "steps": 19, "records": 37, "bug_checks": 1}
    assert [item["where"] for item in document["scenarios"]] == [
        f"{recorded}:{line}" for line in (1, 2, 3)
    ]
    assert document["scenarios"][2]["log"][-1]["event"] == "bugcheck"
    change(recorded, 1, lambda item: item["log"].pop())
    code, out, _ = call("run", "--json", "--check", recorded)
    document = json.loads(out)
    assert code == 1
    assert document["summary"]["differences"] == 1
    assert [item["match"] for item in document["scenarios"]] == [True, False, True]
    difference = document["scenarios"][1]["difference"]
    assert (difference["expected"], difference["step"]) == (None, 4)
    change(recorded, 1, lambda item: item["steps"].append({}))
    code, out, err = call("run", "--json", recorded)
    assert code == 2
    assert (
        json.loads(out)["errors"] == err.splitlines() == [f"{recorded}:2: steps[5].op: is missing"]
    )


def test_bad_input(
    call: Callable[..., Answer],
    recorded: Path,
    tmp_path: Path,
    scenario: Data,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad = tmp_path / "bad.jsonl"
    scenario["steps"][2]["length"] = -5
    bad.write_text(f"\n{json.dumps(scenario)}\n")
    out_path = tmp_path / "out.jsonl"
    code, out, err = call("run", recorded, bad, "-o", out_path)
    assert (code, out) == (2, "")
    assert err == f"{bad}:2: steps[2].length: -5 is below 0\n"
    assert not out_path.exists()
    code, _, err = call("run", tmp_path / "none.json")
    assert (code, err) == (2, f"{tmp_path / 'none.json'}: No such file or directory\n")
    code, _, err = call("run", recorded, recorded)
    assert (code, err) == (2, f"{recorded}: given twice\n")
    bad.write_bytes(recorded.read_bytes()[:-100])
    code, _, err = call("run", bad)
    assert code == 2
    assert err.startswith(f"{bad}:3: not JSON: ")
    for name in ("bad.jsonl", "another.jsonl"):
        (tmp_path / name).write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    code, _, err = call("run", "bad.jsonl", "another.jsonl")
    assert (code, err) == (2, "bad.jsonl, another.jsonl: no scenarios\n")


def test_what_only_running_shows_to_be_wrong(
    call: Callable[..., Answer], recorded: Path, tmp_path: Path
) -> None:
    out_path = tmp_path / "out.jsonl"
    change(recorded, 1, lambda item: item["steps"].append({"op": "cancel", "transaction": 9}))
    code, _, err = call("run", recorded, "-o", out_path)
    assert (code, err) == (2, f"{recorded}:2: steps[5].transaction: 9 is not created\n")
    assert not out_path.exists()


def test_bad_output(call: Callable[..., Answer], recorded: Path, tmp_path: Path) -> None:
    code, _, err = call("run", recorded, "-o", tmp_path / "out.json")
    assert (code, err.count("\n")) == (2, 1)
    assert "one scenario, not 3" in err
    assert call("run", recorded, "-o", tmp_path / "out.txt")[0] == 2
    code, _, err = call("run", recorded, "-o", tmp_path / "none" / "out.jsonl")
    assert code == 2
    assert "No such file or directory" in err
    twin = tmp_path / "twin"
    twin.mkdir()
    (twin / recorded.name).write_bytes(recorded.read_bytes())
    results = tmp_path / "results"
    results.mkdir()
    code, _, err = call("run", recorded, twin, "-o", results)
    assert (code, err) == (2, f"{results}: 2 files would be written as recorded.jsonl\n")


@pytest.mark.parametrize(
    "arguments",
    [["run"], ["walk"], ["run", "--wait"], ["run", "-o"], []],
    ids=lambda item: " ".join(item),
)
def test_bad_usage(call: Callable[..., Answer], arguments: list[str]) -> None:
    code, out, err = call(*arguments)
    assert code == 2
    assert "Usage: wdfdma" in out + err or err.startswith("Error: ")


def test_version_and_help(call: Callable[..., Answer]) -> None:
    code, out, _ = call("--version")
    assert (code, out) == (0, f"wdfdma, version {wdfdma.__version__}\n")
    assert call("-h")[0] == call("run", "--help")[0] == 0


def test_an_error_of_ours(
    call: Callable[..., Answer], recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "execute_scenario", fail)
    code, _, err = call("run", recorded)
    assert code == 3
    assert err.endswith("wdfdma: this is an error of wdfdma, not of its input\n")


def test_an_interrupt(
    call: Callable[..., Answer], recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "execute_scenario", interrupt)
    code, _, err = call("run", recorded, "-o", tmp_path / "out.jsonl")
    assert (code, err.strip()) == (130, "interrupted")
    assert not (tmp_path / "out.jsonl").exists()


def start(*arguments: object, **settings: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "wdfdma", *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, **settings)


def test_as_a_process_with_the_standard_input(recorded: Path, scenario: Data) -> None:
    for text, count in ((recorded.read_text(), 3), (json.dumps(scenario, indent=2), 1)):
        with start("run", "-") as process:
            out, err = process.communicate(text)
        assert (process.returncode, err) == (0, "")
        assert out.splitlines()[-1].startswith(f"{count} scenario")
    with start("run", "-") as process:
        _, err = process.communicate("{}\n{}")
    assert process.returncode == 2
    assert err.splitlines()[0] == "<stdin>:1: format: is missing"


def test_a_reader_that_goes(recorded: Path) -> None:
    with start("run", CONFORMANCE / "random.jsonl", "-o", "-") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes of POSIX")
def test_a_signal(tmp_path: Path) -> None:
    path = tmp_path / "pipe.jsonl"
    os.mkfifo(path)

    def heed_signals() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # who runs the tests may not

    with start("run", path, preexec_fn=heed_signals) as process:
        # Opening a pipe waits for the other end: now the command reads.
        with path.open("wb"):
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)
        _, err = process.communicate()
    assert (process.returncode, err.strip()) == (130, "interrupted")


def test_strict_ends_with_1_where_a_rule_is_broken(call: Callable[..., Answer]) -> None:
    rules = Path(__file__).parent.parent / "rules"
    broken = [f"{rules / 'dma.jsonl'}:1", f"{rules / 'dma.jsonl'}:2"]
    assert call("run", broken[0])[0] == 0
    assert call("run", "--strict", broken[0])[0] == 1
    assert call("run", "--strict", broken[1])[0] == 0  # the near miss
    advice = next(
        f"{path}:{number}"
        for path in rules.glob("*.jsonl")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if '"name": "CancelledReservationKept:' in line
    )
    answer = call("run", "--strict", advice)
    assert "advice: CancelledReservationKept" in answer[1]
    assert answer[0] == 0


def test_a_file_that_cannot_be_written_is_named_as_given(
    call: Callable[..., Answer], recorded: Path, tmp_path: Path
) -> None:
    missing = tmp_path / "missing" / "out.jsonl"
    answer = call("run", "-o", str(missing), str(recorded))
    assert answer[0] == 2
    assert answer[2] == f"{missing}: No such file or directory\n"
