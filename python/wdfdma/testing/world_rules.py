"""Rules of `DmaStateMachine` about the world around transactions: the device, requests, memory, power."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import consumes, multiple, precondition, rule

from wdfdma.status import SUCCESS
from wdfdma.testing.actor import (
    INITIALIZED,
    TRANSFER,
    Actor,
    is_live,
    may_access,
    may_initialize,
    may_stop,
)
from wdfdma.testing.bundles import (
    BUFFERS,
    COMMON_BUFFERS,
    ENABLERS,
    REQUESTS,
    direction,
    length,
    number,
    offset,
    transaction_rule,
)
from wdfdma.testing.taking_steps import TakingSteps

_MOST_REQUESTS = 4
_MOST_COMMON_BUFFERS = 3


def _is_referenced(actor: Actor) -> bool:
    return actor.references > 0


class WorldRules(TakingSteps):
    """The part of `DmaStateMachine` that is about the device and what a dispatcher does."""

    # The device moves.

    @transaction_rule(may_access, element=number, offset=offset, length=length)
    def access(self, transaction: Actor, element: int, offset: int, length: int) -> None:
        """The device writes what is read, and reads what is written, within an element of its transfer."""
        element %= len(transaction.elements)
        most = transaction.elements[element].length
        offset %= most
        room = most - offset
        keys: dict[str, Any] = {"element": element, "offset": offset}
        keys["length"] = room if length == 0 else (length - 1) % room + 1
        if transaction.direction == "write":
            self.take("device_read", transaction=transaction, **keys)
        else:
            self.take("device_write", transaction=transaction, **keys, value=0x5A)

    @transaction_rule(may_stop)
    def complete_transfer(self, transaction: Actor) -> None:
        """The system's DMA controller finishes what runs on the transaction's channel."""
        keys = {"enabler": transaction.enabler, "direction": transaction.direction}
        self.take("complete_transfer", **keys)

    @rule()
    def change_power(self) -> None:
        """The device enters D0, or leaves it."""
        self.take("leave_d0" if self.in_d0 else "enter_d0")
        self.in_d0 = not self.in_d0

    # Requests.

    @precondition(lambda self: len(self.bundle("requests")) < _MOST_REQUESTS)
    @rule(target=REQUESTS, buffer=BUFFERS, length=length, direction=direction)
    def request_create(self, buffer: int, length: int, direction: str) -> Any:
        """A read or a write request comes."""
        most = sum(mdl["length"] for mdl in self.world["buffers"][buffer])
        keys = {"buffer": buffer, "length": min(length or most, most), "direction": direction}
        return self._make("request_create", "request", **keys)

    def _make(self, op: str, key: str, **keys: Any) -> Any:
        """The number of what the step makes, for its bundle, or nothing."""
        made = self.named
        self.named += 1
        status = self.take(op, **{key: made}, **keys)
        return made if status == SUCCESS else multiple()

    @transaction_rule(may_initialize, request=REQUESTS)
    def initialize_using_request(self, transaction: Actor, request: int) -> None:
        """WdfDmaTransactionInitializeUsingRequest, in the request's direction, of an idle transaction."""
        item = self.player.requests[request]
        if transaction.info.reserved:
            return
        keys = {"request": request, "direction": item._kind.label}
        self.take("initialize_using_request", transaction=transaction, **keys)

    @rule(request=consumes(REQUESTS), information=st.integers(0, 1))
    def request_complete(self, request: int, information: int) -> None:
        """WdfRequestComplete, or with information, after what has the request was given up."""
        item = self.player.requests[request]
        for actor in self.actors:
            if actor.request is item and actor.state == INITIALIZED:
                self.take("release", transaction=actor)
        if any(actor.request is item and actor.state == TRANSFER for actor in self.actors):
            return  # and the driver never completes it
        if information:
            keys = {"request": request, "information": information}
            self.take("request_complete_with_information", **keys)
        else:
            self.take("request_complete", request=request)

    @precondition(lambda self: len(self.player.common_buffers) < _MOST_COMMON_BUFFERS)
    @rule(target=COMMON_BUFFERS, enabler=ENABLERS, length=length)
    def common_buffer_create(self, enabler: int, length: int) -> Any:
        """WdfCommonBufferCreate."""
        keys = {"enabler": enabler, "length": length or 4096}
        return self._make("common_buffer_create", "common_buffer", **keys)

    @rule(common_buffer=consumes(COMMON_BUFFERS))
    def common_buffer_delete(self, common_buffer: int) -> None:
        """WdfObjectDelete of a common buffer."""
        self.take("common_buffer_delete", common_buffer=common_buffer)

    # Memory and references.

    @precondition(lambda self: not self.find_busy())
    @rule(buffer=BUFFERS, offset=offset, length=length, writes=st.booleans())
    def touch_buffer(self, buffer: int, offset: int, length: int, writes: bool) -> None:
        """The processor reads or writes a buffer while no device does."""
        most = sum(mdl["length"] for mdl in self.world["buffers"][buffer])
        offset %= most
        keys: dict[str, Any] = {"buffer": buffer, "offset": offset}
        keys["length"] = min(length or most, most - offset)
        if writes:
            self.take("mdl_write", **keys, value=0xA5)
        else:
            self.take("mdl_read", **keys)

    def find_busy(self) -> bool:
        """Whether any transaction is in transfer."""
        return any(actor.state == TRANSFER for actor in self.actors)

    @transaction_rule(is_live)
    def object_reference(self, transaction: Actor) -> None:
        """WdfObjectReference."""
        self.take("object_reference", transaction=transaction)

    @transaction_rule(_is_referenced)
    def object_dereference(self, transaction: Actor) -> None:
        """WdfObjectDereference of what was referenced."""
        self.take("object_dereference", transaction=transaction)
