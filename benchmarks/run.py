"""Runs the measuring programs and writes the table of README.md. Builds nothing.

PYTHONPATH=build/bench/site python benchmarks/run.py build/bench [--json FILE] [--no-readme]
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).parent
README = HERE / "README.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
PROGRAMS = ("bench_cycle", "bench_growth", "bench_memory")

Values = dict[str, float]


@dataclass(frozen=True, slots=True)
class Target:
    """What a row must reach: at most, or at least, [bound]."""

    bound: float
    at_least: bool = False

    def is_met(self, value: float) -> bool:
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. [value] and [ratio] name results; [target] is for the ratio, or else for the value."""

    what: str
    value: str
    unit: str = "ns"
    ratio: str | None = None
    ratio_unit: str = ""
    target: Target | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A row with its numbers."""

    what: str
    value: str
    ratio: str
    target: str
    met: str


def make_cycle_rows() -> list[Row]:
    names = {
        "packet": ("packet", 12),
        "packet_2": ("packet, version 2", None),
        "reserved": ("packet, reserved", 9),
        "scatter_gather": ("scatter/gather", 10),
        "scatter_gather_2": ("scatter/gather, version 2", None),
        "scatter_gather_64": ("scatter/gather without registers", 10),
        "system": ("system", 14),
        "system_callback": ("system, completed in the callback", 14),
        "system_4_calls": ("system, without the controller", None),
    }
    rows = [Row("the floor", "packet.floor_ns")]
    for name, (what, bound) in names.items():
        target = None if bound is None else Target(bound)
        rows.append(Row(f"cycle: {what}", f"{name}.ns", "ns", f"{name}.floors", "floors", target))
        rows.append(
            Row("— its quietest tenth", f"{name}.ns", "", f"{name}.quiet_floors", "floors", target)
        )
    ratio, unit = "packet.of_unwatched", "of the unwatched"
    rows.append(
        Row("cycle: packet, rules on", "packet_unwatched.ns", "ns", ratio, unit, Target(1.25))
    )
    rows.append(
        Row(
            "cycle: packet, its coverage collected",
            "packet_counted.ns",
            "ns",
            "packet.counted",
            "of the uncounted",
        )
    )
    return rows


def make_growth_rows() -> list[Row]:
    """Each size against the smallest; the fragmented pool is shown, and has no target."""
    sizes = {
        "transactions": ("with {:,} other transactions", (1_000, 100_000), Target(2)),
        "pool": ("a pool of {:,}", (1_024, 16_384, 262_144, 1_048_576), Target(2)),
        "pool_fragmented": ("a fragmented pool of {:,}", (16_384, 262_144, 1_048_576), None),
        "waiters": ("{:,} waiting for another channel", (1_000, 100_000), Target(2)),
        "waiters_reserved": ("reserved, {:,} waiting for registers", (1_000, 100_000), Target(2)),
        "waiters_cancel": ("waits behind {:,}, is cancelled", (1_000, 100_000), Target(2)),
    }
    return [
        Row(
            f"cycle: {what.format(size)}",
            f"{name}.{size}.ns",
            "ns",
            f"{name}.{size}.growth",
            "of the smallest",
            target,
        )
        for name, (what, several, target) in sizes.items()
        for size in several
    ]


def make_memory_rows() -> list[Row]:
    rows = []
    for size in (0, 1_000, 10_000, 100_000):
        name = f"snapshot.{size}"
        what = f"{size:,} transactions"
        rows += [
            Row(f"used: {what}", f"{name}.bytes", "bytes"),
            Row(
                f"restore: {what}",
                f"{name}.memcpy_us",
                "µs memcpy",
                f"{name}.restore_memcpys",
                "memcpys",
                Target(1.5),
            ),
            Row(
                f"snapshot: {what}",
                f"{name}.memcpy_us",
                "µs memcpy",
                f"{name}.create_memcpys",
                "memcpys",
            ),
        ]
    for pages in (64, 256, 1024):
        for profile in ("packet", "scatter_gather"):
            for direction in ("read", "write"):
                name = f"bounce_{profile}_{direction}.{pages}"
                what = f"bounce: {profile.replace('_', '/')}, {direction}, {pages} pages"
                share, target = f"{name}.of_memcpy", Target(0.9, at_least=True)
                rows.append(Row(what, f"{name}.gb_per_s", "GB/s", share, "of memcpy", target))
    rows.append(Row("a machine made and ended", "machine.64.us", "µs", target=Target(100)))
    rows.append(Row("— with 1,048,576 registers", "machine.1048576.us", "µs"))
    for name in ("packet.100000", "packet.1000000", "scatter_gather.100000", "system.100000"):
        profile, _, count = name.partition(".")
        what = f"an idle transaction: {profile.replace('_', '/')}, one of {int(count):,}"
        rows.append(Row(what, f"idle_{name}.bytes", "bytes", target=Target(512)))
    return rows


def make_python_rows() -> list[Row]:
    calls = {
        "get": ("`get_bytes_transferred()`", Target(2)),
        "set": ("`set_immediate_execution(True)`", Target(2)),
        "cycle": ("packet cycle, callback included", None),
    }
    rows = [
        Row(
            f"Python: {what}",
            f"python_{name}.ns",
            "ns",
            f"python_{name}.of_bare",
            "of bare CFFI",
            target,
        )
        for name, (what, target) in calls.items()
    ]
    return [
        *rows,
        Row(
            "`from wdfdma import Machine`, NumPy imported before",
            "import_beside_numpy.ms",
            "ms",
            target=Target(100),
        ),
        Row("`from wdfdma import Machine`", "import.ms", "ms"),
        Row("scenarios replayed", "replay.scenarios_per_s", "/s"),
        Row("steps replayed", "replay.steps_per_s", "/s"),
        Row("`wdfdma run --check`, all recordings", "replay.command_s", "s", target=Target(2)),
        Row(
            "Hypothesis: steps of `DmaStateMachine`",
            "hypothesis.steps_per_s",
            "/s",
            "hypothesis.of_idle",
            "of rules that do nothing",
            Target(0.85, at_least=True),
        ),
        *(
            Row(
                f"`wdfdma fuzz {driver}`: cases",
                f"fuzz_{driver.replace('-', '_')}.cases_per_s",
                "/s",
                f"fuzz_{driver.replace('-', '_')}.of_drawn",
                "of cases that Hypothesis draws",
                Target(20, at_least=True),
            )
            for driver in ("packet", "scatter-gather", "system")
        ),
    ]


def run_program(command: list[str]) -> Values:
    """The names and values that a program prints."""
    print(f"running {Path(command[-1]).name}", file=sys.stderr)
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    pairs = (line.split("\t") for line in output.splitlines())
    return {name: float(value) for name, value in pairs}


def find_program(build: Path, name: str) -> Path:
    for path in (build / "benchmarks" / name, build / name):
        for candidate in (path, path.with_suffix(".exe")):
            if candidate.is_file():
                return candidate
    raise SystemExit(f"{build}: no {name}; configure with -DWDFDMA_BENCHMARKS=ON and build")


def show_number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def make_line(row: Row, values: Values) -> Line:
    value = f"{show_number(values[row.value])} {row.unit}" if row.unit else ""
    ratio = f"{values[row.ratio]:.3g} {row.ratio_unit}" if row.ratio else ""
    if row.target is None:
        return Line(row.what, value, ratio, "", "")
    met = row.target.is_met(values[row.ratio or row.value])
    return Line(row.what, value, ratio, str(row.target), "yes" if met else "**no**")


def describe_computer(build: Path) -> str:
    """Processor, system and compiler, and nothing that names this very computer."""
    parts = [find_processor(), f"{os.cpu_count()} processors", find_system(), find_compiler(build)]
    return ", ".join(part for part in parts if part) + f", Python {platform.python_version()}."


def find_processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def find_system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}"


def find_compiler(build: Path) -> str:
    """As CMake found it: its kind, its version, and the build type."""
    kind = version = ""
    for path in sorted(build.glob("CMakeFiles/*/CMakeCCompiler.cmake")):
        for line in path.read_text().splitlines():
            if line.startswith("set(CMAKE_C_COMPILER_ID "):
                kind = line.split('"')[1]
            elif line.startswith("set(CMAKE_C_COMPILER_VERSION "):
                version = line.split('"')[1]
    options = []
    for line in (build / "CMakeCache.txt").read_text().splitlines():
        if line.startswith(("CMAKE_BUILD_TYPE:", "WDFDMA_IPO:")):
            options.append(
                line.partition(":")[0].removeprefix("CMAKE_") + " " + line.partition("=")[2]
            )
    return " ".join([kind, version, *(f"({option})" for option in sorted(options))])


def write_readme(lines: list[Line], computer: str) -> None:
    table = ["| what | value | ratio | target | met |", "| --- | ---: | ---: | ---: | --- |"]
    table += [f"| {x.what} | {x.value} | {x.ratio} | {x.target} | {x.met} |" for x in lines]
    before, _, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    text = "\n".join([f"{before}{BEGIN}", f"Measured on: {computer}", "", *table, f"{END}{after}"])
    README.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("build", type=Path, help="the folder that CMake built in")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results here")
    parser.add_argument("--no-readme", action="store_true", help="print the table only")
    arguments = parser.parse_args()
    values: Values = {}
    for name in PROGRAMS:
        values |= run_program([str(find_program(arguments.build, name))])
    for script in ("python_calls.py", "hypothesis_steps.py", "fuzz_cases.py"):
        values |= run_program([sys.executable, str(HERE / script)])
    rows = make_cycle_rows() + make_growth_rows() + make_memory_rows() + make_python_rows()
    lines = [make_line(row, values) for row in rows]
    computer = describe_computer(arguments.build)
    for line in lines:
        print(f"{line.what:58} {line.value:>16} {line.ratio:>24} {line.target:>8} {line.met}")
    if arguments.json is not None:
        document = {
            "computer": computer,
            "values": values,
            "table": [asdict(line) for line in lines],
        }
        arguments.json.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    if not arguments.no_readme:
        write_readme(lines, computer)


if __name__ == "__main__":
    main()
