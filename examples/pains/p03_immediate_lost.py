"""Release clears immediate execution: the retry succeeds, and waits in silence.

A driver that may not wait sets immediate execution once. Its first Execute fails at once, as it should. It releases,
initializes and executes again, gets STATUS_SUCCESS, and takes that for a running transfer; in fact it is queued.
Source: the framework's fxdmatransactionbase.cpp:66-90, 397, 430-450, 691-715, and the page of
WdfDmaTransactionSetImmediateExecution. From source text, not from a run on Windows.
"""

from wdfdma import DmaTransaction, Machine, Profile, Rule, Status

RULE = Rule.IMMEDIATE_LOST


def start_two(machine: Machine) -> tuple[DmaTransaction, DmaTransaction]:
    """One transaction that holds most map registers, and one that has not got any at once."""
    enabler = machine.device().enabler(Profile.PACKET, maximum_length=16384, dma_version=3)
    holder, hasty = enabler.transaction(), enabler.transaction()
    holder.initialize(machine.mdl(16384), program_dma=lambda *transfer: None)
    holder.execute()
    hasty.set_immediate_execution(True)
    try_again(machine, hasty)
    return holder, hasty


def try_again(machine: Machine, hasty: DmaTransaction) -> Status:
    hasty.initialize(machine.mdl(16384), program_dma=lambda *transfer: None)
    status = hasty.execute()
    if not status.is_success:
        hasty.release()
    return status


def failing() -> Machine:
    machine = Machine(map_registers=6)
    _, hasty = start_two(machine)
    try_again(machine, hasty)
    return machine


def mended() -> Machine:
    machine = Machine(map_registers=6)
    holder, hasty = start_two(machine)
    hasty.set_immediate_execution(True)
    try_again(machine, hasty)  # refused once more, at once
    holder.dma_completed()
    holder.release()
    hasty.set_immediate_execution(True)
    try_again(machine, hasty)
    hasty.dma_completed()
    hasty.release()
    return machine


if __name__ == "__main__":
    print("failing:", *failing().violations, sep="\n    ")
    print("mended: ", mended())
