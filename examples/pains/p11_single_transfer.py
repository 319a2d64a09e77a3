"""A buffer that must go in one transfer is measured against the reservation, not against the adapter.

Two map registers are reserved, the adapter has five, the buffer needs four: STATUS_WDF_NOT_ENOUGH_MAP_REGISTERS. The
framework's own log names the adapter's limit there, which would have sufficed; who believes it takes the failure for a
passing one, and executes. (A buffer above the enabler's maximum
length is STATUS_WDF_TOO_MANY_TRANSFERS instead, one in too many pieces STATUS_WDF_TOO_FRAGMENTED.)
Source: the page of WdfDmaTransactionInitialize; the framework's fxdmatransactionbase.cpp:268-335. From source text, not
from a run on Windows.
"""

from contextlib import suppress

from wdfdma import BugCheck, DmaTransaction, Machine, Mdl, Profile, Rule, Status

RULE = Rule.WDF_DMA_FATAL_ERROR


def reserve(machine: Machine) -> DmaTransaction:
    enabler = machine.device().enabler(
        Profile.PACKET, maximum_length=16384, dma_version=3, single_transfer=True
    )
    transaction = enabler.transaction()
    transaction.allocate_resources(map_registers=2, reserve_dma=lambda transaction: None)
    return transaction


def initialize(transaction: DmaTransaction, buffer: Mdl) -> Status:
    status = transaction.initialize(buffer, program_dma=lambda *transfer: None)
    print(f"{transaction.get_info().reserved} reserved: {status.name}")
    return status


def failing() -> Machine:
    machine = Machine(map_registers=8)
    transaction = reserve(machine)
    initialize(transaction, machine.mdl(16384))
    with suppress(BugCheck):
        transaction.execute()
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=8)
    transaction = reserve(machine)
    buffer = machine.mdl(16384)
    if initialize(transaction, buffer) == Status.STATUS_WDF_NOT_ENOUGH_MAP_REGISTERS:
        transaction.free_resources()
        initialize(transaction, buffer)
    transaction.execute()
    transaction.dma_completed()
    transaction.release()
    return machine


if __name__ == "__main__":
    print("failing:", *failing().violations, sep="\n    ")
    print("mended: ", mended())
