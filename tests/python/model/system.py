"""System transactions: a channel of the machine's DMA controller, kept from grant to end."""

from __future__ import annotations

from .enabler import Enabler
from .hal import cancel_mapped, flush_system, start_controller
from .packet import PacketTransaction
from .pool import Action, Adapter, Run, TransferContext, Undefined
from .transaction import CANCELLED, World


class SystemTransaction(PacketTransaction):
    """[due] is the answer of the controller that a callback in progress holds up."""

    def __init__(self, world: World, number: int, enabler: Enabler) -> None:
        super().__init__(world, number, enabler)
        self.callbacks = {"dma_transfer_complete": False, "configure_dma_channel": False}
        self.context = TransferContext()
        self.reserved_on: Adapter | None = None
        self.due: str | None = None
        self.device_address_offset = 0

    def prepare(self) -> str:
        if self.reserved and self.adapter is not self.reserved_on:
            raise Undefined("reserved in one direction, initialized in the other")
        self.device_address_offset = 0
        return super().prepare()

    def new_context(self) -> None:
        self.stopped = False
        if self.context.mapped:
            raise Undefined("a transfer context initialized while it is mapped")
        self.context = TransferContext()

    def allocate(self, adapter: Adapter, count: int) -> str:
        self.reserved_on = adapter
        return super().allocate(adapter, count)

    def registers_needed(self, adapter: Adapter) -> int | None:
        return adapter.map_registers

    def registers_to_start(self, adapter: Adapter) -> int:
        return adapter.map_registers

    def free_registers(self, adapter: Adapter, run: Run) -> None:
        self.world.pool.free_channel(adapter, self)

    def answer(self) -> Action:
        return Action.KEEP_CHANNEL

    def staging_failed(self, status: str) -> None:
        self.transfer_complete("cancelled" if status == CANCELLED else "error")

    def configured(self, offset: int, length: int) -> bool:
        if not self.callbacks["configure_dma_channel"]:
            return True
        return self.fire("configure_dma_channel", offset=offset, length=length)

    def may_map(self, adapter: Adapter) -> bool:
        if not start_controller(adapter, self.context, self):
            return False
        wanted = self.callbacks["dma_transfer_complete"]
        self.context.completion = self.controller_answered if wanted else None
        return True

    def controller_answered(self, status: str) -> None:
        if self.staging:
            self.due = status
        else:
            self.transfer_complete(status)

    def after_round(self) -> None:
        if self.due is None or self.deleted:
            return
        if self.stage_again:
            raise Undefined("completed while its completion callback is due")
        status, self.due = self.due, None
        self.transfer_complete(status)

    def transfer_complete(self, status: str) -> None:
        if self.callbacks["dma_transfer_complete"]:
            self.fire("dma_transfer_complete", direction=self.direction, status=status)

    def end_mapping(self) -> None:
        super().end_mapping()
        flush_system(self.own_adapter("flushed"), self.context, self)

    def stop_system_transfer(self) -> None:
        adapter = self.own_adapter("StopSystemTransfer")
        self.stopped = True
        if not cancel_mapped(adapter, self.context) and self.world.verifier:
            self.bugcheck()

    def set_device_address_offset(self, offset: int) -> None:
        """Added to the device's own address, which nothing else here looks at."""
        self.device_address_offset = offset

    def set_callback(self, event: str, value: bool) -> None:
        self.callbacks[event] = value
