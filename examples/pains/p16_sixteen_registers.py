"""Works on Windows, fails in WinPE: an adapter is granted 16 map registers there.

64 KB that do not begin with a page lie in 17 pages. Where the adapter is granted 17 map registers they go in one
transfer, and nobody notices that the device is told the buffer's length and not the transfer's. With 16 the framework
cuts the buffer, and the device runs past what is mapped.
Source: Microsoft KB 2287639.
"""

from collections.abc import Callable
from contextlib import suppress

from wdfdma import BugCheck, Direction, DmaTransaction, Element, Machine, Profile, Rule

RULE = Rule.DEVICE_OUTSIDE_LIST

GRANTED_IN_WINPE = 16
BUFFER_BYTES = 65536


def read(machine: Machine, choose_length: Callable[[Element], int]) -> None:
    enabler = machine.device().enabler(Profile.PACKET, maximum_length=BUFFER_BYTES, dma_version=3)
    transaction = enabler.transaction()

    def program(_: DmaTransaction, _direction: Direction, elements: list[Element]) -> None:
        print(f"{elements[0].length} bytes are mapped, {choose_length(elements[0])} asked for")
        machine.device_write(elements[0].address, b"." * choose_length(elements[0]))

    transaction.initialize(machine.mdl(BUFFER_BYTES, offset=512), program_dma=program)
    transaction.execute()
    while not transaction.dma_completed().completed:
        pass
    transaction.release()


def failing() -> Machine:
    read(Machine(map_registers=64, registers_per_adapter=17), lambda element: BUFFER_BYTES)
    machine = Machine(map_registers=64, registers_per_adapter=GRANTED_IN_WINPE)
    with suppress(BugCheck):
        read(machine, lambda element: BUFFER_BYTES)
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=64, registers_per_adapter=GRANTED_IN_WINPE)
    read(machine, lambda element: element.length)
    return machine


if __name__ == "__main__":
    print("failing:", *failing().violations, sep="\n    ")
    print("mended: ", mended())
