"""The page of a violation: what happened, what the log and the pool say, why, and how to see it again.

It is built when it is asked for: from the record, which says how things stood, and from the machine, if that still
knows of it, as it is by then. A machine that went back to a snapshot does not, nor does one that is closed, but for
the bug check that had halted it (paging/keeping.py).
"""

import re
from dataclasses import dataclass

from wdfdma._core import Core
from wdfdma._native import ffi, lib
from wdfdma.circumstances import count
from wdfdma.enums import ObjectType, RuleEnding, TransactionState
from wdfdma.errors import BugCheck
from wdfdma.explain import SEVERITIES, wrap
from wdfdma.paging.keeping import lock
from wdfdma.paging.log_lines import describe_last, describe_log
from wdfdma.paging.pool_lines import describe_pool
from wdfdma.replay import find_command, find_scenario_command
from wdfdma.rules import RuleInfo, Violation, get_rule_info, read_violation, read_violations

_MEANING = re.compile(r"(\d): (.*?)(?=; \d: |$)")
# The settings of a machine that are named where they are not the usual ones.
_SETTINGS = ("registers_per_adapter", "physical_address_bits", "maximum_depth")


@dataclass(frozen=True)
class _Subject:
    """What the page is about: a record, the machine it is from if that still knows of it, and the rule in words.

    [is_here]: this process ran into it. [is_then]: the machine stands where it stood.
    """

    record: BugCheck | Violation
    core: Core | None
    info: RuleInfo | None
    scenario: str | None
    is_here: bool
    is_then: bool


def describe_bugcheck(error: BugCheck, scenario: str | None = None) -> str:
    """The page of a bug check; [scenario] is the file that leads to it, if there is one."""
    with lock:  # a machine that is kept may be let go by another thread
        if isinstance(error._kept, str):
            return _change_replay(error._kept, scenario)
        core: Core | None = error._kept or (None if error._core is None else error._core())
        if core is not None and not _halted_by(core, error):
            core = None
        info = get_rule_info(error.rule) if error.rule else None
        return _make_page(_Subject(error, core, info, scenario, error._core is not None, True))


def describe_violation(core: Core | None, violation: Violation, scenario: str | None = None) -> str:
    """The page of a violation of the machine behind [core]; from the record alone where that is closed, or None."""
    known = core is not None and not core.closed and _knows(core, violation)
    is_then = known and violation.stopped and core is not None and core.halted
    is_here = core is not None or violation._core is not None
    info = violation.info
    page = _Subject(violation, core if known else None, info, scenario, is_here, is_then)
    return _make_page(page)


def describe_moment(core: Core, violation: Violation, scenario: str) -> str:
    """The page of a violation for which a machine was stopped, so that it stands where it stood."""
    return _make_page(_Subject(violation, core, violation.info, scenario, True, True))


def describe_machine(core: Core, scenario: str | None = None) -> str:
    """The page of the bug check that halted the machine, of its last violation, or of none."""
    if core.halted:
        return describe_bugcheck(core.make_bugcheck(), scenario)
    violations = read_violations(core.get_machine())
    if violations:
        return describe_violation(core, violations[-1], scenario)
    state = lib.wdfdma_machine_get_state(core.get_machine())
    head = f"No rule is broken; step {state.step}, {state.time_ns} ns"
    return "\n".join([head, "", *describe_last(core), "", *describe_pool(core)])


def _knows(core: Core, violation: Violation) -> bool:
    """Whether the violation is among those that the machine has recorded."""
    count = ffi.new("size_t *")
    records = lib.wdfdma_machine_get_violations(core.get_machine(), count)
    steps = (records[place] for place in range(count[0]))
    return any(
        read_violation(record) == violation for record in steps if record.step == violation.step
    )


def _halted_by(core: Core, error: BugCheck) -> bool:
    """Whether the machine is still where [error] halted it."""
    if core.closed or not core.halted:
        return False
    now = core.make_bugcheck()
    own = (error.code, error.parameters, error.step, error.time_ns)
    return own == (now.code, now.parameters, now.step, now.time_ns)


def _make_page(subject: _Subject) -> str:
    parts = [[subject.record.summary], _describe_event(subject)]
    if subject.core is not None:
        parts.append(describe_log(subject.core, subject.record.moment.log_records))
    parts += _describe_pools(subject)
    parts.append([*_describe_cause(subject), *_describe_replay(subject)])
    return "\n\n".join("\n".join(part) for part in parts)


