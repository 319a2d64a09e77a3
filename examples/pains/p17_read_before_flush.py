"""The driver reads the buffer before the transfer is flushed, and finds what was there before.

The device is done, and on a machine with little memory the data is there already. Where the transfer goes through map
registers, the bytes come with the flush, which is in DmaCompleted.
Source: OSR community, thread 198025; the driver documentation, kernel/performing-dma-in-64-bit-windows.md.
"""

from wdfdma import Direction, DmaTransaction, Element, Machine, Mdl, Profile, Rule

RULE = Rule.BUFFER_TOUCHED

ABOVE_4_GIB = 0x100000  # a page frame number: a 32-bit device gets to it through map registers
TEXT = b"from the device"


def start_read(machine: Machine) -> tuple[DmaTransaction, Mdl]:
    transaction = machine.device().enabler(Profile.PACKET, maximum_length=65536).transaction()
    buffer = machine.mdl(4096, pfns=[ABOVE_4_GIB])

    def program(_: DmaTransaction, _direction: Direction, elements: list[Element]) -> None:
        machine.device_write(elements[0].address, TEXT)

    transaction.initialize(buffer, program_dma=program)
    transaction.execute()
    return transaction, buffer


def failing() -> Machine:
    machine = Machine(map_registers=8)
    transaction, buffer = start_read(machine)
    print("before the flush:", buffer.read(len(TEXT)))
    transaction.dma_completed()
    transaction.release()
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=8)
    transaction, buffer = start_read(machine)
    transaction.dma_completed()
    print("after it:", buffer.read(len(TEXT)))
    transaction.release()
    return machine


if __name__ == "__main__":
    print("failing:", *failing().violations, sep="\n    ")
    print("mended: ", mended())
