"""The device's window and memory do not meet: setting the width succeeds, the allocation fails later.

Nothing asks, when the enabler is made, whether there is any memory within the width that it names. The first common
buffer tells. Allocate it when the device starts, and look at the status there.
Source: raspberrypi/linux#7608, the same failure on another system.
"""

from contextlib import suppress

from wdfdma import DmaEnabler, Machine, Profile, Status, StatusError

STATUS = Status.STATUS_INSUFFICIENT_RESOURCES

NARROW_BITS, WIDE_BITS = 13, 32
RING_BYTES = 8192


def make_enabler(machine: Machine, address_width: int) -> DmaEnabler:
    """An enabler with its ring. Errors: StatusError where the window holds no memory for it."""
    enabler = machine.device().enabler(
        Profile.SCATTER_GATHER64, maximum_length=65536, address_width=address_width
    )
    print(f"{address_width} bits: the enabler is made,", end=" ")
    try:
        print(enabler.common_buffer(RING_BYTES))
    except StatusError as error:
        print("and then", error.status.name)
        enabler.delete()
        raise
    return enabler


def failing() -> Machine:
    machine = Machine(map_registers=8)
    with suppress(StatusError):  # the device does not start
        make_enabler(machine, NARROW_BITS)
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=8)
    try:
        enabler = make_enabler(machine, NARROW_BITS)
    except StatusError:
        enabler = make_enabler(machine, WIDE_BITS)  # the device's other window
    transaction = enabler.transaction()
    transaction.initialize(machine.mdl(8192), program_dma=lambda *transfer: None)
    transaction.execute()
    transaction.dma_completed()
    transaction.release()
    enabler.delete()
    return machine


if __name__ == "__main__":
    failing()
    print("mended: ", mended())
