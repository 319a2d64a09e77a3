"""MDLs, common buffers, requests, enablers, power: the other objects of the Python face."""

from collections.abc import Callable
from typing import Any

import pytest

import wdfdma
from wdfdma import (
    BugCheck,
    Direction,
    DmaEnabler,
    DmaTransaction,
    Irql,
    Machine,
    ObjectType,
    Op,
    PowerState,
    Profile,
    RequestType,
    Status,
    StatusError,
    WdfViolation,
)

Make = Callable[..., DmaTransaction]


def ignore(*_arguments: Any) -> None:
    pass


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
    with pytest.raises(ValueError, match="profile: 99 is none of packet"):
        device.enabler(Profile(99))
    with pytest.raises(StatusError, match="WdfDmaEnablerCreate: STATUS_INVALID_PARAMETER"):
        device.enabler(maximum_length=0)
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
