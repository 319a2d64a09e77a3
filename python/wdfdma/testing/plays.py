"""The steps of a scenario, by their ops, as a `Player` makes them through the Python face."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wdfdma.enums import Direction, Irql, PowerState, RequestType
from wdfdma.status import SUCCESS, Status, StatusError
from wdfdma.testing.actor import Actor

if TYPE_CHECKING:
    from wdfdma.testing.player import Player

Step = dict[str, Any]
Play = Callable[["Player", Step], Any]

_DIRECTIONS = {direction.label: direction for direction in Direction}
_IRQLS = {irql.label: irql for irql in Irql}


def _create(player: "Player", step: Step) -> Status:
    enabler = step["enabler"]
    try:
        transaction = player.enablers[enabler].transaction()
    except StatusError as error:
        return error.status
    number = step["transaction"]
    actor = player.expected.pop(number, None) or Actor(number, enabler)
    actor.begin(transaction, player.get_enabler_info(enabler))
    player.actors[number] = actor
    return SUCCESS


def _delete(player: "Player", step: Step) -> None:
    actor = player.actors[step["transaction"]]
    actor.transaction.delete()
    actor.is_live = False
    del player.actors[actor.number]
    for key in [key for key in player.reactions if key[0] == actor.number]:
        del player.reactions[key]


def _initialize(player: "Player", step: Step) -> Status:
    actor = player.actors[step["transaction"]]
    actor.programmed = False
    actor.request = None
    transaction, offset = actor.transaction, step["offset"]
    # The two calls do the same; the second is the one for a buffer's later bytes.
    initialize = transaction.initialize_using_offset if offset else transaction.initialize
    status: Status = initialize(
        player.buffers[step["buffer"]],
        offset=offset,
        length=step["length"],
        direction=_DIRECTIONS[step["direction"]],
        program_dma=player.program_dma,
    )
    return status


def _initialize_using_request(player: "Player", step: Step) -> Status:
    actor = player.actors[step["transaction"]]
    actor.programmed = False
    request = player.requests[step["request"]]
    status: Status = actor.transaction.initialize_using_request(
        request, direction=_DIRECTIONS[step["direction"]], program_dma=player.program_dma
    )
    actor.request = request if status == SUCCESS else None
    return status


def _allocate_resources(player: "Player", step: Step) -> Status:
    return player.get_transaction(step).allocate_resources(
        _DIRECTIONS[step["direction"]],
        reserve_dma=player.reserve_dma,
        map_registers=step["map_registers"],
    )


def _complete(name: str) -> Play:
    """A completion; what the device was programmed with is over before the framework programs it anew."""

    def play(player: "Player", step: Step) -> Any:
        actor = player.actors[step["transaction"]]
        actor.programmed = False
        function = getattr(actor.transaction, name)
        return function(step["length"]) if "length" in step else function()

    return play


def _set_callback(player: "Player", step: Step) -> None:
    actor, value = player.actors[step["transaction"]], step["value"]
    if step["event"] == "configure_dma_channel":
        function = player.configure_dma_channel if value else None
        actor.transaction.set_channel_configuration_callback(function)
    else:
        actor.transaction.set_transfer_complete_callback(
            player.dma_transfer_complete if value else None
        )
        actor.has_completion_callback = value


def _on(player: "Player", step: Step) -> None:
    player.reactions[step["transaction"], step["event"]].append(step)


def _method(name: str, *keys: str) -> Play:
    """A method of the transaction, called with the step's [keys]."""

    def play(player: "Player", step: Step) -> Any:
        function = getattr(player.actors[step["transaction"]].transaction, name)
        return function(*(step[key] for key in keys))

    return play


def _enabler_method(name: str) -> Play:
    def play(player: "Player", step: Step) -> Any:
        return getattr(player.enablers[step["enabler"]], name)(_DIRECTIONS[step["direction"]])

    return play


def _complete_transfer(player: "Player", step: Step) -> bool:
    enabler, direction = player.enablers[step["enabler"]], _DIRECTIONS[step["direction"]]
    owner = enabler.get_info(direction).channel_owner
    actor = None if owner is None else player.actors.get(owner.label)
    if actor is not None:
        actor.controller_runs = False
    return enabler.complete_transfer(direction)


def _stop_system_transfer(player: "Player", step: Step) -> None:
    actor = player.actors[step["transaction"]]
    actor.controller_runs = False
    actor.transaction.stop_system_transfer()


def _get_status(function: Callable[..., Any], *arguments: Any) -> Status:
    """What C returned, where the face raises it."""
    try:
        function(*arguments)
    except StatusError as error:
        return error.status
    return SUCCESS


