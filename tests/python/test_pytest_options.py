"""The pytest plugin's marker and options: machines, seeds, scenarios, faults, several processes."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from pytest_support import find_replay, make_runner

pytest_plugins = ("pytester",)


@pytest.fixture
def tests(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Any:
    return make_runner(pytester, monkeypatch)


# The marker


def test_the_marker_sets_machines_up(tests: Any) -> None:
    tests(
        """
pytestmark = pytest.mark.wdfdma(registers=5, seed=3)
STATUS = "STATUS_INSUFFICIENT_RESOURCES"
class TestInside:
    pytestmark = pytest.mark.wdfdma(registers=2)
    def test_closest_first(self, machine, machine_factory):
        assert machine.state.map_registers == 2
        assert machine_factory(map_registers=9).state.map_registers == 9
        assert machine.random() == machine_factory().random() != machine_factory(seed=4).random()
@pytest.mark.wdfdma(faults={"op": "create", "nth": 1, "status": STATUS}, physical_address_bits=20)
def test_faults(machine):
    assert machine.state.map_registers == 5
    with pytest.raises(StatusError, match=STATUS):
        prepare(machine)
@pytest.mark.wdfdma(faults=[{"allocation": 1}], allow_leaks=True)
def test_memory(machine):
    with pytest.raises(StatusError):
        machine.device()
@pytest.mark.wdfdma(rules={"LeakTransaction": "ignore"}, verifier=False)
def test_rules(machine):
    prepare(machine)
"""
    ).assert_outcomes(passed=4)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("regs=3", "wdfdma(regs=): there is no such key; the keys are registers, verifier, *"),
        ("3", "wdfdma(3): it takes keys only; the keys are registers, *"),
        ("allow_leaks='no'", "wdfdma(allow_leaks='no'): not True or False"),
        ("allow_violations=3", "wdfdma(allow_violations=3): not True, nor names of rules"),
        ("faults=3", "wdfdma(faults=3): not a fault of a scenario, nor a list of them"),
        ("rules=3", "wdfdma(rules=3): not a mapping of names to modes"),
        ("allow_violations='Nope'", "wdfdma(allow_violations=): 'Nope' is no rule's name"),
        ("rules={'Nope': 'stop'}", "wdfdma: rules.Nope: there is no rule of this name*"),
        ("faults={'op': 'execute', 'nth': 1}", "wdfdma: faults[0].status: is missing"),
    ],
)
def test_a_wrong_marker_is_one_clear_error(tests: Any, keys: str, message: str) -> None:
    source = f"@pytest.mark.wdfdma({keys})\ndef test_marked(machine):\n    pass\n"
    result = tests(source, "-rN")
    result.assert_outcomes(errors=1)
    pattern = f"test_driver.py::test_marked: {message}".replace("[", "[[]")
    result.stdout.fnmatch_lines([pattern])
    assert "Traceback" not in result.stdout.str()
    assert "another exception" not in result.stdout.str()


def test_a_project_may_have_a_machine_of_its_own(tests: Any) -> None:
    tests(
        """
@pytest.fixture
def machine():
    return "own"
def test_own(machine, machine_factory):
    assert machine == "own"
    assert machine_factory().state.step == 0
"""
    ).assert_outcomes(passed=1)


# The seed


def test_the_seed_is_for_machines_that_name_none(tests: Any) -> None:
    source = """
def test_seed(machine, machine_factory):
    assert machine.random() == machine_factory(seed=255).random() != machine_factory(seed=0).random()
@pytest.mark.wdfdma(seed=1)
def test_marked(machine, machine_factory):
    assert machine.random() == machine_factory(seed=1).random()
