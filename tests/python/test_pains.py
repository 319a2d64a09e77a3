"""The field's pains: each failing story ends with what its script names, each mended one well."""

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from wdfdma import (
    DmaTransaction,
    Machine,
    Rule,
    Severity,
    get_rule_info,
)

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "pains"
SCRIPTS = sorted(FOLDER.glob("*.py"))

DEVICE_RULES = {Rule.DEVICE_AFTER_COMPLETION, Rule.DEVICE_AFTER_FREE, Rule.DEVICE_OUTSIDE_LIST}
FOLLOWED_BY = dict.fromkeys(DEVICE_RULES, Rule.DMA_26) | {
    Rule.STATUS_IGNORED: Rule.WDF_DMA_FATAL_ERROR
}

each_script = pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)


class Tape:
    """How much of its buffer each completed transaction of a story moved."""

    def __init__(self) -> None:
        self.ends: list[tuple[int, int]] = []  # bytes transferred, of how many

    def note(self, name: str, answer: Any, transaction: Any) -> None:
        if answer.completed and name != "dma_completed_final":
            info = transaction.get_info()
            self.ends.append((info.bytes_transferred, info.length))

    def wrap(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def noted(target: Any, *arguments: Any, **settings: Any) -> Any:
            answer = call(target, *arguments, **settings)
            self.note(name, answer, target)
            return answer

        return noted


@pytest.fixture
def tape(monkeypatch: pytest.MonkeyPatch) -> Tape:
    tape = Tape()
    for name in ("dma_completed", "dma_completed_with_length", "dma_completed_final"):
        monkeypatch.setattr(DmaTransaction, name, tape.wrap(name, getattr(DmaTransaction, name)))
    return tape


def load(script: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"pains_{script.stem}", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def list_rules(machine: Machine) -> list[Rule]:
    return [violation.rule for violation in machine.violations]


def get_ending(module: ModuleType) -> str:
    """What the README's table says of a script."""
    return get_rule_info(module.RULE).name


def check_rule(machine: Machine, rule: Rule) -> None:
    rules = list_rules(machine)
    if rule == Rule.NEVER_COMPLETED:  # of each transaction that leaks
        assert set(rules) == {rule}
    else:
        assert rules == [rule, *([FOLLOWED_BY[rule]] if rule in FOLLOWED_BY else [])]
    assert machine.halted == (get_rule_info(rules[-1]).severity == Severity.BUGCHECK)


@each_script
def test_failing(script: Path) -> None:
    module = load(script)
    with module.failing() as machine:
        check_rule(machine, module.RULE)
        machine.check()


@each_script
def test_mended(script: Path, tape: Tape) -> None:
    with load(script).mended() as machine:
        assert list_rules(machine) == []
        assert not machine.halted
        assert tape.ends
        assert all(done == length > 0 for done, length in tape.ends)
        assert machine.state.free_registers == machine.state.map_registers
        assert machine.state.mappings == 0
        assert machine.pool.waiters() == []
        machine.check()


@each_script
def test_mended_leaks_nothing(script: Path) -> None:
    with load(script).mended() as machine:
        assert machine.check_leaks() == []


@each_script
def test_script_tells_both_stories(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = compile(script.read_text(encoding="utf-8"), str(script), "exec")
    exec(code, {"__name__": "__main__"})
    told = capsys.readouterr().out
    assert get_ending(load(script)) in told
    assert "mended:" in told


@each_script
def test_docstring_names_the_source(script: Path) -> None:
    text = load(script).__doc__
    assert text is not None
    assert re.search(r"^Source: ", text, re.MULTILINE)
    assert len(script.read_text(encoding="utf-8").splitlines()) <= 60


def test_corrupted_page() -> None:
    assert load(FOLDER / "p04_released_in_transfer.py").corrupting() == b"late"


def test_table_has_every_script() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:-1] for line in text.splitlines() if re.match(r"\| \d", line)]
    table = {row[1].strip(" `"): row for row in rows}
    assert sorted(table) == [script.name for script in SCRIPTS]
    for script in SCRIPTS:
        pain, _, ending, fix = (cell.strip() for cell in table[script.name])
        assert pain.startswith(f"{int(script.stem[1:3])}. ")
        assert ending == get_ending(load(script))
        assert fix


def test_no_pain_is_forgotten() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    shown = {int(script.stem[1:3]) for script in SCRIPTS}
    named = {int(number) for number in re.findall(r"^- (\d+),", text, re.MULTILINE)}
    assert shown | named == set(range(1, 23))
    assert not shown & named
