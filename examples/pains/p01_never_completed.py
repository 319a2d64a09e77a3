"""A transfer that nobody completes: the error path of a driver returns, and its transaction stays as it is.

The device does not answer. The driver's timer runs out, it gives up, and forgets that the transaction still holds
map registers, and the device a mapping of the buffer. The driver of the source goes on to unlock and free the MDL.
Source: us4useu/us4oem-windows-driver, us4oem/Dma.c @a880370. A reading of the code that nobody reported: from source
text, not from a run on Windows.
"""

from wdfdma import DmaTransaction, Machine, Profile, Rule

RULE = Rule.NEVER_COMPLETED


def start_read(machine: Machine) -> DmaTransaction:
    enabler = machine.device().enabler(Profile.PACKET, maximum_length=65536)
    transaction = enabler.transaction()
    transaction.initialize(machine.mdl(6000), program_dma=lambda *transfer: None)
    transaction.execute()
    return transaction


def failing() -> Machine:
    machine = Machine(map_registers=8)
    start_read(machine)
    machine.advance(5_000_000_000)  # the timer runs out, the error path returns
    machine.check_leaks()
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=8)
    transaction = start_read(machine)
    machine.advance(5_000_000_000)
    # The error path stops the device and ends the transfer: nothing has come, and nothing will.
    transaction.dma_completed_final(0)
    transaction.release()
    # After a reset the device answers.
    transaction.initialize(machine.mdl(6000), program_dma=lambda *transfer: None)
    transaction.execute()
    transaction.dma_completed()
    transaction.delete()
    return machine


if __name__ == "__main__":
    print("failing:", *failing().violations, sep="\n    ")
    print("mended: ", mended())
