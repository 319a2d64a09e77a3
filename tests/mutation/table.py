"""Counts the log of a run: `python tests/mutation/table.py FILE` prints the tables of the README.

A mutant does not count where the compiler makes the same code of it as of the original, or where survivors.md says why
it changes no behaviour.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

SURVIVORS = Path(__file__).with_name("survivors.md")
Z = 1.959964  # of 95 %


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % confidence interval of a share, by Wilson's score.

    >>> [round(bound, 3) for bound in wilson(95, 100)]
    [0.888, 0.978]
    """
    if of == 0:
        return 0.0, 1.0
    share, square = hits / of, Z * Z
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = Z / (1 + square / of) * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    return middle - half, middle + half


def read_equivalent(path: Path = SURVIVORS) -> set[str]:
    """The keys of the mutants that survivors.md proves to change nothing: the first cell of its rows."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    section = text.partition("## Equivalent")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([0-9a-f]{8})` \|", section, re.MULTILINE))


def read_counted(path: Path, equivalent: set[str]) -> tuple[list[dict[str, Any]], Counter[str]]:
    """The mutants that change behaviour, and how many were left out, by the reason."""
    lines = path.read_text(encoding="utf-8").splitlines()
    entries = {entry["key"]: entry for entry in map(json.loads, lines)}
    counted, left_out = [], Counter[str]()
    for key, entry in entries.items():
        killed = any(verdict["killed"] for verdict in entry["verdicts"].values())
        assert not (killed and key in equivalent), f"{key} is explained, and killed"
        if not killed and entry["same_code"]:
            left_out["same code"] += 1
        elif key in equivalent:
            left_out["equivalent"] += 1
        else:
            counted.append(entry)
    return counted, left_out


def _count(entries: Iterable[dict[str, Any]]) -> Counter[str]:
    counts = Counter[str]()
    for entry in entries:
        killers = {name for name, verdict in entry["verdicts"].items() if verdict["killed"]}
        counts["all"] += 1
        counts["conformance"] += "conformance" in killers
        counts["Hypothesis"] += "hypothesis" in killers
        counts["both"] += {"conformance", "hypothesis"} <= killers
        counts["either"] += bool({"conformance", "hypothesis"} & killers)
        counts["any test"] += bool(killers)
    return counts


_JUDGES = ("conformance", "Hypothesis", "both", "either", "any test")


def show_by_file(counted: list[dict[str, Any]]) -> str:
    by_file: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entry in counted:
        by_file[entry["file"]].append(entry)
    rows = ["| file | mutants | " + " | ".join(_JUDGES) + " |", "| --- " * 7 + "|"]
    for name, entries in [*sorted(by_file.items()), ("**all**", counted)]:
        counts = _count(entries)
        cells = [str(counts[judge]) for judge in _JUDGES]
        rows.append(f"| {name} | {counts['all']} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def show_shares(counted: list[dict[str, Any]]) -> str:
    counts = _count(counted)
    rows = ["| killed by | mutants | share | 95 % confidence |", "| --- | --- | --- | --- |"]
    for judge in _JUDGES:
        low, high = wilson(counts[judge], counts["all"])
        share = counts[judge] / max(counts["all"], 1)
        rows.append(f"| {judge} | {counts[judge]} | {share:.1%} | {low:.1%} to {high:.1%} |")
    return "\n".join(rows)


def show_manners(counted: list[dict[str, Any]]) -> str:
    """By the first judge that killed: a test's difference, an assert, a signal, a test that did not end."""
    manners = Counter[str]()
    for entry in counted:
        verdict = next((one for one in entry["verdicts"].values() if one["killed"]), None)
        if verdict is not None:
            signal = re.search(r"SIG[A-Z]+", verdict["said"])
            manners[signal[0] if signal else verdict["how"] or "difference"] += 1
    return ", ".join(f"{how}: {count}" for how, count in manners.most_common())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("--alive", action="store_true", help="print what lives and is unexplained")
    options = parser.parse_args()
    counted, left_out = read_counted(options.log, read_equivalent())
    if options.alive:
        for entry in counted:
            if not any(verdict["killed"] for verdict in entry["verdicts"].values()):
                place = f"{entry['key']} {entry['file']}:{entry['line']} {entry['function']}"
                print(
                    f"{place} ({entry['operator']})\n  - {entry['original']}\n  + {entry['text']}"
                )
        return
    for name, self_check in (("The library", False), ("The machine's self check", True)):
        part = [entry for entry in counted if entry["self_check"] == self_check]
        print(f"### {name}\n\n{show_shares(part)}\n\n{show_by_file(part)}\n")
        print(f"How they died: {show_manners(part)}.\n")
    print(f"Left out: {dict(left_out)}")


if __name__ == "__main__":
    main()
