"""AllocateResources(0) on a transaction that was never initialized.

A count of 0 asks for the map registers that the initialized buffer needs. There is no buffer yet, and the framework
stops the machine.
Source: the framework's fxdmatransactionpacket.cpp:170-186, 260-280, and the driver documentation,
wdf/reserving-dma-resources.md, step 5. From source text, not from a run on Windows.
"""

from contextlib import suppress

from wdfdma import BugCheck, DmaTransaction, Machine, Profile, Rule

RULE = Rule.WDF_DMA_FATAL_ERROR


def make_transaction(machine: Machine) -> DmaTransaction:
    enabler = machine.device().enabler(Profile.PACKET, maximum_length=16384, dma_version=3)
    return enabler.transaction()


def failing() -> Machine:
    machine = Machine(map_registers=8)
    transaction = make_transaction(machine)
    with suppress(BugCheck):
        transaction.allocate_resources(map_registers=0, reserve_dma=lambda transaction: None)
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=8)
    transaction = make_transaction(machine)
    # Without a buffer, say how many: 8192 bytes lie in 3 pages at the most.
    transaction.allocate_resources(map_registers=3, reserve_dma=lambda transaction: None)
    transaction.initialize(machine.mdl(8192, offset=512), program_dma=lambda *transfer: None)
    transaction.execute()
    transaction.dma_completed()
    transaction.free_resources()
    return machine


if __name__ == "__main__":
    print("failing:", *failing().violations, sep="\n    ")
    print("mended: ", mended())
