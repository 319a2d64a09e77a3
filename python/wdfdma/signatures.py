"""What a scenario shows, told so that smaller scenarios can be asked for the same."""

from collections.abc import Callable
from typing import Any, NamedTuple

from wdfdma.enums import ObjectType, Op, Rule, Severity, TransactionState
from wdfdma.errors import BugCheck
from wdfdma.problems import Problem, ScenarioError
from wdfdma.rules import Violation
from wdfdma.run import Run, execute_scenario, first_difference
from wdfdma.scenario import Scenario

Source = dict[str, Any]
# Whether a scenario, as JSON has it, shows what is looked for.
Oracle = Callable[[Source], bool]


class Signature(NamedTuple):
    """What is broken, without what varies: no numbers, no steps.

    >>> str(Signature(Rule.NO_ADAPTER, 0, ObjectType.TRANSACTION, Op.RELEASE, True))
    'NO_ADAPTER, transaction, in release, halts'
    >>> fatal = Signature(Rule.WDF_DMA_FATAL_ERROR, 0, ObjectType.TRANSACTION, Op.EXECUTE, True)
    >>> str(fatal._replace(state=TransactionState.TRANSFER))
    'WDF_DMA_FATAL_ERROR, transaction, in execute, halts, state transfer'
    """

    rule: Rule
    code: int  # of a halt that no rule made
    object_type: ObjectType
    op: Op
    halts: bool
    state: int = 0  # of the transaction, where the rule is about its state: parameter 3
    standing: str = ""  # where no object is named: of the transactions, by their states

    def __str__(self) -> str:
        what = self.rule.name if self.rule else f"0x{self.code:X}"
        parts = [what, self.object_type.label if self.object_type else ""]
        parts += [f"in {self.op.label}" if self.op else "", "halts" if self.halts else ""]
        parts += [
            f"state {TransactionState(self.state).label}" if self.state else "",
            self.standing,
        ]
        return ", ".join(part for part in parts if part)


def find_signature(run: Run) -> Signature | None:
    """What a run is remarkable for: its bug check, or else the first of the worst violations; None for neither."""
    if run.bugcheck is not None:
        return _sign(run, run.bugcheck, True)
    if not run.violations:
        return None
    return _sign(run, min(run.violations, key=lambda item: item.severity), False)


def _sign(run: Run, item: Violation | BugCheck, halts: bool) -> Signature:
    code = 0 if item.rule != Rule.NONE else int(item.code)
    state = int(item.parameters[2]) if item.rule == Rule.WDF_DMA_FATAL_ERROR else 0
    standing = _stand(run) if item.object_type == ObjectType.NONE else ""
    return Signature(item.rule, code, item.object_type, item.op, halts, state, standing)


def _stand(run: Run) -> str:
    """What a device's access, or a byte, is about: how its driver's transactions stood, and that one was programmed."""
    last: dict[str, Any] = next(
        (record["snapshot"] for record in reversed(run.log) if "snapshot" in record), {}
    )
    states = {item["state"] for item in last.get("transactions", {}).values()}
    programmed = any(record.get("event") == "program_dma" for record in run.log)
    return " and ".join([*sorted(states), *(["programmed"] if programmed else [])])


def make_oracle(scenario: Scenario) -> Oracle:
    """Asks for what [scenario] shows. Errors: ScenarioError where it shows nothing.

    That is what it breaks; where that is nothing, or advice while it carries a log that differs, it is the first record
    in which the logs differ.
    """
    run = execute_scenario(scenario)
    signature = find_signature(run)
    differs = scenario.log is not None and first_difference(scenario.log, run.log) is not None
    worst = min((item.severity for item in run.violations), default=Severity.ADVICE)
    if differs and run.bugcheck is None and worst == Severity.ADVICE:
        return _ask_for_difference(scenario, run)
    if signature is None:
        message = "it breaks no rule, and its log does not differ from one that it carries"
        raise ScenarioError([Problem("", message)], scenario.where)
    return _ask_for_signature(signature)


def _run(source: Source) -> Run | None:
    """The run of a scenario as JSON has it; None where it is none."""
    try:
        return execute_scenario(Scenario.parse(source))
    except (ScenarioError, MemoryError):
        return None


def _ask_for_signature(signature: Signature) -> Oracle:
    def ask(source: Source) -> bool:
        run = _run(source)
        return run is not None and find_signature(run) == signature

    return ask


def _ask_for_difference(scenario: Scenario, run: Run) -> Oracle:
    """The same two records, of which one was expected and the other came, with no difference before them.

    Of a byte, the transactions stand as they did, too: one that nobody moves is easily wrong.
    """
    found = first_difference(scenario.log or [], run.log)
    assert found is not None
    is_byte = (found.actual or {}).get("op") == "mdl_read"
    standing = _stand(run)

    def ask(source: Source) -> bool:
        made = _run(source)
        if made is None or source.get("log") is None:
            return False
        now = first_difference(source["log"], made.log)
        is_found = now is not None and (now.expected, now.actual) == (found.expected, found.actual)
        return is_found and (not is_byte or _stand(made) == standing)

    return ask
