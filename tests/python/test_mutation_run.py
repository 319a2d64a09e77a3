"""The mutation run's own parts: what it changes, how many changes share one build, how it counts."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from compile_support import build

FOLDER = Path(__file__).parents[1] / "mutation"
SOURCE = """
#include <stdio.h>
static int mutant;
#define MUTANT(number) (mutant == (number))
static int clip(int value, int most) {
    if (value < 0) {
        return 0;
    }
    value = value < most ? value : most;
    return value;
}
int main(void) {
    for (; mutant < LAST; mutant++) {
        printf("%d%d%d ", clip(-5, 3), clip(2, 3), clip(5, 3));
    }
    return 0;
}
"""


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"mutation_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_mutants_in_one_build_are_chosen_one_at_a_time(tmp_path: Path) -> None:
    mutants = load("mutants")
    source = tmp_path / "hal" / "clip.c"
    source.parent.mkdir()
    source.write_text(SOURCE)
    found = [one for one in mutants.find_mutants(tmp_path, source) if one.function == "clip"]
    wanted = {
        "original": (),
        "killed": ("value < most", "value >= most"),
        "equivalent": ("value < most", "value <= most"),
        "a statement": ("value = value < most ? value : most;", ";"),
    }
    chosen = [one for pair in wanted.values() for one in found if (one.original, one.text) == pair]
    woven = mutants.weave(source.read_bytes(), list(enumerate(chosen, 1)))
    source.write_bytes(woven.replace(b"LAST", b"%d" % len(wanted)))
    program = build(tmp_path / "clip", source)
    said = subprocess.run([program], check=True, capture_output=True).stdout.decode()
    assert said.split() == ["023", "035", "023", "025"]
    for one in chosen:
        content = mutants.mutate(SOURCE.encode(), one).decode()
        assert content.count("\n") == SOURCE.count("\n")
        assert one.text in content.splitlines()[one.line - 1]


def test_every_mutant_has_a_key_of_its_own() -> None:
    mutants = load("mutants")
    found = mutants.find_all(FOLDER.parents[1] / "libwdfdma" / "src")
    assert len({one.key for one in found}) == len(found) > 5000
    assert {one.file.split("/")[0] for one in found} == {"hal", "framework"}
    assert not any("WDFDMA_ASSERT" in one.original for one in found)


def test_a_share_of_a_sample_has_an_interval() -> None:
    table = load("table")
    assert [round(bound, 3) for bound in table.wilson(95, 100)] == [0.888, 0.978]
    low, high = table.wilson(0, 10)
    assert low == pytest.approx(0, abs=1e-9)
    assert round(high, 3) == 0.278


def test_what_is_equivalent_does_not_count(tmp_path: Path) -> None:
    table = load("table")
    lives, dies = {"killed": False, "how": ""}, {"killed": True, "how": "difference"}
    entries = [
        {"key": "00000001", "same_code": True, "verdicts": {"conformance": lives}},
        {"key": "00000002", "same_code": False, "verdicts": {"conformance": lives}},
        {"key": "00000003", "same_code": False, "verdicts": {"conformance": lives}},
        {"key": "00000004", "same_code": False, "verdicts": {"conformance": dies}},
        {"key": "00000003", "same_code": False, "verdicts": {"c": dies}},
    ]
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    survivors = tmp_path / "survivors.md"
    survivors.write_text("## Equivalent\n| `00000002` | why |\n\n## Alive\n| `00000003` | no |\n")
    counted, left_out = table.read_counted(log, table.read_equivalent(survivors))
    assert [entry["key"] for entry in counted] == ["00000003", "00000004"]
    assert left_out == {"same code": 1, "equivalent": 1}
    shares = table.show_shares(counted).splitlines()
    assert shares[2].startswith("| conformance | 1 | 50.0% |")
    assert shares[-1].startswith("| any test | 2 | 100.0% |")
