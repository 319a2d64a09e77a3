"""A machine that takes a scenario's steps one by one and writes down what they did."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Any

from .enabler import Enabler, Machine, make_enabler
from .hal import Chain, Mdl, controller_done
from .packet import PacketTransaction
from .pool import SUCCESS, Adapter, Pool, Record, Undefined, in_order
from .scatter_gather import ScatterGatherTransaction
from .system import SystemTransaction
from .transaction import BugCheck, Transaction

Step = Mapping[str, Any]
KINDS: dict[str, type[Transaction]] = {
    "packet": PacketTransaction,
    "scatter_gather": ScatterGatherTransaction,
    "system": SystemTransaction,
}
# The keys of a step that its call takes, and those of a record that it answers.
ARGUMENTS = {
    "initialize": "buffer offset length direction",
    "allocate_resources": "direction map_registers",
    "set_immediate_execution": "value",
    "set_single_transfer_requirement": "value",
    "set_maximum_length": "length",
    "set_device_address_offset": "offset",
    "set_callback": "event value",
    "dma_completed_with_length": "length",
    "dma_completed_final": "length",
}
ANSWERS = {
    "initialize": "status",
    "execute": "status",
    "allocate_resources": "status",
    "release": "status",
    "cancel": "returns",
    "get_transfer_info": "map_registers elements",
    "get_bytes_transferred": "returns",
    "get_current_dma_transfer_length": "returns",
    "dma_completed": "returns status",
    "dma_completed_with_length": "returns status",
    "dma_completed_final": "returns status",
}
OF_ENABLERS = ("get_fragment_length", "complete_transfer")


class Model:
    """One machine with its enablers and buffers; [log] grows with each step until it halts."""

    def __init__(
        self,
        machine_settings: Mapping[str, Any],
        enablers: Sequence[Mapping[str, Any]],
        buffers: Sequence[Sequence[Mapping[str, Any]]],
    ) -> None:
        machine = Machine(**machine_settings)
        self.verifier = machine.verifier
        self.pool = Pool(machine.map_registers)
        self.device_owner: object | None = None
        self.enablers: list[Enabler] = [make_enabler(machine, e) for e in enablers]
        self.buffers: list[Chain] = [
            [Mdl(mdl.get("offset", 0), mdl["length"], tuple(mdl["pfns"])) for mdl in chain]
            for chain in buffers
        ]
        self.transactions: dict[int, Transaction] = {}
        self.halted = False
        self.log: list[Record] = []
        self._reactions: defaultdict[tuple[int, str], deque[Step]] = defaultdict(deque)
        self._ops: list[str] = []

    def step(self, step: Step) -> list[Record]:
        """Takes one step; its records, the snapshot last, or the bug check where it halted."""
        if self.halted:
            raise RuntimeError("the machine has halted")
        before = len(self.log)
        try:
            self._take(step)
            self.log.append({"snapshot": self.snapshot()})
        except BugCheck as stop:
            self.halted = True
            self._ops.clear()
            self.log.append(
                {"event": "bugcheck", "code": "WDF_VIOLATION", "parameters": stop.parameters}
            )
        except Undefined as undefined:
            self.halted = True
            undefined.log = list(self.log)
            raise
        return self.log[before:]

    def snapshot(self) -> Record:
        transactions = {
            str(number): {
                "state": transaction.state,
                "bytes_transferred": transaction.transferred,
                "transfer_length": transaction.fragment,
            }
            for number, transaction in self.transactions.items()
        }
        return {"free_registers": self.pool.free(), "transactions": transactions}

    def adapters(self) -> list[Adapter]:
        """Every adapter once, in the order in which the enablers made them."""
        return list(dict.fromkeys(a for e in self.enablers for a in e.adapters.values()))

    def waits(self, owner: object) -> bool:
        """Whether a request of [owner] stands in a queue."""
        queues = [self.pool.waiting, *(adapter.queue for adapter in self.adapters())]
        return any(request.owner is owner for queue in queues for request in queue)

    def invariants(self) -> None:
        """Asserts what holds between any two steps of a machine that has not halted."""
        if self.halted:
            return
        self.pool.invariants()
        for adapter in self.adapters():
            in_order(adapter.queue)
            assert not (adapter.queue and adapter.channel is None), "waits for a free channel"

    # What transactions ask of their machine.

    def fire(self, number: int, event: str, fields: dict[str, Any]) -> bool:
        self.log.append({"event": event, "transaction": number, **fields})
        reactions = self._reactions[number, event]
        reaction: Step = reactions.popleft() if reactions else {"do": []}
        for step in reaction["do"]:
            self._take(step)
        self.log.append({"event": "leave", "of": event, "transaction": number})
        return bool(reaction.get("returns", True))

    def report_break(self) -> None:
        if self.verifier:
            self.log.append({"event": "break", "op": self._ops[-1]})

    # Steps.

    def _take(self, step: Step) -> None:
        op = step["op"]
        if op == "on":
            self._live(step)
            self._reactions[step["transaction"], step["event"]].append(step)
            return
        self._ops.append(op)
        record: Record = {"op": op}
        if "transaction" in step:
            record["transaction"] = step["transaction"]
            record |= self._call(op, step)
        elif op not in OF_ENABLERS:
            raise NotImplementedError(f"{op}: the model knows transactions and enablers alone")
        else:
            record |= {"enabler": step["enabler"], "direction": step["direction"]}
            record["returns"] = self._call_enabler(op, step)
        self._ops.pop()
        self.log.append(record)

    def _live(self, step: Step) -> Transaction:
        try:
            return self.transactions[step["transaction"]]
        except KeyError:
            raise ValueError(f"{step['op']}: no transaction {step['transaction']}") from None

    def _call_enabler(self, op: str, step: Step) -> int | bool:
        enabler = self.enablers[step["enabler"]]
        if op == "get_fragment_length":
            return enabler.fragment_length(step["direction"])
        return controller_done(enabler.adapters[step["direction"]])

    def _call(self, op: str, step: Step) -> Record:
        if op == "create":
            return self._create(step["transaction"], self.enablers[step["enabler"]])
        transaction = self._live(step)
        if op == "delete":
            transaction.delete()
            self._forget(transaction.number)
            return {}
        if op == "initialize":
            step = {**step, "buffer": self.buffers[step["buffer"]]}
        if not hasattr(transaction, op):
            raise NotImplementedError(f"{op}: the model does not know it")
        arguments = [step[key] for key in ARGUMENTS.get(op, "").split()]
        answer = getattr(transaction, op)(*arguments)
        keys = ANSWERS.get(op, "").split()
        return dict(zip(keys, answer if isinstance(answer, tuple) else (answer,), strict=False))

    def _create(self, number: int, enabler: Enabler) -> Record:
        if number in self.transactions:
            raise ValueError(f"create: transaction {number} is there already")
        self.transactions[number] = KINDS[enabler.kind](self, number, enabler)
        return {"status": SUCCESS}

    def _forget(self, number: int) -> None:
        del self.transactions[number]
        for key in [key for key in self._reactions if key[0] == number]:
            del self._reactions[key]


def run_scenario(scenario: Mapping[str, Any]) -> Model:
    """The model after a scenario, with its log; Undefined carries what came before it in its own [log]."""
    model = Model(scenario.get("machine", {}), scenario["enablers"], scenario.get("buffers", []))
    for step in scenario["steps"]:
        if model.halted:
            break
        model.step(step)
    return model
