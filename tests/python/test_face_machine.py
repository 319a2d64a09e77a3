"""The machine of the Python face: settings, counters, arrays without a copy, snapshots, what is shown."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import wdfdma
from wdfdma import (
    BugCheck,
    BugCheckCode,
    CheckError,
    DmaTransaction,
    Irql,
    Machine,
    ObjectType,
    Op,
    RequestType,
    Rule,
    Run,
    Status,
    StatusError,
    TransactionState,
    WdfViolation,
)

Make = Callable[..., DmaTransaction]


def ignore(*_arguments: Any) -> None:
    pass


def test_settings() -> None:
    with Machine(map_registers=20, registers_per_adapter=5, log=3) as machine:
        enabler = machine.device().enabler(maximum_length=1 << 20)
        assert enabler.get_info().map_registers == 5
        assert enabler.get_fragment_length() == 4 * 4096
        for _ in range(5):
            enabler.transaction()
        assert len(machine.log) == 3
        assert machine.log_lost == 3
        assert machine.log["object"].tolist() == [2, 3, 4]
    for settings in (
        {"map_registers": 2**20 + 1},
        {"physical_address_bits": 53},
        {"maximum_depth": 0},
        {"reserve_bytes": 1},
    ):
        with pytest.raises(
            ValueError, match=rf"^{next(iter(settings))}: \d+ is (above|below) \d+$"
        ):
            Machine(**settings)
    for settings in ({"map_registers": -1}, {"seed": 2**64}, {"physical_address_bits": 2**40}):
        with pytest.raises(ValueError, match=next(iter(settings))):
            Machine(**settings)
    for wrong in (True, 1.5, "8", None):
        with pytest.raises(TypeError, match=r"^map_registers: "):
            Machine(map_registers=wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"log: .* is not False"):
        Machine(log="much")
    with pytest.raises(TypeError):
        Machine(8)  # type: ignore[misc]


def test_time_irql_chance(machine: Machine) -> None:
    machine.advance(5)
    assert machine.state.time_ns == 5
    with pytest.raises(StatusError, match="wdfdma_machine_advance: STATUS_INVALID_PARAMETER"):
        machine.advance(2**64 - 1)
    with pytest.raises(StatusError), machine.irql(16):
        pass
    with pytest.raises(KeyError), machine.irql(Irql.APC_LEVEL):
        assert machine.state.irql == 1
        raise KeyError
    assert machine.state.irql == 0
    with Machine(seed=1) as one, Machine(seed=1) as two, Machine(seed=2) as three:
        numbers = [[item.random() for _ in range(5)] for item in (one, two, three)]
    assert numbers[0] == numbers[1] != numbers[2]


def test_counters(machine: Machine, make_transaction: Make) -> None:
    state = machine.state
    make_transaction()
    assert state.objects[ObjectType.TRANSACTION] == 1
    assert state.free_registers == state.map_registers == 8
    assert state.op == Op.NONE
    assert {"free_registers", "waiting_pool", "breaks"} <= set(dir(state))
    assert "free_registers=8" in repr(state)
    with pytest.raises(AttributeError):
        state.nonsense  # noqa: B018


def test_pool_arrays_are_live_and_not_to_be_written(
    machine: Machine, make_transaction: Make
) -> None:
    bitmap = machine.pool.bitmap
    first, second = make_transaction(), make_transaction()
    first.allocate_resources(map_registers=2, reserve_dma=ignore)
    second.allocate_resources(map_registers=3, reserve_dma=ignore)
    assert bitmap[0] & 0xFF == 0b11111
    assert machine.pool.runs() == [Run(0, 2), Run(2, 3)]
    with pytest.raises(ValueError, match="read-only"):
        bitmap[0] = 0


def test_log_is_an_array_without_a_copy(machine: Machine, make_transaction: Make) -> None:
    transaction = make_transaction()
    log = machine.log
    assert log.dtype.names == ("time_ns", "values", "step", "object", "status", "kind", "code")
    assert log.base is not None
    assert machine.log.ctypes.data == log.ctypes.data
    assert log["code"][-1] == Op.CREATE
    transaction.set_immediate_execution(True)
    assert len(machine.log) == len(log) + 1
    assert machine.log_records()[-1] == {"op": "set_immediate_execution", "transaction": 0}
    assert machine.format_log().splitlines()[-1] == "set_immediate_execution: transaction 0"
    with pytest.raises(ValueError, match="read-only"):
        log["code"] = 0
    with Machine() as silent:
        assert len(silent.log) == 0


def test_snapshots(machine: Machine, make_transaction: Make) -> None:
    calls: list[str] = []
    transaction = make_transaction()
    transaction.initialize(machine.mdl(8192), program_dma=lambda *_: calls.append("old")).check()
    before = machine.snapshot()
    assert before.nbytes > 0
    assert repr(before) == f"<Snapshot {before.nbytes} bytes>"
    for _ in range(2):
        transaction.execute()
        transaction.dma_completed()
        transaction.release()
        transaction.initialize(machine.mdl(5), program_dma=lambda *_: calls.append("new")).check()
        after = machine.snapshot()
        late = make_transaction()
        transaction.delete()
        machine.restore(before)
        assert transaction.is_live
        assert transaction.state == TransactionState.INITIALIZED
        assert not late.is_live
        assert machine.state.objects[ObjectType.MDL] == 1
    machine.restore(after)
    transaction.execute()
    assert calls == ["old", "old", "new"]
    with pytest.raises(BugCheck):
        late.get_bytes_transferred()
    assert machine.halted
    machine.restore(before)
    assert not machine.halted
    assert transaction.execute() is Status.STATUS_SUCCESS
    with Machine() as other, pytest.raises(ValueError, match="of another machine"):
        other.restore(before)


def test_a_halted_machine_can_be_kept_and_looked_at(
    machine: Machine, make_transaction: Make
) -> None:
    transaction = make_transaction()
    running = machine.snapshot()
    with pytest.raises(BugCheck) as caught:
        transaction.execute()
    error = caught.value
    assert (error.code, error.parameters[0]) == (
        BugCheckCode.WDF_VIOLATION,
        WdfViolation.DMA_FATAL_ERROR,
    )
    assert (error.op, error.object_type, error.label) == (Op.EXECUTE, ObjectType.TRANSACTION, 0)
    assert (error.rule, error.depth, error.time_ns) == (Rule.WDF_DMA_FATAL_ERROR, 0, 0)
    step = error.step
    expected = "WDF_VIOLATION (0x10D): DMA_FATAL_ERROR, transaction 0, created; in execute, step"
    assert error.summary == repr(error) == f"{expected} {step}"
    assert repr(transaction) == "<DmaTransaction created>"
    halted = machine.snapshot()
    machine.restore(running)
    transaction.get_bytes_transferred()
    machine.restore(halted)
    with pytest.raises(BugCheck) as again:
        transaction.get_bytes_transferred()
    assert str(again.value) == str(error)
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert other.summary == error.summary
    assert machine.log_records()[-1]["parameters"] == [8, "transaction 0", "created"]


def test_rules_of_ours_are_named(machine: Machine, make_transaction: Make) -> None:
    transaction = make_transaction()
    with pytest.raises(BugCheck, match=r"^WDFDMA_VIOLATION") as caught:
        transaction.set_maximum_length(5)
    assert caught.value.rule == Rule.NO_ADAPTER
    assert machine.log_records()[-1] == {
        "event": "bugcheck",
        "code": "WDFDMA_VIOLATION",
        "parameters": ["NoAdapter"],
    }


def test_check_error_names_the_invariant() -> None:
    error = CheckError("free and held registers are all", 3, 8, 7)
    assert str(error) == "free and held registers are all: 3 has 7, expected 8"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_reprs_of_what_is_gone() -> None:
    with Machine() as machine:
        device = machine.device()
        enabler = device.enabler()
        transaction = enabler.transaction()
        buffer = enabler.common_buffer(1)
        mdl = machine.mdl(10, pfns=[3])
        request = device.request(RequestType.READ, output=mdl)
        pool, state = machine.pool, machine.state
        assert repr(mdl) == "<Mdl 10 bytes at offset 0, pages 3>"
        mdl.destroy()
        assert repr(mdl) == "<Mdl 10 bytes at offset 0, destroyed>"
        transaction.delete()
        assert repr(transaction) == "<DmaTransaction 0 deleted>"
        with pytest.raises(BugCheck):
            transaction.execute()
        assert repr(enabler) == "<DmaEnabler packet, at most 65536 bytes, version 2>"
        assert repr(buffer) == "<CommonBuffer 0>"
    for item in (device, enabler, transaction, buffer, request, mdl, pool, state):
        assert repr(item).endswith(", machine closed>")
    assert repr(machine) == "<Machine closed>"
    for face in (DmaTransaction, wdfdma.Mdl, Machine):
        assert repr(face.__new__(face)).startswith("<")
