"""The device's window and memory do not meet: setting the width succeeds, the allocation fails later.

Nothing asks, when the enabler is made, whether there is any memory within the width that it names. The first common
buffer tells. A driver that starts the device all the same gives it a ring at address 0, and the device fetches from
there. Allocate the ring when the device starts, and look at the status there.
Source: raspberrypi/linux#7608, the same failure on another system.
"""

from contextlib import suppress

from wdfdma import BugCheck, CommonBuffer, DmaEnabler, Machine, Rule, StatusError

RULE = Rule.DEVICE_OUTSIDE_LIST

NARROW_BITS, WIDE_BITS = 13, 32
RING_BYTES = 8192


def make_enabler(machine: Machine, bits: int) -> DmaEnabler:
    return machine.device().enabler("scatter_gather64", maximum_length=65536, address_width=bits)


def make_ring(enabler: DmaEnabler) -> CommonBuffer | None:
    try:
        return enabler.common_buffer(RING_BYTES)
    except StatusError as error:
        print(f"{enabler}: {error.status.name}")
        return None


def failing() -> Machine:
    machine = Machine(map_registers=8)
    ring = make_ring(make_enabler(machine, NARROW_BITS))
    with suppress(BugCheck):
        machine.device_read(ring.get_aligned_logical_address() if ring else 0, RING_BYTES)
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=8)
    enabler = make_enabler(machine, NARROW_BITS)
    ring = make_ring(enabler)
    if ring is None:
        enabler.delete()
        enabler = make_enabler(machine, WIDE_BITS)  # the device's other window
        ring = make_ring(enabler)
    assert ring is not None
    transaction = enabler.transaction()
    transaction.initialize(machine.mdl(8192), program_dma=lambda *transfer: None)
    transaction.execute()
    machine.device_read(ring.get_aligned_logical_address(), RING_BYTES)
    transaction.dma_completed()
    transaction.release()
    enabler.delete()
    return machine


if __name__ == "__main__":
    print("failing:", *failing().violations, sep="\n    ")
    print("mended: ", mended())
