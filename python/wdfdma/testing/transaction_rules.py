"""Rules of `DmaStateMachine` about transactions: what their driver calls, and what it does in its callbacks."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import multiple, rule

from wdfdma.status import SUCCESS
from wdfdma.testing.actor import (
    CREATED,
    INITIALIZED,
    RELEASED,
    RESERVED,
    Actor,
    is_idle,
    is_live,
    may_cancel,
    may_complete,
    may_delete,
    may_execute,
    may_free,
    may_initialize,
    may_release,
    may_reserve,
    may_stop,
)
from wdfdma.testing.bundles import (
    BUFFERS,
    ENABLERS,
    RESERVATIONS,
    TRANSACTIONS,
    direction,
    length,
    offset,
    transaction_rule,
)
from wdfdma.testing.player import Step
from wdfdma.testing.taking_steps import TakingSteps

_MOST_TRANSACTIONS = 5
_CONTROLLER_EVENTS = st.sampled_from(("dma_transfer_complete", "configure_dma_channel"))
_COMPLETIONS = ("dma_completed", "dma_completed_with_length", "dma_completed_final")


def _may_initialize_at_grant(actor: Actor) -> bool:
    return is_live(actor) and actor.state == RESERVED and actor.is_waiting


def _takes_flags(actor: Actor) -> bool:
    states = (CREATED, INITIALIZED, RELEASED)
    return is_live(actor) and actor.version3 and actor.state in states


def _takes_requirement(actor: Actor) -> bool:
    return is_idle(actor) and actor.version3


def _has_controller(actor: Actor) -> bool:
    return is_idle(actor) and actor.is_system


def _completes_at_once(actor: Actor) -> bool:
    return is_live(actor) and not actor.is_system


class TransactionRules(TakingSteps):
    """The part of `DmaStateMachine` that is about transactions."""

    def fit(self, actor: Actor, buffer: int, offset: int, length: int) -> dict[str, Any]:
        """[offset] and [length] within [buffer], as Initialize takes them; a length of 0 is all that is left."""
        lengths = [mdl["length"] for mdl in self.world["buffers"][buffer]]
        offset %= lengths[0]
        is_chain = actor.version3 or actor.is_list
        room = (sum(lengths) if is_chain else lengths[0]) - offset
        fitted = room if length == 0 else (length - 1) % room + 1
        return {"buffer": buffer, "offset": offset, "length": fitted}

    @rule(target=TRANSACTIONS, enabler=ENABLERS)
    def create(self, enabler: int) -> Any:
        """WdfDmaTransactionCreate, unless there are many; never kept back, so that there is always a rule to run."""
        if len(self.actors) >= _MOST_TRANSACTIONS:
            return multiple()
        status = self.take("create", transaction=self.created, enabler=enabler)
        return self.actors[-1] if status == SUCCESS else multiple()

    @transaction_rule(
        may_initialize, buffer=BUFFERS, offset=offset, length=length, direction=direction
    )
    def initialize(
        self, transaction: Actor, buffer: int, offset: int, length: int, direction: str
    ) -> None:
        """WdfDmaTransactionInitialize; a reservation's direction stays."""
        keys = self.fit(transaction, buffer, offset, length)
        keys["direction"] = transaction.direction if transaction.info.reserved else direction
        self.take("initialize", transaction=transaction, **keys)

    @transaction_rule(may_execute)
    def execute(self, transaction: Actor) -> None:
        """WdfDmaTransactionExecute."""
        self.take("execute", transaction=transaction)

    @transaction_rule(may_initialize, buffer=BUFFERS, direction=direction)
    def start(self, transaction: Actor, buffer: int, direction: str) -> None:
        """Initialize and Execute, of a whole buffer."""
        self.initialize(transaction, buffer, 0, 0, direction)
        if may_execute(transaction):
            self.take("execute", transaction=transaction)

    @transaction_rule(may_initialize, buffer=BUFFERS, direction=direction)
    def start_all(self, transaction: Actor, buffer: int, direction: str) -> None:
        """The same for this transaction and all younger ones that are idle, so that several wait for registers."""
        for actor in self.actors[self.actors.index(transaction) :]:
            if may_initialize(actor):
                self.initialize(actor, buffer, 0, 0, direction)
                if may_execute(actor):
                    self.take("execute", transaction=actor)

    @transaction_rule(may_complete, how=st.sampled_from(_COMPLETIONS), length=length)
    def complete(self, transaction: Actor, how: str, length: int) -> None:
        """One of the three completions, with a length up to that of the transfer."""
        keys: dict[str, Any] = {}
        if how != _COMPLETIONS[0]:
            most = int(transaction.info.transfer_length)
            keys["length"] = length % (most + 1) if length else most
        self.take(how, transaction=transaction, **keys)

    @transaction_rule(
        may_reserve,
        target=RESERVATIONS,
        map_registers=st.integers(1, 4),
        direction=direction,
    )
    def allocate_resources(self, transaction: Actor, map_registers: int, direction: str) -> Any:
        """WdfDmaTransactionAllocateResources, for no more registers than the adapter has."""
        registers = min(map_registers, transaction.most_registers)
        keys = {"direction": direction, "map_registers": registers}
        status = self.take("allocate_resources", transaction=transaction, **keys)
        return transaction if status == SUCCESS else multiple()

    @transaction_rule(may_free, name="reservation", bundle=RESERVATIONS)
    def free_resources(self, reservation: Actor) -> None:
        """WdfDmaTransactionFreeResources."""
        self.take("free_resources", transaction=reservation)

    @transaction_rule(may_release)
    def release(self, transaction: Actor) -> None:
        """WdfDmaTransactionRelease."""
        self.take("release", transaction=transaction)

    @transaction_rule(may_cancel)
    def cancel(self, transaction: Actor) -> None:
        """WdfDmaTransactionCancel."""
        self.take("cancel", transaction=transaction)

    @transaction_rule(may_delete)
    def delete(self, transaction: Actor) -> None:
        """WdfObjectDelete."""
        self.take("delete", transaction=transaction)

    @transaction_rule(may_stop)
    def stop_system_transfer(self, transaction: Actor) -> None:
        """WdfDmaTransactionStopSystemTransfer."""
        self.take("stop_system_transfer", transaction=transaction)

    # What is set.

    @transaction_rule(_takes_flags, value=st.booleans())
    def set_immediate_execution(self, transaction: Actor, value: bool) -> None:
        """WdfDmaTransactionSetImmediateExecution."""
        self.take("set_immediate_execution", transaction=transaction, value=value)

    @transaction_rule(may_execute, length=st.sampled_from((4096, 512, 1, 1000, 8192)))
    def set_maximum_length(self, transaction: Actor, length: int) -> None:
        """WdfDmaTransactionSetMaximumLength."""
        self.take("set_maximum_length", transaction=transaction, length=length)

    @transaction_rule(_takes_requirement, value=st.booleans())
    def set_single_transfer_requirement(self, transaction: Actor, value: bool) -> None:
        """WdfDmaTransactionSetSingleTransferRequirement."""
        self.take("set_single_transfer_requirement", transaction=transaction, value=value)

    @transaction_rule(_has_controller, offset=offset)
    def set_device_address_offset(self, transaction: Actor, offset: int) -> None:
        """WdfDmaTransactionSetDeviceAddressOffset."""
        self.take("set_device_address_offset", transaction=transaction, offset=offset)

    @transaction_rule(_has_controller, event=_CONTROLLER_EVENTS, value=st.booleans())
    def set_callback(self, transaction: Actor, event: str, value: bool) -> None:
        """One of the two WdfDmaTransactionSet...Callback; that of a completion completes one transfer."""
        self.take("set_callback", transaction=transaction, event=event, value=value)
        is_completion = event == "dma_transfer_complete"
        if value and is_completion and not self.get_reactions(transaction, event):
            do = [{"op": "dma_completed", "transaction": transaction.number}]
            self.take("on", transaction=transaction, event=event, do=do)

    # What the driver does in its callbacks.

    @transaction_rule(_completes_at_once, how=st.sampled_from(_COMPLETIONS))
    def complete_when_programmed(self, transaction: Actor, how: str) -> None:
        """The next EvtProgramDma completes its transfer, of one byte where a length is asked for."""
        step: Step = {"op": how, "transaction": transaction.number}
        if how != _COMPLETIONS[0]:
            step["length"] = 1
        self.take("on", transaction=transaction, event="program_dma", do=[step])

    @transaction_rule(_may_initialize_at_grant, buffer=BUFFERS, offset=offset, length=length)
    def initialize_when_reserved(
        self, transaction: Actor, buffer: int, offset: int, length: int
    ) -> None:
        """EvtReserveDma initializes the transaction that waits for its reservation."""
        if self.get_reactions(transaction, "reserve_dma"):
            return
        step = {
            "op": "initialize",
            "transaction": transaction.number,
            **self.fit(transaction, buffer, offset, length),
            "direction": transaction.direction,
        }
        self.take("on", transaction=transaction, event="reserve_dma", do=[step])

    # What is asked.

    @transaction_rule(is_live)
    def ask_transaction(self, transaction: Actor) -> None:
        """The getters, which agree with what the driver knows."""
        face = transaction.transaction
        done = self.take("get_bytes_transferred", transaction=transaction)
        current = self.take("get_current_dma_transfer_length", transaction=transaction)
        assert done == transaction.info.bytes_transferred
        assert current == transaction.info.transfer_length
        if may_execute(transaction):
            self.take("get_transfer_info", transaction=transaction)
        assert face.get_device() is face.enabler.device
        if transaction.has_context:
            assert face.wdm_get_transfer_context()
        if transaction.state == INITIALIZED:
            assert face.get_request() is transaction.request
