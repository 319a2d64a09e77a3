"""Reproducers: what is exported does what the scenario does, in pytest and in C."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compile_support import build
from wdfdma import Scenario, ScenarioError, run_scenario
from wdfdma.export.c_calls import CALLS
from wdfdma.export.c_program import export_c
from wdfdma.export.pytest_module import export_pytest
from wdfdma.export.scenario_json import normalize
from wdfdma.operations import OPERATIONS
from wdfdma.run import execute_scenario

ROOT = Path(__file__).parents[2]
FLAGS = ("-std=c11", "-Wall", "-Wextra", "-Wshadow", "-Werror")
FILES = [
    *sorted((ROOT / "tests" / "rules").glob("*.jsonl")),
    ROOT / "tests" / "conformance" / "canonical.jsonl",
    ROOT / "tests" / "conformance" / "random.jsonl",
    ROOT / "tests" / "conformance" / "undefined.jsonl",
]
# Of each file, every so many lines: all of them take minutes.
STRIDES = {"canonical": 9, "random": 120, "undefined": 5, "own": 3, "dma": 3}


def list_scenarios() -> list[Any]:
    found = []
    for path in FILES:
        lines = path.read_text(encoding="utf-8").splitlines()
        for at in range(0, len(lines), STRIDES.get(path.stem, 1)):
            found.append(pytest.param(json.loads(lines[at]), id=f"{path.stem}-{at + 1}"))
    return found


def compile_and_run(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    source = folder / "reproducer.c"
    source.write_text(text, encoding="utf-8")
    program = build(folder / "reproducer", source, flags=FLAGS)
    return subprocess.run([str(program)], capture_output=True, text=True, check=False, timeout=60)


def make_c(source: dict[str, Any]) -> str:
    scenario = Scenario.parse(source)
    return export_c(scenario, execute_scenario(scenario))


@pytest.mark.parametrize("source", list_scenarios())
def test_a_c_program_reproduces(source: dict[str, Any], tmp_path: Path) -> None:
    try:
        text = make_c(source)
    except ScenarioError as error:
        assert "adapter that is NULL" in str(error)  # noqa: PT017
        return
    ended = compile_and_run(text, tmp_path)
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.endswith("reproduced\n")


def run_pytest(folder: Path, *files: Path) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, files)]
    return subprocess.run(
        arguments, cwd=folder, capture_output=True, text=True, check=False, env=dict(os.environ)
    )


def test_test_files_reproduce(tmp_path: Path) -> None:
    """All in one run of pytest's, in another folder."""
    sources = [param.values[0] for param in list_scenarios()]
    for place, source in enumerate(sources):
        scenario = Scenario.parse(source)
        text = export_pytest(scenario, execute_scenario(scenario))
        (tmp_path / f"test_{place}.py").write_text(text, encoding="utf-8")
    ended = run_pytest(tmp_path)
    assert ended.returncode == 0, ended.stdout[-2000:]
    assert f"{3 * len(sources)} passed" in ended.stdout


def test_a_test_file_fails_where_something_else_comes(
    tmp_path: Path, scenario: dict[str, Any]
) -> None:
    parsed = Scenario.parse(scenario)
    text = export_pytest(parsed, execute_scenario(parsed))
    file = tmp_path / "test_it.py"
    file.write_text(text.replace("'length': 8192", "'length': 4000", 2), encoding="utf-8")
    ended = run_pytest(tmp_path, file)
    assert ended.returncode == 1, ended.stdout
    assert "test_the_log_is_the_same" in ended.stdout


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("WDFDMA_OP_RELEASE, WDFDMA_OBJECT", "WDFDMA_OP_CANCEL, WDFDMA_OBJECT"),
        ("{3, WDFDMA_RULE_", "{2, WDFDMA_RULE_"),
        (".code = WDFDMA_OP_INITIALIZE", ".code = WDFDMA_OP_EXECUTE"),
        ("    status = WdfDmaTransactionRelease(transaction_0);\n", ""),
    ],
)
def test_a_c_program_tells_what_differs(
    old: str, new: str, tmp_path: Path, scenario: dict[str, Any]
) -> None:
    scenario["steps"].pop(1)  # nothing is completed: release is in transfer
    text = make_c(scenario)
    assert old in text
    ended = compile_and_run(text.replace(old, new, 1), tmp_path)
    assert ended.returncode == 1
    assert "not reproduced: " in ended.stdout


