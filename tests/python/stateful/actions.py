"""What a driver may do next, drawn with an eye on the model, so that most of it makes sense."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

from model import Model, Transaction
from wdfdma.testing.strategies import Settings

Step = dict[str, Any]
DIRECTIONS = st.sampled_from(["read", "write"])
T = TypeVar("T")


class Draw(Protocol):
    """What composite strategies and `st.data()` have in common."""

    def __call__(self, strategy: st.SearchStrategy[T]) -> T:
        """Draws one value."""


COMPLETIONS = ["dma_completed", "dma_completed_with_length", "dma_completed_final"]
EVENTS = ["program_dma", "reserve_dma", "dma_transfer_complete", "configure_dma_channel"]
SYSTEM_EVENTS = EVENTS[2:]
PLAIN = [
    "execute",
    "release",
    "delete",
    "cancel",
    "free_resources",
    "stop_system_transfer",
    "get_transfer_info",
    "get_bytes_transferred",
    "get_current_dma_transfer_length",
]
SETTERS = [
    "set_immediate_execution",
    "set_maximum_length",
    "set_single_transfer_requirement",
    "set_device_address_offset",
    "set_callback",
]
OTHERS = ["complete", "initialize", "allocate_resources", "setter", "on", "enabler", "create"]
USUAL: dict[str, list[str]] = {
    "created": ["start", "start", "start", "initialize", "allocate_resources", "setter", "on"],
    "released": ["start", "start", "initialize", "allocate_resources", "setter", "free_resources"],
    "reserved": ["initialize", "initialize", "cancel", "free_resources", "release", "on"],
    "initialized": ["execute", "execute", "execute", "setter", "get_transfer_info", "cancel", "on"],
    "transfer": ["complete", "complete", "complete", "cancel", "stop_system_transfer", "on"],
    "transfer_completed": ["release", "release", "free_resources", "delete"],
    "transfer_failed": ["release", "release", "free_resources", "delete"],
}
DEPTH = 2


def rarely(draw: Draw, one_in: int = 10) -> bool:
    return draw(st.integers(0, one_in - 1)) == one_in - 1


class Author:
    """Draws the steps of one scenario; [model] is what they did so far."""

    def __init__(self, world: Settings, model: Model) -> None:
        self.world = world
        self.model = model
        self.enablers = range(len(world["enablers"]))

    def live(self) -> list[int]:
        return list(self.model.transactions)

    def steps(self, draw: Draw) -> list[Step]:
        """The next steps of the scenario itself, one or a few that belong together."""
        live = self.live()
        if not live or (len(live) < 5 and draw(st.integers(0, 7)) == 7):
            return [self.create(draw)]
        if rarely(draw, 16):
            return [self.on_enabler(draw)]
        number = draw(st.sampled_from(live))
        if rarely(draw, 24):
            return [self.any_step(draw, number)]
        return self.turn(draw, number)

    def turn(self, draw: Draw, number: int) -> list[Step]:
        """What a driver usually does with a transaction as it stands, most of it right."""
        op = draw(st.sampled_from(USUAL[self.model.transactions[number].state]))
        return self.start(draw, number) if op == "start" else [self.make(draw, op, number)]

    def start(self, draw: Draw, number: int) -> list[Step]:
        """Initializes and executes, with or without a reservation, a callback and a reaction."""
        transaction = self.model.transactions[number]
        do = [self.make(draw, op, number) for op in ("initialize", "execute")]
        if transaction.version3 and not is_list(transaction) and rarely(draw, 4):
            do.insert(0, self.make(draw, "allocate_resources", number))
            do[0]["map_registers"] = draw(st.integers(1, 3))
            do[0]["direction"] = do[1]["direction"]
        if is_system(transaction) and draw(st.booleans()):
            event = draw(st.sampled_from(SYSTEM_EVENTS))
            step = {"op": "set_callback", "transaction": number, "event": event, "value": True}
            do.insert(0, step)
        for _ in range(draw(st.integers(0, 2))):
            do.insert(0, self.reaction(draw, number))
        return do

    def create(self, draw: Draw) -> Step:
        number = max(self.live(), default=-1) + 1
        return {
            "op": "create",
            "transaction": number,
            "enabler": draw(st.sampled_from(self.enablers)),
        }

    def on_enabler(self, draw: Draw) -> Step:
        return {
            "op": draw(st.sampled_from(["complete_transfer", "get_fragment_length"])),
            "enabler": draw(st.sampled_from(self.enablers)),
            "direction": draw(DIRECTIONS),
        }

    def any_step(self, draw: Draw, number: int, depth: int = 0) -> Step:
        """Whatever a driver may get wrong."""
        op = draw(st.sampled_from([*PLAIN, *OTHERS]))
        if op == "create":
            return self.create(draw)
        return self.on_enabler(draw) if op == "enabler" else self.make(draw, op, number, depth)

    def make(self, draw: Draw, op: str, number: int, depth: int = 0) -> Step:
        """The step [op], or one of the kind [op], with arguments."""
        if op == "setter":
            op = draw(st.sampled_from(self.setters(draw, number)))
        if op == "complete":
            return self.complete(draw, number)
        if op == "on":
            return self.reaction(draw, number, depth)
        step: Step = {"op": op, "transaction": number}
        if op == "initialize":
            step |= self.range(draw, number)
        elif op == "allocate_resources":
            step["direction"] = draw(DIRECTIONS)
            step["map_registers"] = draw(st.integers(0, self.world["machine"]["map_registers"] + 1))
        elif op == "set_maximum_length":
            step["length"] = draw(st.sampled_from([4096, 512, 1000, 8192]) | st.integers(0, 20000))
        elif op == "set_device_address_offset":
            step["offset"] = draw(st.integers(0, 1000))
        elif op in SETTERS:
            step["value"] = draw(st.sampled_from([True, True, False]))
            if op == "set_callback":
                step["event"] = draw(st.sampled_from(SYSTEM_EVENTS))
        return step

    def setters(self, draw: Draw, number: int) -> list[str]:
        """What the transaction takes in its state; anything once in a while."""
        transaction = self.model.transactions.get(number)
        if transaction is None or rarely(draw, 12):
            return SETTERS
        if transaction.state == "initialized":
            return ["set_maximum_length", "set_maximum_length", "set_immediate_execution"]
        if is_system(transaction):
            return ["set_callback", "set_callback", "set_device_address_offset", *SETTERS[::2]]
        return ["set_immediate_execution", "set_single_transfer_requirement"]

    def range(self, draw: Draw, number: int) -> Step:
        """The arguments of an Initialize, most of them within a buffer."""
        buffer = draw(st.integers(0, len(self.world["buffers"]) - 1))
        lengths = [mdl["length"] for mdl in self.world["buffers"][buffer]]
        transaction = self.model.transactions.get(number)
        offset = draw(st.just(0) | st.integers(0, lengths[0] - 1))
        room = sum(lengths) - offset
        if transaction and not transaction.version3 and transaction.enabler.kind == "packet":
            room = lengths[0] - offset
        length = draw(st.just(room) | st.integers(1, room))
        if rarely(draw, 25):
            offset = lengths[0] + draw(st.integers(0, 2))
        if rarely(draw, 25):
            length = draw(st.sampled_from([0, room + 1, room + 4096, 2**32 - 1]))
        direction = draw(DIRECTIONS)
        if transaction is not None and transaction.reserved and not rarely(draw):
            direction = transaction.direction
        return {"buffer": buffer, "offset": offset, "length": length, "direction": direction}

    def complete(self, draw: Draw, number: int) -> Step:
        step: Step = {"op": draw(st.sampled_from(COMPLETIONS)), "transaction": number}
        if step["op"] != "dma_completed":
            transaction = self.model.transactions.get(number)
            step["length"] = draw(completed_lengths(transaction))
        return step

    def reaction(self, draw: Draw, number: int, depth: int = 0) -> Step:
        """A reaction of [number], which may concern others as well."""
        events = EVENTS if is_system(self.model.transactions.get(number)) else EVENTS[:2]
        events = [*EVENTS[:1] * 3, *events]
        event = draw(st.sampled_from(events))
        do = []
        if event == "reserve_dma" and not rarely(draw, 4):
            do += [self.make(draw, op, number) for op in ("initialize", "execute")]
        elif event != "configure_dma_channel" and not rarely(draw, 3):
            do.append(self.complete(draw, number))
        while len(do) < 5 and draw(st.integers(0, 2)) == 2:
            who = draw(st.sampled_from([number, *self.live()]))
            do.insert(draw(st.integers(0, len(do))), self.nested(draw, who, depth + 1))
        step = {"op": "on", "transaction": number, "event": event, "do": do}
        if rarely(draw, 3 if event == "configure_dma_channel" else 20):
            step["returns"] = False
        return step

    def nested(self, draw: Draw, number: int, depth: int) -> Step:
        if rarely(draw, 6) and depth >= DEPTH:
            return {"op": "get_bytes_transferred", "transaction": number}
        usual = ["complete", "release", "execute", "initialize", "cancel", "free_resources"]
        if depth < DEPTH:
            usual.append("on")
        if rarely(draw, 4):
            return self.any_step(draw, number, DEPTH) if depth >= DEPTH else self.on_enabler(draw)
        return self.make(draw, draw(st.sampled_from([*usual, "delete"])), number, depth)


def is_system(transaction: Transaction | None) -> bool:
    return transaction is not None and transaction.enabler.kind == "system"


def is_list(transaction: Transaction) -> bool:
    return transaction.enabler.kind == "scatter_gather"


def completed_lengths(transaction: Transaction | None) -> st.SearchStrategy[int]:
    """Lengths to complete: mostly within the current transfer."""
    fragment = transaction.fragment if transaction else 0
    return st.just(fragment) | st.integers(0, fragment or 4096) | st.sampled_from([0, 512, 4096])


def is_idle(model: Model, step: Step) -> bool:
    """Whether what the step belongs to has failed before."""
    if step["op"] == "create" or "enabler" in step:
        return False
    transaction = model.transactions.get(step["transaction"])
    return transaction is None or (step["op"] == "execute" and transaction.state != "initialized")
