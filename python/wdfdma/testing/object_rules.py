"""Rules of `DmaStateMachine` about whole objects: enablers and the device going, common buffers, what is asked."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from hypothesis.stateful import precondition, rule

from wdfdma.status import StatusError
from wdfdma.testing.actor import Actor, may_complete, may_go
from wdfdma.testing.bundles import (
    ENABLERS,
    direction,
    length,
    transaction_rule,
)
from wdfdma.testing.strategies import rarely
from wdfdma.testing.taking_steps import TakingSteps

if TYPE_CHECKING:
    from wdfdma.common_buffer import CommonBuffer
    from wdfdma.request import Request

_NO_LIMIT = 0xFFFFFFFF


def _fails_common_buffers(fault: dict[str, Any]) -> bool:
    return "common_buffer_create" in fault.values() or "CommonBuffer" in fault.get("routine", "")


class ObjectRules(TakingSteps):
    """The part of `DmaStateMachine` that is about objects other than transactions."""

    # The end of objects.

    @precondition(lambda self: len(self.bundle("enablers")) > 1)
    @rule(enabler=ENABLERS)
    def delete_enabler(self, enabler: int) -> None:
        """WdfObjectDelete of an enabler whose transactions are all released; one enabler always stays."""
        if not all(may_go(actor) for actor in self.actors if actor.enabler == enabler):
            return
        deleted = self.player.enablers[enabler]
        self.take("delete_enabler", enabler=enabler)
        self.forget("enablers", enabler)
        buffers = self.player.common_buffers
        for number in [number for number in buffers if buffers[number].enabler is deleted]:
            del buffers[number]
            self.forget("common_buffers", number)

    @precondition(lambda self: self.may_stop_device())
    @rule(for_good=rarely(4))
    def stop_device(self, for_good: bool) -> None:
        """The device leaves D0 and enters it again, or is removed; then nothing is done any more."""
        if self.in_d0:
            self.take("leave_d0")
        self.in_d0 = not for_good
        if not for_good:
            self.take("enter_d0")
            return
        self.take("remove_device")
        self.is_removed = True

    def may_stop_device(self) -> bool:
        """Whether all is done that the device is needed for."""
        return (
            not self.is_removed
            and not self.bundle("requests")
            and not self.player.common_buffers
            and all(map(may_go, self.actors))
        )

    # Interrupts.

    @transaction_rule(may_complete)
    def complete_in_dpc(self, transaction: Actor) -> None:
        """WdfDmaTransactionDmaCompleted at DISPATCH_LEVEL, as a device's DPC calls it."""
        self.take("set_irql", irql="dispatch_level")
        self.take("dma_completed", transaction=transaction)
        self.take("set_irql", irql="passive_level")

    # What is asked: most of it takes no step, as it changes nothing.

    @rule(enabler=ENABLERS, direction=direction)
    def ask_enabler(self, enabler: int, direction: str) -> None:
        """The enabler's getters, which agree with how it was made."""
        if self.is_removed:
            return
        fragment = self.take("get_fragment_length", enabler=enabler, direction=direction)
        face, settings = self.player.enablers[enabler], self.world["enablers"][enabler]
        assert fragment > 0
        assert face.get_maximum_length() == settings["maximum_length"]
        most = face.get_maximum_scatter_gather_elements()
        assert most == settings.get("maximum_elements", _NO_LIMIT)
        assert face.wdm_get_dma_adapter(direction)

    @rule()
    def ask_world(self) -> None:
        """The getters of the device, the requests and the common buffers, as far as there are any."""
        if self.is_removed:
            return
        device = self.player.device
        device.set_alignment_requirement(device.get_alignment_requirement())
        values = self.names_to_values
        for item in self.bundle("requests"):
            self.ask_request(self.player.requests[values[item.name]])
        for buffer in self.player.common_buffers.values():
            self.ask_common_buffer(buffer)

    def ask_request(self, request: "Request") -> None:
        """Its MDL is the buffer that it came with."""
        if request._kind.label == "write":
            chain = request.retrieve_input_wdm_mdl()
        else:
            chain = request.retrieve_output_wdm_mdl()
        assert chain in self.player.buffers
        request.set_information(request.get_information())

    def ask_common_buffer(self, buffer: "CommonBuffer") -> None:
        """The device reads all that is in it."""
        assert buffer.get_aligned_virtual_address()
        address, length = buffer.get_aligned_logical_address(), buffer.get_length()
        assert len(self.player.machine.device_read(address, length)) == length

    @rule(enabler=ENABLERS, length=length)
    def try_common_buffer(self, enabler: int, length: int) -> None:
        """WdfCommonBufferCreateWithConfig with the device's own alignment; what it gives is deleted at once."""
        if self.is_removed or any(map(_fails_common_buffers, self.world["faults"])):
            return
        alignment = self.player.device.get_alignment_requirement()
        face = self.player.enablers[enabler]
        # A device may reach too little memory.
        with (
            suppress(StatusError),
            face.common_buffer(length or 4096, alignment=alignment) as made,
        ):
            assert made.get_aligned_virtual_address() & alignment == 0
