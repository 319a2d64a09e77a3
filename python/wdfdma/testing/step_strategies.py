"""Strategies for what a driver does: reactions in its callbacks, and whole scenarios of any family of steps.

What they draw is valid, for `wdfdma.Scenario` and to run, whether or not a driver should do it. It shrinks to few
steps, on the first transaction and the first buffer, whole.
"""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from wdfdma.enums import AllocationAction, Argument, Event
from wdfdma.operations import OPERATIONS, Operand, OperandKind
from wdfdma.testing.strategies import (
    DIRECTIONS,
    LENGTHS,
    OFFSETS,
    Settings,
    fault_plans,
    rarely,
    worlds,
)
from wdfdma.testing.strategy_arguments import (
    are_names,
    checked,
    is_name,
    is_number,
    is_strategy,
    or_none,
)

Step = dict[str, Any]

# The families of steps in docs/spec/scenario.md.
FAMILIES: dict[str, tuple[str, ...]] = {
    "transaction": (
        *("initialize", "execute", "dma_completed", "release", "cancel", "on"),
        *("dma_completed_with_length", "dma_completed_final", "delete"),
        *("allocate_resources", "free_resources", "stop_system_transfer", "complete_transfer"),
        *("set_immediate_execution", "set_maximum_length", "set_single_transfer_requirement"),
        *("set_device_address_offset", "set_callback", "get_transfer_info", "get_fragment_length"),
        *("get_bytes_transferred", "get_current_dma_transfer_length"),
    ),
    "memory": ("mdl_read", "mdl_write", "device_read_address", "device_write_address", "free_mdl"),
    "object": (
        *("request_create", "initialize_using_request", "request_complete"),
        *("request_complete_with_information", "object_reference", "object_dereference"),
        *("object_delete", "delete_enabler", "pass_wrong", "common_buffer_create"),
        "common_buffer_delete",
    ),
    "world": (
        *("enter_d0", "leave_d0", "raise_irql", "lower_irql", "set_irql", "check_leaks"),
        "remove_device",
    ),
    "adapter": (
        *("io_get_dma_adapter", "wdm_get_dma_adapter", "put_dma_adapter", "get_dma_alignment"),
        *("read_dma_counter", "get_dma_adapter_info", "get_dma_transfer_info"),
        *("allocate_common_buffer", "free_common_buffer", "initialize_dma_transfer_context"),
        *("allocate_common_buffer_ex", "write_common_buffer", "configure_adapter_channel"),
        *("cancel_mapped_transfer", "get_scatter_gather_list_ex", "build_scatter_gather_list_ex"),
        *("allocate_adapter_channel", "allocate_adapter_channel_ex", "cancel_adapter_channel"),
        *("free_adapter_channel", "free_adapter_object", "free_map_registers"),
        *("map_transfer", "map_transfer_ex", "flush_adapter_buffers", "flush_adapter_buffers_ex"),
        *("get_scatter_gather_list", "put_scatter_gather_list", "calculate_scatter_gather_list"),
        *("build_scatter_gather_list", "build_mdl_from_scatter_gather_list", "unlock_pages"),
    ),
}

# What may stand in a callback: nothing that makes or ends what other steps name.
_IN_CALLBACKS = (
    *("dma_completed", "dma_completed_with_length", "dma_completed_final", "release", "cancel"),
    *("initialize", "execute", "get_bytes_transferred", "free_resources"),
)
# What the device does in EvtProgramDma, where the first element is there to be read or written.
IN_PROGRAM_DMA = ("device_read", "device_write")
# The steps that make what a name of the scenario's stands for; a context is made where it first stands.
_MAKERS = {
    "request": ("request_create",),
    "adapter": ("io_get_dma_adapter", "wdm_get_dma_adapter"),
    "base": ("allocate_adapter_channel", "allocate_adapter_channel_ex"),
    "list": (
        "get_scatter_gather_list",
        "get_scatter_gather_list_ex",
        "build_scatter_gather_list",
        "build_scatter_gather_list_ex",
    ),
    "common_buffer": (
        "allocate_common_buffer",
        "allocate_common_buffer_ex",
        "common_buffer_create",
    ),
}
# One of these is made once, the others may be made again.
_MADE_ONCE = ("request", "adapter")
_NUMBERS = {"value": 1, "information": 1, "element": 0, "room": 4096, "version": 3}
_IRQLS = ("passive_level", "dispatch_level", "apc_level")


