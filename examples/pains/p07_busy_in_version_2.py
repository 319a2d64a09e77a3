"""DMA version 2 has one packet transaction at a time: the second Execute fails.

The first transfer need not even have got its map registers. Version 3 puts the second one in a queue.
Source: a message in the framework's fxdmatransactionpacket.cpp:417, and the page of WdfDmaTransactionExecute. From
source text, not from a run on Windows.
"""

from wdfdma import DmaTransaction, Machine, Profile, Rule

RULE = Rule.VERIFIER_BREAK  # and Execute returns STATUS_WDF_BUSY


def start_two(machine: Machine, dma_version: int) -> tuple[DmaTransaction, DmaTransaction]:
    enabler = machine.device().enabler(
        Profile.PACKET, maximum_length=16384, dma_version=dma_version
    )
    first, second = enabler.transaction(), enabler.transaction()
    for transaction in (first, second):
        transaction.initialize(machine.mdl(16384), program_dma=lambda *transfer: None)
        print(f"version {dma_version}: {transaction.execute().name}")
    return first, second


def failing() -> Machine:
    machine = Machine(map_registers=16)
    start_two(machine, dma_version=2)
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=16)
    for transaction in start_two(machine, dma_version=3):
        transaction.dma_completed()
        transaction.release()
    return machine


if __name__ == "__main__":
    print(*(violation.summary for violation in failing().violations))
    print("mended: ", mended())
