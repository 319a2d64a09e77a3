"""EvtProgramDma runs, completes and deletes the transaction before Execute returns.

The map registers are free, so Execute calls EvtProgramDma itself; the device is quick, the driver finishes the
request in it and deletes the transaction. What Execute was called on is gone when Execute returns.
Source: a comment in the framework's fxdmatransactionbase.cpp. From source text, not from a run on Windows.
"""

from contextlib import suppress

from wdfdma import BugCheck, Direction, DmaTransaction, Element, Machine, Profile, Rule

RULE = Rule.WDF_INVALID_HANDLE


def start_read(machine: Machine, done: list[int]) -> DmaTransaction:
    """A transaction that ends inside its own Execute, and puts down in [done] how many bytes came."""
    enabler = machine.device().enabler(Profile.PACKET, maximum_length=16384)
    transaction = enabler.transaction()

    def program(transaction: DmaTransaction, _: Direction, elements: list[Element]) -> None:
        address, length = elements[0]
        machine.device_write(address, b"quick".ljust(length, b"."))
        if transaction.dma_completed().completed:
            done.append(transaction.get_bytes_transferred())
            transaction.delete()

    transaction.initialize(machine.mdl(4096), program_dma=program)
    transaction.execute()
    return transaction


def failing() -> Machine:
    machine = Machine(map_registers=8)
    with suppress(BugCheck):
        print(start_read(machine, []).get_bytes_transferred(), "bytes")
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=8)
    done: list[int] = []  # of the driver's own, and read instead of the transaction
    start_read(machine, done)
    print(done[0], "bytes")
    return machine


if __name__ == "__main__":
    print("failing:", *failing().violations, sep="\n    ")
    print("mended: ", mended())
