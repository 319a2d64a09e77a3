"""The operations of a program as the C library lists them: names, operands, results."""

from typing import Any, NamedTuple

from wdfdma._native import NULL, lib, read_string
from wdfdma.enums import Constant, Op, _read_type


class OperandKind(Constant, members=_read_type("wdfdma_operand_kind", "WDFDMA_OPERAND_")):
    """What an operand is, and how a program holds it."""


class ResultKind(Constant, members=_read_type("wdfdma_result_kind", "WDFDMA_RESULT_")):
    """What an operation gives back: these are or'd."""


class ProgramRule(Constant, members=_read_type("wdfdma_program_rule", "WDFDMA_PROGRAM_")):
    """What is wrong with a program."""


class Operand(NamedTuple):
    """An operand: its key in a scenario."""

    name: str
    kind: OperandKind
    maximum: int


class Operation(NamedTuple):
    """An operation: its name in a scenario."""

    number: int
    name: str
    operands: tuple[Operand, ...]
    results: int

    @property
    def object_key(self) -> str:
        """The key under which its record names its object; empty where it has none."""
        first = self.operands[0] if self.operands else None
        return first.name if first is not None and first.kind in _OBJECTS else ""


_OBJECTS = (
    OperandKind.TRANSACTION,
    OperandKind.ENABLER,
    OperandKind.BUFFER,
    OperandKind.NAMED,
)


def _read_operation(number: int, operation: Any) -> Operation:
    operands = tuple(
        Operand(read_string(operand.name), OperandKind(operand.kind), operand.maximum)
        for operand in operation.operands[0 : operation.operand_count]
    )
    return Operation(number, read_string(operation.name), operands, operation.results)


def _read_operations() -> dict[str, Operation]:
    found = {}
    for number in Op:
        pointer = lib.wdfdma_program_get_operation(number)
        if pointer != NULL:
            operation = _read_operation(int(number), pointer)
            found[operation.name] = operation
    return found


# By name, in the order of their numbers.
OPERATIONS = _read_operations()
