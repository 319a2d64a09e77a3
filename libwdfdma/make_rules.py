"""Makes what follows from the tables of the verifier, rules.def and statuses.def in libwdfdma/src/verifier.

python libwdfdma/make_rules.py           writes the enumeration in wdfdma/rules.h, docs/rules.md, docs/statuses.md
python libwdfdma/make_rules.py --check   exits 1 where one of them is not what it would write
"""

import re
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "libwdfdma/src/verifier/rules.def"
STATUSES = ROOT / "libwdfdma/src/verifier/statuses.def"
HEADER = ROOT / "libwdfdma/include/wdfdma/rules.h"
VALUES = ROOT / "libwdfdma/include/wdk/ntstatus.h"
PAGE = ROOT / "docs/rules.md"
STATUS_PAGE = ROOT / "docs/statuses.md"

ENTRY = re.compile(
    r"^(?:WDFDMA_RULE|STATUS)_ENTRY\((.*?)\)\s*(?=^\w+_ENTRY|\Z)", re.DOTALL | re.MULTILINE
)
FIELD = re.compile(r'((?:"(?:[^"\\]|\\.)*"\s*)+|[^",]+)\s*(?:,|\Z)')
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
VALUE = re.compile(r"^#define (STATUS_\w+) \(\(NTSTATUS\)(0x[0-9A-F]{8})\)$", re.MULTILINE)
BLOCK = re.compile(r"( *)/\* rules: begin \*/\n.*?/\* rules: end \*/", re.DOTALL)

ENDINGS = {
    "ALWAYS": "the machine stops, in every mode",
    "CHECKED": "the machine stops; in another mode, the call changes nothing",
    "DEFINED": "recorded, and the machine goes on",
    "ABSENT": "cannot arise in this simulator",
}


class Rule(NamedTuple):
    """One entry of the table, in its order."""

    number: str
    id: str
    name: str
    severity: str
    code: str
    first: str
    second: str
    ending: str
    parameters: str
    cause: str
    fix: str
    source: str
    example: str


class Status(NamedTuple):
    """One entry of the table of statuses, in its order."""

    name: str
    value: str
    calls: str
    cause: str
    fix: str
    source: str


def read_field(text: str) -> str:
    """A number or a word as it stands, or string literals in one piece."""
    literals = LITERAL.findall(text)
    joined = "".join(literals) if literals or text.startswith('"') else text
    return joined.replace('\\"', '"').replace("\\\\", "\\").strip()


def read_entries(table: Path, count: int) -> list[list[str]]:
    """The entries of a table, each of [count] fields."""
    text = re.sub(r"/\*.*?\*/", "", table.read_text(encoding="utf-8"), flags=re.DOTALL)
    entries = []
    for entry in ENTRY.findall(text.strip()):
        fields = [read_field(field.strip()) for field in FIELD.findall(entry.strip())]
        if len(fields) != count:
            raise SystemExit(f"{table.name}: {fields[:3]} has {len(fields)} fields")
        entries.append(fields)
    return entries


def read_rules() -> list[Rule]:
    """The table. It must count from 1 without a gap."""
    rules = [Rule(*fields) for fields in read_entries(TABLE, len(Rule._fields))]
    for number, rule in enumerate(rules, 1):
        if rule.number != str(number):
            raise SystemExit(f"{TABLE.name}: {rule.id} has number {rule.number}, not {number}")
    return rules


def read_statuses() -> list[Status]:
    """The table of statuses, by their values. An entry must have the name of its value."""
    numbers = dict(VALUE.findall(VALUES.read_text(encoding="utf-8")))
    statuses = []
    for fields in read_entries(STATUSES, len(Status._fields)):
        status = Status(*fields)
        if status.name != status.value or status.name not in numbers:
            raise SystemExit(
                f"{STATUSES.name}: {status.name} is not a status, or not {status.value}"
            )
        statuses.append(status._replace(value=numbers[status.name]))
    if statuses != sorted(statuses, key=lambda status: int(status.value, 16)):
        raise SystemExit(f"{STATUSES.name}: not in the order of the values")
    return statuses


