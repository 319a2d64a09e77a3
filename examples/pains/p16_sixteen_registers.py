"""Works on Windows, fails in WinPE: an adapter is granted 16 map registers there.

64 KB that do not begin with a page lie in 17 pages. Where the adapter is granted 17 map registers nobody notices; with
16 the reservation is refused, and so is every list of such a buffer.
Source: Microsoft KB 2287639.
"""

from wdfdma import DmaTransaction, Machine, Profile, Status

STATUS = Status.STATUS_INSUFFICIENT_RESOURCES

GRANTED_IN_WINPE = 16


def make_transaction(machine: Machine) -> DmaTransaction:
    enabler = machine.device().enabler(Profile.PACKET, maximum_length=65536, dma_version=3)
    return enabler.transaction()


def failing() -> Machine:
    machine = Machine(map_registers=64, registers_per_adapter=GRANTED_IN_WINPE)
    transaction = make_transaction(machine)
    status = transaction.allocate_resources(map_registers=17, reserve_dma=lambda *_: None)
    print("17 map registers:", status.name)
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=64, registers_per_adapter=GRANTED_IN_WINPE)
    transaction = make_transaction(machine)
    # What one transfer can have, wherever it begins; the framework cuts the buffer accordingly.
    most = transaction.enabler.get_fragment_length()
    status = transaction.allocate_resources(
        map_registers=most // 4096 + 1, reserve_dma=lambda *_: None
    )
    print(f"{most // 4096 + 1} map registers: {status.name}")
    transaction.initialize(machine.mdl(65536, offset=512), program_dma=lambda *transfer: None)
    transaction.execute()
    while not transaction.dma_completed().completed:
        print(f"{transaction.get_bytes_transferred()} bytes are done, another transfer follows")
    transaction.free_resources()
    return machine


if __name__ == "__main__":
    failing()
    print("mended: ", mended())