def _describe_pools(subject: _Subject) -> list[list[str]]:
    """The pool as it was; where the machine has moved on, in numbers, and then who holds what now."""
    moment, core = subject.record.moment, subject.core
    if core is not None and subject.is_then:
        return [describe_pool(core)]
    then = f"The pool then, in step {subject.record.step}: {count(moment.free_registers, 'register')} free"
    waited = [
        *wrap(f"{count(moment.waiting_pool, 'request')} for registers", "waiting"),
        *wrap(f"{count(moment.waiting_channel, 'request')} for a channel", " "),
    ]
    if core is None:
        return [[then, *waited]]
    now = lib.wdfdma_machine_get_state(core.get_machine()).step
    return [[then, *waited], describe_pool(core, f"The pool now, in step {now}")]


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
    lines += wrap(", ".join(map(str, record.others)), "with")
    lines += wrap(_describe_making(subject), "made at")
    lines += wrap(_describe_call(record), "in call")
    lines += wrap(_describe_callbacks(subject), "callbacks")
    lines += wrap(f"step {record.step}, {record.time_ns} ns of virtual time", "when")
    return [*lines, *wrap(_describe_end(record, info), "then")]


def _describe_end(record: BugCheck | Violation, info: RuleInfo | None) -> str:
    """Whether the machine halted, and that the rule's mode did it where the rule's own way is the other."""
    stopped = isinstance(record, BugCheck) or record.stopped
    usual = info is None or stopped == (info.ending != RuleEnding.DEFINED)
    why = "" if usual else ", as the rule's mode says"
    return f"the machine {'halted' if stopped else 'went on'}{why}"


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
    return _name_handle(core, value)


def _name_handle(core: Core | None, value: int) -> str:
    """The object of the machine that has this handle; "deleted" where it is, and lives on for its references.

    Empty for any other number.
    """
    handle = ffi.cast("void *", value)
    if core is None or lib.wdfdma_object_get_machine(handle) != core.get_machine():
        return ""
    kind = ObjectType(lib.wdfdma_object_get_type(handle))
    return f"{kind.label} {lib.wdfdma_object_get_label(handle)}" if kind else "deleted"


def _describe_object(subject: _Subject) -> str:
    """The object with the state that it had; nothing of what it is now, but whether it is gone."""
    record, core = subject.record, subject.core
    if not record.object_type:
        return "none"
    parts = [f"{record.object_type.label} {record.label}"]
    if record.handle:
        parts.append(f"made in step {record.created_step}")
    if record.state is not None:
        parts.append(record.state.describe(record.object_type))
    was_deleted = record.state is not None and record.state.deleted
    if record.handle and core is not None and not was_deleted:
        gone = _name_handle(core, record.handle) in ("", "deleted")
        parts += ["deleted since"] if gone else []
    return ", ".join(part for part in parts if part)


def _describe_making(subject: _Subject) -> str:
    """The line that made the object, of a machine that keeps traces; empty where it is not known."""
    record, core = subject.record, subject.core
    if isinstance(record, Violation) and record.made_at:
        return record.made_at
    traces = None if core is None else core.traces
    return "" if traces is None else traces.find_line(record.handle, *record.parameters[1:])


def _describe_call(record: BugCheck | Violation) -> str:
    if not record.op:
        return "none of a driver"
    return f"{record.routine} ({record.op.label})" if record.routine else record.op.label


def _describe_callbacks(subject: _Subject) -> str:
    """The driver's callbacks around the call, the innermost first."""
    record = subject.record
    if not record.depth:
        return "none"
    names = [str(frame) for frame in record.frames]
    more = [f"and {record.depth - len(names)} more"] if record.depth > len(names) else []
    return ", in ".join([*names, *more])


# Why, and again


def _describe_cause(subject: _Subject) -> list[str]:
    info = subject.info
    if info is None:
        cause = (
            "wdfdma_machine_halt was called, or an exception left a callback: the call raised it."
        )
        return ["Why", *wrap(cause, "cause")]
    return ["Why", *wrap(info.cause, "cause"), *wrap(info.fix, "fix"), *wrap(info.source, "source")]


def _describe_replay(subject: _Subject) -> list[str]:
    """A line to run, which is not broken into several; then, for who changes it, the machine and the step."""
    if subject.scenario is not None:
        return [_make_row("replay", find_scenario_command(subject.scenario))]
    step = f"the same calls up to step {subject.record.step}"
    if not subject.is_here:
        return wrap(f"{step}, on a machine with the same settings and seed", "replay")
    settings = [] if subject.core is None else [_describe_settings(subject.core)]
    rows = wrap(", then ".join([*settings, step]), "machine")
    return [_make_row("replay", find_command()), *rows]


def _change_replay(page: str, scenario: str | None) -> str:
    """A page that was made without a scenario, as one of [scenario]."""
    if scenario is None:
        return page
    end = page.rindex(f"\n{_make_row('replay', '')}")
    return f"{page[:end]}\n{_make_row('replay', find_scenario_command(scenario))}"


def _make_row(label: str, text: str) -> str:
    return f"{wrap('x', label)[0][:-1]}{text}"


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
