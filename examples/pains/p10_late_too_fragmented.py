"""STATUS_WDF_TOO_FRAGMENTED long after Initialize has approved the buffer.

The device takes lists of two elements. Each transfer of 8 KB spans two pages as long as it begins with a page, and
so Initialize is content. Then the device stops at 2 KB: the next 8 KB span three pages, and the transaction fails
in DmaCompletedWithLength. A driver that expected another EvtProgramDma of this call has no path for its failure; this
one executes the transaction again where it stands.
Source: the page of WdfDmaTransactionExecute, remarks; the framework's fxdmatransactionscattergather.cpp:206-243. From
source text, not from a run on Windows.
"""

from contextlib import suppress

from wdfdma import BugCheck, DmaTransaction, Machine, Profile, Rule

RULE = Rule.STATUS_IGNORED

ELEMENTS = 2


def initialize(machine: Machine) -> DmaTransaction:
    enabler = machine.device().enabler(
        Profile.SCATTER_GATHER, maximum_length=8192, maximum_elements=ELEMENTS
    )
    transaction = enabler.transaction()
    transaction.initialize(machine.mdl(16384), program_dma=lambda *transfer: None)
    return transaction


def failing() -> Machine:
    machine = Machine(map_registers=16)
    transaction = initialize(machine)
    transaction.execute()
    print("stopped at 2 KB:", transaction.dma_completed_with_length(2048).status.name)
    with suppress(BugCheck):
        transaction.execute()
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=16)
    transaction = initialize(machine)
    # Wherever such a transfer begins in a page, it spans no more pages than the list has elements.
    transaction.set_maximum_length((ELEMENTS - 1) * 4096)
    transaction.execute()
    completion = transaction.dma_completed_with_length(2048)
    print("stopped at 2 KB:", completion.status.name)
    while not completion.completed:
        completion = transaction.dma_completed()
    transaction.release()
    return machine


if __name__ == "__main__":
    print("failing:", *failing().violations, sep="\n    ")
    print("mended: ", mended())
