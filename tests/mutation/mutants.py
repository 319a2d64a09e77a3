"""Mutants of C sources: what may be changed where, and one text that holds many of them.

A mutant replaces one piece of the syntax tree. All of a sample go into one build (mutant schemata): each piece becomes
a choice by the macro MUTANT(number), so that a test of a mutant costs no compiler, and it is known which ones reach it.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tree_sitter_c
from tree_sitter import Language, Node, Parser

FOLDERS = ("hal", "framework")
# Words of the house before a function; the grammar does not know them.
_ATTRIBUTES = re.compile(rb"\b(HOT_INLINE|HOT_PATH|COLD|NO_INLINE)\b")
_NEGATED = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_BINARY = {
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
    "==": ("!=",),
    "!=": ("==",),
    "&&": ("||",),
    "||": ("&&",),
    "+": ("-",),
    "-": ("+",),
    "*": ("+",),
    "/": ("*",),
    "%": ("/",),
    "<<": (">>",),
    ">>": ("<<",),
    "&": ("|",),
    "|": ("&",),
    "^": ("|",),
}
_ASSIGNED = {
    "+=": "-=",
    "-=": "+=",
    "*=": "+=",
    "/=": "*=",
    "%=": "/=",
    "|=": "&=",
    "&=": "|=",
    "^=": "|=",
    "<<=": ">>=",
    ">>=": "<<=",
}
_KINDS = {"&&": "logical", "||": "logical", **dict.fromkeys(_NEGATED, "relational")}
_BITWISE = ("<<", ">>", "&", "|", "^")
# Where a choice at run time cannot stand, or where a change is none of the library's behaviour.
_CLOSED = ("sizeof_expression", "array_declarator", "enumerator")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: bytes [start, end) of [file], a path below the sources, become [text].

    [key] names it for as long as its function and the line stay as they are. [self_check]: in a routine of
    `wdfdma_machine_check`, which looks at the machine and changes nothing.
    """

    key: str
    file: str
    function: str
    line: int
    start: int
    end: int
    operator: str
    original: str
    text: str
    is_statement: bool
    self_check: bool


@dataclass(frozen=True, slots=True)
class _Change:
    node: Node
    operator: str
    text: str
    is_statement: bool = False


def find_all(sources: Path) -> list[Mutant]:
    """Every mutant of the floors HAL and framework, in the order of the files and of their text."""
    paths = [path for folder in FOLDERS for path in sorted((sources / folder).glob("*.[ch]"))]
    return [mutant for path in paths for mutant in find_mutants(sources, path)]


def find_mutants(sources: Path, path: Path) -> list[Mutant]:
    """The mutants of one file."""
    content = path.read_bytes()
    readable = _ATTRIBUTES.sub(lambda match: b" " * len(match[0]), content)
    tree = Parser(Language(tree_sitter_c.language())).parse(readable)
    file = path.relative_to(sources).as_posix()
    seen: dict[str, int] = defaultdict(int)
    mutants = []
    for function in _find_functions(tree.root_node):
        declarator = function.child_by_field_name("declarator")
        body = function.child_by_field_name("body")
        assert declarator is not None
        assert body is not None
        name = re.search(r"\w+(?=\s*\()", _text(declarator))
        assert name is not None, _text(declarator)
        for change in _find_changes(body):
            node = change.node
            said = f"{file} {name[0]} {change.operator} {_text(node)} > {change.text}"
            seen[said] += 1
            key = hashlib.sha256(f"{said} {seen[said]}".encode()).hexdigest()[:8]
            mutants.append(
                Mutant(
                    key,
                    file,
                    name[0],
                    node.start_point[0] + 1,
                    node.start_byte,
                    node.end_byte,
                    change.operator,
                    _text(node),
                    change.text,
                    change.is_statement,
                    "wdfdma_check_failure" in _text(declarator),
                )
            )
    return mutants


def mutate(content: bytes, mutant: Mutant) -> bytes:
    """The file with one mutant in it; its lines keep their numbers."""
    lines = b"\n" * content[mutant.start : mutant.end].count(b"\n")
    return content[: mutant.start] + mutant.text.encode() + lines + content[mutant.end :]


def weave(content: bytes, numbered: list[tuple[int, Mutant]]) -> bytes:
    """The file with all of [numbered] in it; the one that MUTANT(number) is true for takes effect."""
    spots: dict[tuple[int, int, bool], list[tuple[int, Mutant]]] = defaultdict(list)
    for number, mutant in numbered:
        spots[mutant.start, mutant.end, mutant.is_statement].append((number, mutant))
    # Outer spots first; a statement goes round the expression that fills it.
    order = sorted(spots, key=lambda spot: (spot[0], -spot[1], not spot[2]))
    return _weave_range(content, 0, len(content), order, spots)


def _weave_range(
    content: bytes,
    start: int,
    end: int,
    order: list[tuple[int, int, bool]],
    spots: dict[tuple[int, int, bool], list[tuple[int, Mutant]]],
) -> bytes:
    woven, at = [], start
    while order and order[0][1] <= end:
        spot = order.pop(0)
        inner = []
        while order and order[0][0] < spot[1]:
            inner.append(order.pop(0))
        woven.append(content[at : spot[0]])
        text = _weave_range(content, spot[0], spot[1], inner, spots)
        woven.append(_choose(text, spots[spot], spot[2]))
        at = spot[1]
    return b"".join(woven) + content[at:end]


