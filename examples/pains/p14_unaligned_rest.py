"""After a partial completion the rest begins inside a page, and needs one map register more than was planned.

Transfers of 2 KB never cross a page, so one map register is reserved. The second transfer stops at 1 KB; the third
would be 2 KB from 3 KB on, which is two pages, and one map register carries 1 KB of it. The framework cuts the
transfer; a driver that programs 2 KB, as planned, sends the device past its map register.
Source: a comment in the framework's fxdmatransactionpacket.cpp:458-485. From source text, not from a run on Windows.
"""

from collections.abc import Callable
from contextlib import suppress

from wdfdma import BugCheck, Direction, DmaTransaction, Element, Machine, Profile, Rule

RULE = Rule.DEVICE_OUTSIDE_LIST

KB = 1024
ABOVE_4_GIB = [0x100000, 0x100001]  # page frame numbers: through map registers


def read_8_kb(
    machine: Machine, *, map_registers: int, choose_length: Callable[[Element], int]
) -> None:
    enabler = machine.device().enabler(Profile.PACKET, maximum_length=8 * KB, dma_version=3)
    transaction = enabler.transaction()

    def program(_: DmaTransaction, _direction: Direction, elements: list[Element]) -> None:
        print(f"    the list has {elements[0].length} bytes")
        machine.device_write(elements[0].address, b"." * choose_length(elements[0]))

    transaction.allocate_resources(map_registers=map_registers, reserve_dma=lambda *_: None)
    transaction.initialize(machine.mdl(8 * KB, pfns=ABOVE_4_GIB), program_dma=program)
    transaction.set_maximum_length(2 * KB)
    transaction.execute()
    transaction.dma_completed()
    completion = transaction.dma_completed_with_length(1 * KB)
    while not completion.completed:
        completion = transaction.dma_completed()
    transaction.free_resources()


def failing() -> Machine:
    machine = Machine(map_registers=8)
    with suppress(BugCheck):
        read_8_kb(machine, map_registers=1, choose_length=lambda element: 2 * KB)
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=8)
    # One more for a rest that begins anywhere; and the device gets the list's length, not the plan's.
    read_8_kb(machine, map_registers=2, choose_length=lambda element: element.length)
    return machine


if __name__ == "__main__":
    print("failing:", *failing().violations, sep="\n    ")
    print("mended: ", mended())
