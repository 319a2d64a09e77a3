"""What `wdfdma explain` says: a rule, a bug check or a status, as a page to read or as JSON."""

import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from wdfdma._native import VERSION
from wdfdma.enums import BugCheckCode, RuleEnding, Severity
from wdfdma.rules import RuleInfo, list_rules
from wdfdma.status import Status
from wdfdma.statuses import StatusInfo, get_status_info, list_statuses


@dataclass(frozen=True)
class CodeInfo:
    """A bug check that no rule stands for."""

    code: BugCheckCode
    cause: str
    fix: str

    @property
    def name(self) -> str:
        """As Windows has it."""
        return self.code.name


Entry = RuleInfo | StatusInfo | CodeInfo

_CODES = [
    CodeInfo(
        BugCheckCode.MANUALLY_INITIATED_CRASH,
        "The machine was halted by hand: wdfdma_machine_halt was called, or a Python exception left a "
        "callback, which the outermost call raises.",
        "Mend what raised; a simulated machine does not go on behind an exception.",
    )
]

WIDTH = 100
_LABEL_WIDTH = 12

ENDINGS = {
    RuleEnding.ALWAYS: "the machine stops, in every mode",
    RuleEnding.CHECKED: "the machine stops; in another mode, the call changes nothing",
    RuleEnding.DEFINED: "it is recorded, and the machine goes on",
    RuleEnding.ABSENT: "it cannot arise in this simulator",
}
SEVERITIES = {
    Severity.BUGCHECK: "bug check: Windows stops",
    Severity.VIOLATION: "violation: the driver is wrong",
    Severity.ADVICE: "advice: legal, and rarely meant",
}
_CODE = re.compile(r"(?:0x)?([0-9a-f]{1,8})h?((?:/(?:0x)?[0-9a-f]{1,16})*)", re.IGNORECASE)


class UnknownNameError(ValueError):
    """Nothing is called so; `str` says what was asked, and what is called nearly so."""


def find_entries(what: str) -> list[Entry]:
    """What [what] names: a rule, all rules of a bug check, or a status. Errors: UnknownNameError.

    >>> [entry.name for entry in find_entries("0xE6/0F/2")]
    ['DmaTagAfterOverwritten']
    >>> [entry.name for entry in find_entries("no_adapter")]
    ['NoAdapter']
    """
    found = _find_rules(what) or _find_by_code(what) or _find_code(what) or _find_status(what)
    if not found:
        raise UnknownNameError(_describe_unknown(what))
    return found


def _normalize(name: str) -> str:
    """A name without what people write in more than one way."""
    bare = name.strip().upper().removeprefix("WDFDMA_").removeprefix("RULE_").removeprefix("RULE.")
    return re.sub(r"[\s_-]", "", bare)


def _find_rules(what: str) -> list[Entry]:
    """The rule of this name, or all rules of the bug check of this name."""
    wanted = _normalize(what)
    rules = list_rules()
    named = [
        info for info in rules if wanted in (_normalize(info.name), _normalize(info.rule.name))
    ] or [info for info in rules if _normalize(info.rule.name) == f"WDF{wanted}"]
    return list(named or [info for info in rules if _normalize(info.code.name) == wanted])


def _find_by_code(what: str) -> list[Entry]:
    """The rules that a bug check code and its parameters, as Windows prints them, can stand for."""
    matched = _CODE.fullmatch(what.strip())
    if matched is None:
        return []
    code = int(matched[1], 16)
    given = tuple(int(number, 16) for number in matched[2].split("/")[1:])
    return [
        info
        for info in list_rules()
        if info.code == code
        and all(asked == own for asked, own in zip(given, info.parameters, strict=False))
    ]


def _find_code(what: str) -> list[Entry]:
    """The bug check without rules that [what] names. Errors: UnknownNameError for one that cannot arise."""
    matched = _CODE.fullmatch(what.strip())
    number = int(matched[1], 16) if matched is not None else None
    found = [
        info for info in _CODES if number == info.code or _normalize(info.name) == _normalize(what)
    ]
    if matched is None or found or not (what.strip()[:2].lower() == "0x" or matched[2]):
        return list(found)
    if number in [info.code for info in list_rules()]:
        raise UnknownNameError(
            f"{what.strip()} cannot arise here; `wdfdma explain 0x{number:X}` lists what can of its bug check"
        )
    if _read_status(what) is None:
        raise UnknownNameError(f"{what.strip()}: no such bug check can arise here")
    return []


def _read_status(what: str) -> Status | None:
    """The status that [what] is a name or number of, known or not."""
    text = what.strip().upper()
    by_name = {status.name: status for status in Status}
    for name in (text, f"STATUS_{text}"):
        if name in by_name:
            return by_name[name]
    if re.fullmatch(r"(0X)?[0-9A-F]{8}", text):
        return Status(int(text, 16))
    return Status(int(text)) if re.fullmatch(r"-\d{1,10}", text) and int(text) >= -(2**31) else None


def _find_status(what: str) -> list[Entry]:
    status = _read_status(what)
    if status is None:
        return []
    try:
        return [get_status_info(status)]
    except KeyError:
        known = status.name.startswith("STATUS_")
        shown = f"{status.name} (0x{status & 0xFFFFFFFF:08X})" if known else status.name
        raise UnknownNameError(f"{shown}: no call of this library returns it") from None


