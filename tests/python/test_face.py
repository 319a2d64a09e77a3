"""The Python face: each DDI by its name, data that moves, arrays without a copy, what is shown."""

import ast
import copy
import doctest
import importlib
import pickle
import pkgutil
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import wdfdma
from wdfdma import (
    BugCheck,
    BugCheckCode,
    CheckError,
    CommonBuffer,
    CompletionStatus,
    Direction,
    DmaCompletion,
    DmaEnabler,
    DmaTransaction,
    Element,
    Irql,
    Machine,
    ObjectType,
    Op,
    PowerState,
    Profile,
    RecordKind,
    RequestType,
    Rule,
    Run,
    Status,
    StatusError,
    TransactionState,
    TransferInfo,
    Waiting,
    WdfViolation,
)
from wdfdma._native import ffi, lib

Make = Callable[..., DmaTransaction]


def ignore(*_arguments: Any) -> None:
    pass


def to_python_name(ddi: str, prefix: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", ddi.removeprefix(prefix)).lower()


@pytest.mark.parametrize(
    ("prefix", "face", "creators"),
    [
        ("WdfDmaTransaction", DmaTransaction, {"create"}),
        ("WdfDmaEnabler", DmaEnabler, {"create"}),
        ("WdfCommonBuffer", CommonBuffer, {"create", "create_with_config"}),
    ],
)
def test_every_ddi_has_its_method(prefix: str, face: type, creators: set[str]) -> None:
    ddis = [name for name in dir(lib) if re.match(rf"{prefix}[A-Z]", name)]
    ddis = [name for name in ddis if callable(getattr(lib, name))]
    assert len(ddis) > 4
    names = {to_python_name(ddi, prefix) for ddi in ddis} - creators
    assert not {name for name in names if not callable(getattr(face, name, None))}


@pytest.mark.parametrize(
    ("enumeration", "type_name"),
    [
        (Op, "wdfdma_op"),
        (ObjectType, "wdfdma_object_type"),
        (TransactionState, "wdfdma_transaction_state"),
        (Waiting, "wdfdma_waiting"),
        (BugCheckCode, "wdfdma_bugcheck_code"),
        (WdfViolation, "wdfdma_wdf_violation"),
        (Rule, "wdfdma_rule"),
        (RecordKind, "wdfdma_record_kind"),
        (Profile, "WDF_DMA_PROFILE"),
        (Direction, "WDF_DMA_DIRECTION"),
        (CompletionStatus, "DMA_COMPLETION_STATUS"),
        (RequestType, "WDF_REQUEST_TYPE"),
        (PowerState, "WDF_POWER_DEVICE_STATE"),
    ],
)
def test_enumerations_are_the_headers(enumeration: Any, type_name: str) -> None:
    elements = ffi.typeof(type_name).elements
    counts = {value for value, name in elements.items() if name.endswith("COUNT")}
    assert {int(member) for member in enumeration} == set(elements) - counts


def test_enumerations_keep_unknown_numbers() -> None:
    assert Profile(99) == 99
    assert Profile(99).name == "0x63"
    assert Direction.READ is Direction.READ_FROM_DEVICE
    assert (str(Profile.PACKET), f"{Profile.PACKET}", f"{Profile.PACKET:d}") == ("PACKET",) * 2 + (
        "1",
    )
    assert pickle.loads(pickle.dumps(Profile.PACKET)) is Profile.PACKET
    with pytest.raises(ValueError, match="not a valid"):
        Direction("read")


def test_statuses_are_the_headers() -> None:
    assert Status.STATUS_INSUFFICIENT_RESOURCES == 0xC000009A - 2**32
    assert Status(0xC000009A) is Status.STATUS_INSUFFICIENT_RESOURCES
    assert repr(Status.STATUS_SUCCESS) == "<Status.STATUS_SUCCESS: 0x00000000>"
    assert Status.STATUS_PENDING.check() is Status.STATUS_PENDING
    with pytest.raises(StatusError) as caught:
        Status.STATUS_WDF_BUSY.check("execute")
    assert caught.value.status is Status.STATUS_WDF_BUSY
    assert str(caught.value).startswith("execute: STATUS_WDF_BUSY (0xC0200")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    unknown = Status(-5)
    assert (unknown, unknown.name, unknown.is_success) == (-5, "0xFFFFFFFB", False)
    with pytest.raises(ValueError, match="not a valid"):
        Status(2**32)


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
    with pytest.raises(ValueError, match="log is"):
        Machine(log="much")
    with pytest.raises(TypeError):
        Machine(8)  # type: ignore[misc]


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


def test_mdls(machine: Machine) -> None:
    first = machine.mdl(5000, offset=4000, pfns=[7, 8, 7])
    second = machine.mdl(10)
    assert machine.chain(first, second) is first
    assert first.chain == [first, second]
    assert (first.chain_length, first.length, first.offset, first.pfns) == (
        5010,
        5000,
        4000,
        [7, 8, 7],
    )
    assert first.following is second
    assert second.following is None
    first.write(b"abcdefghij", 4995)
    assert first.read(10, 4995) == b"abcdefghij"
    assert second.read(5) == b"fghij"
    array = second.array
    assert array is not None
    array[0] = ord("F")
    assert second.read(2) == b"Fg"
    with pytest.raises(StatusError, match="STATUS_BUFFER_TOO_SMALL"):
        first.read(11, 5000)
    with pytest.raises(StatusError, match="STATUS_BUFFER_TOO_SMALL"):
        first.write(b"12", 5009)
    for settings in ({"length": 0}, {"length": 1, "offset": 4096}, {"length": 1, "pfns": [1, 2]}):
        with pytest.raises(ValueError, match=r"^(length|offset|pfns): "):
            machine.mdl(**settings)
    with pytest.raises(ValueError, match=r"^pfns\[1\]: \d+ is above \d+$"):
        machine.mdl(8192, pfns=[0, 2**40])
    first.following = None
    assert first.chain_length == 5000
    second.destroy()
    second.destroy()
    assert not second.is_live
    with pytest.raises(ValueError, match="destroyed"):
        second.read(1)
    assert machine.state.objects[ObjectType.MDL] == 1
    with machine.mdl(1) as third:
        assert third.is_live
    assert not third.is_live


def test_common_buffers(machine: Machine) -> None:
    enabler = machine.device().enabler(Profile.PACKET)
    buffer = enabler.common_buffer(5000, alignment=0xFFFF)
    address = buffer.get_aligned_logical_address()
    assert address % 0x10000 == 0
    assert buffer.get_length() == 5000
    assert buffer.enabler is enabler
    assert buffer.get_aligned_virtual_address() == buffer.array.ctypes.data
    buffer.array[:] = 1
    machine.device_write(address + 4990, bytes([9] * 10))
    assert buffer.array.tolist() == [1] * 4990 + [9] * 10
    assert machine.device_read(address, 5000) == buffer.array.tobytes()
    assert repr(buffer) == f"<CommonBuffer 5000 bytes at 0x{address:X}>"
    with pytest.raises(StatusError, match="STATUS_INVALID_PARAMETER"):
        enabler.common_buffer(0)
    with (
        machine.irql(Irql.DISPATCH_LEVEL),
        pytest.raises(StatusError, match="STATUS_INVALID_DEVICE"),
    ):
        enabler.common_buffer(1)
    buffer.delete()
    with pytest.raises(BugCheck):
        machine.device_read(address, 1)


def test_requests(machine: Machine, make_transaction: Make) -> None:
    transaction = make_transaction()
    buffer = machine.mdl(512)
    request = transaction.enabler.device.request(RequestType.READ, output=buffer)
    assert request.retrieve_output_wdm_mdl() is buffer
    with pytest.raises(StatusError, match="STATUS_INVALID_DEVICE_REQUEST"):
        request.retrieve_input_wdm_mdl()
    status = transaction.initialize_using_request(
        request, direction=Direction.WRITE, program_dma=ignore
    )
    assert status == Status.STATUS_INVALID_DEVICE_REQUEST
    transaction.initialize_using_request(request, program_dma=ignore).check()
    assert transaction.get_request() is request
    transaction.execute()
    assert request.get_info().references == 1
    transaction.dma_completed()
    assert repr(request) == "<Request read, owned>"
    request.set_information(5)
    assert request.get_information() == 5
    request.complete(Status.STATUS_SUCCESS)
    assert request.get_info() == wdfdma.RequestInfo(True, Status.STATUS_SUCCESS, 5, 0)
    transaction.release()
    assert transaction.get_request() is None
    request.delete()
    assert not request.is_live


def test_a_request_completed_in_a_transfer_halts(machine: Machine, make_transaction: Make) -> None:
    transaction = make_transaction()
    request = transaction.enabler.device.request(RequestType.WRITE, input=machine.mdl(5))
    transaction.initialize_using_request(
        request, direction=Direction.WRITE, program_dma=ignore
    ).check()
    transaction.execute()
    with pytest.raises(BugCheck) as caught:
        request.complete()
    assert caught.value.parameters[0] == WdfViolation.VERIFIER_FATAL_ERROR
    assert caught.value.op == Op.REQUEST_COMPLETE


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


def test_enablers(machine: Machine) -> None:
    device = machine.device()
    enabler = device.enabler(
        Profile.SCATTER_GATHER, maximum_length=1 << 20, maximum_elements=5, address_width=20
    )
    assert enabler.get_maximum_length() == 1 << 20
    assert enabler.get_maximum_scatter_gather_elements() == 5
    enabler.set_maximum_scatter_gather_elements(9)
    assert enabler.get_maximum_scatter_gather_elements() == 9
    info = enabler.get_info()
    assert (info.profile, info.version, info.address_width) == (Profile.SCATTER_GATHER, 3, 20)
    assert info.needs_map_registers
    assert info.channel_owner is None
    assert enabler.wdm_get_dma_adapter() != 0
    assert enabler.device is device
    assert repr(enabler) == "<DmaEnabler scatter_gather, at most 28672 bytes, version 3>"
    system = device.enabler(Profile.SYSTEM, maximum_length=4096)
    assert repr(system) == "<DmaEnabler system, not configured, version 3>"
    assert system.configure_system_profile() is Status.STATUS_SUCCESS
    assert system.configure_system_profile() is Status.STATUS_INVALID_PARAMETER
    with pytest.raises(StatusError, match="WdfDmaEnablerCreate: STATUS_INVALID_PARAMETER"):
        device.enabler(Profile(99))
    with pytest.raises(TypeError, match="no setting or event 'fil'"):
        device.enabler(fil=ignore)


def test_power_calls_the_events_in_order(machine: Machine) -> None:
    calls: list[str] = []

    def note(name: str, status: Status | None = None) -> Callable[[DmaEnabler], Status | None]:
        def event(enabler: DmaEnabler) -> Status | None:
            assert isinstance(enabler, DmaEnabler)
            calls.append(name)
            return status

        return event

    names = ("fill", "enable", "self_managed_io_start", "self_managed_io_stop", "disable", "flush")
    device = machine.device()
    device.enabler(**{name: note(name) for name in names})
    assert device.enter_d0() is Status.STATUS_SUCCESS
    assert device.leave_d0(PowerState.D3) is Status.STATUS_SUCCESS
    assert calls == list(names)
    failing = machine.device()
    failing.enabler(fill=note("fill", Status.STATUS_DEVICE_NOT_READY))
    assert failing.enter_d0() is Status.STATUS_DEVICE_NOT_READY


def test_alignment_requirement(machine: Machine) -> None:
    device = machine.device()
    device.set_alignment_requirement(63)
    assert device.get_alignment_requirement() == 63


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
    with Machine() as other, pytest.raises(StatusError, match="STATUS_INVALID_PARAMETER"):
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
    assert str(error) == f"{expected} {step}"
    assert repr(transaction) == "<DmaTransaction created>"
    halted = machine.snapshot()
    machine.restore(running)
    transaction.get_bytes_transferred()
    machine.restore(halted)
    with pytest.raises(BugCheck) as again:
        transaction.get_bytes_transferred()
    assert str(again.value) == str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(copy.copy(error)) == str(error)
    assert machine.log_records()[-1]["parameters"] == [8, "transaction 0", "created"]


def test_rules_of_ours_are_named(machine: Machine, make_transaction: Make) -> None:
    transaction = make_transaction()
    with pytest.raises(BugCheck, match="WDFDMA_VIOLATION") as caught:
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


def test_references_keep_an_object(machine: Machine) -> None:
    ended: list[str] = []
    enabler = machine.device().enabler()
    transaction = enabler.transaction(
        cleanup=lambda _: ended.append("cleanup"), destroy=lambda _: ended.append("destroy")
    )
    transaction.reference()
    transaction.delete()
    assert ended == ["cleanup"]
    transaction.dereference()
    assert ended == ["cleanup", "destroy"]
    with pytest.raises(BugCheck) as caught:
        transaction.dereference()
    assert caught.value.parameters[0] == WdfViolation.INVALID_HANDLE


def test_deleting_a_parent_deletes_its_children(machine: Machine) -> None:
    ended: list[Any] = []
    device = machine.device()
    with device.enabler(cleanup=ended.append) as enabler:
        transaction = enabler.transaction(cleanup=ended.append)
        buffer = enabler.common_buffer(5, cleanup=ended.append)
    assert ended == [buffer, transaction, enabler]
    device.delete()
    assert not device.is_live
    assert sum(machine.state.objects[kind] for kind in (ObjectType.DEVICE, ObjectType.ENABLER)) == 0


def test_objects_of_the_framework_are_not_the_drivers_to_delete(machine: Machine) -> None:
    request = machine.device().request(RequestType.READ, output=machine.mdl(1))
    with pytest.raises(BugCheck) as caught:
        wdfdma.objects.WdfObject.delete(request)
    assert caught.value.parameters[0] == WdfViolation.OBJECT_ERROR


def test_a_failed_allocation_changes_nothing(machine: Machine) -> None:
    device = machine.device()
    machine.fail_allocation(1)
    with pytest.raises(StatusError, match="STATUS_INSUFFICIENT_RESOURCES"):
        device.enabler()
    device.enabler()


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


def test_folders_of_the_package() -> None:
    assert Path(wdfdma.get_include()).name == "include"
    assert Path(wdfdma.get_cmake_dir()).parts[-3:] == ("lib", "cmake", "wdfdma")
    assert re.fullmatch(r"\d+\.\d+\.\d+", wdfdma.__version__)


def test_all_names_are_there() -> None:
    assert all(hasattr(wdfdma, name) for name in wdfdma.__all__)
    assert dir(wdfdma) == wdfdma.__all__
    with pytest.raises(AttributeError):
        wdfdma.nonsense  # noqa: B018


def test_only_one_module_imports_the_extension() -> None:
    folder = Path(wdfdma.__file__).parent
    importers = set()
    for path in folder.glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").endswith("_ffi"):
                importers.add(path.name)
            if isinstance(node, ast.Import) and any("_ffi" in item.name for item in node.names):
                importers.add(path.name)
    assert importers == {"_native.py"}


MODULES = [
    module.name
    for module in pkgutil.iter_modules(wdfdma.__path__)
    if module.name not in ("_ffi", "__main__")
]


@pytest.mark.parametrize("name", ["wdfdma", *(f"wdfdma.{name}" for name in MODULES)])
def test_examples(name: str) -> None:
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.testmod(importlib.import_module(name), optionflags=flags).failed == 0
