"""A 32-bit device and a buffer above 4 GiB: its bytes travel through map registers.

Run it: python examples/bounce.py
"""

from wdfdma import Direction, DmaTransaction, Element, Machine, Profile

ABOVE_4_GIB = 0x100000  # a page frame number


def main() -> None:
    with Machine(map_registers=8, physical_address_bits=36) as machine:
        enabler = machine.device().enabler(profile=Profile.PACKET, maximum_length=65536)
        transaction = enabler.transaction()
        buffer = machine.mdl(6000, offset=100, pfns=[ABOVE_4_GIB, ABOVE_4_GIB + 5])

        def program(_: DmaTransaction, direction: Direction, elements: list[Element]) -> None:
            for address, length in elements:
                print(f"{direction.name}: {length} bytes at logical address {address:#x}")
                if direction is Direction.READ:
                    machine.device_write(address, b"from the device ".ljust(length, b"."))
                else:
                    print("the device got", machine.device_read(address, 16))

        transaction.initialize(buffer, direction=Direction.READ, program_dma=program)
        transaction.execute()
        print("before the flush:", buffer.read(16))
        transaction.dma_completed()
        print("after it:        ", buffer.read(16))
        transaction.release()

        buffer.write(b"to the device   ")
        transaction.initialize(buffer, direction=Direction.WRITE, program_dma=program)
        transaction.execute()
        transaction.dma_completed()


if __name__ == "__main__":
    main()