def _choose(text: bytes, numbered: list[tuple[int, Mutant]], is_statement: bool) -> bytes:
    if is_statement:
        numbers = b" && ".join(b"!MUTANT(%d)" % number for number, _ in numbered)
        return b"if (%s) { %s }" % (numbers, text)
    choices = (
        b"MUTANT(%d) ? (%s) : " % (number, mutant.text.encode()) for number, mutant in numbered
    )
    return b"(%s(%s))" % (b"".join(choices), text)


def _text(node: Node) -> str:
    assert node.text is not None
    return node.text.decode()


def _find_functions(root: Node) -> Iterator[Node]:
    for node in root.children:
        if node.type == "function_definition":
            yield node
        elif node.type.startswith("preproc_") or node.type == "linkage_specification":
            yield from _find_functions(node)


def _is_closed(node: Node, field: str | None) -> bool:
    if node.type in _CLOSED or node.type == "ERROR":
        return True
    if node.type == "call_expression" and _text(node).startswith("WDFDMA_ASSERT"):
        return True
    if node.parent is not None and node.parent.type == "case_statement" and field == "value":
        return True
    return node.type == "declaration" and _text(node).startswith("static")


def _find_changes(node: Node) -> Iterator[_Change]:
    for index, child in enumerate(node.children):
        if _is_closed(child, node.field_name_for_child(index)):
            continue
        if child.is_named:
            yield from _change(child)
        yield from _find_changes(child)


def _change(node: Node) -> Iterator[_Change]:
    kind = node.type
    if kind == "binary_expression":
        yield from _change_binary(node)
    elif kind == "assignment_expression":
        yield from _change_assignment(node)
    elif kind == "unary_expression":
        yield from _change_unary(node)
    elif kind == "update_expression":
        other = {"++": "--", "--": "++"}
        yield _Change(node, "assignment", re.sub(r"\+\+|--", lambda m: other[m[0]], _text(node)))
    elif kind in ("number_literal", "true", "false", "identifier"):
        yield from _change_constant(node)
    elif kind in ("expression_statement", "break_statement", "continue_statement"):
        if not _text(node).startswith(("WDFDMA_ASSERT", "(void)")) and len(_text(node)) > 1:
            yield _Change(node, "statement", ";", True)
    elif kind == "return_statement":
        yield from _change_return(node)
    elif (
        kind in ("if_statement", "while_statement", "do_statement", "for_statement")
        or kind == "conditional_expression"
    ):
        yield from _change_condition(node)


def _parts(node: Node) -> tuple[str, str, str]:
    """What stands left of the operator, it, and what stands right."""
    operator = node.child_by_field_name("operator")
    assert operator is not None
    text = _text(node).encode()
    start, end = operator.start_byte - node.start_byte, operator.end_byte - node.start_byte
    return text[:start].decode(), _text(operator), text[end:].decode()


def _change_binary(node: Node) -> Iterator[_Change]:
    left, operator, right = _parts(node)
    kind = "bitwise" if operator in _BITWISE else _KINDS.get(operator, "arithmetic")
    for other in _BINARY.get(operator, ()):
        yield _Change(node, kind, f"{left}{other}{right}")


def _change_assignment(node: Node) -> Iterator[_Change]:
    left, operator, right = _parts(node)
    if operator in _ASSIGNED:
        yield _Change(node, "assignment", f"{left}{_ASSIGNED[operator]}{right}")


def _change_unary(node: Node) -> Iterator[_Change]:
    operator, argument = (
        node.child_by_field_name("operator"),
        node.child_by_field_name("argument"),
    )
    if operator is not None and argument is not None and _text(operator) in "!~-":
        yield _Change(node, "unary", _text(argument))


def _change_constant(node: Node) -> Iterator[_Change]:
    text = _text(node)
    if node.type == "number_literal":
        value = int(re.sub(r"[uUlL]+$", "", text), 0)
        yield _Change(node, "constant", f"{text} + 1")
        if value > 1:
            yield _Change(node, "constant", f"{text} - 1")
        elif value == 1:
            yield _Change(node, "constant", "0")
    elif node.type != "identifier":
        yield _Change(node, "constant", "false" if text == "true" else "true")
    elif text == "STATUS_SUCCESS":
        yield _Change(node, "constant", "STATUS_UNSUCCESSFUL")
    elif text.startswith("STATUS_"):
        yield _Change(node, "constant", "STATUS_SUCCESS")


def _change_return(node: Node) -> Iterator[_Change]:
    values = [child for child in node.children if child.is_named and child.type != "comment"]
    if not values:
        yield _Change(node, "statement", ";", True)
        return
    is_constant = values[0].type in ("number_literal", "true", "false", "null")
    if not is_constant and not _text(values[0]).startswith("STATUS_"):
        yield _Change(values[0], "return", "0")


def _change_condition(node: Node) -> Iterator[_Change]:
    condition = node.child_by_field_name("condition")
    if condition is None:
        return
    bare = condition
    while bare.type == "parenthesized_expression":
        bare = bare.children[1]
    inside = bare
    if inside.type == "call_expression" and _text(inside).startswith(("LIKELY(", "UNLIKELY(")):
        arguments = inside.child_by_field_name("arguments")
        assert arguments is not None
        inside = arguments.children[1]
    # These have a mutant that says the same.
    operator = inside.child_by_field_name("operator")
    if operator is None or _text(operator) not in ("!", *_NEGATED):
        yield _Change(bare, "condition", f"!({_text(bare)})")
