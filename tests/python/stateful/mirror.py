"""The model, as a machine under test needs it: with the ranges that a device was given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from model import Model
from model.hal import Element, parts
from model.runner import ANSWERS, ARGUMENTS, OF_ENABLERS, Step


@dataclass(frozen=True)
class Programmed:
    """A transfer as the device got it: the physical [places] of its bytes, and how they go."""

    number: int
    places: tuple[Element, ...]
    bounced: bool

    @property
    def length(self) -> int:
        return sum(length for _, length in self.places)


class Mirror(Model):
    """[programmed] grows with each transfer. Steps on what is not there any more are left out.

    So are those that the model does not know; the log has a record of the others, but for `on`.
    """

    RECORDED = frozenset(
        {"create", "delete", "free_resources", "stop_system_transfer", *ANSWERS, *ARGUMENTS}
    ) | frozenset(OF_ENABLERS)

    def __init__(self, world: dict[str, Any]) -> None:
        super().__init__(world["machine"], world["enablers"], world["buffers"])
        self.programmed: list[Programmed] = []

    def fire(self, number: int, event: str, fields: dict[str, Any]) -> bool:
        if event == "program_dma":
            transaction = self.transactions[number]
            found = parts(transaction.own_chain(), *transaction.mapped)
            places = tuple(piece for part in found for piece in part.pieces())
            self.programmed.append(Programmed(number, places, bool(transaction.bounces)))
        return super().fire(number, event, fields)

    def _take(self, step: Step) -> None:
        op = step["op"]
        known = op in self.RECORDED or op == "on"
        if known and (op == "create" or step.get("transaction", -1) in {-1, *self.transactions}):
            super()._take(step)
