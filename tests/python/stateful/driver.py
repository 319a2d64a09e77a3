"""A driver and its device, which do the steps of a scenario, and the mirror that says what comes of them."""

from __future__ import annotations

import copy
from collections import deque
from dataclasses import dataclass
from typing import Any

from model import Record
from stateful.memory import Memory, find_wrong_byte, pattern
from stateful.mirror import Mirror, Programmed
from wdfdma import DmaCompletion, DmaTransaction, Snapshot, Status, TransferInfo
from wdfdma.testing import Actor
from wdfdma.testing.actor import TRANSFER
from wdfdma.testing.taking_steps import FaultyPlayer

Step = dict[str, Any]


@dataclass(frozen=True)
class Saved:
    """A snapshot of the machine, and what the driver and the mirror knew then."""

    snapshot: Snapshot
    mirror: Mirror
    actors: dict[Actor, dict[str, Any]]
    reactions: Any
    written: dict[int, tuple[Programmed, bytes]]
    content: bytes


class Driver(FaultyPlayer):
    """[seen] is what the face answered and what callbacks got, as a log would have it.

    The device reads or writes each transfer whole as soon as it is programmed. What it wrote into
    map registers is in [written] until the transfer is flushed. A step on a transaction that is not
    there, in a reaction, is left out.
    """

    def prepare(self) -> None:
        super().prepare()
        self.memory = Memory(self.machine, self.world)
        self.mirror = Mirror(self.world)
        self.written: dict[int, tuple[Programmed, bytes]] = {}
        self.programmed: deque[Programmed] = deque()
        self.seen: list[Record] = []
        self.transfers = 0

    def save(self) -> Saved:
        kept = [name for name in Actor.__slots__ if name != "info"]
        return Saved(
            self.machine.snapshot(),
            copy.deepcopy(self.mirror),
            {item: {name: getattr(item, name) for name in kept} for item in self.actors.values()},
            copy.deepcopy(self.reactions),
            dict(self.written),
            bytes(self.memory.content),
        )

    def restore(self, saved: Saved) -> None:
        self.machine.restore(saved.snapshot)
        self.mirror = copy.deepcopy(saved.mirror)
        for actor in self.actors.values():
            actor.is_live = False
        self.actors = {actor.number: actor for actor in saved.actors}
        for actor, values in saved.actors.items():
            for name, value in values.items():
                setattr(actor, name, value)
            actor.refresh()
        self.reactions = copy.deepcopy(saved.reactions)
        self.written = dict(saved.written)
        self.memory.content[:] = saved.content
        self.programmed.clear()
        self.seen.clear()

    # Steps.

    def perform(self, step: Step) -> Any:
        """What its callbacks did stands before it in [seen]."""
        op, actor = step["op"], self.actors.get(step.get("transaction", -1))
        if "transaction" in step and actor is None and op != "create":
            return None
        if actor is not None:
            self.expect_bytes(actor, op, step.get("length"))
        answer = super().perform(step)
        if op in Mirror.RECORDED:
            keys = ("transaction",) if "transaction" in step else ("enabler", "direction")
            self.seen.append({"op": op, **{key: step[key] for key in keys}, **show(answer)})
        if op == "create":
            assert self.actors[step["transaction"]].transaction.label == step["transaction"]
        if op == "delete":
            assert actor is not None
            assert not actor.transaction.is_live
        return answer

    def on_event(self, transaction: DmaTransaction, event: str, **fields: Any) -> bool:
        number = transaction.label
        shown = {key: show_field(value) for key, value in fields.items()}
        self.seen.append({"event": event, "transaction": number, **shown})
        if event == "program_dma" and self.programmed:
            self.transfer(self.programmed.popleft(), **shown)
        answer = super().on_event(transaction, event, **fields)
        self.seen.append({"event": "leave", "of": event, "transaction": number})
        return answer

    # The device.

    def transfer(self, programmed: Programmed, direction: str, elements: list[list[int]]) -> None:
        """Moves all bytes of a transfer, and knows where they must come from or arrive."""
        if direction == "write":
            read = [self.machine.device_read(*element) for element in elements]
            wrong = find_wrong_byte(b"".join(read), self.memory.get(programmed.places))
            assert wrong is None, "the device read something else"
            return
        self.transfers += 1
        data = left = pattern(self.transfers * 7, programmed.length)
        for address, length in elements:
            self.machine.device_write(address, left[:length])
            left = left[length:]
        assert not left, "the elements are shorter than the transfer"
        if programmed.bounced:
            self.written[programmed.number] = programmed, data
        else:
            self.memory.put(programmed.places, data)

    def expect_bytes(self, actor: Actor, op: str, length: int | None) -> None:
        """What a completion flushes, or a step that ends the transaction without one drops."""
        if op in ("release", "delete"):
            self.flush(actor, 0)
        elif op.startswith("dma_completed"):
            actor.refresh()
            if actor.state == TRANSFER:
                whole = actor.info.transfer_length
                wanted = whole if length is None else length
                self.flush(actor, wanted if wanted <= whole else 0)

    def flush(self, actor: Actor, length: int) -> None:
        """Expects [length] bytes to arrive, or all that are in a list, which is put whole."""
        written = self.written.pop(actor.number, None)
        if written is not None:
            programmed, data = written
            self.memory.put(programmed.places, data if actor.is_list else data[:length])


def show_field(value: Any) -> Any:
    """What a callback was called with, as a log has it."""
    if isinstance(value, list):
        return [list(element) for element in value]
    return getattr(value, "label", value)


def show(answer: Any) -> Record:
    """What a call of the face returned, with the keys of a log."""
    if answer is None:
        return {}
    if isinstance(answer, Status):
        return {"status": answer.name}
    if isinstance(answer, DmaCompletion):
        return {"returns": answer.completed, "status": answer.status.name}
    if isinstance(answer, TransferInfo):
        return {"map_registers": answer.map_registers, "elements": answer.elements}
    return {"returns": answer}
