"""AllocateResources forgets the buffer that Initialize gave: no MDL, length 0.

A driver initializes, so that a count of 0 finds what the buffer needs, reserves, and executes. But the initialization
is gone with the reservation, and Execute stops the machine.
Source: the framework's fxdmatransactionpacket.cpp:170-186, 260-280, and the driver documentation,
wdf/reserving-dma-resources.md, step 5. From source text, not from a run on Windows.
"""

from contextlib import suppress

from wdfdma import BugCheck, DmaTransaction, Machine, Mdl, Profile, Rule

RULE = Rule.WDF_DMA_FATAL_ERROR


def initialize(machine: Machine) -> tuple[DmaTransaction, Mdl]:
    enabler = machine.device().enabler(Profile.PACKET, maximum_length=16384, dma_version=3)
    transaction = enabler.transaction()
    buffer = machine.mdl(8192)
    transaction.initialize(buffer, program_dma=lambda *transfer: None)
    return transaction, buffer


def failing() -> Machine:
    machine = Machine(map_registers=8)
    transaction, _ = initialize(machine)

    def reserved(transaction: DmaTransaction) -> None:
        transaction.execute()

    with suppress(BugCheck):
        transaction.allocate_resources(reserve_dma=reserved)
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=8)
    transaction, buffer = initialize(machine)

    def reserved(transaction: DmaTransaction) -> None:
        transaction.initialize(buffer, program_dma=lambda *transfer: None)
        transaction.execute()

    transaction.allocate_resources(reserve_dma=reserved)
    transaction.dma_completed()
    transaction.free_resources()
    return machine


if __name__ == "__main__":
    print("failing:", *failing().violations, sep="\n    ")
    print("mended: ", mended())
