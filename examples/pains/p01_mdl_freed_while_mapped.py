"""The MDL is unlocked and freed while the device's mapping of it lives.

The driver has waited long enough, unlocks its MDL and frees it; the transfer was never completed. The pages go to
somebody else, and the device goes on writing to them.
Source: us4useu/us4oem-windows-driver, us4oem/Dma.c @a880370. A reading of the code that nobody reported: from source
text, not from a run on Windows.
"""

from wdfdma import DmaTransaction, Machine, Mdl, Profile, Rule

RULE = Rule.BUFFER_FREED_WHILE_MAPPED


def start_read(machine: Machine, buffer: Mdl) -> DmaTransaction:
    enabler = machine.device().enabler(Profile.PACKET, maximum_length=65536)
    transaction = enabler.transaction()
    transaction.initialize(buffer, program_dma=lambda *transfer: None)
    transaction.execute()
    return transaction


def failing() -> Machine:
    machine = Machine(map_registers=8)
    buffer = machine.mdl(6000)
    start_read(machine, buffer)
    buffer.destroy()
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=8)
    buffer = machine.mdl(6000)
    transaction = start_read(machine, buffer)
    transaction.dma_completed()
    transaction.release()
    buffer.destroy()
    return machine


if __name__ == "__main__":
    print("failing:", *failing().violations, sep="\n    ")
    print("mended: ", mended())