def _device_read(player: "Player", step: Step) -> Status:
    address = player.actors[step["transaction"]].elements[step["element"]].address
    return _get_status(player.machine.device_read, address + step["offset"], step["length"])


def _device_write(player: "Player", step: Step) -> Status:
    address = player.actors[step["transaction"]].elements[step["element"]].address
    data = bytes([step["value"]]) * step["length"]
    return _get_status(player.machine.device_write, address + step["offset"], data)


def _mdl_read(player: "Player", step: Step) -> Status:
    return _get_status(player.buffers[step["buffer"]].read, step["length"], step["offset"])


def _mdl_write(player: "Player", step: Step) -> Status:
    data = bytes([step["value"]]) * step["length"]
    return _get_status(player.buffers[step["buffer"]].write, data, step["offset"])


def _request_create(player: "Player", step: Step) -> Status:
    mdl, length = player.buffers[step["buffer"]], step["length"]
    try:
        if step["direction"] == "write":
            made = player.device.request(RequestType.WRITE, input=mdl, input_length=length)
        else:
            made = player.device.request(RequestType.READ, output=mdl, output_length=length)
    except StatusError as error:
        return error.status
    player.requests[step["request"]] = made
    return SUCCESS


def _request_complete(player: "Player", step: Step) -> None:
    player.requests[step["request"]].complete()


def _request_complete_with_information(player: "Player", step: Step) -> None:
    request = player.requests[step["request"]]
    request.complete_with_information(SUCCESS, step["information"])


def _common_buffer_create(player: "Player", step: Step) -> Status:
    try:
        made = player.enablers[step["enabler"]].common_buffer(step["length"])
    except StatusError as error:
        return error.status
    player.common_buffers[step["common_buffer"]] = made
    return SUCCESS


def _common_buffer_delete(player: "Player", step: Step) -> None:
    player.common_buffers.pop(step["common_buffer"]).delete()


def _object_reference(player: "Player", step: Step) -> None:
    actor = player.actors[step["transaction"]]
    actor.transaction.reference()
    actor.references += 1


def _object_dereference(player: "Player", step: Step) -> None:
    actor = player.actors[step["transaction"]]
    actor.references -= 1
    actor.transaction.dereference()


def _delete_enabler(player: "Player", step: Step) -> None:
    player.enablers[step["enabler"]].delete()
    for actor in player.actors.values():
        actor.refresh()


def _remove_device(player: "Player", _step: Step) -> None:
    player.device.delete()


def _enter_d0(player: "Player", _step: Step) -> Status:
    return player.device.enter_d0()


def _leave_d0(player: "Player", _step: Step) -> Status:
    return player.device.leave_d0(PowerState.D3)


def _set_irql(player: "Player", step: Step) -> None:
    player.machine._change("wdfdma_machine_set_irql", _IRQLS[step["irql"]])


def _check_leaks(player: "Player", _step: Step) -> int:
    return len(player.machine.check_leaks())


# What each op does; the steps that are not here are not for this face.
PLAYS: dict[str, Play] = {
    "create": _create,
    "delete": _delete,
    "initialize": _initialize,
    "initialize_using_request": _initialize_using_request,
    "allocate_resources": _allocate_resources,
    "set_callback": _set_callback,
    "on": _on,
    "set_immediate_execution": _method("set_immediate_execution", "value"),
    "set_single_transfer_requirement": _method("set_single_transfer_requirement", "value"),
    "set_maximum_length": _method("set_maximum_length", "length"),
    "set_device_address_offset": _method("set_device_address_offset", "offset"),
    "get_fragment_length": _enabler_method("get_fragment_length"),
    "complete_transfer": _complete_transfer,
    "stop_system_transfer": _stop_system_transfer,
    "device_read": _device_read,
    "device_write": _device_write,
    "mdl_read": _mdl_read,
    "mdl_write": _mdl_write,
    "request_create": _request_create,
    "request_complete": _request_complete,
    "request_complete_with_information": _request_complete_with_information,
    "common_buffer_create": _common_buffer_create,
    "common_buffer_delete": _common_buffer_delete,
    "object_reference": _object_reference,
    "object_dereference": _object_dereference,
    "delete_enabler": _delete_enabler,
    "remove_device": _remove_device,
    "enter_d0": _enter_d0,
    "leave_d0": _leave_d0,
    "set_irql": _set_irql,
    "check_leaks": _check_leaks,
}
PLAYS |= {
    name: _complete(name)
    for name in ("dma_completed", "dma_completed_with_length", "dma_completed_final")
}
PLAYS |= {
    name: _method(name)
    for name in (
        "cancel",
        "execute",
        "free_resources",
        "get_bytes_transferred",
        "get_current_dma_transfer_length",
        "get_transfer_info",
        "release",
    )
}
