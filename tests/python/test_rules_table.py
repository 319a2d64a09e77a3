"""The tables of rules and statuses: what follows from them is current, and what they say is so."""

import importlib.util
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from wdfdma import Rule, Severity, Status, list_rules, list_statuses
from wdfdma.enums import RuleEnding
from wdfdma.explain import Entry

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "libwdfdma" / "src"
MAKER = ROOT / "libwdfdma" / "make_rules.py"


def load_maker() -> Any:
    spec = importlib.util.spec_from_file_location("make_rules", MAKER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_made_from_the_tables_is_current() -> None:
    done = subprocess.run(
        [sys.executable, str(MAKER), "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "current\n"), done.stdout + done.stderr


def test_what_is_stale_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    maker = load_maker()
    for name in ("PAGE", "STATUS_PAGE", "HEADER"):
        text = getattr(maker, name).read_text(encoding="utf-8")
        stale = tmp_path / getattr(maker, name).name
        for word in ("NO_ADAPTER", "NoAdapter", "0xC0200204"):
            text = text.replace(word, "X")
        stale.write_text(text, encoding="utf-8")
        setattr(maker, name, stale)
    assert maker.main(["--check"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "rules.h is not what the table says",
        "rules.md is not what the table says",
        "statuses.md is not what the table says",
    ]
    assert maker.main([]) == 0
    assert maker.main(["--check"]) == 0


def test_names_ids_and_codes_are_unique() -> None:
    rules = list_rules()
    assert len(rules) == max(rule for rule in Rule) == len({info.rule for info in rules})
    for names in (
        [info.name for info in rules],
        [info.rule.name for info in rules],
        [(info.code, info.parameters) for info in rules],
        [info.cause for info in rules],
    ):
        assert [name for name, count in Counter(names).items() if count > 1] == []


def test_no_rule_hides_another() -> None:
    """Where the parameters of one begin those of another, a code would stand for two."""
    keys = [(info.code, info.parameters) for info in list_rules()]
    for code, parameters in keys:
        for other, longer in keys:
            hides = code == other and longer[: len(parameters)] == parameters
            assert not hides or longer == parameters


@pytest.mark.parametrize("info", list_rules(), ids=lambda info: info.name)
def test_rule_is_told_in_full(info: Any) -> None:
    assert re.fullmatch(r"([A-Z][a-z0-9]*)+", info.name)
    assert all(text == text.strip() and text for text in (info.cause, info.fix, info.source))
    assert info.cause.endswith(".")
    assert info.fix.endswith(".")
    assert info.ending != RuleEnding.ABSENT or "cannot arise" in info.cause
    assert info.severity == Severity.BUGCHECK or not info.code_text
    assert info.meanings == "" or re.match(r"[1-4]: |none", info.meanings)


def test_every_status_of_the_sources_is_in_the_table() -> None:
    used: set[str] = set()
    for path in SOURCE.rglob("*.[ch]"):
        used.update(re.findall(r"\bSTATUS_[A-Z_]+\b", path.read_text(encoding="utf-8")))
    used -= {"STATUS_ENTRY"}
    assert {info.name for info in list_statuses()} == used


def test_statuses_have_their_values() -> None:
    for info in list_statuses():
        assert info.status == Status[info.name]
        assert all((info.calls, info.cause, info.fix, info.source))
        assert info.cause.endswith(".")


def test_sources_name_what_the_documents_have() -> None:
    named = 0
    entries: list[Entry] = [*list_rules(), *list_statuses()]
    for info in entries:
        for page, place in re.findall(r"(docs/[\w/]+\.md)(?:, ([^;]+))?", info.source):
            text = (ROOT / page).read_text(encoding="utf-8")
            if place.startswith("trap "):
                assert re.search(rf"^{place.removeprefix('trap ')}\. ", text, re.MULTILINE)
            elif place.startswith("section "):
                assert f"\n## {place.removeprefix('section ')}. " in text
            else:
                assert not place or f"\n## {place}\n" in text, (info.name, place)
            named += 1
    assert named > 20