def make_enumeration(rules: list[Rule]) -> str:
    """The enumerators between the marks in wdfdma/rules.h."""
    lines = [f"    WDFDMA_RULE_{rule.id} = {rule.number}," for rule in rules]
    lines.append(f"    WDFDMA_RULE_COUNT = {len(rules) + 1}")
    return "\n".join(["    /* rules: begin */", *lines, "    /* rules: end */"])


def make_code(rule: Rule) -> str:
    """What Windows shows, as in `0xE6/0F/2`; nothing for a rule of ours."""
    if int(rule.code, 16) == 0x57444D41:
        return ""
    numbers = [f"{int(rule.first, 0):02X}"] if int(rule.first, 0) >= 0 else []
    numbers += [f"{int(rule.second, 0):X}"] if int(rule.second, 0) >= 0 else []
    return "/".join([f"0x{int(rule.code, 16):X}", *numbers])


def make_entry(rule: Rule) -> str:
    """One rule on the page."""
    code = make_code(rule)
    lines = [f"### {rule.name}", "", rule.cause, ""]
    facts = [("code", f"`{code}`" if code else ""), ("severity", rule.severity.lower())]
    facts += [("then", ENDINGS[rule.ending]), ("parameters", rule.parameters), ("fix", rule.fix)]
    facts += [("example", f"`{rule.example}`" if rule.example else ""), ("source", rule.source)]
    lines += [f"- **{key}**: {value}" for key, value in facts if value]
    return "\n".join(lines)


def make_page(rules: list[Rule]) -> str:
    """docs/rules.md."""
    families = {
        "Rules of our own": [rule for rule in rules if not make_code(rule)],
        "Windows' bug checks": [
            rule for rule in rules if make_code(rule) and not make_code(rule).startswith("0xE6")
        ],
        "Driver Verifier: DRIVER_VERIFIER_DMA_VIOLATION": [
            rule for rule in rules if make_code(rule).startswith("0xE6")
        ],
    }
    parts = [
        "# Rules\n\nMade from the table in `libwdfdma/src/verifier/rules.def` by"
        " `libwdfdma/make_rules.py`; `wdfdma explain NAME` prints an entry."
    ]
    for title, members in families.items():
        parts.append(f"## {title}")
        parts += [make_entry(rule) for rule in members]
    return "\n\n".join(parts) + "\n"


def make_status_page(statuses: list[Status]) -> str:
    """docs/statuses.md."""
    parts = [
        "# Statuses\n\nWhat calls of this library can return. Made from the table in"
        " `libwdfdma/src/verifier/statuses.def` by `libwdfdma/make_rules.py`; `wdfdma explain STATUS`"
        " prints an entry."
    ]
    for status in statuses:
        lines = [f"## {status.name}", "", status.cause, ""]
        facts = [("value", f"`{status.value}`"), ("from", status.calls), ("fix", status.fix)]
        facts += [("source", status.source)]
        lines += [f"- **{key}**: {value}" for key, value in facts]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def main(arguments: list[str]) -> int:
    """Writes them all, or compares them."""
    if arguments not in ([], ["--check"]):
        raise SystemExit("usage: python make_rules.py [--check]")
    rules = read_rules()
    header = HEADER.read_text(encoding="utf-8")
    wanted = {
        HEADER: BLOCK.sub(lambda _: make_enumeration(rules), header),
        PAGE: make_page(rules),
        STATUS_PAGE: make_status_page(read_statuses()),
    }
    stale = [
        path
        for path, text in wanted.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if arguments:
        print("\n".join(f"{path.name} is not what the table says" for path in stale) or "current")
        return 1 if stale else 0
    for path in stale:
        path.write_text(wanted[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
