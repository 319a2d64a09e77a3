"""A 32-bit device on a machine with more than 4 GB: the high half of an address is dropped.

The driver says that its device reaches 64 bits, gets addresses above 4 GB, and writes them to a register of 32 bits.
The device then works on some other page. A 32-bit profile lets the HAL double-buffer, and the addresses fit.
Source: the driver documentation, kernel/performing-dma-in-64-bit-windows.md.
"""

from contextlib import suppress

from wdfdma import BugCheck, Direction, DmaTransaction, Element, Machine, Mdl, Profile, Rule

RULE = Rule.DEVICE_OUTSIDE_LIST

ABOVE_4_GIB = 0x100000  # a page frame number
LOW_HALF = 0xFFFFFFFF
TEXT = b"from the device"


def start_read(machine: Machine, profile: Profile) -> tuple[DmaTransaction, Mdl]:
    transaction = machine.device().enabler(profile, maximum_length=65536).transaction()
    buffer = machine.mdl(4096, pfns=[ABOVE_4_GIB + 5])

    def program(_: DmaTransaction, _direction: Direction, elements: list[Element]) -> None:
        for address, length in elements:
            machine.device_write(address & LOW_HALF, TEXT.ljust(length, b"."))

    transaction.initialize(buffer, program_dma=program)
    transaction.execute()
    return transaction, buffer


def failing() -> Machine:
    machine = Machine(map_registers=8)
    with suppress(BugCheck):
        start_read(machine, Profile.PACKET64)
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=8)
    transaction, buffer = start_read(machine, Profile.PACKET)
    transaction.dma_completed()
    print(buffer.read(len(TEXT)))  # after the flush, not before
    transaction.release()
    return machine


if __name__ == "__main__":
    print("failing:", *failing().violations, sep="\n    ")
    print("mended: ", mended())
