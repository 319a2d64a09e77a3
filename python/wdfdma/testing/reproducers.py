"""A failing case as a scenario: its calls from a journal, run, and kept only where they show the same failure.

What a rule says, the scenario breaks too, in the same call, and has no step that this does not need. Where no rule is
broken, but a read has not brought the right bytes, the scenario has all calls, and its last step looks at the first
byte that is wrong; its log has what should be there: it is the difference that `wdfdma run --check` tells. What neither
can say has no scenario.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wdfdma._native import ffi, lib
from wdfdma.enums import ObjectType, Op, Rule
from wdfdma.journal import read_journal
from wdfdma.problems import ScenarioError
from wdfdma.record_json import copy_bugcheck, copy_violations
from wdfdma.rules import get_rule_info
from wdfdma.run import Run, check_leaks, execute_scenario
from wdfdma.scenario import Scenario
from wdfdma.shrinking import shrink
from wdfdma.signatures import find_signature
from wdfdma.testing.cases import CRASH, EXCEPTION, FAILURES, CaseResult
from wdfdma.testing.drivers import Driver

Broken = list[tuple[Rule, ObjectType, Op]]
Source = dict[str, Any]

_JOURNAL_BYTES = 1 << 24
_NEVER_COMPLETED = FAILURES.index("never completed")
_WRONG_DATA = FAILURES.index("wrong data")
_WRONG_INFORMATION = FAILURES.index("wrong information")


@dataclass(frozen=True, slots=True)
class Reproducer:
    """What a failing case is without its driver.

    [source] is a scenario with its log, as JSON has it, or None, and [tells] says what it shows, or why there is none.
    [omitted] is what the driver did and the scenario does not.
    """

    source: Source | None
    tells: str
    omitted: list[str]


@dataclass(slots=True)
class _Watched:
    """What came of a case on its machine: the rules that it broke, and the first byte that is not as it should be."""

    broken: Broken
    byte: tuple[int, int, int, int] | None  # its request and place, what it should be and is
    is_cut: bool = False  # the journal did not hold all


def make_reproducer(
    driver: Driver, case: bytes, name: str = "", *, shrinks: bool = True
) -> Reproducer:
    """Runs [case] once more with a journal, and makes a scenario of it that has this [name].

    Where it [shrinks], what the worst broken rule does not need is left out; else all calls of [driver] are there.
    A driver that ends its process is not for this. Errors: StatusError without memory.
    """
    with tempfile.TemporaryDirectory(prefix="wdfdma-") as folder:
        path = Path(folder) / "journal"
        result, watched = _watch(driver, case, path)
        if not result.has_failed:
            return Reproducer(None, "the case does not fail when it is run again", [])
        if watched.is_cut:
            return Reproducer(None, "no scenario: the driver makes too many calls", [])
        try:
            journal = read_journal(path)
        except ScenarioError as error:
            return Reproducer(None, f"no scenario: {error.lines[0]}", [])
    source = {"name": name, **journal.scenario.source}
    if result.signature.failure == _NEVER_COMPLETED:
        source["check_leaks"] = True
    omitted = list(dict.fromkeys(journal.omitted))
    try:
        made, tells = _show(source, result, watched)
        if shrinks and made is not None and watched.broken:
            made = _shrink(made)
    except ScenarioError as error:
        return Reproducer(None, f"no scenario: {error.lines[0]}", omitted)
    return Reproducer(made, tells, omitted)


def _watch(driver: Driver, case: bytes, path: Path) -> tuple[CaseResult, _Watched]:
    watched = _Watched([], None)

    def begin(machine: Any) -> None:
        if lib.wdfdma_journal_begin(machine, os.fsencode(path), _JOURNAL_BYTES):
            raise OSError(f"no journal can be written: {path}")

    def look(machine: Any, result: CaseResult) -> None:
        watched.byte = _look_at_byte(machine, result)
        is_full = ffi.new("bool *")
        lib.wdfdma_journal_get_bytes(machine, is_full)
        watched.is_cut = is_full[0]
        lib.wdfdma_journal_end(machine)
        if result.signature.failure == _NEVER_COMPLETED:
            check_leaks(machine)
        watched.broken = _list_broken(copy_violations(machine), copy_bugcheck(machine))

    return driver.watch(case, begin, look), watched


def _look_at_byte(machine: Any, result: CaseResult) -> tuple[int, int, int, int] | None:
    """The first byte that a read did not bring, or brought wrong; None where that is not what failed."""
    is_short = result.signature.failure == _WRONG_INFORMATION and result.actual < result.expected
    if not is_short and result.signature.failure != _WRONG_DATA:
        return None
    out = ffi.new("wdfdma_workload_byte *")
    if not lib.wdfdma_workload_get_byte(machine, result.request, result.actual, out):
        return None
    return out.label, result.actual, out.expected, out.actual


def _list_broken(violations: list[Any], bugcheck: Any) -> Broken:
    records = [*violations, *([] if bugcheck is None else [bugcheck])]
    return [(record.rule, record.object_type, record.op) for record in records]


def _show(source: Source, result: CaseResult, watched: _Watched) -> tuple[Source | None, str]:
    """The scenario with its log, or None, and what is to be said of it. Errors: ScenarioError."""
    failure = result.signature.failure
    if failure == EXCEPTION:
        return None, "no scenario: the exception is the driver's own"
    if failure == CRASH:
        return None, "no scenario: the driver ends its process by itself"
    run = execute_scenario(source)
    if watched.broken:
        if _list_broken(run.violations, run.bugcheck) != watched.broken:
            return None, "no scenario: what the driver did besides its calls has a part in it"
        return source | {"log": run.log}, f"breaks {_name_broken(run)}"
    if watched.byte is not None:
        return _show_byte(source, *watched.byte)
    return None, "no scenario: no rule is broken, and no buffer has a wrong byte"


def _shrink(source: Source) -> Source:
    """The shortest scenario that breaks the same, with its log: a driver makes calls that its mistake does not need."""
    small = shrink(Scenario.parse(source))
    return small.source | {"name": source["name"], "log": execute_scenario(small).log}


def _name_broken(run: Run) -> str:
    """The worst of what a run breaks: its rule and the call."""
    signature = find_signature(run)
    assert signature is not None
    known = signature.rule != Rule.NONE
    name = get_rule_info(signature.rule).name if known else f"0x{signature.code:X}"
    return f"{name} in {signature.op.label}" if signature.op else name


def _show_byte(
    source: Source, request: int, at: int, expected: int, actual: int
) -> tuple[Source | None, str]:
    """The scenario that looks at byte [at] of what [request] reads."""
    steps = source["steps"]
    made = next(
        step for step in steps if step["op"] == "request_create" and step["request"] == request
    )
    look = {"op": "mdl_read", "buffer": made["buffer"], "offset": at, "length": 1}
    source = source | {"steps": [*steps, look]}
    run = execute_scenario(source)
    record = _find_last(run)
    if record is None or record.get("returns") != actual or actual == expected:
        return None, "no scenario: a device's step writes one value, and this byte is another"
    record["returns"] = expected
    tells = f"byte {at} of buffer {made['buffer']} is {actual}, and should be {expected}"
    return source | {"log": run.log}, f"{tells}: wdfdma run --check tells it"


def _find_last(run: Run) -> dict[str, Any] | None:
    """The record of the last step."""
    reads: list[dict[str, Any]] = [
        record for record in run.log if record.get("op") == "mdl_read" and "event" not in record
    ]
    return reads[-1] if reads else None