def _describe_unknown(what: str) -> str:
    """One line, with the names that are most like [what]."""
    import difflib

    names: dict[str, str] = {}
    for info in list_rules():
        for name in (info.name, info.code_text, f"0x{int(info.code):X}", info.code.name):
            names.setdefault(_normalize(name), name)
    for status in list_statuses():
        names.setdefault(_normalize(status.name), status.name)
    close = difflib.get_close_matches(_normalize(what), [name for name in names if name], n=3)
    shown = what if len(what) <= 60 else f"{what[:56]} ..."
    if not close:
        return f"{shown!r} is no rule, bug check or status; without a name, all rules are listed"
    return f"{shown!r} is no rule, bug check or status; closest: {', '.join(names[name] for name in close)}"


def format_entry(entry: Entry) -> str:
    """The page of a rule or of a status."""
    if isinstance(entry, CodeInfo):
        head, facts = f"{entry.name}, 0x{int(entry.code):X}", [("fix", entry.fix)]
    elif isinstance(entry, StatusInfo):
        head, facts = _describe_status(entry)
    else:
        head, facts = _describe_rule(entry)
    lines = [head, "", *wrap(entry.cause), ""]
    for label, text in facts:
        lines += wrap(text, label) if text else []
    return "\n".join(lines)


def _describe_rule(info: RuleInfo) -> tuple[str, list[tuple[str, str]]]:
    if info.code_text:
        head, code = f"{info.name}, {info.code_text}", f"{info.code.name} (0x{int(info.code):X})"
    else:
        head = info.name
        code = f"none of Windows'; here {info.code.name} (0x{int(info.code):X})"
    numbers = [f"{place}: 0x{number:X}" for place, number in enumerate(info.parameters, 1)]
    meanings = [info.meanings] if info.meanings[:1].isdigit() else []
    return head, [
        ("severity", SEVERITIES[info.severity]),
        ("then", ENDINGS[info.ending]),
        ("code", code),
        ("parameters", "; ".join([*numbers, *meanings])),
        ("fix", info.fix),
        ("example", info.example and f"{info.example} (tests/rules)"),
        ("names", f"WDFDMA_RULE_{info.rule.name} in C, Rule.{info.rule.name} in Python"),
        ("source", info.source),
    ]


def _describe_status(info: StatusInfo) -> tuple[str, list[tuple[str, str]]]:
    head = f"{info.name}, 0x{info.status & 0xFFFFFFFF:08X}"
    success = "true" if info.status.is_success else "false"
    return head, [
        ("NT_SUCCESS", success),
        ("from", info.calls),
        ("fix", info.fix),
        ("source", info.source),
    ]


def wrap(text: str, label: str = "") -> list[str]:
    """[text] in lines of a page, indented behind its [label]."""
    indent = " " * (_LABEL_WIDTH + 2 if label else 0)
    first = f"  {label:<{_LABEL_WIDTH}}" if label else ""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def format_list(rules: Iterable[RuleInfo]) -> str:
    """A line for each rule: its name, its code, its severity, its cause in short."""
    rows = [(info.name, info.code_text or "-", info.severity.label, info.cause) for info in rules]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = []
    for name, code, severity, cause in rows:
        head = f"{name:<{widths[0]}}  {code:<{widths[1]}}  {severity:<{widths[2]}}  "
        short = textwrap.shorten(
            cause.partition(". ")[0].rstrip("."), WIDTH - len(head), placeholder=" ..."
        )
        lines.append(f"{head}{short}")
    return "\n".join(lines)


def _list_families() -> list[RuleInfo]:
    """All rules, those of one bug check together, in the order in which the table has their first ones."""
    rules = list_rules()
    codes = list(dict.fromkeys(info.code for info in rules))
    return sorted(rules, key=lambda info: codes.index(info.code))


def explain(what: str | None) -> str:
    """What `wdfdma explain` prints. Errors: UnknownNameError.

    >>> print(explain("STATUS_WDF_BUSY").splitlines()[0])
    STATUS_WDF_BUSY, 0xC0200204
    """
    found = _list_families() if what is None else find_entries(what)
    if len(found) == 1:
        return format_entry(found[0])
    return format_list(entry for entry in found if isinstance(entry, RuleInfo))


def make_document(what: str | None) -> dict[str, Any]:
    """What `wdfdma explain --json` prints. Errors: UnknownNameError."""
    found = list_rules() if what is None else find_entries(what)
    return {"version": VERSION, "entries": [_make_item(entry) for entry in found]}


def _make_item(entry: Entry) -> dict[str, Any]:
    if isinstance(entry, CodeInfo):
        item: dict[str, Any] = {"kind": "code", "name": entry.name, "code": int(entry.code)}
        return item | {"cause": entry.cause, "fix": entry.fix}
    if isinstance(entry, StatusInfo):
        item = {"kind": "status", "name": entry.name}
        item |= {"value": int(entry.status) & 0xFFFFFFFF, "success": entry.status.is_success}
        return item | {
            "calls": entry.calls,
            "cause": entry.cause,
            "fix": entry.fix,
            "source": entry.source,
        }
    item = {"kind": "rule", "name": entry.name, "id": entry.rule.name, "number": int(entry.rule)}
    item |= {"severity": entry.severity.label, "ending": entry.ending.label}
    item |= {"code": int(entry.code), "code_name": BugCheckCode(entry.code).name}
    item |= {"windows": entry.code_text or None, "parameters": list(entry.parameters)}
    item |= {"meanings": entry.meanings, "cause": entry.cause, "fix": entry.fix}
    return item | {"source": entry.source, "example": entry.example or None}
