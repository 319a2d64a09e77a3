"""Every example runs: the scripts as they are, the scenarios against their logs, the examples of the docstrings."""

import doctest
import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import wdfdma

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted((ROOT / "examples").glob("*.py"))
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(wdfdma.__path__, "wdfdma.")
    if module.name not in {"wdfdma._ffi", "wdfdma.__main__"}
)


def run_python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, env=environment
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_script_runs(script: Path) -> None:
    done = run_python(str(script))
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_scenarios_match() -> None:
    folder = ROOT / "examples" / "scenarios"
    assert len(list(folder.glob("*.json"))) >= 8
    done = run_python("-m", "wdfdma", "run", "--check", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all match" in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["wdfdma", *MODULES])
def test_docstrings_hold(name: str) -> None:
    outcome = doctest.testmod(importlib.import_module(name))
    assert outcome.failed == 0


def test_there_are_docstring_examples() -> None:
    finder = doctest.DocTestFinder()
    tests = [test for name in MODULES for test in finder.find(importlib.import_module(name))]
    assert sum(len(test.examples) for test in tests) >= 30


def test_readme_block_runs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = text.split("```python\n")[1:]
    assert blocks
    for block in blocks:
        done = run_python("-c", block.split("```")[0])
        assert done.returncode == 0, done.stderr
