"""A driver and its device, which do the steps of a scenario through the Python face."""

from __future__ import annotations

import copy
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import Any

from model import Record
from stateful.memory import Memory, pattern
from stateful.mirror import Programmed
from wdfdma import (
    CompletionStatus,
    Direction,
    DmaCompletion,
    DmaEnabler,
    DmaTransaction,
    Element,
    Machine,
    Mdl,
    Profile,
    Snapshot,
    Status,
    TransactionState,
)

Step = dict[str, Any]
Reactions = defaultdict[tuple[int, str], deque[Step]]


@dataclass(frozen=True)
class Saved:
    """A snapshot of the machine, and what the driver knew then."""

    snapshot: Snapshot
    transactions: dict[int, DmaTransaction]
    reactions: Reactions
    written: dict[int, tuple[Programmed, bytes]]
    content: bytes


class Driver:
    """[seen] is what the face answered and what callbacks got, as a log would have it.

    The device reads or writes each transfer whole as soon as it is programmed. What it wrote into
    map registers is in [written] until the transfer is flushed.
    """

    def __init__(self, world: dict[str, Any]) -> None:
        self.machine = Machine(**world["machine"], log="grow")
        self.memory = Memory(self.machine, world)
        self.device = self.machine.device()
        self.enablers = [self._make_enabler(**settings) for settings in world["enablers"]]
        self.buffers = [self._make_chain(chain) for chain in world["buffers"]]
        self.transactions: dict[int, DmaTransaction] = {}
        self.reactions: Reactions = defaultdict(deque)
        self.written: dict[int, tuple[Programmed, bytes]] = {}
        self.programmed: deque[Programmed] = deque()
        self.seen: list[Record] = []
        self.transfers = 0

    def _make_enabler(self, profile: str, **settings: Any) -> DmaEnabler:
        enabler = self.device.enabler(Profile[profile.upper()], **settings)
        if profile.startswith("system"):
            enabler.configure_system_profile(Direction.READ).check()
        if profile == "system_duplex":
            enabler.configure_system_profile(Direction.WRITE).check()
        return enabler

    def _make_chain(self, chain: list[dict[str, Any]]) -> Mdl:
        mdls = [self.machine.mdl(**settings) for settings in chain]
        return self.machine.chain(*mdls)

    def save(self) -> Saved:
        return Saved(
            self.machine.snapshot(),
            dict(self.transactions),
            copy.deepcopy(self.reactions),
            dict(self.written),
            bytes(self.memory.content),
        )

    def restore(self, saved: Saved) -> None:
        self.machine.restore(saved.snapshot)
        self.transactions = dict(saved.transactions)
        self.reactions = copy.deepcopy(saved.reactions)
        self.written = dict(saved.written)
        self.memory.content[:] = saved.content

    # Steps.

    def perform(self, step: Step) -> None:
        """Does one step; what its callbacks did stands before it in [seen]."""
        op = step["op"]
        if "transaction" not in step:
            enabler, direction = self.enablers[step["enabler"]], _direction(step)
            answer: Record = {"returns": getattr(enabler, op)(direction)}
            keys = {"enabler": step["enabler"], "direction": step["direction"]}
        elif op == "create":
            answer, keys = self._create(step), {"transaction": step["transaction"]}
        elif step["transaction"] not in self.transactions:
            return
        elif op == "on":
            self.reactions[step["transaction"], step["event"]].append(step)
            return
        else:
            answer, keys = self._call(op, step), {"transaction": step["transaction"]}
        self.seen.append({"op": op, **keys, **answer})

    def _create(self, step: Step) -> Record:
        transaction = self.enablers[step["enabler"]].transaction()
        assert transaction.label == step["transaction"]
        self.transactions[transaction.label] = transaction
        return {"status": "STATUS_SUCCESS"}

    def _call(self, op: str, step: Step) -> Record:
        number = step["transaction"]
        transaction = self.transactions[number]
        if op.startswith("dma_completed"):
            self._flush_completed(transaction, step.get("length"))
        elif op in ("release", "delete"):
            self._flush(transaction, 0)
        method = getattr(self, f"_{op}", None)
        if method is not None:
            answer = method(transaction, step)
        else:
            arguments = [step[key] for key in ("length", "offset", "value") if key in step]
            answer = getattr(transaction, op)(*arguments)
        return _show(answer)

    def _initialize(self, transaction: DmaTransaction, step: Step) -> Status:
        return transaction.initialize(
            self.buffers[step["buffer"]],
            offset=step["offset"],
            length=step["length"],
            direction=_direction(step),
            program_dma=self._program_dma,
        )

    def _allocate_resources(self, transaction: DmaTransaction, step: Step) -> Status:
        return transaction.allocate_resources(
            _direction(step), reserve_dma=self._reserve_dma, map_registers=step["map_registers"]
        )

    def _set_callback(self, transaction: DmaTransaction, step: Step) -> None:
        if step["event"] == "configure_dma_channel":
            configure = self._configure_dma_channel if step["value"] else None
            transaction.set_channel_configuration_callback(configure)
        else:
            complete = self._dma_transfer_complete if step["value"] else None
            transaction.set_transfer_complete_callback(complete)

    def _delete(self, transaction: DmaTransaction, step: Step) -> None:
        number = transaction.label
        transaction.delete()
        assert not transaction.is_live
        del self.transactions[number]
        for key in [key for key in self.reactions if key[0] == number]:
            del self.reactions[key]

    # Callbacks.

    def _react(self, transaction: DmaTransaction, event: str, **fields: Any) -> bool:
        number = transaction.label
        self.seen.append({"event": event, "transaction": number, **fields})
        if event == "program_dma" and self.programmed:
            self._transfer(self.programmed.popleft(), **fields)
        reactions = self.reactions[number, event]
        reaction: Step = reactions.popleft() if reactions else {"do": []}
        for step in reaction["do"]:
            self.perform(step)
        self.seen.append({"event": "leave", "of": event, "transaction": number})
        return bool(reaction.get("returns", True))

    def _program_dma(
        self, transaction: DmaTransaction, direction: Direction, elements: list[Element]
    ) -> bool:
        pairs = [list(element) for element in elements]
        return self._react(transaction, "program_dma", direction=direction.label, elements=pairs)

    def _reserve_dma(self, transaction: DmaTransaction) -> None:
        self._react(transaction, "reserve_dma")

    def _configure_dma_channel(
        self, transaction: DmaTransaction, mdl: Mdl, offset: int, length: int
    ) -> bool:
        return self._react(transaction, "configure_dma_channel", offset=offset, length=length)

    def _dma_transfer_complete(
        self, transaction: DmaTransaction, direction: Direction, status: CompletionStatus
    ) -> None:
        fields = {"direction": direction.label, "status": status.label}
        self._react(transaction, "dma_transfer_complete", **fields)

    # The device.

    def _transfer(self, programmed: Programmed, direction: str, elements: list[list[int]]) -> None:
        """Moves all bytes of a transfer, and knows where they must come from or arrive."""
        if direction == "write":
            read = [self.machine.device_read(*element) for element in elements]
            assert b"".join(read) == self.memory.get(programmed.places), "the device read this"
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

    def _flush_completed(self, transaction: DmaTransaction, length: int | None) -> None:
        info = transaction.get_info()
        if info.state is TransactionState.TRANSFER:
            wanted = info.transfer_length if length is None else length
            self._flush(transaction, wanted if wanted <= info.transfer_length else 0)

    def _flush(self, transaction: DmaTransaction, length: int) -> None:
        """Expects [length] bytes to arrive, or all that are in a list, which is put whole."""
        written = self.written.pop(transaction.label, None)
        if written is None:
            return
        programmed, data = written
        is_list = transaction.enabler.get_info().profile.label.startswith("scatter_gather")
        self.memory.put(programmed.places, data if is_list else data[:length])


def _direction(step: Step) -> Direction:
    return Direction[step["direction"].upper()]


def _show(answer: Any) -> Record:
    """What a call of the face returned, with the keys of a log."""
    if answer is None:
        return {}
    if isinstance(answer, Status):
        return {"status": answer.name}
    if isinstance(answer, DmaCompletion):
        return {"returns": answer.completed, "status": answer.status.name}
    if isinstance(answer, int):
        return {"returns": answer}
    return {"map_registers": answer.map_registers, "elements": answer.elements}
