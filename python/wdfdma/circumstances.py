"""What the record of a broken rule or of a halt says beyond the rule: how its object and the machine stood."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from wdfdma._native import NULL, lib, read_string
from wdfdma.enums import Event, ObjectType, Op, TransactionState, Waiting

_NO_REGISTER = 0xFFFFFFFF


class Frame(NamedTuple):
    """A callback of the driver in progress, and the object that it was for; [handle] 0: that was gone by then.

    >>> str(Frame(Event.PROGRAM_DMA, ObjectType.TRANSACTION, 3, 0))
    'program_dma of transaction 3'
    """

    event: Event
    object_type: ObjectType
    label: int
    handle: int

    def __str__(self) -> str:
        own = self.event < lib.WDFDMA_EVENT_COUNT
        what = self.event.label if own else "a callback"
        return f"{what} of {self.object_type.label} {self.label}"


class NamedObject(NamedTuple):
    """An object concerned beside the first.

    >>> str(NamedObject(ObjectType.TRANSACTION, 3, 0))
    'transaction 3'
    """

    object_type: ObjectType
    label: int
    handle: int

    def __str__(self) -> str:
        return f"{self.object_type.label} {self.label}"


@dataclass(frozen=True)
class ObjectState:
    """How the object concerned stood: lengths in bytes, and what its type has not is 0 or None.

    `state` is a transaction's, a TransactionState; 1 of a request that was completed, of an adapter whose channel was
    owned, of a device with a version 2 packet transaction under way. `waiting` is where a transaction's request for
    registers was, `waiters` counts the requests in the queues of an adapter's or an enabler's channels.
    `first_register` begins the run that a transaction held, of `registers`, which it held or waited for; an adapter's
    and an enabler's are held. `reserved` registers are those of AllocateResources. `references` are the framework's
    own, of an MDL its live mappings; `deleted` is True of one that lived on for its references alone. `length` is a
    transaction's, a common buffer's, an MDL's or a request's, `bytes_transferred` a transaction's or a request's
    information, `transfer_length` that of a transaction's current transfer.
    """

    state: int = 0
    waiting: Waiting = Waiting.NOT
    waiters: int = 0
    first_register: int | None = None
    registers: int = 0
    reserved: int = 0
    references: int = 0
    deleted: bool = False
    length: int = 0
    bytes_transferred: int = 0
    transfer_length: int = 0

    def describe(self, kind: ObjectType) -> str:
        """The state in words, for an object of type [kind]; empty where there is nothing to say.

        >>> ObjectState(state=4, length=8192, first_register=0, registers=2).describe(ObjectType.TRANSACTION)
        'transfer 0/8192 bytes, registers 0..1'
        """
        parts = {
            ObjectType.TRANSACTION: self._list_of_transaction,
            ObjectType.REQUEST: self._list_of_request,
            ObjectType.COMMON_BUFFER: self._list_of_memory,
            ObjectType.MDL: self._list_of_memory,
            ObjectType.ADAPTER: self._list_of_adapter,
            ObjectType.ENABLER: self._list_of_adapter,
        }.get(kind, list)()
        # A transaction's state says it already.
        says = self.deleted and "deleted" not in parts
        return ", ".join([*parts, *(["deleted"] if says else [])])

    def _list_of_transaction(self) -> list[str]:
        parts = [TransactionState(self.state).label]
        if self.length:
            parts[0] += f" {self.bytes_transferred}/{self.length} bytes"
        if self.first_register is not None and self.registers:
            parts.append(
                f"registers {self.first_register}..{self.first_register + self.registers - 1}"
            )
        if self.reserved:
            parts.append(f"{self.reserved} reserved")
        if self.waiting == Waiting.CHANNEL:
            parts.append("waiting for the channel")
        elif self.waiting == Waiting.POOL:
            parts.append(f"waiting for {count(self.registers, 'register')}")
        return parts

    def _list_of_request(self) -> list[str]:
        state = "completed" if self.state else "not completed"
        return [f"{state}, {self.bytes_transferred}/{self.length} bytes"]

    def _list_of_memory(self) -> list[str]:
        return [f"{self.length} bytes"]

    def _list_of_adapter(self) -> list[str]:
        return [
            f"{count(self.registers, 'register')} held",
            f"{count(self.waiters, 'request')} waiting for its channel",
        ]


@dataclass(frozen=True)
class Moment:
    """How the machine stood: its log was given `log_records` by then, a bug check's own included.

    `free_registers` are the pool's, `waiting_pool` requests waited for registers, `waiting_channel` for a channel.
    """

    log_records: int = 0
    free_registers: int = 0
    waiting_pool: int = 0
    waiting_channel: int = 0
    irql: int = 0


def count(number: int, noun: str) -> str:
    """A number of things.

    >>> count(1, "register"), count(2, "register")
    ('1 register', '2 registers')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def read_routine(number: int) -> str:
    """The WDK's name of a routine that an op stands for; empty for none."""
    info = lib.wdfdma_fault_get_routine(number)
    return "" if info == NULL else read_string(info.name)


def read_circumstances(record: Any) -> dict[str, Any]:
    """The fields that Violation and BugCheck share, of a record of C's; with no object, its state is None."""
    shown = min(record.depth, lib.WDFDMA_VIOLATION_FRAMES)
    return {
        "op": Op(record.op),
        "routine": read_routine(record.routine),
        "step": record.step,
        "time_ns": record.time_ns,
        "depth": record.depth,
        "object_type": ObjectType(record.object_type),
        "label": record.object,
        "handle": record.handle,
        "created_step": record.created_step,
        "state": _read_state(record.state) if record.handle else None,
        "moment": _read_moment(record.moment),
        "frames": tuple(_read_frame(record.frames[place]) for place in range(shown)),
        "others": tuple(_read_other(item) for item in record.others if item.handle),
    }


def _read_other(item: Any) -> NamedObject:
    return NamedObject(ObjectType(item.object_type), item.object, item.handle)


def _read_frame(frame: Any) -> Frame:
    return Frame(Event(frame.event), ObjectType(frame.object_type), frame.object, frame.handle)


def _read_state(state: Any) -> ObjectState:
    first = None if state.first_register == _NO_REGISTER else state.first_register
    return ObjectState(
        state=state.state,
        waiting=Waiting(state.waiting),
        waiters=state.waiters,
        first_register=first,
        registers=state.registers,
        reserved=state.reserved,
        references=state.references,
        deleted=bool(state.deleted),
        length=state.length,
        bytes_transferred=state.bytes_transferred,
        transfer_length=state.transfer_length,
    )


def _read_moment(moment: Any) -> Moment:
    return Moment(
        log_records=moment.log_records,
        free_registers=moment.free_registers,
        waiting_pool=moment.waiting_pool,
        waiting_channel=moment.waiting_channel,
        irql=moment.irql,
    )
