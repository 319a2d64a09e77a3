"""Cancel answers TRUE, and the driver completes the transaction all the same, as the documentation tells it to.

The transaction waits for map registers. Once Cancel has taken it back there is no transfer, its state is
transfer_failed, and DmaCompleted is a bug check. What is left to do is Release.
Source: Windows driver samples, usb/ufxclientsample/transfer.c:489-497, against the driver documentation,
wdf/canceling-dma-transactions.md, step 3. From source text, not from a run on Windows.
"""

from contextlib import suppress

from wdfdma import BugCheck, DmaTransaction, Machine, Profile, Rule

RULE = Rule.WDF_DMA_FATAL_ERROR


def start_two(machine: Machine) -> tuple[DmaTransaction, DmaTransaction]:
    """Two transactions; the second waits until the first one's map registers are free."""
    enabler = machine.device().enabler(Profile.PACKET, maximum_length=16384, dma_version=3)
    first, second = enabler.transaction(), enabler.transaction()
    for transaction in (first, second):
        transaction.initialize(machine.mdl(16384), program_dma=lambda *transfer: None)
        transaction.execute()
    return first, second


def failing() -> Machine:
    machine = Machine(map_registers=6)
    _, second = start_two(machine)
    if second.cancel():
        with suppress(BugCheck):
            second.dma_completed_final(0)
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=6)
    first, second = start_two(machine)
    if second.cancel():
        second.release()  # no transfer, so nothing to complete
    first.dma_completed()
    first.release()
    second.initialize(machine.mdl(16384), program_dma=lambda *transfer: None)
    second.execute()
    second.dma_completed()
    second.release()
    return machine


if __name__ == "__main__":
    print("failing:", *failing().violations, sep="\n    ")
    print("mended: ", mended())
