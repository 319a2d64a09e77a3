"""The page of a violation: what happened, what the log and the pool say, why, and how to see it again.

It is built when it is asked for, from the machine as it is then; where the machine is closed or went back to a
snapshot, from the record alone.
"""

import re
from dataclasses import dataclass

from wdfdma._core import Core
from wdfdma._native import ffi, lib
from wdfdma.enums import RecordKind, TransactionState
from wdfdma.errors import BugCheck
from wdfdma.explain import SEVERITIES, WIDTH, wrap
from wdfdma.page_pool import describe_pool, name_object
from wdfdma.rules import RuleInfo, Violation, get_rule_info, read_violations

_RECORDS = 20
_MEANING = re.compile(r"(\d): (.*?)(?=; \d: |$)")
# Records that belong to the one before them.
_PARTS = (int(RecordKind.ELEMENT), int(RecordKind.STATE))
# The settings of a machine that are named where they are not the usual ones.
_SETTINGS = ("registers_per_adapter", "physical_address_bits", "maximum_depth")


@dataclass(frozen=True)
class _Subject:
    """What the page is about: a record, the machine it is from if that still knows of it, and the rule in words."""

    record: BugCheck | Violation
    violation: Violation | None
    core: Core | None
    info: RuleInfo | None
    scenario: str | None


def describe_bugcheck(error: BugCheck, scenario: str | None = None) -> str:
    """The page of a bug check; [scenario] is the file that leads to it, if there is one."""
    core: Core | None = None if error._core is None else error._core()
    if core is not None and not _halted_by(core, error):
        core = None
    violation = _find_halting(core) if core is not None else None
    info = get_rule_info(error.rule) if error.rule else None
    return _make_page(_Subject(error, violation, core, info, scenario))


def describe_violation(core: Core, violation: Violation, scenario: str | None = None) -> str:
    """The page of a violation of the machine behind [core]."""
    return _make_page(_Subject(violation, violation, core, violation.info, scenario))


def describe_machine(core: Core, scenario: str | None = None) -> str:
    """The page of the bug check that halted the machine, of its last violation, or of none."""
    if core.halted:
        return describe_bugcheck(core.make_bugcheck(), scenario)
    violations = read_violations(core.get_machine())
    if violations:
        return describe_violation(core, violations[-1], scenario)
    state = lib.wdfdma_machine_get_state(core.get_machine())
    head = f"No rule is broken; step {state.step}, {state.time_ns} ns"
    return "\n".join([head, "", *_describe_log(core, None), "", *describe_pool(core)])


def _halted_by(core: Core, error: BugCheck) -> bool:
    """Whether the machine is still where [error] halted it."""
    if core.closed or not core.halted:
        return False
    now = core.make_bugcheck()
    own = (error.code, error.parameters, error.step, error.time_ns)
    return own == (now.code, now.parameters, now.step, now.time_ns)


def _find_halting(core: Core) -> Violation | None:
    violations = read_violations(core.get_machine())
    return violations[-1] if violations and violations[-1].stopped else None


def _make_page(subject: _Subject) -> str:
    parts = [[str(subject.record)], _describe_event(subject)]
    if subject.core is not None:
        parts += [_describe_log(subject.core, subject.record.step), describe_pool(subject.core)]
    parts.append([*_describe_cause(subject), *wrap(_describe_replay(subject), "replay")])
    return "\n\n".join("\n".join(part) for part in parts)


# What happened


def _describe_event(subject: _Subject) -> list[str]:
    record, info = subject.record, subject.info
    lines = ["What happened"]
    if info is not None:
        code = f" ({info.code_text})" if info.code_text else ""
        lines += wrap(f"{info.name}{code}; {SEVERITIES[info.severity]}", "rule")
    lines += wrap(f"{record.code.name} (0x{int(record.code):X})", "code")
    for line, label in _list_parameters(subject):
        lines += wrap(line, label)
    lines += wrap(_describe_object(subject), "object")
    lines += wrap(record.op.label if record.op else "none of a driver", "in call")
    lines += wrap(_describe_callbacks(subject), "callbacks")
    lines += wrap(f"step {record.step}, {record.time_ns} ns of virtual time", "when")
    stopped = isinstance(record, BugCheck) or record.stopped
    return [*lines, *wrap("the machine halted" if stopped else "the machine went on", "then")]


