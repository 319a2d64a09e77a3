"""A read in several transfers, each programmed with the address of the first.

The driver takes the address from the first list and keeps it. All stripes go to the same place, and of the file only
the last stripe is there, where the first belongs. The second transfer has a list of its own.
Source: DavidVentura/pci-device#1, the same failure on another system; PLX Read.c:251 asks GetBytesTransferred, which is
the right way for the device's own offset.
"""

from contextlib import suppress

from wdfdma import BugCheck, Direction, DmaTransaction, Element, Machine, Profile, Rule

RULE = Rule.DEVICE_AFTER_COMPLETION

STRIPE = 8192
FILE = b"".join(bytes([number]) * STRIPE for number in (1, 2, 3))


def read_file(machine: Machine, *, keeps_first: bool) -> bytes:
    enabler = machine.device().enabler(Profile.SCATTER_GATHER64, maximum_length=STRIPE)
    transaction = enabler.transaction()
    buffer = machine.mdl(len(FILE))
    first: list[Element] = []

    def program(transaction: DmaTransaction, _: Direction, elements: list[Element]) -> None:
        first.extend(elements if not first else [])
        place = transaction.get_bytes_transferred()
        for address, length in first if keeps_first else elements:
            machine.device_write(address, FILE[place : place + length])
            place += length

    transaction.initialize(buffer, program_dma=program)
    transaction.execute()
    while not transaction.dma_completed().completed:
        pass
    transaction.release()
    return buffer.read()


def failing() -> Machine:
    machine = Machine(map_registers=8)
    with suppress(BugCheck):
        read_file(machine, keeps_first=True)
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=8)
    assert read_file(machine, keeps_first=False) == FILE
    return machine


if __name__ == "__main__":
    print("failing:", *failing().violations, sep="\n    ")
    print("mended: ", mended())
