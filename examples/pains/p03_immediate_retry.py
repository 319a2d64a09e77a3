"""Immediate execution fails, and the driver tries again without a Release.

With immediate execution Execute fails where it would wait: STATUS_INSUFFICIENT_RESOURCES. The transaction is then in
transfer_failed, and another Execute, or Initialize, is WDF_DMA_FATAL_ERROR.
Source: the framework's fxdmatransactionbase.cpp:66-90, 397, 430-450, 691-715, and the page of
WdfDmaTransactionSetImmediateExecution. From source text, not from a run on Windows.
"""

from contextlib import suppress

from wdfdma import BugCheck, DmaTransaction, Machine, Profile, Rule

RULE = Rule.STATUS_IGNORED


def start_two(machine: Machine) -> tuple[DmaTransaction, DmaTransaction]:
    """One transaction that holds most map registers, and one that will not wait for them."""
    enabler = machine.device().enabler(Profile.PACKET, maximum_length=16384, dma_version=3)
    holder, hasty = enabler.transaction(), enabler.transaction()
    holder.initialize(machine.mdl(16384), program_dma=lambda *transfer: None)
    holder.execute()
    hasty.set_immediate_execution(True)
    hasty.initialize(machine.mdl(16384), program_dma=lambda *transfer: None)
    return holder, hasty


def failing() -> Machine:
    machine = Machine(map_registers=6)
    _, hasty = start_two(machine)
    with suppress(BugCheck):
        while not hasty.execute().is_success:
            machine.advance(1_000_000)
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=6)
    holder, hasty = start_two(machine)
    while not hasty.execute().is_success:
        hasty.release()
        holder.dma_completed()  # meanwhile
        holder.release()
        hasty.set_immediate_execution(True)  # Release has cleared it
        hasty.initialize(machine.mdl(16384), program_dma=lambda *transfer: None)
    hasty.dma_completed()
    hasty.release()
    return machine


if __name__ == "__main__":
    print("failing:", *failing().violations, sep="\n    ")
    print("mended: ", mended())
