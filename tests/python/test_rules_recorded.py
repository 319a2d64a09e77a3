"""What the rules say of the recordings of the framework's own code: no false alarm, and every alarm right."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from wdfdma import Rule, Scenario, Severity
from wdfdma.rules import Violation
from wdfdma.run import execute_scenario

CONFORMANCE = Path(__file__).parents[1] / "conformance"

# The rules that a driver breaks in canonical scenarios on purpose, though their names have no "traps".
ON_PURPOSE = {
    "wrong state, allocate_resources: transfer_failed": Rule.STATUS_IGNORED,
    "verifier off: release during a transfer frees its registers": Rule.RELEASED_IN_TRANSFER,
}

# How often each rule is broken in random.jsonl.
IN_RANDOM = {
    Rule.WDF_DMA_FATAL_ERROR: 388,
    Rule.VERIFIER_BREAK: 349,
    Rule.BUFFER_SHARED: 76,
    Rule.CANCELLED_RESERVATION_KEPT: 46,
    Rule.IMMEDIATE_LOST: 41,
    Rule.STATUS_IGNORED: 9,
    Rule.RESERVATION_KEPT: 22,
    Rule.RELEASED_IN_TRANSFER: 3,
    Rule.ZERO_LENGTH_LIVELOCK: 1,
}


def run_all(name: str) -> dict[str, tuple[Scenario, list[Violation]]]:
    scenarios = Scenario.load_all(CONFORMANCE / name)
    return {
        scenario.name: (scenario, execute_scenario(scenario).violations) for scenario in scenarios
    }


@pytest.fixture(scope="module")
def random() -> dict[str, tuple[Scenario, list[Violation]]]:
    return run_all("random.jsonl")


def test_canonical_scenarios_raise_no_false_alarm() -> None:
    alarms = {}
    for name, (_, violations) in run_all("canonical.jsonl").items():
        collected = [
            violation.rule
            for violation in violations
            if not violation.stopped and violation.severity != Severity.ADVICE
        ]
        if collected and not name.startswith("traps"):
            alarms[name] = collected
    assert alarms == {name: [rule] for name, rule in ON_PURPOSE.items()}


def test_undefined_scenarios_end_in_a_rule() -> None:
    for name, (_, violations) in run_all("undefined.jsonl").items():
        assert violations, name
        assert violations[-1].stopped, name
        assert violations[-1].severity == Severity.VIOLATION, name


def test_random_scenarios_break_each_rule_as_often_as_recorded(
    random: dict[str, tuple[Scenario, list[Violation]]],
) -> None:
    found = Counter(violation.rule for _, violations in random.values() for violation in violations)
    assert found == IN_RANDOM


# A reading of every firing in the framework's own log: did the driver do what the rule says?


Records = list[dict[str, Any]]


def split_log(log: Records) -> list[Records]:
    """The records of each step, without the snapshots that end them."""
    steps: list[Records] = [[]]
    for record in log:
        if "snapshot" in record:
            steps.append([])
        else:
            steps[-1].append(record)
    return steps


def is_reset(record: dict[str, Any]) -> bool:
    failed = record.get("status", "STATUS_SUCCESS") != "STATUS_SUCCESS"
    return record.get("op") in ("release", "free_resources") or (
        record.get("op") == "initialize" and failed
    )


def lost_immediate_execution(before: Records, now: Records) -> bool:
    """It was set, then reset, and not set again."""
    set_at = [at for at, record in enumerate(before) if record.get("op") == IMMEDIATE]
    reset_at = [at for at, record in enumerate(before) if is_reset(record)]
    return bool(set_at and reset_at) and reset_at[-1] > set_at[0]


def cancelled_a_reservation(before: Records, now: Records) -> bool:
    """A reservation succeeded, was not granted, and a Cancel was TRUE."""
    asked = [at for at, record in enumerate(before) if record.get("op") == "allocate_resources"]
    since = (before + now)[asked[-1] :] if asked else []
    granted = any(record.get("event") == "reserve_dma" for record in since)
    cancelled = any(record.get("op") == "cancel" and record["returns"] for record in since)
    return bool(asked) and cancelled and not granted


def failed_before(before: Records, now: Records) -> bool:
    """Something failed or was cancelled, and no Release followed; now the framework stops."""
    last = max((at for at, record in enumerate(before) if is_reset(record)), default=-1)
    failed = any(
        record.get("status", "STATUS_SUCCESS") not in FINE or record.get("returns") is True
        for record in before[last + 1 :]
    )
    return failed and any(record.get("event") == "bugcheck" for record in now)


def kept_a_reservation(before: Records, now: Records) -> bool:
    """It was granted, not freed, and is released, if only by an Initialize that fails: now, or since its last use."""
    granted = [at for at, record in enumerate(before) if record.get("event") == "reserve_dma"]
    freed = any(
        record.get("op") == "free_resources" for record in before[granted[-1] if granted else 0 :]
    )
    uses = [is_reset(record) for record in before + now if is_reset(record) or is_use(record)]
    return bool(granted) and not freed and uses[-1]


def is_use(record: dict[str, Any]) -> bool:
    """It has a buffer from here on."""
    return record.get("op") == "initialize" and not is_reset(record)


def released_in_transfer(before: Records, now: Records) -> bool:
    """It was programmed, never completed since, and is released or deleted now."""
    records = before + now
    gone = [at for at, record in enumerate(records) if record.get("op") in ("release", "delete")][
        -1:
    ]
    earlier = records[: gone[0]] if gone else []
    programmed = [at for at, record in enumerate(earlier) if record.get("event") == "program_dma"][
        -1:
    ]
    completed = any(
        str(record.get("op")).startswith("dma_completed") and record["returns"]
        for record in earlier[programmed[0] if programmed else 0 :]
    )
    return bool(programmed) and not completed


def completed_nothing(before: Records, now: Records) -> bool:
    """The last three completions left everything to be done again."""
    answers = [
        record["returns"]
        for record in before + now
        if str(record.get("op")).startswith("dma_completed")
    ]
    return len(answers) >= 3 and not any(answers[-3:])


def stopped_for_its_state(before: Records, now: Records) -> bool:
    """The framework itself stopped, and named a transaction in a state that the call does not allow."""
    stops = [record for record in now if record.get("event") == "bugcheck"]
    return [stop["code"] for stop in stops] == ["WDF_VIOLATION"] and stops[0]["parameters"][0] == 8


def broke_into_the_debugger(before: Records, now: Records) -> bool:
    """The framework's own verifier did."""
    return any(record.get("event") == "break" for record in now)