"""
    tests(source, "--wdfdma-seed=0xff").assert_outcomes(passed=2)
    tests(source).assert_outcomes(failed=1, passed=1)
    wrong = tests(source, "--wdfdma-seed=red")
    assert wrong.ret == pytest.ExitCode.USAGE_ERROR
    wrong.stderr.fnmatch_lines(["*--wdfdma-seed: invalid seed value: 'red'"])


# Scenarios


@pytest.fixture
def failing(scenario: dict[str, Any]) -> dict[str, Any]:
    """A scenario that ends in a bug check."""
    return scenario | {"name": "failing", "steps": [*scenario["steps"], scenario["steps"][3]]}


def test_a_scenario_is_run_as_a_test_alone(
    tests: Any, pytester: pytest.Pytester, failing: dict[str, Any]
) -> None:
    Path("failing.json").write_text(json.dumps(failing), encoding="utf-8")
    result = tests(
        "def test_other():\n    pass\n", "--wdfdma-replay=failing.json", "--wdfdma-artifacts=out"
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "_* scenario failing _*",
            "bugcheck: WdfDmaFatalError*",
            "The last * records of the log",
            "The pool: 8 of 8 registers free",
            "  replay * wdfdma run failing.json",
            "FAILED failing.json::failing*",
        ]
    )
    folder = pytester.path / "out" / "failing.json-failing"
    assert json.loads((folder / "scenario.json").read_text()) == failing
    names = {"machine-0.log", "machine-0.txt", "machine-0.html", "scenario.json"}
    assert {file.name for file in folder.iterdir()} == names


def test_scenarios_run_after_the_tests_that_are_named(
    tests: Any,
    pytester: pytest.Pytester,
    tmp_path_factory: pytest.TempPathFactory,
    scenario: dict[str, Any],
    failing: dict[str, Any],
) -> None:
    file = tmp_path_factory.mktemp("outside") / "all.jsonl"
    lines = [json.dumps(item) for item in (scenario, failing, scenario | {"log": [{"op": "none"}]})]
    file.write_text("\n".join(lines), encoding="utf-8")
    source = "def test_other(machine):\n    pass\n"
    winding = file.parent / ".." / file.parent.name / file.name
    both = tests(source, "test_driver.py", f"--wdfdma-replay={winding}:1", "-v")
    both.assert_outcomes(passed=2)
    both.stdout.fnmatch_lines(["test_driver.py::test_other PASSED*", "*all.jsonl::1 small PASSED*"])
    tests(source, f"--wdfdma-replay={file}:1", f"--wdfdma-replay={file}:2").assert_outcomes(
        passed=1, failed=1
    )
    every = tests(source, f"--wdfdma-replay={file}", "--junitxml=out.xml")
    every.assert_outcomes(passed=1, failed=2)
    every.stdout.fnmatch_lines(["the log differs from the one that the scenario carries: step 0*"])
    xml = (pytester.path / "out.xml").read_text()
    assert 'name="wdfdma_least_free_registers" value="5"' in xml
    assert 'name="wdfdma_high_water" value="3"' in xml
    assert 'name="wdfdma_violation" value="bugcheck: WdfDmaFatalError' in xml


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--wdfdma-replay=none.json", "*--wdfdma-replay: no such file: none.json"),
        ("--wdfdma-replay=test_driver.py", "*test_driver.py: neither .json nor .jsonl"),
        ("--wdfdma-fault={", "*--wdfdma-fault: not JSON: *"),
        ("--wdfdma-fault=3", "*--wdfdma-fault: not a fault as scenarios have them"),
        ('--wdfdma-fault={"op": "fly"}', "*--wdfdma-fault: faults[[]0].nth: is missing"),
        ('--wdfdma-fault={"adapter": 1, "machine": -1}', "*machine: not the number of a machine*"),
    ],
)
def test_a_wrong_option_is_a_usage_error(tests: Any, argument: str, message: str) -> None:
    result = tests("", argument)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_a_line_that_is_not_there_is_told(tests: Any, scenario: dict[str, Any]) -> None:
    Path("all.jsonl").write_text(json.dumps(scenario), encoding="utf-8")
    for number in (0, 2):
        result = tests("", f"--wdfdma-replay=all.jsonl:{number}")
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines([f"*all.jsonl:{number}: there is no scenario in this line"])


def test_a_wrong_scenario_is_told_where_it_is_collected(tests: Any) -> None:
    Path("wrong.json").write_text('{"format": "wdfdma-scenario/1"}', encoding="utf-8")
    result = tests("", "--wdfdma-replay=wrong.json")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*wrong.json: steps: is missing"])


# Faults


def test_each_fault_has_its_run(tests: Any, pytester: pytest.Pytester) -> None:
    source = """
def test_careful(machine):
    cycle(machine)
def test_plain():
    pass
@pytest.mark.wdfdma(allow_leaks=True)
def test_asserts(machine):
    assert prepare(machine).execute().is_success
def test_fails(machine):
    assert 0
"""
    result = tests(source, "--wdfdma-faults", "--junitxml=out.xml")
    outcomes = result.parseoutcomes()
    assert outcomes["failed"] == 1
    assert "errors" not in outcomes
    xml = (pytester.path / "out.xml").read_text()
    found = [json.loads(unescape(text)) for text in re.findall(r'wdfdma_fault" value="(.*?)"', xml)]
    assert {"adapter": 1} in found
    assert {"register_grant": 1} in found
    assert {"allocation": 10} in found
    assert {"op": "enabler_create", "nth": 1, "status": "STATUS_NOT_SUPPORTED"} in found
    assert not any("partial_map" in fault for fault in found)
    assert outcomes["passed"] == len(found) + 3


def test_a_fault_finds_a_careless_path_and_its_command_finds_it_again(
    tests: Any, pytester: pytest.Pytester
) -> None:
    source = """
def test_careless(machine_factory):
    machine_factory()
    cycle(machine_factory(), releases=False)
