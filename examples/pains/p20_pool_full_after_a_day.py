"""A mapping is lost with each request, and after a day the pool is full.

Each request gets a transaction of its own. The interrupt handler looks at the device's status, finishes the request,
and forgets the transaction: its map registers stay held. Nothing is wrong with any one call; the driver notices when
a request finds no registers, and the list of leaks names the transaction of each lost mapping.
Source: rtl8192ee#3, where a reload does not help; openvmm#1116 and dstack#1192, where the pool was too small to begin
with. The same failure on other systems.
"""

from wdfdma import DmaTransaction, Machine, Profile, Rule

RULE = Rule.NEVER_COMPLETED


def read_for_a_day(machine: Machine, *, completes: bool) -> None:
    enabler = machine.device().enabler(Profile.PACKET, maximum_length=65536, dma_version=3)
    for number in range(100):
        transaction = enabler.transaction()
        transaction.set_immediate_execution(True)  # rather a failure than a hang
        transaction.initialize(machine.mdl(8192), program_dma=lambda *transfer: None)
        status = transaction.execute()
        if not status.is_success:
            print(f"request {number}: {status.name}, {machine.pool}")
            transaction.delete()
            break
        if completes:
            finish(transaction)


def finish(transaction: DmaTransaction) -> None:
    transaction.dma_completed()
    transaction.delete()


def failing() -> Machine:
    machine = Machine(map_registers=8)
    read_for_a_day(machine, completes=False)
    machine.check_leaks()
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=8)
    read_for_a_day(machine, completes=True)
    return machine


if __name__ == "__main__":
    print("failing:", *failing().violations, sep="\n    ")
    print("mended: ", mended())