def _list_parameters(subject: _Subject) -> list[tuple[str, str]]:
    """Each parameter with what it means, and the label in front of the first."""
    meanings = dict(_MEANING.findall(subject.info.meanings)) if subject.info is not None else {}
    if subject.info is not None and subject.info.parameters:
        meanings.setdefault("1", subject.info.name)
    rows = []
    for place, value in enumerate(subject.record.parameters, 1):
        meaning = meanings.get(str(place), "")
        if place > 1 and not value and not meaning:
            continue
        shown = f"{place}: 0x{value:X}"
        named = _name_value(subject.core, value, meaning)
        rows.append(", ".join(part for part in (shown, meaning, named) if part))
    return [(row, " " if at else "parameters") for at, row in enumerate(rows)]


def _name_value(core: Core | None, value: int, meaning: str) -> str:
    """What a parameter's number stands for, beyond its meaning."""
    if meaning.endswith("its state"):
        return TransactionState(value).label
    item = core.objects.get(ffi.cast("void *", value)) if core is not None and value else None
    return name_object(item) if item is not None and item.is_live else ""


def _describe_object(subject: _Subject) -> str:
    record, violation, core = subject.record, subject.violation, subject.core
    if not record.object_type:
        return "none"
    parts = [f"{record.object_type.label} {record.label}"]
    if violation is None or not violation.handle:
        return parts[0]
    parts.append(f"made in step {violation.created_step}")
    item = core.objects.get(ffi.cast("void *", violation.handle)) if core is not None else None
    if item is not None:
        parts.append(f"now {item._describe()}" if item.is_live else "deleted since")
    return ", ".join(parts)


def _describe_callbacks(subject: _Subject) -> str:
    """The driver's callbacks around the call, the innermost first."""
    depth, violation = subject.record.depth, subject.violation
    if not depth:
        return "none"
    if violation is None:
        return f"{depth} in one another"
    names = [
        f"{event.label if event.name[:2] != '0x' else 'a callback'} of {label}"
        for event, label in violation.frames
    ]
    more = [f"and {depth - len(names)} more"] if depth > len(names) else []
    return ", in ".join([*names, *more])


# The log


def _describe_log(core: Core, step: int | None) -> list[str]:
    """The last records of the log, up to the end of [step]."""
    from wdfdma.log import make_log_array
    from wdfdma.records import format_record, render_log

    if not lib.wdfdma_machine_get_config(core.get_machine()).log_records:
        return ['The log is off: Machine(log="grow"), or log=1000 for a ring, keeps one']
    array = make_log_array(core)
    end = len(array) if step is None else int(array["step"].searchsorted(step, side="right"))
    begin, found = end, 0
    while begin > 0 and found < _RECORDS:
        begin -= 1
        found += int(array["kind"][begin]) not in _PARTS
    records = render_log(array[begin:end].tobytes())
    return [
        f"The last {len(records)} records of the log",
        *(_shorten(f"  {format_record(record)}") for record in records),
    ]


def _shorten(line: str) -> str:
    """A line of a page; a long list is cut."""
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 4]} ..."


# Why, and again


def _describe_cause(subject: _Subject) -> list[str]:
    info = subject.info
    if info is None:
        cause = (
            "wdfdma_machine_halt was called, or an exception left a callback: the call raised it."
        )
        return ["Why", *wrap(cause, "cause")]
    return ["Why", *wrap(info.cause, "cause"), *wrap(info.fix, "fix"), *wrap(info.source, "source")]


def _describe_replay(subject: _Subject) -> str:
    if subject.scenario is not None:
        return f"wdfdma run {subject.scenario}"
    step = f"the same calls up to step {subject.record.step}"
    if subject.core is None:
        return f"{step}, on a machine with the same settings and seed"
    return f"{_describe_settings(subject.core)}, then {step}"


def _describe_settings(core: Core) -> str:
    """The call that makes such a machine again."""
    config = lib.wdfdma_machine_get_config(core.get_machine())
    usual = ffi.new("wdfdma_machine_config *")
    lib.wdfdma_machine_config_init(usual)
    usual.registers_per_adapter = config.map_registers
    parts = [f"map_registers={config.map_registers}"]
    for name in _SETTINGS:
        if getattr(config, name) != getattr(usual, name):
            parts.append(f"{name}={getattr(config, name)}")
    parts += ["force_map_registers=True"] if config.force_map_registers else []
    parts += [] if config.verifier else ["verifier=False"]
    return f"Machine({', '.join([*parts, f'seed={config.seed}'])})"
