"""The verifier's rules: what they are, how a machine takes them, and what was broken."""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from wdfdma._native import ffi, lib, read_string
from wdfdma.arguments import require_member, require_name, require_number
from wdfdma.circumstances import Frame, Moment, NamedObject, ObjectState, read_circumstances
from wdfdma.enums import BugCheckCode, ObjectType, Op, Rule, RuleEnding, RuleMode, Severity


@dataclass(frozen=True)
class RuleInfo:
    """A rule in words, from the library's table.

    `code`, and `parameters` where they tell the rule from others, are what the machine halts with; `meanings` says
    what the other parameters hold. `example` is the name of a scenario in tests/rules that breaks the rule and no
    other, or empty.
    """

    rule: Rule
    name: str
    severity: Severity
    ending: RuleEnding
    code: BugCheckCode
    parameters: tuple[int, ...]
    meanings: str
    cause: str
    fix: str
    source: str
    example: str

    @property
    def code_text(self) -> str:
        """What Windows shows, as in `0xE6/0F/2`; empty for a rule of ours.

        >>> get_rule_info(Rule.DMA_05).code_text
        '0xE6/05'
        """
        if self.code == BugCheckCode.WDFDMA_VIOLATION:
            return ""
        numbers = [
            f"{number:02X}" if place == 0 else f"{number:X}"
            for place, number in enumerate(self.parameters)
        ]
        return "/".join([f"0x{int(self.code):X}", *numbers])


def get_rule_info(rule: Rule | int | str) -> RuleInfo:
    """What there is to say of a rule. Errors: ValueError where there is no such rule.

    >>> get_rule_info(Rule.NO_ADAPTER).severity
    <Severity.VIOLATION: 2>
    """
    return _read_rule_info(require_rule(rule))


@cache
def _read_rule_info(rule: int) -> RuleInfo:
    found = lib.wdfdma_rule_get_info(rule)
    identifying = (found.first, found.second)
    return RuleInfo(
        rule=Rule(found.rule),
        name=read_string(found.name),
        severity=Severity(found.severity),
        ending=RuleEnding(found.ending),
        code=BugCheckCode(found.code),
        parameters=tuple(number for number in identifying if number >= 0),
        meanings=read_string(found.parameters),
        cause=read_string(found.cause),
        fix=read_string(found.fix),
        source=read_string(found.source),
        example=read_string(found.example),
    )


def require_rule(rule: Rule | int | str, *, or_all: bool = False) -> int:
    """[rule], which may be a name, as the number of a rule, or with [or_all] of Rule.NONE too.

    Errors: TypeError, ValueError.

    >>> require_rule(-1)
    Traceback (most recent call last):
    ...
    ValueError: rule: -1 is below 1
    """
    if isinstance(rule, str):
        named = find_rule(rule)
        return int(named or require_name("rule", rule, _name_rules()))
    return require_number("rule", rule, 0 if or_all else 1, lib.WDFDMA_RULE_COUNT - 1)


def list_rules() -> list[RuleInfo]:
    """All rules, in the order of the table."""
    return [get_rule_info(rule) for rule in range(1, lib.WDFDMA_RULE_COUNT)]


@cache
def _name_rules() -> dict[str, Rule]:
    """All rules by the names that they have in scenarios and in Python."""
    return {rule.name: rule for rule in Rule if rule} | {
        info.name: info.rule for info in list_rules()
    }


@cache
def find_rule(name: str) -> Rule | None:
    """The rule of this name, or None.

    >>> find_rule("NoAdapter")
    <Rule.NO_ADAPTER: 3>
    """
    return next((info.rule for info in list_rules() if info.name == name), None)


