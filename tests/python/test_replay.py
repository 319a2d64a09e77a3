"""The line that does again what led to a page: of a test, a script, a module, a command; what is said where none is."""

import shlex
import subprocess
import sys
import types
from pathlib import Path

import pytest

from wdfdma import BugCheck, Machine
from wdfdma.replay import find_command, find_scenario_command, shorten_path

SCRIPT = """
import sys
from wdfdma import BugCheck, Machine
with Machine() as machine:
    try:
        transaction = machine.device().enabler().transaction()
        transaction.initialize(machine.mdl(4096), program_dma=lambda *transfer: None)
        transaction.execute()
        transaction.release()
    except BugCheck as error:
        rows = error.report().splitlines()
        print(next(row for row in rows if row.startswith("  replay")).removeprefix("  replay      "))
        print(sys.argv[1:])
"""


def halt() -> BugCheck:
    with Machine() as machine:
        transaction = machine.device().enabler().transaction()
        transaction.initialize(machine.mdl(4096), program_dma=lambda *_transfer: None)
        transaction.execute()
        with pytest.raises(BugCheck) as caught:
            transaction.release()
    return caught.value


def get_line(page: str) -> str:
    (line,) = [line for line in page.splitlines() if line.startswith("  replay ")]
    return line.removeprefix("  replay      ")


def become_program(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """No test runs, as far as the environment says."""
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    monkeypatch.chdir(folder)


@pytest.mark.parametrize("name", ["plain", "with two  spaces", "it's; rm -rf $HOME"])
def test_a_test_names_itself(name: str, request: pytest.FixtureRequest) -> None:
    words = shlex.split(get_line(halt().report()))
    assert words[:3] == ["python", "-m", "pytest"]
    path, _, node = words[3].partition("::")
    assert not Path(path).is_absolute()
    assert Path(path).resolve() == Path(__file__).resolve()
    assert node == request.node.nodeid.partition("::")[2]
    assert name in node


def test_a_test_is_found_from_another_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    path, _, node = shlex.split(find_command())[3].partition("::")
    assert not Path(path).is_absolute()
    assert Path(path).resolve() == Path(__file__).resolve()
    assert node == "test_a_test_is_found_from_another_folder"


def test_the_line_of_a_test_runs_it(tmp_path: Path) -> None:
    test = tmp_path / "test_driver.py"
    body = SCRIPT.replace("\n", "\n    ").replace("sys.argv[1:]", "'ran'")
    test.write_text(f"def test_it():{body}\n")
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-p", "no:cacheprovider", "."]
    first = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    line = next(row for row in first.stdout.splitlines() if row.startswith("python "))
    assert line == "python -m pytest test_driver.py::test_it"
    words = [sys.executable, *shlex.split(line)[1:], "-s", "-p", "no:cacheprovider"]
    again = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert line in again.stdout


@pytest.mark.parametrize("arguments", [[], ["a b", "$HOME", "it's"]])
@pytest.mark.parametrize("absolute", [False, True])
def test_a_script_names_its_arguments(tmp_path: Path, arguments: list[str], absolute: bool) -> None:
    script = tmp_path / "my driver.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-B", str(script) if absolute else script.name, *arguments]
    first = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    line, said = first.stdout.splitlines()
    assert line == shlex.join(["python", "-B", "my driver.py", *arguments])
    assert said == str(arguments)
    words = [sys.executable, *shlex.split(line)[1:]]
    again = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert again.stdout == first.stdout


def test_a_module_and_code(tmp_path: Path) -> None:
    (tmp_path / "driver.py").write_text(SCRIPT)
    for words in (["-m", "driver", "x y"], ["-X", "utf8", "-c", "import driver", "z"]):
        command = [sys.executable, *words]
        out = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert shlex.split(out.stdout[: out.stdout.rindex("[")]) == ["python", *words]


def test_a_program_by_the_standard_input(tmp_path: Path) -> None:
    for words in ([], ["-"]):
        command = [sys.executable, *words]
        out = subprocess.run(
            command, input=SCRIPT, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert out.stdout.splitlines()[0] == "the same program again, by the standard input"


def test_a_command_goes_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    become_program(monkeypatch, tmp_path)
    tool = tmp_path / "mytool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    monkeypatch.setattr(sys, "orig_argv", ["/usr/bin/python3", str(tool), "one two"])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_command() == "mytool 'one two'"
    monkeypatch.setenv("PATH", "")
    assert find_command() == "python mytool 'one two'"


def test_a_script_after_a_change_of_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    become_program(monkeypatch, tmp_path)
    main = types.ModuleType("__main__")
    main.__file__ = str(tmp_path / "driver.py")
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    monkeypatch.setitem(sys.modules, "__main__", main)
    monkeypatch.setattr(sys, "orig_argv", ["python", "driver.py", "x"])
    assert shlex.split(find_command()) == ["python", str(Path("..") / "driver.py"), "x"]


def test_where_there_is_no_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    become_program(monkeypatch, tmp_path)
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    assert find_command() == "the same calls again at the prompt"
    shell = types.ModuleType("IPython")
    monkeypatch.setattr(shell, "get_ipython", object, raising=False)
    monkeypatch.setitem(sys.modules, "IPython", shell)
    assert find_command() == "the same inputs again, from the one that makes the machine on"
    monkeypatch.setitem(sys.modules, "ipykernel", types.ModuleType("ipykernel"))
    assert find_command() == "the same cells again, from the one that makes the machine on"
    monkeypatch.setattr(shell, "get_ipython", lambda: None)
    monkeypatch.delattr(sys, "ps1")
    monkeypatch.setattr(sys, "orig_argv", [])
    assert find_command() == "the same program again"


def test_a_scenario(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_scenario_command("a.jsonl:3") == "wdfdma run a.jsonl:3"
    assert find_scenario_command(str(tmp_path / "a b.json")) == "wdfdma run 'a b.json'"
    assert find_scenario_command("-a.json") == "wdfdma run ./-a.json"
    assert find_scenario_command("<stdin>:2") == "wdfdma run -, with the same standard input"
    assert shorten_path("x/y.py") == "x/y.py"