IMMEDIATE = "set_immediate_execution"
FINE = ("STATUS_SUCCESS", "STATUS_MORE_PROCESSING_REQUIRED")
READINGS = {
    Rule.IMMEDIATE_LOST: lost_immediate_execution,
    Rule.CANCELLED_RESERVATION_KEPT: cancelled_a_reservation,
    Rule.STATUS_IGNORED: failed_before,
    Rule.RESERVATION_KEPT: kept_a_reservation,
    Rule.RELEASED_IN_TRANSFER: released_in_transfer,
    Rule.ZERO_LENGTH_LIVELOCK: completed_nothing,
    Rule.WDF_DMA_FATAL_ERROR: stopped_for_its_state,
    Rule.VERIFIER_BREAK: broke_into_the_debugger,
}


@pytest.mark.parametrize("rule", READINGS, ids=lambda rule: rule.name)
def test_every_firing_is_right(
    rule: Rule, random: dict[str, tuple[Scenario, list[Violation]]]
) -> None:
    wrong = []
    for name, (scenario, violations) in random.items():
        steps = split_log(scenario.log or [])
        for violation in violations:
            if violation.rule != rule:
                continue
            at = violation.step
            concerned = [
                [record for record in step if record.get("transaction", -1) == violation.label]
                + [record for record in step if record.get("event") in ("bugcheck", "break")]
                for step in steps
            ]
            before = [record for step in concerned[:at] for record in step]
            if not READINGS[rule](before, concerned[at]):
                wrong.append((name, at))
    assert wrong == []


def list_uses(steps: list[Any]) -> list[Any]:
    """Every Initialize of some steps, those in reactions too."""
    found = []
    for step in steps:
        body = step.model_dump() if hasattr(step, "model_dump") else step
        found += [body] if body["op"] == "initialize" else list_uses(body.get("do") or [])
    return found


def share_bytes(first: Any, second: Any) -> bool:
    return (
        first["transaction"] != second["transaction"]
        and first["buffer"] == second["buffer"]
        and first["offset"] < second["offset"] + second["length"]
        and second["offset"] < first["offset"] + first["length"]
        and "read" in (first["direction"], second["direction"])
    )


def test_shared_buffers_are_shared(random: dict[str, tuple[Scenario, list[Violation]]]) -> None:
    """Two that were programmed, or still transferred, in that step have bytes in common, and one writes them."""
    wrong = []
    for name, (scenario, violations) in random.items():
        log = scenario.log or []
        steps = split_log(log)
        snapshots = [record["snapshot"]["transactions"] for record in log if "snapshot" in record]
        for at in {item.step for item in violations if item.rule == Rule.BUFFER_SHARED}:
            busy = {
                record["transaction"]
                for record in steps[at]
                if record.get("event") == "program_dma"
            }
            busy |= {
                int(number)
                for number, item in (snapshots[at - 1].items() if at else ())
                if item["state"] == "transfer"
            }
            uses = [
                use for use in list_uses(scenario.steps[: at + 1]) if use["transaction"] in busy
            ]
            if not any(share_bytes(first, second) for first in uses for second in uses):
                wrong.append((name, at))
    assert wrong == []
