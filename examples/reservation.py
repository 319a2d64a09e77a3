"""What a reservation buys: two transactions share a pool of four registers, and one has reserved three.

Run it: python examples/reservation.py
"""

from wdfdma import Direction, Machine, Profile


def main() -> None:
    with Machine(map_registers=4) as machine:
        enabler = machine.device().enabler(
            profile=Profile.PACKET, maximum_length=8192, dma_version=3
        )
        reader = enabler.transaction()
        other = enabler.transaction()
        buffer = machine.mdl(8192)

        reader.allocate_resources(
            Direction.READ, reserve_dma=lambda owner: print("reserved:", owner), map_registers=3
        )
        for _ in range(2):
            reader.initialize(buffer, program_dma=lambda *transfer: None)
            reader.execute()
            print("reader runs:", reader)
            reader.dma_completed()
            reader.release()
        print("released, and still:", reader)

        other.initialize(buffer, program_dma=lambda *transfer: print("granted:", transfer[0]))
        other.execute()
        print("the other waits:", other)
        other.cancel()
        other.release()

        other.set_immediate_execution(True)
        other.initialize(buffer, program_dma=lambda *transfer: None)
        print("at once or not at all:", other.execute().name)
        other.release()

        reader.free_resources()
        other.initialize(buffer, program_dma=lambda *transfer: print("granted:", transfer[0]))
        other.execute()
        print(machine.pool)
        other.dma_completed()
        other.release()
        machine.check()


if __name__ == "__main__":
    main()
