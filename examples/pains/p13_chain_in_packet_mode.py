"""A chain of MDLs on a packet device: each transfer ends with its MDL.

The HAL answers a packet transaction with one element, and an element stays in one MDL. A driver that programs the
device with its first address and the length of the whole chain sends it past the first MDL's bytes.
Source: a comment in the framework's fxdmatransactionpacket.cpp:862. From source text, not from a run on Windows.
"""

from collections.abc import Callable
from contextlib import suppress

from wdfdma import BugCheck, Direction, DmaTransaction, Element, Machine, Profile, Rule

RULE = Rule.DEVICE_OUTSIDE_LIST

CHAIN_BYTES = 6000


def start_read(machine: Machine, choose_length: Callable[[Element], int]) -> DmaTransaction:
    enabler = machine.device().enabler(Profile.PACKET, maximum_length=65536, dma_version=3)
    transaction = enabler.transaction()

    def program(_: DmaTransaction, _direction: Direction, elements: list[Element]) -> None:
        length = choose_length(elements[0])
        machine.device_write(elements[0].address, b"." * length)

    chain = machine.chain(machine.mdl(CHAIN_BYTES // 2), machine.mdl(CHAIN_BYTES // 2))
    transaction.initialize(chain, program_dma=program)
    transaction.execute()
    return transaction


def failing() -> Machine:
    machine = Machine(map_registers=8)
    with suppress(BugCheck):
        start_read(machine, lambda element: CHAIN_BYTES)
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=8)
    transaction = start_read(machine, lambda element: element.length)
    while not transaction.dma_completed().completed:
        print("one MDL is done, another follows")
    transaction.release()
    return machine


if __name__ == "__main__":
    print("failing:", *failing().violations, sep="\n    ")
    print("mended: ", mended())
