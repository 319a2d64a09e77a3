"""A mutation run over the HAL and the framework: `python tests/mutation/run.py --sample N --seed S --out FILE`.

Every mutant judged is a line of FILE, which a later run with the same sources continues. `--again` judges what lives
once more, with the tests of today; `table.py FILE` counts.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from judges import NAMES, Judges
from mutants import Mutant, find_all, mutate, weave

REPOSITORY = Path(__file__).resolve().parents[2]
COPIED = ("CMakeLists.txt", "pyproject.toml", "cmake", "libwdfdma", "python", "tests/c")
CHOICE = """
#define HIDDEN __attribute__((visibility("hidden")))
extern HIDDEN int wdfdma_mutant;
extern HIDDEN unsigned char *wdfdma_reached;
#define MUTANT(number) (wdfdma_reached[number] = 1, wdfdma_mutant == (number))
"""
# Compiled to see whether a mutant in a header is one at all.
INCLUDERS = {"hal/hal.h": "hal/pool.c", "hal/wdm_front.h": "hal/wdm_map.c"}
INCLUDERS["framework/framework.h"] = "framework/cycle.c"


class Work:
    """The folder of a run: a copy of the sources, woven and plain, and the build."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.build = folder, folder / "build"
        self.sources = folder / "copy" / "libwdfdma" / "src"
        self.original = REPOSITORY / "libwdfdma" / "src"
        _write(folder / "mutant.h", CHOICE.encode())

    def compile(self, content: bytes, mutant: Mutant, place: Path, *flags: str) -> bytes | None:
        """The object code of a source with this content, in [place], a folder of the caller's; None: it has none."""
        if not place.exists():
            shutil.copytree(self.original, place / "src")
        changed = place / "src" / mutant.file
        changed.write_bytes(content)
        unit = place / "src" / INCLUDERS.get(mutant.file, mutant.file)
        include = REPOSITORY / "libwdfdma" / "include"
        made = place / "unit.o"
        command = ["gcc", "-std=c11", "-w", "-fPIC", "-fvisibility=hidden", *flags]
        command += ["-DWDFDMA_BUILD=1", "-DWDFDMA_ASSERTS=0", "-DWDFDMA_HOSTILE=0"]
        command += [f"-I{place / 'src'}", f"-I{include}", f"-I{include / 'wdk'}"]
        command += ["-c", str(unit), "-o", str(made)]
        run = subprocess.run(command, capture_output=True, check=False)
        shutil.copy(self.original / mutant.file, changed)
        return made.read_bytes() if run.returncode == 0 and made.exists() else None

    def is_compilable(self, mutant: Mutant, place: Path) -> bool:
        woven = weave((self.original / mutant.file).read_bytes(), [(1, mutant)])
        flags = ("-include", str(self.folder / "mutant.h"), "-O0")
        return self.compile(woven, mutant, place, *flags) is not None

    def is_same_code(self, mutant: Mutant, place: Path) -> bool:
        """Whether the compiler makes the same of it as of the original, optimizing and without asserts."""
        content = (self.original / mutant.file).read_bytes()
        if mutant.file.endswith(".h"):
            return False
        before = self.compile(content, mutant, place, "-O2")
        after = self.compile(mutate(content, mutant), mutant, place, "-O2")
        return before is not None and before == after

    def make(self, numbered: list[tuple[int, Mutant]]) -> None:
        """Builds library, package and C tests with all of [numbered] in them; what is as it was is not made anew."""
        for name in COPIED:
            source, target = REPOSITORY / name, self.folder / "copy" / name
            for path in [source] if source.is_file() else source.rglob("*"):
                if path.is_file() and "__pycache__" not in path.parts:
                    _write(target / path.relative_to(source), path.read_bytes())
        chooser = (Path(__file__).parent / "chooser.c").read_bytes()
        for file in {mutant.file for _, mutant in numbered} | {"hal/hal.c"}:
            inside = [pair for pair in numbered if pair[1].file == file]
            content = weave((self.original / file).read_bytes(), inside)
            _write(self.sources / file, content + chooser * (file == "hal/hal.c"))
        command = ["cmake", "-S", str(self.folder / "copy"), "-B", str(self.build), "-G", "Ninja"]
        command += ["-DCMAKE_BUILD_TYPE=Debug", "-DWDFDMA_ASSERTS=ON", "-DWDFDMA_IPO=OFF"]
        command += [
            "-DWDFDMA_PYTHON=ON",
            "-DWDFDMA_TESTS=ON",
            f"-DPython_EXECUTABLE={sys.executable}",
        ]
        command += [f"-DCMAKE_C_FLAGS=-O1 -g0 -w -include {self.folder / 'mutant.h'}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["ninja", "-C", str(self.build), "--quiet"], check=True)


def _write(path: Path, content: bytes) -> None:
    """Leaves a file alone that has this content."""
    if not path.is_file() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def draw_sample(work: Work, size: int, seed: int, jobs: int) -> list[Mutant]:
    """The first [size] of a shuffled list of all mutants that compile."""
    everything = find_all(work.original)
    print(f"{len(everything):,} mutants", flush=True)
    random.Random(seed).shuffle(everything)
    places = [work.folder / f"place{job}" for job in range(jobs)]
    for place in places:  # of an earlier run, whose sources may have been others
        shutil.rmtree(place, ignore_errors=True)

    def try_all(job: int) -> list[tuple[int, Mutant]]:
        part = list(enumerate(everything[: size + size // 4]))[job::jobs]
        return [pair for pair in part if work.is_compilable(pair[1], places[job])]

    with ThreadPoolExecutor(jobs) as pool:
        found = sorted(
            (p for part in pool.map(try_all, range(jobs)) for p in part), key=lambda p: p[0]
        )
    return [mutant for _, mutant in found[:size]]


def read_log(path: Path) -> dict[str, dict[str, Any]]:
    """The last line of each mutant, by its key."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {entry["key"]: entry for entry in map(json.loads, lines)}


def is_killed(entry: dict[str, Any]) -> bool:
    return any(verdict["killed"] for verdict in entry["verdicts"].values())


def judge_all(
    work: Work,
    judges: Judges,
    todo: list[tuple[int, Mutant]],
    known: dict[str, dict[str, Any]],
    out: Path,
    jobs: int,
    until: float,
) -> None:
    """Workers take the numbers out of one pipe, and append what they find to [out]."""
    judges.prepare(max((number for number, _ in todo), default=0))
    print(f"no mutant: all tests pass; {len(todo)} to judge", flush=True)
    reader, writer = os.pipe()
    by_number = dict(todo)
    workers = []
    for job in range(jobs):
        workers.append(os.fork())
        if workers[-1] == 0:
            os.close(writer)
            be_first_to_go()
            place = work.folder / f"place{job}"
            while data := os.read(reader, 4):
                number = struct.unpack("=I", data)[0]
                if time.monotonic() < until:
                    mutant = by_number[number]
                    before = known.get(mutant.key, {})
                    append(out, judge_one(work, judges, number, mutant, place, before))
            os._exit(0)
    os.close(reader)
    for number, _ in todo:
        os.write(writer, struct.pack("=I", number))
    os.close(writer)
    for worker in workers:
        os.waitpid(worker, 0)


def judge_one(
    work: Work,
    judges: Judges,
    number: int,
    mutant: Mutant,
    place: Path,
    before: dict[str, Any],
) -> dict[str, Any]:
    """What the judges say now, beside what those who are not asked said before."""
    begun = time.monotonic()
    verdicts = judges.judge(number)
    lives = not any(verdict.killed for verdict in verdicts.values())
    return {
        **asdict(mutant),
        "number": number,
        "seconds": round(time.monotonic() - begun, 1),
        "same_code": lives and work.is_same_code(mutant, place),
        "verdicts": {
            **before.get("verdicts", {}),
            **{name: asdict(verdict) for name, verdict in verdicts.items()},
        },
    }


def be_first_to_go() -> None:
    """A mutant may fill all memory there is: the system then ends its test, and nothing else."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def append(out: Path, entry: dict[str, Any]) -> None:
    with out.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=500, help="how many mutants that compile")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="the log, JSON lines; continued")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=1e6, help="begin with no mutant later")
    parser.add_argument("--again", action="store_true", help="only those that live in the log")
    parser.add_argument("--judges", nargs="+", choices=NAMES, default=NAMES, help="only these")
    parser.add_argument("--work", type=Path, default=Path("build/mutation"), help="a folder")
    options = parser.parse_args()
    until = time.monotonic() + 60 * options.minutes
    work = Work(options.work.resolve())
    sample = draw_sample(work, options.sample, options.seed, options.jobs)
    numbered = list(enumerate(sample, 1))
    work.make(numbered)
    known = read_log(options.out)
    if options.again:
        alive = {key for key, entry in known.items() if not is_killed(entry)}
        todo = [pair for pair in numbered if pair[1].key in alive]
    else:
        todo = [pair for pair in numbered if pair[1].key not in known]
    judges = Judges(REPOSITORY, work.build, options.judges)
    judges.inside_pytest(
        lambda: judge_all(work, judges, todo, known, options.out, options.jobs, until)
    )


if __name__ == "__main__":
    main()
