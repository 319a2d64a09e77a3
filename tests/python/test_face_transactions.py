"""Transactions of the Python face: their calls, data that moves, system DMA."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from wdfdma import (
    BugCheck,
    BugCheckCode,
    CompletionStatus,
    Direction,
    DmaCompletion,
    DmaTransaction,
    Element,
    Irql,
    Machine,
    Profile,
    Run,
    Status,
    TransactionState,
    TransferInfo,
    Waiting,
)

Make = Callable[..., DmaTransaction]


def ignore(*_arguments: Any) -> None:
    pass


def test_a_transaction_from_beginning_to_end(machine: Machine, make_transaction: Make) -> None:
    transfers = []

    def program(transaction: DmaTransaction, direction: Direction, elements: list[Element]) -> None:
        transfers.append((transaction, direction, elements))
        assert machine.state.irql == Irql.DISPATCH_LEVEL

    transaction = make_transaction(maximum_length=8192)
    assert transaction.state == TransactionState.CREATED
    assert transaction.set_immediate_execution(True) is None
    buffer = machine.mdl(12288, pfns=[5, 6, 9])
    assert transaction.initialize(buffer, program_dma=program) is Status.STATUS_SUCCESS
    assert transaction.get_transfer_info() == TransferInfo(map_registers=3, elements=1)
    transaction.set_maximum_length(4096)
    assert transaction.execute() is Status.STATUS_SUCCESS
    assert transaction.get_current_dma_transfer_length() == 4096
    more = DmaCompletion(False, Status.STATUS_MORE_PROCESSING_REQUIRED)
    assert transaction.dma_completed() == more
    assert transaction.dma_completed_with_length(96) == more
    assert transaction.get_bytes_transferred() == 4192
    assert transaction.dma_completed_final(4) == DmaCompletion(True, Status.STATUS_SUCCESS)
    assert transaction.state == TransactionState.TRANSFER_COMPLETED
    assert transaction.release() is Status.STATUS_SUCCESS
    assert [item[0] for item in transfers] == [transaction] * 3
    assert [item[1] for item in transfers] == [Direction.READ] * 3
    assert transfers[0][2] == [Element(5 * 4096, 4096)]
    assert transaction.get_device() is transaction.enabler.device
    transaction.delete()
    assert not transaction.is_live


def test_initialize_takes_offset_and_length(machine: Machine, make_transaction: Make) -> None:
    transaction = make_transaction()
    buffer = machine.mdl(8192)
    for method in (transaction.initialize, transaction.initialize_using_offset):
        method(buffer, offset=100, length=50, program_dma=ignore).check()
        assert transaction.get_info().length == 50
        transaction.release()
    transaction.initialize(buffer, offset=192, program_dma=ignore).check()
    assert transaction.get_info().length == 8000
    transaction.release()
    assert (
        transaction.initialize(buffer, length=0, program_dma=ignore)
        == Status.STATUS_INVALID_PARAMETER
    )
    past = transaction.initialize(buffer, offset=8192, length=1, program_dma=ignore)
    assert past == Status.STATUS_INVALID_PARAMETER


def test_resources_are_reserved_ahead(machine: Machine, make_transaction: Make) -> None:
    reserved = []
    transaction = make_transaction()
    status = transaction.allocate_resources(
        Direction.WRITE, map_registers=3, reserve_dma=reserved.append
    )
    assert status is Status.STATUS_SUCCESS
    assert reserved == [transaction]
    assert machine.pool.runs() == [Run(0, 3)]
    assert repr(transaction) == "<DmaTransaction reserved, registers 0..2>"
    assert transaction.free_resources() is None
    assert machine.pool.runs() == []


def test_cancel_and_waiters(machine: Machine, make_transaction: Make) -> None:
    holder, waiter = make_transaction(), make_transaction()
    holder.allocate_resources(map_registers=6, reserve_dma=ignore)
    waiter.initialize(machine.mdl(4 * 4096), program_dma=ignore)
    waiter.execute()
    assert machine.pool.waiters() == [waiter]
    assert waiter.get_info().waiting == Waiting.POOL
    assert repr(waiter) == "<DmaTransaction transfer 0/16384 bytes, waiting for 4 registers>"
    assert repr(machine.pool) == "<Pool 2 of 8 registers free, 1 waiting>"
    assert waiter.cancel() is True
    assert machine.pool.waiters() == []
    assert waiter.state == TransactionState.TRANSFER_FAILED


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("profile", [Profile.PACKET, Profile.SCATTER_GATHER64])
def test_data_really_moves(profile: Profile, force: bool) -> None:
    data = bytes(range(256)) * 40
    with Machine(force_map_registers=force) as machine:
        transaction = machine.device().enabler(profile, dma_version=3).transaction()
        buffer = machine.mdl(len(data), offset=300, pfns=[40, 41, 12])
        buffer.write(data)
        seen = []

        def read_all(_: DmaTransaction, direction: Direction, elements: list[Element]) -> None:
            for address, length in elements:
                if direction == Direction.WRITE:
                    seen.append(machine.device_read(address, length))
                else:
                    machine.device_write(address, np.full(length, 7, "u1"))

        for direction in (Direction.WRITE, Direction.READ):
            transaction.initialize(buffer, direction=direction, program_dma=read_all).check()
            transaction.execute().check()
            while not transaction.dma_completed().completed:
                pass
            transaction.release()
        assert b"".join(seen) == data
        assert buffer.read() == b"\x07" * len(data)
        machine.check()


def test_device_access_outside_of_a_mapping_halts(machine: Machine) -> None:
    with pytest.raises(BugCheck) as caught:
        machine.device_write(0x5000, b"1")
    assert caught.value.code == BugCheckCode.DRIVER_VERIFIER_DMA_VIOLATION
    assert caught.value.parameters[0] == 0x26
    with pytest.raises(BugCheck):
        machine.device()
    assert machine.halted
    assert str(machine.bugcheck) == str(caught.value)
    assert repr(machine).startswith("<Machine halted: DRIVER_VERIFIER_DMA_VIOLATION (0xE6)")


def test_system_dma(machine: Machine, make_transaction: Make) -> None:
    events: list[Any] = []
    transaction = make_transaction(Profile.SYSTEM, maximum_length=8192)
    assert transaction.wdm_get_transfer_context() is None
    assert machine.state.breaks == 1
    transaction.set_channel_configuration_callback(lambda *rest: events.append(rest[1:]))
    transaction.set_transfer_complete_callback(lambda *rest: events.append(rest[1:]))
    transaction.set_device_address_offset(16)
    buffer = machine.mdl(6000)
    transaction.initialize(buffer, program_dma=lambda *_: events.append("program")).check()
    transaction.execute().check()
    assert transaction.wdm_get_transfer_context()
    assert transaction.enabler.complete_transfer() is True
    assert transaction.enabler.complete_transfer() is False
    assert transaction.dma_completed().completed
    assert events == [(buffer, 0, 6000), "program", (Direction.READ, CompletionStatus.COMPLETE)]
    transaction.release()
    transaction.initialize(buffer, program_dma=ignore).check()
    transaction.execute().check()
    transaction.set_channel_configuration_callback(None)
    assert transaction.stop_system_transfer() is None
    assert events[-1] == (Direction.READ, CompletionStatus.CANCELLED)
    assert events[-2] == (buffer, 0, 6000)
    assert transaction.dma_completed().completed
