"""Two paths release one transaction, and on a slow machine the second Release hits the next transfer.

A request is cancelled early. The cancel routine releases its transaction; the starting path finds the request
cancelled, and releases it too. The framework lets a second Release pass. But if the queue has started the next
request on that transaction in between, the late Release hits a live transfer.
Source: a comment in the framework's fxdmatransactionbase.cpp:642-655, which tells of very slow machines. From source
text, not from a run on Windows.
"""

from contextlib import suppress

from wdfdma import BugCheck, DmaTransaction, Machine, Profile, Rule

RULE = Rule.WDF_DMA_FATAL_ERROR


def make_transaction(machine: Machine) -> DmaTransaction:
    return machine.device().enabler(Profile.PACKET, maximum_length=16384).transaction()


def initialize(machine: Machine, transaction: DmaTransaction) -> None:
    transaction.initialize(machine.mdl(4096), program_dma=lambda *transfer: None)


def failing() -> Machine:
    machine = Machine(map_registers=8)
    transaction = make_transaction(machine)
    initialize(machine, transaction)
    transaction.release()  # the cancel routine
    initialize(machine, transaction)  # the next request, on another processor
    transaction.execute()
    with suppress(BugCheck):
        transaction.release()  # the starting path of the first request, late
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=8)
    transaction = make_transaction(machine)
    initialize(machine, transaction)
    to_be_released = [transaction]  # a driver takes it with an interlocked exchange: once

    def end_first_request() -> None:
        if to_be_released:
            to_be_released.pop().release()

    end_first_request()  # the cancel routine
    initialize(machine, transaction)
    transaction.execute()
    end_first_request()  # the starting path, late
    transaction.dma_completed()
    transaction.release()
    return machine


if __name__ == "__main__":
    print("failing:", *failing().violations, sep="\n    ")
    print("mended: ", mended())
