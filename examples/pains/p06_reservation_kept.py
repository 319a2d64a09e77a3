"""Reserved map registers survive Release, and others starve.

Only FreeResources and Delete end a reservation. A driver that releases its transaction and takes the map registers
for free leaves everybody else waiting for them.
Source: the framework's fxdmatransactionpacket.cpp:118-132. From source text, not from a run on Windows.
"""

from wdfdma import DmaTransaction, Machine, Profile, Rule

RULE = Rule.RESERVATION_KEPT


def run_reserved(machine: Machine) -> tuple[DmaTransaction, DmaTransaction]:
    """One transaction that has run with three of four map registers reserved; another waits for two."""
    enabler = machine.device().enabler(Profile.PACKET, maximum_length=8192, dma_version=3)
    reserved, other = enabler.transaction(), enabler.transaction()
    reserved.allocate_resources(map_registers=3, reserve_dma=lambda transaction: None)
    for transaction in (reserved, other):
        transaction.initialize(machine.mdl(8192), program_dma=lambda *transfer: None)
        transaction.execute()
    reserved.dma_completed()
    return reserved, other


def failing() -> Machine:
    machine = Machine(map_registers=4)
    reserved, _ = run_reserved(machine)
    reserved.release()
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=4)
    reserved, other = run_reserved(machine)
    reserved.free_resources()  # lets the other through
    other.dma_completed()
    other.release()
    return machine


if __name__ == "__main__":
    print("failing:", *failing().violations, sep="\n    ")
    print("mended: ", mended())
