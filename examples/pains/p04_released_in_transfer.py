"""Release during a live transfer: its map registers go back to the pool, and the device still writes to them.

Only the framework's verifier stops such a Release (or Delete); without it the call succeeds. A late write then
goes to registers that nobody holds or, once they are granted again, into the data of the next owner, which
`corrupting` shows: from outside, such a write cannot be told from one of the owner's own device.
Source: the framework's fxdmatransactionbase.cpp:101-119, 660-675. From source text, not from a run on Windows.
"""

from wdfdma import DmaTransaction, Element, Machine, Mdl, Profile, Rule

RULE = Rule.RELEASED_IN_TRANSFER

ABOVE_4_GIB = 0x100000  # a page frame number: a 32-bit device gets to it through map registers


def start_read(machine: Machine) -> tuple[DmaTransaction, Mdl, Element]:
    enabler = machine.device().enabler(Profile.PACKET, maximum_length=4096, dma_version=3)
    transaction = enabler.transaction()
    buffer = machine.mdl(4096, pfns=[ABOVE_4_GIB])
    programmed: list[Element] = []
    transaction.initialize(buffer, program_dma=lambda *transfer: programmed.extend(transfer[2]))
    transaction.execute()
    return transaction, buffer, programmed[0]


def failing() -> Machine:
    machine = Machine(map_registers=4, verifier=False)
    transaction, _, _ = start_read(machine)
    transaction.release()
    return machine


def corrupting() -> bytes:
    """What the next owner of the map registers reads."""
    with Machine(map_registers=4, verifier=False) as machine:
        transaction, _, (address, _) = start_read(machine)
        transaction.release()
        following, buffer, _ = start_read(machine)
        machine.device_write(address, b"late")
        following.dma_completed()
        return buffer.read(4)


def mended() -> Machine:
    machine = Machine(map_registers=4, verifier=False)
    transaction, _, (address, _) = start_read(machine)
    machine.device_write(address, b"late")
    transaction.dma_completed()  # once the device has stopped
    transaction.release()
    return machine


if __name__ == "__main__":
    print("failing:", *failing().violations, sep="\n    ")
    print("the next owner's page:", corrupting())
    print("mended: ", mended())