def test_faults_and_modes_of_rules_are_part_of_a_c_program(
    tmp_path: Path, scenario: dict[str, Any]
) -> None:
    status = "STATUS_INSUFFICIENT_RESOURCES"
    scenario["steps"].pop(1)
    scenario["steps"] += [{"op": "check_leaks"}]
    scenario["rules"] = {"WdfDmaFatalError": "collect"}
    scenario["faults"] = [
        {"op": "execute", "nth": 1, "status": status},
        {"op": "create", "nth": {"per_mille": 1, "seed": 2**60}, "status": status},
        {"register_grant": 3},
        {"device": "short", "nth": 1, "move": "device_read"},
    ]
    log = run_scenario(scenario)
    assert any(record.get("status") == status for record in log)
    ended = compile_and_run(make_c(scenario), tmp_path)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize(
    "fault",
    [
        {"allocation": 300},
        {"device": "late", "nth": 1},
        {"device": "wrong", "nth": 1, "move": "dma_completed"},
    ],
)
def test_what_c_cannot_say_is_one_error(fault: dict[str, Any], scenario: dict[str, Any]) -> None:
    scenario["faults"] = [{"op": "create", "nth": 9, "status": "STATUS_INSUFFICIENT_RESOURCES"}]
    scenario["faults"].append(fault)
    with pytest.raises(ScenarioError, match=r"^faults\[1\]\.\w+: C cannot say it") as caught:
        make_c(scenario)
    assert len(caught.value.problems) == 1


def test_a_wrong_argument_for_nobody_knows_whom_is_an_error(scenario: dict[str, Any]) -> None:
    wrong = {"op": "pass_wrong", "transaction": 0, "argument": "null_handle"}
    scenario["steps"].insert(1, {"op": "create", "transaction": 1, "enabler": 0})
    scenario["steps"].insert(1, wrong)
    with pytest.raises(ScenarioError, match=r"^steps\[1\]: C cannot say which call"):
        make_c(scenario)


def test_every_operation_has_a_form_in_c() -> None:
    assert set(OPERATIONS) == set(CALLS) | {"on", "pass_wrong", "set_callback"}


def test_the_plain_form_is_the_same_scenario() -> None:
    for param in list_scenarios()[::5]:
        scenario = Scenario.parse(param.values[0])
        plain = normalize(scenario)
        again = Scenario.parse(plain)
        assert again.model_dump() == scenario.model_dump()
        assert normalize(again) == plain


def test_the_command_writes_each_form(
    tmp_path: Path, scenario: dict[str, Any], call: Callable[..., tuple[int, str, str]]
) -> None:
    file = tmp_path / "small.jsonl"
    scenario["name"] = 'quotes " \\ and */ ends'
    file.write_text("\n" + json.dumps(scenario) + "\n", encoding="utf-8")
    for form, begin in (("c", "/* quotes"), ("pytest", '"""quotes'), ("json", "{\n")):
        status, printed, _ = call("export", f"{file}:2", "--to", form)
        assert (status, printed[: len(begin)]) == (0, begin)
        status, nothing, _ = call("export", f"{file}:2", "--to", form, "-o", tmp_path / "out")
        assert (status, nothing) == (0, "")
        assert (tmp_path / "out").read_text(encoding="utf-8") == printed
    compile(export_pytest(Scenario.parse(scenario), execute_scenario(scenario)), "x", "exec")


def test_the_command_says_what_is_wrong(
    tmp_path: Path, scenario: dict[str, Any], call: Callable[..., tuple[int, str, str]]
) -> None:
    file = tmp_path / "small.json"
    scenario["faults"] = [{"allocation": 300}]
    file.write_text(json.dumps(scenario), encoding="utf-8")
    status, _, problem = call("export", file, "--to", "c")
    assert status == 2
    assert problem.startswith(f"{file}: faults[0].allocation: C cannot say it")
    assert call("export", file, "--to", "pascal")[0] == 2
