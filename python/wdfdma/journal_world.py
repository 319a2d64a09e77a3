"""What a journal tells of the world around a driver's transactions: enablers, buffers, requests."""

from typing import Any

from wdfdma.enums import ObjectType, Op, Profile
from wdfdma.journal import Call, Mark, name_kind
from wdfdma.status import Status

Step = dict[str, Any]

NO_LIMIT = 2**32 - 1
_SINGLE_TRANSFER = 2  # of an enabler's flags
_SUCCESS = 0
_FAILED = 0x80000000
# A request of no bytes has no buffer; in a scenario it has one of which it tells nothing.
_NO_BUFFER: list[tuple[int, ...]] = [(-1, 0, 1, 1)]
EARLIER = "of an enabler that was made before the journal"
_READ_REQUEST = 3  # WdfRequestTypeRead


def _name_status(number: int) -> str:
    return Status(number - (1 << 32 if number & _FAILED else 0)).name


class WorldReader:
    """Makes the parts of a scenario; [omitted] says what no scenario can."""

    def __init__(self) -> None:
        self.omitted: list[str] = []
        self.enablers: list[dict[str, Any]] = []
        self.buffers: list[list[tuple[int, ...]]] = []
        self._freed: set[int] = set()  # labels of MDLs
        self._made: dict[int, tuple[ObjectType, int]] = {}  # by handle
        self._removed: set[int] = set()  # handles of devices
        self._created: list[int] = []  # labels of transactions

    def _omit(self, call: Call, why: str = "") -> list[Step]:
        kind = call.values[0] if call.kind in (Mark.OTHER, Mark.WRONG) else call.kind
        self.omitted.append(f"{name_kind(kind)}{why and f': {why}'}")
        return []

    def _label(self, handle: int) -> int:
        return self._made.get(handle, (ObjectType.NONE, 0))[1]

    def _read_enabler(self, call: Call) -> list[Step]:
        _, profile, length, version, width, flags = call.values
        if call.made is None:
            return self._omit(call, "the framework refuses it")
        made = {"profile": Profile(profile).label, "maximum_length": length}
        made |= {"dma_version": version, "address_width": width}
        made |= {"single_transfer": bool(flags & _SINGLE_TRANSFER)}
        self._made[call.made[2]] = (ObjectType.ENABLER, len(self.enablers))
        self.enablers.append(made | ({"configured": False} if profile >= Profile.SYSTEM else {}))
        return []

    def _read_channel(self, call: Call) -> list[Step]:
        """A duplex profile is configured for both directions in a scenario, or for none."""
        if call.values[0] not in self._made:
            return self._omit(call, EARLIER)
        self.enablers[self._label(call.values[0])].pop("configured", None)
        return []

    def _read_elements(self, call: Call) -> list[Step]:
        if call.values[0] not in self._made:
            return self._omit(call, EARLIER)
        if self._created:
            return self._omit(call, "after the first transaction")
        self.enablers[self._label(call.values[0])]["maximum_elements"] = call.values[1]
        return []

    def _find_buffer(self, parts: list[tuple[int, ...]]) -> int:
        if parts not in self.buffers:
            self.buffers.append(parts)
        return self.buffers.index(parts)

    def _read_touch(self, call: Call) -> list[Step]:
        if not call.parts:
            return self._omit(call, "without a buffer")
        offset, length, value = call.values
        step = {"op": name_kind(call.kind), "buffer": self._find_buffer(call.parts)}
        step |= {"offset": offset, "length": length}
        return [step | {"value": value} if call.kind == Op.MDL_WRITE else step]

    def _read_free(self, call: Call) -> list[Step]:
        """A chain goes with its first MDL; one that no call ever had is no buffer."""
        label = call.values[0]
        if label in self._freed:
            return []
        for index, buffer in enumerate(self.buffers):
            labels = {part[0] for part in buffer}
            if label in labels:
                self._freed |= labels
                return [{"op": "free_mdl", "buffer": index}]
        return []

    def _read_remove(self, call: Call) -> list[Step]:
        """A scenario has one device, and what is below another goes with it."""
        handle = call.values[0]
        is_other = bool(self._removed) and handle not in self._removed
        self._removed.add(handle)
        return self._omit(call, "of a second device") if is_other else [{"op": "remove_device"}]

    def _read_request(self, call: Call) -> list[Step]:
        _, kind, length = call.values
        if call.made is None:
            return self._omit(call, "refused")
        step = {"op": "request_create", "request": call.made[1]}
        direction = "read" if kind == _READ_REQUEST else "write"
        buffer = self._find_buffer(call.parts or _NO_BUFFER)
        return [step | {"buffer": buffer, "length": length, "direction": direction}]

    def _read_complete(self, call: Call) -> list[Step]:
        """Steps complete with success alone: without the information, where the driver did not."""
        handle, status, _ = call.values
        kind, label = self._made.get(handle, (ObjectType.NONE, 0))
        if kind != ObjectType.REQUEST:
            return self._omit(call, "of a request that was not made here")
        if status != _SUCCESS:
            self._omit(call, f"its status is {_name_status(status)}, in the scenario success")
        if call.information is None or status & _FAILED:
            return [{"op": "request_complete", "request": label}]
        information = {"information": call.information}
        return [{"op": "request_complete_with_information", "request": label} | information]
