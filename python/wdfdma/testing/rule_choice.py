"""Which rules a subclass of `DmaStateMachine` keeps."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

# Rules by what they are about.
GROUPS: dict[str, tuple[str, ...]] = {
    "transfer": ("initialize", "execute", "start", "start_all", "complete", "release"),
    "reserve": ("allocate_resources", "free_resources"),
    "cancel": ("cancel",),
    "delete": ("delete", "delete_enabler"),
    "set": (
        "set_immediate_execution",
        "set_maximum_length",
        "set_single_transfer_requirement",
        "set_device_address_offset",
        "set_callback",
    ),
    "interrupt": ("complete_in_dpc",),
    "react": ("complete_when_programmed", "initialize_when_reserved"),
    "ask": ("ask_transaction", "ask_enabler", "ask_world"),
    "device": ("access",),
    "controller": ("complete_transfer", "stop_system_transfer"),
    "power": ("change_power", "stop_device"),
    "request": ("request_create", "initialize_using_request", "request_complete"),
    "common_buffer": ("common_buffer_create", "common_buffer_delete", "try_common_buffer"),
    "memory": ("touch_buffer",),
    "reference": ("object_reference", "object_dereference"),
}
ALWAYS = "create"


def choose_rules(machine: type, chosen: Sequence[str]) -> None:
    """Leaves [machine] the rules that [chosen] names, its own ones and `create`; the others are methods still.

    Errors: TypeError where it is one name alone; ValueError for one that is neither a rule's nor a group's.
    """
    if isinstance(chosen, (str, bytes)):
        raise TypeError(f"rules: {chosen!r} is one name, not a sequence of them")
    known = {name for group in GROUPS.values() for name in group}
    kept = {ALWAYS}
    for name in chosen:
        if name not in GROUPS and name not in known and name != ALWAYS:
            names = ", ".join([*GROUPS, ALWAYS, *sorted(known)])
            raise ValueError(f"rules: {name!r} is none of {names}")
        kept.update(GROUPS.get(name, ()))
        kept.update({name} & known)
    for name in known - kept - vars(machine).keys():
        setattr(machine, name, _make_method(getattr(machine, name)))


def _make_method(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same without what makes it a rule."""

    def method(self: Any, *arguments: Any, **keys: Any) -> Any:
        return function(self, *arguments, **keys)

    wraps(function, updated=())(method)
    return method
