"""DmaStateMachine: a correct driver breaks nothing, a planted bug is found, and a failure can be replayed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from wdfdma import BugCheck, Rule, Scenario, TransactionState
from wdfdma.run import execute_scenario
from wdfdma.testing import Actor, DmaStateMachine, Player, transaction_rule
from wdfdma.testing.actor import OVER, may_cancel, may_complete, may_go
from wdfdma.testing.player import Step
from wdfdma.testing.rule_choice import GROUPS

FEW = settings(
    max_examples=60,
    deadline=None,
    database=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
GENERATE = settings(FEW, phases=[Phase.generate])
SHRINK = settings(
    FEW, max_examples=300, stateful_step_count=15, phases=[Phase.generate, Phase.shrink]
)

# The framework's log has no record of these in a machine that runs no program.
UNRECORDED = (
    *("device_read", "device_write", "mdl_read", "mdl_write", "enter_d0", "leave_d0"),
    *("request_create", "request_complete", "request_complete_with_information"),
    *("common_buffer_create", "common_buffer_delete", "object_reference", "object_dereference"),
    *("delete_enabler", "remove_device", "set_irql"),
)

TestDma = DmaStateMachine.TestCase


class Replayed(DmaStateMachine):
    """Each run, done again as a scenario, gives the same log."""

    machine_settings = {"log": "grow"}  # noqa: RUF012

    def report_coverage(self) -> None:
        super().report_coverage()
        log = execute_scenario(Scenario.parse(self.scenario)).log
        expected = [
            record
            for record in log
            if "snapshot" not in record and record.get("op") not in UNRECORDED
        ]
        assert self.player.machine.log_records() == expected


TestReplayed = Replayed.TestCase
TestDma.settings = TestReplayed.settings = settings(FEW, stateful_step_count=30)


def is_over(actor: Actor) -> bool:
    return actor.is_live and actor.state in OVER


class ReleasesAfterCancel(DmaStateMachine, rules=("transfer", "cancel")):
    """Takes it that Cancel always finds the transaction waiting."""

    @transaction_rule(may_cancel)
    def cancel(self, transaction: Actor) -> None:
        self.take("cancel", transaction=transaction)
        self.take("release", transaction=transaction)


class CompletesTwice(DmaStateMachine, rules=("transfer",)):
    """Its interrupt tells of the same transfer twice."""

    @transaction_rule(may_complete)
    def interrupt(self, transaction: Actor) -> None:
        self.take("dma_completed_final", transaction=transaction, length=1)
        self.take("dma_completed_final", transaction=transaction, length=1)


class ForgetsRelease(DmaStateMachine, rules=("transfer", "reserve")):
    """Deletes its enabler, at the end of its work, without the release of what is over."""

    @transaction_rule(is_over)
    def end(self, transaction: Actor) -> None:
        others = (actor for actor in self.actors if actor.enabler == transaction.enabler)
        if all(is_over(actor) or may_go(actor) for actor in others):
            self.take("delete_enabler", enabler=transaction.enabler)


def find_failure(
    machine: type[DmaStateMachine], tmp_path: Path
) -> tuple[BaseException, dict[str, Any]]:
    """The failure that a machine ends in, and the scenario that it wrote."""

    class Written(machine):  # type: ignore[misc, valid-type]
        scenario_file = tmp_path / "failure.json"

    with pytest.raises((BugCheck, AssertionError)) as caught:
        run_state_machine_as_test(Written, settings=SHRINK)
    return caught.value, json.loads((tmp_path / "failure.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("machine", [ReleasesAfterCancel, CompletesTwice])
def test_planted_bug_is_found_and_replayed(machine: type[DmaStateMachine], tmp_path: Path) -> None:
    error, scenario = find_failure(machine, tmp_path)
    assert isinstance(error, BugCheck)
    assert len(scenario["steps"]) <= 6
    run = execute_scenario(Scenario.parse(scenario))
    assert run.bugcheck is not None
    assert (run.bugcheck.code, run.bugcheck.op) == (error.code, error.op)


def test_failure_shrinks_to_what_a_person_would_write(tmp_path: Path) -> None:
    _, scenario = find_failure(ReleasesAfterCancel, tmp_path)
    assert scenario["machine"] == {"map_registers": 4}
    assert [step["op"] for step in scenario["steps"]] == [
        *("create", "initialize", "execute", "cancel", "release"),
    ]
    assert "faults" not in scenario


def test_forgotten_release_is_found_in_the_few_steps_to_it(tmp_path: Path) -> None:
    """A leak is no bug check: what the verifier says fails the run."""
    error, scenario = find_failure(ForgetsRelease, tmp_path)
    assert isinstance(error, AssertionError)
    assert "LeakTransaction" in str(error)
    ops = [step["op"] for step in scenario["steps"] if step["op"] != "on"]
    assert ops[:3] == ["create", "initialize", "execute"]
    assert ops[-1] == "delete_enabler"
    assert len(scenario["steps"]) <= 5
    assert "LeakTransaction" in run_command("run", str(tmp_path / "failure.json"))


def test_printed_lines_run() -> None:
    """What Hypothesis prints of a failure is Python that ends in the same bug check."""
    lines = run_and_print(CompletesTwice)
    assert lines[0].startswith("state = ")
    assert len(lines) <= 12
    with pytest.raises(BugCheck):
        exec("\n".join(lines), {"CompletesTwice": CompletesTwice})


def run_and_print(machine: type[DmaStateMachine]) -> list[str]:
    """The lines that stand for the run, without the check after each."""
    with pytest.raises(BugCheck) as caught:
        run_state_machine_as_test(machine, settings=SHRINK)
    text = "\n".join(getattr(caught.value, "__notes__", []))
    text = text[text.index("state = ") : text.index("state.teardown()")]
    return [line for line in text.splitlines() if line != "state.check()"]


def test_failure_is_told(tmp_path: Path) -> None:
    """The scenario is a note of the failure, and the command runs the file."""
    source = (
        "from test_testing_state_machine import CompletesTwice\n"
        "class Written(CompletesTwice):\n"
        f"    scenario_file = {str(tmp_path / 'found.json')!r}\n"
        "from test_testing_state_machine import SHRINK\n"
        "TestWritten = Written.TestCase\n"
        "TestWritten.settings = SHRINK\n"
    )
    (tmp_path / "test_it.py").write_text(source, encoding="utf-8")
    environment_path = [str(Path(__file__).parent), *sys.path]
    code = f"import sys; sys.path[:0] = {environment_path!r}; import pytest; "
    code += (
        f"sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', {str(tmp_path / 'test_it.py')!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert 'scenario: {"format": "wdfdma-scenario/1"' in done.stdout
    assert f"wdfdma run {tmp_path / 'found.json'}" in done.stdout
    assert "bug check" in run_command("run", str(tmp_path / "found.json"))


def run_command(*arguments: str) -> str:
    code = f"import sys; sys.path[:] = {sys.path!r}; from wdfdma.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


# Restriction.


def list_rules(machine: type[DmaStateMachine]) -> set[str]:
    return {rule.function.__name__ for rule in machine().rules}


def test_groups_are_all_rules() -> None:
    names = [name for group in GROUPS.values() for name in group]
    assert len(names) == len(set(names))
    assert list_rules(DmaStateMachine) == {*names, "create"}


def test_rules_are_chosen_by_group_and_by_name() -> None:
    class Chosen(DmaStateMachine, rules=("reserve", "execute")):
        pass

    assert list_rules(Chosen) == {"create", "allocate_resources", "free_resources", "execute"}
    run_state_machine_as_test(Chosen, settings=GENERATE)


def test_rule_that_is_not_chosen_is_a_method_still() -> None:
    class Chosen(DmaStateMachine, rules=("cancel",)):
        @transaction_rule(may_cancel)
        def cancel(self, transaction: Actor) -> None:
            self.access(transaction, 0, 0, 0)

    assert list_rules(Chosen) == {"create", "cancel"}
    assert "cancel" in list_rules(DmaStateMachine)
    assert callable(Chosen().access)


def test_unknown_rule_is_refused() -> None:
    with pytest.raises(ValueError, match="'sleep' is none of transfer, reserve, cancel"):
        type("Wrong", (DmaStateMachine,), {}, rules=("sleep",))


# What is watched.


def run_and_count(machine: type[DmaStateMachine]) -> dict[str, int]:
    """How many runs had each state, and how many waiters there were at most."""
    found: dict[str, int] = {}

    class Counted(machine):  # type: ignore[misc, valid-type]
        def report_coverage(self) -> None:
            super().report_coverage()
            for state in TransactionState:
                if self._states >> state & 1:
                    found[state.label] = found.get(state.label, 0) + 1
            found["waiters"] = max(found.get("waiters", 0), self._most_waiters)

    # What comes about is left to chance elsewhere: here it must.
    always = settings(GENERATE, max_examples=120, derandomize=True)
    run_state_machine_as_test(Counted, settings=always)
    return found


def test_every_state_is_reached() -> None:
    found = run_and_count(DmaStateMachine)
    states = {state.label for state in TransactionState if 1 <= state <= 7}
    assert states <= found.keys()


def test_several_wait() -> None:
    class Few(DmaStateMachine, rules=("transfer", "reserve", "cancel")):
        pass

    assert run_and_count(Few)["waiters"] >= 2


def test_controller_finishes_what_runs() -> None:
    answers = []

    class Watched(DmaStateMachine, rules=("transfer", "controller")):
        def play(self, step: Step) -> Any:
            answer = super().play(step)
            if step["op"] == "complete_transfer" and not self.world["faults"]:
                answers.append(answer)
            return answer

    run_state_machine_as_test(Watched, settings=settings(GENERATE, derandomize=True))
    assert answers
    assert all(answers)


def test_violation_that_is_no_advice_fails() -> None:
    class Touches(DmaStateMachine, rules=("transfer",)):
        @transaction_rule(may_complete)
        def touch(self, transaction: Actor) -> None:
            self.take("mdl_write", buffer=0, offset=0, length=1, value=1)

    with pytest.raises(AssertionError, match="BufferTouched"):
        run_state_machine_as_test(Touches, settings=GENERATE)

    class Allowed(Touches):
        allowed_rules = frozenset({Rule.BUFFER_TOUCHED})

    run_state_machine_as_test(Allowed, settings=GENERATE)


def test_overtaking_is_seen() -> None:
    machine = DmaStateMachine()
    for part, value in (
        ("machine", {}),
        ("enablers", [{"profile": "packet", "maximum_length": 4096}]),
        ("buffers", []),
        ("faults", []),
    ):
        machine.set_up(part, value)
    machine.make_transactions([0, 0])

    class Pool:
        def waiters(self) -> list[Actor]:
            return [Actor(0, 0)]

    class World:
        pool = Pool()

    class Waiter:
        label = 3

    machine.player.machine.close()
    machine.player = type("Told", (), {"machine": World(), "let_through": {4}})()
    World.pool.waiters = lambda: [Waiter()]  # type: ignore[method-assign, assignment, list-item, return-value]
    machine._waiters = [3, 4]
    with pytest.raises(AssertionError, match="transaction 4 overtook 3"):
        machine.check_queue()


def test_step_that_cannot_be_played_is_refused() -> None:
    player = Player({"enablers": [], "buffers": []})
    with pytest.raises(ValueError, match="'pass_wrong' cannot be played"):
        player.perform({"op": "pass_wrong", "transaction": 0, "argument": "right"})


# The extra.


def test_package_does_not_import_hypothesis() -> None:
    code = (
        f"import sys; sys.path[:] = {sys.path!r}; import wdfdma; print('hypothesis' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_extra_is_named_where_hypothesis_is_missing() -> None:
    code = (
        f"import sys; sys.path[:] = {sys.path!r}; sys.modules['hypothesis'] = None\n"
        "from wdfdma.testing import DmaStateMachine"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    message = 'ModuleNotFoundError: wdfdma.testing needs Hypothesis: pip install "wdfdma[fuzz]"'
    assert done.stderr.splitlines()[-1] == message