@dataclass(frozen=True, repr=False)
class Violation:
    """A rule that was broken. `summary` is one line, and so is `repr` of it; `str` is the page, as `report` makes it.

    `parameters` are as the bug check's would be. `op` is the innermost call in progress, `routine` the WDK's name of it
    where that op is ADAPTER_CALL, which stands for many (empty for others). `frames` are the driver's callbacks around
    it, the innermost first, each with the object that it was for; of `depth` that are in progress, the innermost 8.
    The object concerned is `object_type` and `label`, made in step `created_step`; `state` is how it stood (None: no
    object), `moment` how the machine did. `stopped` is True where the machine halted for it.
    `others` are at most two objects concerned beside it, such as whose transfers share a buffer. `made_at` is the line
    of Python that made the object, on a machine that keeps traces.
    """

    rule: Rule
    code: BugCheckCode
    parameters: tuple[int, ...]
    op: Op
    routine: str
    step: int
    time_ns: int
    object_type: ObjectType
    label: int
    handle: int
    created_step: int
    depth: int
    frames: tuple[Frame, ...]
    stopped: bool
    state: ObjectState | None
    moment: Moment
    made_at: str = field(default="", compare=False)
    others: tuple[NamedObject, ...] = ()
    # A weak reference to what the machine's objects share, if a Machine of Python's handed it out; not pickled.
    _core: Any = field(default=None, compare=False)

    @property
    def info(self) -> RuleInfo:
        """The rule in words."""
        return get_rule_info(self.rule)

    @property
    def severity(self) -> Severity:
        """How bad it is to break the rule."""
        return self.info.severity

    @property
    def summary(self) -> str:
        """What was broken, by what and in which call, in one line."""
        parts = [f"{self.severity.label}: {self.info.name}"]
        if self.info.code_text:
            parts[0] += f" ({self.info.code_text})"
        if self.object_type:
            parts.append(f"{self.object_type.label} {self.label}")
        parts += map(str, self.others)
        during = f"; in {self.routine or self.op.label}" if self.op else ""
        made = f"; made at {self.made_at}" if self.made_at else ""
        return f"{', '.join(parts)}{during}, step {self.step}{made}"

    def report(self, *, scenario: str | None = None) -> str:
        """A page: what happened, the log, the pool, the cause and the fix, and how to see it again.

        It is that of `Machine.report`; where the machine is closed or gone, or does not know of it any more, it is made
        of what the record has. [scenario] is the file that led to it, if there is one.

        >>> from wdfdma import Machine
        >>> with Machine() as machine:
        ...     machine.device().enabler().transaction().reference()
        ...     print(machine.check_leaks()[0].report().splitlines()[2])
        What happened
        """
        from wdfdma.paging.page import describe_violation

        return describe_violation(None if self._core is None else self._core(), self, scenario)

    def __str__(self) -> str:
        return self.report()

    def __repr__(self) -> str:
        return self.summary

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_core"}


def read_violations(machine: Any, first: int = 0, owner: Any = None) -> list[Violation]:
    """Copies what a machine of C's has recorded, from the [first] on; [owner] is a weak reference to its Core."""
    count = ffi.new("size_t *")
    records = lib.wdfdma_machine_get_violations(machine, count)
    return [read_violation(records[place], owner) for place in range(first, count[0])]


def read_violation(record: Any, owner: Any = None) -> Violation:
    """Copies one record of C's."""
    return Violation(
        rule=Rule(record.rule),
        code=BugCheckCode(record.code),
        parameters=tuple(record.parameters),
        stopped=record.stopped,
        _core=owner,
        **read_circumstances(record),
    )


def set_mode(machine: Any, rule: Rule | int | str, mode: RuleMode | int | str) -> int:
    """Sets how a machine of C's takes a rule (Rule.NONE: all), and returns the status. Errors: ValueError."""
    number = require_rule(rule, or_all=True)
    named = require_member("mode", mode, RuleMode) if isinstance(mode, str) else mode
    kind = require_number("mode", named, 0, int(RuleMode.IGNORE))
    return int(lib.wdfdma_machine_set_rule_mode(machine, number, kind))
