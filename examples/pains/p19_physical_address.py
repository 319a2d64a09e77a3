"""Tested without DMA remapping, and 0xE6/26 in the field, where it is on.

A driver keeps its descriptor ring in memory of its own and tells the device the physical address. Without an IOMMU
that is right by accident. With one (and some systems turn it on only together with Driver Verifier) the device is
stopped at its first access. Here remapping is always on.
Source: virtio-win, pull requests 1140 to 1155; nvmetools#2; kX-Audio#13.
"""

from contextlib import suppress

from wdfdma import BugCheck, Direction, DmaTransaction, Element, Machine, Profile, Rule

RULE = Rule.DEVICE_OUTSIDE_LIST

RING_BYTES = 4096


def failing() -> Machine:
    machine = Machine(map_registers=8)
    ring = machine.mdl(RING_BYTES)
    with suppress(BugCheck):
        machine.device_read(ring.pfns[0] * 4096, RING_BYTES)
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=8)
    enabler = machine.device().enabler(Profile.SCATTER_GATHER64, maximum_length=65536)
    ring = enabler.common_buffer(RING_BYTES)
    transaction = enabler.transaction()

    def program(_: DmaTransaction, _direction: Direction, elements: list[Element]) -> None:
        ring.array.view("<u8")[0] = elements[0].address

    transaction.initialize(machine.mdl(4096), program_dma=program)
    transaction.execute()
    # The device finds the ring at its logical address, and in it where the data is to go.
    entry = machine.device_read(ring.get_aligned_logical_address(), 8)
    machine.device_write(int.from_bytes(entry, "little"), b"." * 4096)
    transaction.dma_completed()
    transaction.release()
    enabler.delete()
    return machine


if __name__ == "__main__":
    print("failing:", *failing().violations, sep="\n    ")
    print("mended: ", mended())