def _choose(values: Sequence[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from(list(values))


_PLACE = st.integers(0, 59)  # divided by any small number, each rest is as likely


def _pick(values: Sequence[Any]) -> st.SearchStrategy[Any]:
    """One of a few objects; the choice stays what it is where the shrinker leaves some of them away."""
    found = list(values)
    return _PLACE.map(lambda place: found[place % len(found)])


class _Writer:
    """What the steps so far have made: [live] transactions, and the other names by their keys."""

    def __init__(self, world: Settings, event: str | None = None) -> None:
        self.world = world
        self.event = event  # the only one, or None for any
        self.live: list[int] = []
        self.created = 0
        self.names: dict[str, list[int]] = {key: [] for key in _MAKERS}

    def can(self, op: str) -> bool:
        """Whether all is there that a step [op] names."""
        for operand in OPERATIONS[op].operands:
            if operand.kind == OperandKind.TRANSACTION and not self.live:
                return False
            if operand.kind == OperandKind.ENABLER and not self.world["enablers"]:
                return False
            key = operand.name
            if operand.kind == OperandKind.NAMED and key in _MAKERS:
                if op not in _MAKERS[key] and not self.names[key]:
                    return False
                if op == "common_buffer_create" and self.names[key]:
                    return False
        return True

    def draw_step(self, draw: st.DrawFn, op: str, number: int | None = None) -> Step:
        """A step [op], of the transaction [number] if that is given."""
        step: Step = {"op": op}
        for operand in OPERATIONS[op].operands:
            step[operand.name] = self.draw_operand(draw, op, operand, step, number)
        if op == "on" and step["returns"]:
            del step["returns"]
        if op == "delete":
            self.live.remove(step["transaction"])
        return step

    def draw_operand(
        self, draw: st.DrawFn, op: str, operand: Operand, step: Step, number: int | None
    ) -> Any:
        kind = operand.kind
        if kind == OperandKind.TRANSACTION:
            return draw(_pick(self.live)) if number is None else number
        if kind == OperandKind.NAMED:
            return self.draw_name(draw, op, operand.name)
        if kind == OperandKind.STEPS:
            return self.draw_body(draw, step)
        if kind == OperandKind.BOOLEAN:
            return operand.name == "returns" or draw(st.booleans())
        named = {
            OperandKind.ENABLER: range(len(self.world["enablers"])),
            OperandKind.BUFFER: range(len(self.world["buffers"])),
            OperandKind.DIRECTION: DIRECTIONS,
            OperandKind.EVENT: self.list_events(op),
            OperandKind.IRQL: _IRQLS,
            OperandKind.ARGUMENT: [argument.label for argument in Argument],
            OperandKind.ACTION: [action.label for action in AllocationAction if action],
        }
        if kind in (OperandKind.ENABLER, OperandKind.BUFFER):
            return draw(_pick(named[kind]))
        if kind in named:
            return draw(_choose(named[kind]))
        return self.draw_number(draw, operand, step)

    def list_events(self, op: str) -> list[str]:
        """The events that scripts react to, or those whose callbacks a driver sets."""
        if self.event is not None:
            return [self.event]
        events = [event.label for event in Event]
        return [event for event in events if op == "on" or event.endswith(("channel", "complete"))]

    def draw_name(self, draw: st.DrawFn, op: str, key: str) -> int:
        if key not in _MAKERS:
            return draw(st.integers(0, 1))
        names = self.names[key]
        if op not in _MAKERS[key]:
            return int(draw(_choose(names)))
        made = len(names) if key in _MADE_ONCE else draw(st.integers(0, 1))
        if made not in names:
            names.append(made)
        return made

    def draw_body(self, draw: st.DrawFn, step: Step) -> list[Step]:
        """The steps of a reaction; those of a WDM driver's routines do nothing."""
        number = step.get("transaction")
        if number is None:
            return []
        known = (*_IN_CALLBACKS, *IN_PROGRAM_DMA)
        is_programmed = step["event"] == "program_dma"
        ops = draw(st.lists(_choose(known if is_programmed else _IN_CALLBACKS), max_size=3))
        return [self.draw_step(draw, op, number) for op in ops]

    def draw_number(self, draw: st.DrawFn, operand: Operand, step: Step) -> int:
        """Lengths and offsets mostly within the buffer that the step names, if it does."""
        name = operand.name
        if step["op"] in IN_PROGRAM_DMA:
            return 1 if name in ("length", "value") else 0
        if name == "map_registers":
            return draw(st.integers(1, 4) | st.just(0))
        if name in ("length", "maximum_length"):
            return draw(st.sampled_from((self.get_room(step), *LENGTHS)))
        if name == "offset":
            return draw(st.sampled_from(OFFSETS))
        if name in ("address", "maximum_address"):
            return draw(st.sampled_from((0x100000, 0x10000, 0)))
        if name == "address_width":
            return draw(st.sampled_from((64, 32)))
        return min(_NUMBERS.get(name, 0), operand.maximum)

    def get_room(self, step: Step) -> int:
        """The bytes of the step's buffer behind the step's offset, or a page where there are none."""
        if "buffer" not in step:
            return 4096
        chain = self.world["buffers"][step["buffer"]]
        room = sum(mdl["length"] for mdl in chain) - max(int(step.get("offset", 0)), 0)
        return room if room > 0 else 4096


@checked(transaction=is_number(0), event=or_none(is_name(event.label for event in Event)))
@st.composite
def reactions(draw: st.DrawFn, *, transaction: int = 0, event: str | None = None) -> Step:
    """A driver's reaction to an event of a transaction: a step `on` with up to three steps on it.

    >>> from hypothesis import find
    >>> find(reactions(event="program_dma"), lambda step: step["do"])
    {'op': 'on', 'transaction': 0, 'event': 'program_dma', 'do': [{'op': 'dma_completed', 'transaction': 0}]}
    """
    writer = _Writer({"enablers": [{}], "buffers": [[{"length": 4096, "pfns": [16]}]]}, event)
    return writer.draw_step(draw, "on", transaction)


@st.composite
def _moves(draw: st.DrawFn, writer: _Writer, families: Sequence[str]) -> list[Step] | None:
    """The next steps, or None at the end."""
    if not draw(rarely(1) if not writer.created else st.integers(0, 23).map(bool)):
        return None
    if writer.world["enablers"] and (not writer.live or draw(rarely(8))):
        writer.live.append(writer.created)
        writer.created += 1
        enabler = draw(_pick(range(len(writer.world["enablers"]))))
        return [{"op": "create", "transaction": writer.live[-1], "enabler": enabler}]
    ops = [op for family in families for op in FAMILIES[family] if writer.can(op)]
    return [writer.draw_step(draw, draw(_choose(ops)))]


@checked(world=or_none(is_strategy), families=are_names(FAMILIES), most=is_number(0))
@st.composite
def scenarios(
    draw: st.DrawFn,
    *,
    world: st.SearchStrategy[Settings] | None = None,
    families: Sequence[str] = ("transaction", "memory", "object", "world"),
    most: int = 30,
) -> Settings:
    """A whole scenario, a JSON value: a world, up to [most] steps of [families] (FAMILIES has them), faults.

    The steps of the family `adapter` are those of a WDM driver.

    >>> from hypothesis import find
    >>> found = find(scenarios(), lambda scenario: any(step["op"] == "execute" for step in scenario["steps"]))
    >>> found["steps"]
    [{'op': 'create', 'transaction': 0, 'enabler': 0}, {'op': 'execute', 'transaction': 0}]
    """
    found = draw(world or worlds())
    writer = _Writer(found)
    steps: list[Step] = []
    while len(steps) < most:
        more = draw(_moves(writer, families))
        if more is None:
            break
        steps += more
    scenario = {"format": "wdfdma-scenario/1", "name": "", **found, "steps": steps}
    # A fault of what makes a name would leave the steps that name it without it.
    planned = draw(_PLANS)
    return {**scenario, "faults": planned} if planned else scenario


_NAMING = ("create", "common_buffer_create")
_PLANS = fault_plans(harmless=False).filter(
    lambda plan: (
        not any(
            fault.get("op") in _NAMING or "adapter" in fault or "allocation" in fault
            for fault in plan
        )
    )
)