"""
    tests(source).assert_outcomes(passed=1)
    result = tests(source, "--wdfdma-faults", "-rN")
    assert result.parseoutcomes()["errors"] == 1
    result.stdout.fnmatch_lines(
        [
            "with the fault execute 1: STATUS_INSUFFICIENT_RESOURCES of machine 1",
            "1 leak, still held when the test was over:",
            "With the fault execute 1: STATUS_INSUFFICIENT_RESOURCES of machine 1",
        ]
    )
    command = find_replay(result)
    assert command[:4] == ["python", "-m", "pytest", "test_driver.py::test_careless"]
    again = pytester.runpytest_subprocess(*command[4:], command[3])
    again.assert_outcomes(passed=1, errors=1)
    again.stdout.fnmatch_lines(["1 leak, still held when the test was over:"])
    assert tests(source, "--wdfdma-fault", '{"adapter": 9}').ret == 0


def test_what_a_fault_excuses_and_what_not(tests: Any) -> None:
    fault = (
        '--wdfdma-fault={"op": "initialize", "nth": 1, "status": "STATUS_INSUFFICIENT_RESOURCES"}'
    )
    result = tests(
        """
def test_asserts(machine):
    assert prepare(machine) is not None
@pytest.fixture
def prepared(machine):
    assert prepare(machine) is not None
def test_is_not_reached(prepared):
    pass
def test_blind(machine):
    transaction = machine.device().enabler().transaction()
    transaction.initialize(machine.mdl(4096), program_dma=lambda *_: None)
    transaction.execute()
""",
        fault,
        "-rs",
    )
    result.assert_outcomes(passed=1, skipped=1, failed=1)
    result.stdout.fnmatch_lines(["*test_blind*", "E *BugCheck: WDF_VIOLATION*"])
    result.stdout.fnmatch_lines(["SKIPPED*the fault initialize 1*ended the set-up: Assert*"])


# JUnit, and several processes


def test_properties_reach_junit_from_two_workers(tests: Any, pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    result = tests(
        """
@pytest.mark.wdfdma(registers=4, allow_violations=True)
def test_holds(machine):
    prepare(machine).execute()
@pytest.mark.wdfdma(seed=12)
def test_two(machine_factory):
    machine_factory(), machine_factory(seed=13)
def test_fails(machine):
    assert machine.random() == 0
""",
        *("-n", "2", "--wdfdma-seed=random", "--junitxml=out.xml", "--wdfdma-artifacts=out"),
        in_process=False,
    )
    result.assert_outcomes(passed=2, failed=1)
    xml = (pytester.path / "out.xml").read_text()
    found = re.findall(r'name="(wdfdma_\w+)" value="([^"]*)"', xml)
    assert {("wdfdma_least_free_registers", "3"), ("wdfdma_violations", "1")} <= set(found)
    assert ("wdfdma_high_water", "1") in found
    assert {("wdfdma_0_seed", "12"), ("wdfdma_1_seed", "13")} <= set(found)
    assert any(name == "wdfdma_violation" and "NeverCompleted" in text for name, text in found)
    (header,) = [line for line in result.outlines if line.startswith("wdfdma: ")]
    seed = header.split()[-1]
    assert [text for name, text in found if name == "wdfdma_seed"] == [seed] * 2
    result.stdout.fnmatch_lines(["*- wdfdma -*", "The pool: 64 of 64 registers free"])
    assert find_replay(result)[-2:] == ["--wdfdma-seed", seed]
    assert (pytester.path / "out" / "test_driver.py-test_fails" / "machine-0.log").exists()


def test_faults_and_scenarios_run_in_two_workers(
    tests: Any, pytester: pytest.Pytester, failing: dict[str, Any]
) -> None:
    pytest.importorskip("xdist")
    Path("failing.json").write_text(json.dumps(failing), encoding="utf-8")
    result = tests(
        "def test_careless(machine):\n    cycle(machine, releases=False)\n",
        *("-n", "2", "--wdfdma-faults", "--wdfdma-replay=failing.json", "test_driver.py"),
        in_process=False,
    )
    outcomes = result.parseoutcomes()
    assert outcomes["failed"] == 1
    assert outcomes["passed"] > 10
    assert outcomes["errors"] == 1


# The documentation


def test_the_worked_example_does_what_its_page_says(pytester: pytest.Pytester, tests: Any) -> None:
    page = (Path(__file__).parents[2] / "docs" / "pytest.md").read_text(encoding="utf-8")
    source, output, command = re.findall(r"```(?:python)?\n(.*?)```", page, re.DOTALL)
    pytester.path.joinpath("test_reader.py").write_text(source, encoding="utf-8")
    tests("", "test_reader.py").assert_outcomes(passed=1)
    result = tests("", "test_reader.py", "--wdfdma-faults")
    assert result.parseoutcomes()["errors"] == 1
    assert "failed" not in result.parseoutcomes()
    assert output in result.stdout.str()
    assert command.strip() in result.stdout.str().replace(" -p wdfdma.pytest_plugin", "")
