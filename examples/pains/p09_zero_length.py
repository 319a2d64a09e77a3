"""DmaCompletedWithLength(0) sends the same transfer again, for ever if the device is dead.

The framework takes the rest of the buffer for the next transfer. With no bytes transferred that rest is the same
transfer, EvtProgramDma is called for it, the device does not answer, and so on.
Source: the driver documentation, wdf/completing-a-dma-transfer.md.
"""

from wdfdma import Direction, DmaTransaction, Element, Machine, Profile, Rule

RULE = Rule.ZERO_LENGTH_LIVELOCK


def start_read(machine: Machine, device: dict[str, bool]) -> DmaTransaction:
    """A read from a device that does nothing while it is dead."""
    enabler = machine.device().enabler(Profile.PACKET, maximum_length=16384)
    transaction = enabler.transaction()

    def program(_: DmaTransaction, _direction: Direction, elements: list[Element]) -> None:
        if not device["is dead"]:
            address, length = elements[0]
            machine.device_write(address, b"alive".ljust(length, b"."))

    transaction.initialize(machine.mdl(4096), program_dma=program)
    transaction.execute()
    return transaction


def failing() -> Machine:
    machine = Machine(map_registers=8)
    transaction = start_read(machine, {"is dead": True})
    for _ in range(1000):  # for ever, in a driver
        transaction.dma_completed_with_length(0)
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=8)
    device = {"is dead": True}
    transaction = start_read(machine, device)
    transaction.dma_completed_with_length(0)  # once may be a hiccup
    device["is dead"] = False  # a reset
    transaction.dma_completed_with_length(0)  # the last try; after that, DmaCompletedFinal
    transaction.dma_completed()
    transaction.release()
    return machine


if __name__ == "__main__":
    print("failing:", *failing().violations, sep="\n    ")
    print("mended: ", mended())
