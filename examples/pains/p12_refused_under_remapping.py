"""A buffer of the length that the enabler was made for is refused where DMA remapping is on.

The enabler's maximum length is 4 GB - 4 KB, and Initialize of such a buffer answers STATUS_BUFFER_TOO_SMALL as soon as
the driver's INF says that it can live with DMA remapping. A driver that was only tried without does not look at that
status, and executes. The HAL here has no remapping: a planned fault answers in its place, and 64 KB stand for the 4 GB.
Source: microsoft/Windows-Driver-Frameworks#24.
"""

from contextlib import suppress

from wdfdma import BugCheck, DmaTransaction, Machine, Mdl, Op, Rule, Status

RULE = Rule.WDF_DMA_FATAL_ERROR

MAXIMUM_LENGTH = 65536  # 4 GB - 4 KB in the report


def initialize(transaction: DmaTransaction, buffer: Mdl, offset: int, length: int) -> Status:
    status = transaction.initialize(
        buffer, offset=offset, length=length, program_dma=lambda *transfer: None
    )
    print(f"{length} bytes: {status.name}")
    return status


def make_transaction(machine: Machine) -> DmaTransaction:
    machine.faults.fail_call(Op.INITIALIZE, status=Status.STATUS_BUFFER_TOO_SMALL)
    enabler = machine.device().enabler("scatter_gather64_duplex", maximum_length=MAXIMUM_LENGTH)
    return enabler.transaction()


def failing() -> Machine:
    machine = Machine(map_registers=32)
    transaction = make_transaction(machine)
    buffer = machine.mdl(MAXIMUM_LENGTH)
    initialize(transaction, buffer, 0, MAXIMUM_LENGTH)
    with suppress(BugCheck):
        transaction.execute()
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=32)
    transaction = make_transaction(machine)
    buffer = machine.mdl(MAXIMUM_LENGTH)
    offset, length = 0, MAXIMUM_LENGTH
    while offset < MAXIMUM_LENGTH:
        if initialize(transaction, buffer, offset, length) == Status.STATUS_BUFFER_TOO_SMALL:
            length //= 2
        else:
            transaction.execute()
            transaction.dma_completed()
            transaction.release()
            offset += length
    return machine


if __name__ == "__main__":
    print("failing:", *failing().violations, sep="\n    ")
    print("mended: ", mended())
