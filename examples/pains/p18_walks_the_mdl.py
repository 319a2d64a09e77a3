"""Thousands of small requests in flight, and the question: may I walk the MDL myself?

A driver saves the mapping, and builds the device's lists out of the page frame numbers of each MDL. These are physical
addresses. Where a map register or an IOMMU stands between the device and memory they mean nothing to the device.
Source: OSR community, thread 293291.
"""

from contextlib import suppress

from wdfdma import BugCheck, Direction, DmaTransaction, Element, Machine, Profile, Rule

RULE = Rule.DEVICE_OUTSIDE_LIST

REQUESTS = 8


def write_pages(machine: Machine, elements: list[Element]) -> None:
    """The device's part: it fills what its list names."""
    for address, length in elements:
        machine.device_write(address, b"." * length)


def failing() -> Machine:
    machine = Machine(map_registers=64)
    machine.device().enabler(Profile.SCATTER_GATHER64, maximum_length=65536)
    with suppress(BugCheck):
        for _ in range(REQUESTS):
            buffer = machine.mdl(8192)
            write_pages(machine, [Element(pfn * 4096, 4096) for pfn in buffer.pfns])
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=64)
    enabler = machine.device().enabler(Profile.SCATTER_GATHER64, maximum_length=65536)

    def program(_: DmaTransaction, _direction: Direction, elements: list[Element]) -> None:
        write_pages(machine, elements)

    # One transaction for each request that can be in flight, made once and used again.
    transactions = [enabler.transaction() for _ in range(REQUESTS)]
    for transaction in transactions:
        transaction.initialize(machine.mdl(8192), program_dma=program)
        transaction.execute()
    for transaction in transactions:
        transaction.dma_completed()
        transaction.release()
    return machine


if __name__ == "__main__":
    print("failing:", *failing().violations, sep="\n    ")
    print("mended: ", mended())
