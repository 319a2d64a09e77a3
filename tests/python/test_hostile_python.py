"""Handles that are stale, forged or of another machine, NULL everywhere, numbers out of range: never a crash."""

import random
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from wdfdma import (
    BugCheck,
    BugCheckCode,
    DmaTransaction,
    Machine,
    ObjectType,
    Profile,
    RequestType,
    StatusError,
    WdfViolation,
)
from wdfdma._native import NULL, ffi, lib

# What takes a handle first, with arguments that do no harm for the rest.
DDIS = sorted(
    name
    for name in dir(lib)
    if re.match(r"Wdf(DmaTransaction|DmaEnabler|CommonBuffer|Request|Object|Device)[A-Z]\w+$", name)
    and isinstance(getattr(lib, name), type(lib.WdfObjectDelete))
    # Its argument is an address that the caller vouches for, as on Windows.
    and name != "WdfObjectContextGetObject"
)


def make_argument(kind: Any) -> Any:
    """NULL for a pointer, 0 for a number."""
    return NULL if kind.kind in ("pointer", "function") else 0


def call_raw(name: str, handle: int) -> Any:
    """Calls a DDI with [handle] as its first argument."""
    function = getattr(lib, name)
    kinds = ffi.typeof(function).args
    arguments = [make_argument(kind) for kind in kinds]
    arguments[0] = ffi.cast(kinds[0], handle)
    return function(*arguments)


def make_world(machine: Machine) -> list[Any]:
    device = machine.device()
    enabler = device.enabler(Profile.PACKET, dma_version=3)
    mdl = machine.mdl(100)
    request = device.request(RequestType.READ, output=mdl)
    return [device, enabler, enabler.transaction(), enabler.common_buffer(10), request]


def to_number(handle: Any) -> int:
    return int(ffi.cast("uintptr_t", handle))


# What Python has a class for; the library's own objects have handles, too.
FACES = {
    ObjectType.DEVICE,
    ObjectType.ENABLER,
    ObjectType.TRANSACTION,
    ObjectType.COMMON_BUFFER,
    ObjectType.REQUEST,
}


def get_type(handle: int) -> int:
    found: int = lib.wdfdma_object_get_type(ffi.cast("WDFOBJECT", handle % 2**64))
    return found


def test_there_are_many() -> None:
    assert len(DDIS) > 45


@pytest.mark.parametrize("name", DDIS)
@pytest.mark.parametrize("handle", [0, 1, 2**64 - 1, 0xDEADBEEF, 1 << 47])
def test_a_forged_handle_halts_the_current_machine(name: str, handle: int) -> None:
    with Machine() as machine:
        make_world(machine)
        call_raw(name, handle)
        bugcheck = machine.bugcheck
        assert bugcheck is not None
        assert bugcheck.code == BugCheckCode.WDF_VIOLATION
        assert bugcheck.parameters[0] == WdfViolation.INVALID_HANDLE
        assert bugcheck.parameters[1] == handle
        machine.check()
        with pytest.raises(BugCheck):
            machine.device()


@pytest.mark.parametrize("name", DDIS)
def test_a_forged_handle_without_a_machine(name: str) -> None:
    before = lib.wdfdma_machine_use(NULL)
    answer = call_raw(name, 0x123456789)
    lib.wdfdma_machine_use(before)
    if isinstance(answer, int):
        assert answer in (0, lib.STATUS_UNSUCCESSFUL)


@pytest.mark.parametrize("name", DDIS)
def test_handles_of_another_type_and_stale_ones(name: str) -> None:
    with Machine() as machine:
        world = make_world(machine)
        snapshot = machine.snapshot()
        wanted = str(ffi.typeof(getattr(lib, name)).args[0])
        for item in world:
            handle = to_number(item._handle)
            if str(ffi.typeof(item._handle)) in wanted or "void *" in wanted:
                continue
            call_raw(name, handle)
            bugcheck = machine.bugcheck
            assert bugcheck is not None
            assert bugcheck.parameters[:2] == (WdfViolation.INVALID_HANDLE, handle)
            machine.restore(snapshot)
        transaction = world[2]
        transaction.delete()
        call_raw(name, to_number(transaction._handle))
        assert machine.bugcheck is not None
        machine.check()


def test_handles_near_real_ones() -> None:
    """Each real handle with each of its bits turned over."""
    with Machine() as machine:
        world = make_world(machine)
        snapshot = machine.snapshot()
        real = {to_number(item._handle) for item in world}
        tried = 0
        for handle in sorted(real):
            for bit in range(64):
                forged = handle ^ (1 << bit)
                if get_type(forged) in FACES:
                    assert forged in real
                    continue
                lib.wdfdma_machine_use(machine._core.machine)
                call_raw("WdfDmaTransactionGetBytesTransferred", forged)
                assert machine.halted
                machine.restore(snapshot)
                tried += 1
        assert tried > 250
        machine.check()


def test_a_million_forged_handles() -> None:
    chance = random.Random(5)
    with Machine() as machine:
        world = make_world(machine)
        real = [to_number(item._handle) for item in world]
        for _ in range(1_000_000):
            shape = chance.randrange(3)
            if shape == 0:
                handle = chance.getrandbits(64)
            elif shape == 1:
                handle = chance.choice(real) ^ chance.getrandbits(23)
            else:
                handle = chance.choice(real) + (chance.getrandbits(12) << 23)
            assert handle in real or get_type(handle) not in FACES
        machine.check()
        assert not machine.halted


def test_stale_objects_halt_their_own_machine() -> None:
    with Machine() as machine, Machine() as other:
        transaction = machine.device().enabler().transaction()
        make_world(other)
        transaction.delete()
        with pytest.raises(BugCheck) as caught:
            transaction.get_bytes_transferred()
        assert caught.value.parameters[:2] == (
            WdfViolation.INVALID_HANDLE,
            to_number(transaction._handle),
        )
        assert machine.halted
        assert not other.halted


def test_a_slot_used_again_does_not_bring_an_old_handle_to_life() -> None:
    with Machine() as machine:
        enabler = machine.device().enabler()
        old = enabler.transaction()
        old.delete()
        for _ in range(100):
            new = enabler.transaction()
            assert not old.is_live
            assert old._handle != new._handle
            new.delete()


def test_objects_of_another_machine_are_foreign() -> None:
    with Machine() as machine, Machine() as other:
        transaction = machine.device().enabler().transaction()
        with pytest.raises((BugCheck, StatusError)):
            transaction.initialize(other.mdl(1), program_dma=print).check()
    with Machine() as machine, Machine() as other:
        transaction = machine.device().enabler().transaction()
        request = other.device().request(RequestType.READ, output=other.mdl(1))
        with pytest.raises((BugCheck, StatusError)):
            transaction.initialize_using_request(request, program_dma=print).check()
        other.check()


@pytest.mark.parametrize(
    "call",
    [
        lambda transaction, mdl: transaction.initialize(mdl),
        lambda transaction, mdl: transaction.initialize(None, length=1, program_dma=print),
        lambda transaction, mdl: transaction.initialize_using_offset(
            None, length=1, program_dma=print
        ),
        lambda transaction, mdl: transaction.initialize_using_request(None, program_dma=print),
        lambda transaction, mdl: transaction.allocate_resources(map_registers=1),
    ],
)
def test_null_where_something_is_required(call: Callable[[DmaTransaction, Any], Any]) -> None:
    with Machine() as machine:
        transaction = machine.device().enabler(dma_version=3).transaction()
        with pytest.raises(BugCheck) as caught:
            call(transaction, machine.mdl(1))
        assert caught.value.parameters[0] in (
            WdfViolation.REQUIRED_PARAMETER_IS_NULL,
            WdfViolation.INVALID_HANDLE,
        )
        machine.check()


HUGE = [-1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**30]


@pytest.mark.parametrize("number", HUGE)
@pytest.mark.parametrize(
    "call",
    [
        lambda machine, t, n: t.initialize(machine.mdl(1), offset=n, length=1, program_dma=print),
        lambda machine, t, n: t.initialize(machine.mdl(1), length=n, program_dma=print),
        lambda machine, t, n: t.initialize(machine.mdl(1), direction=n, program_dma=print),
        lambda machine, t, n: t.initialize_using_offset(
            machine.mdl(1), offset=n, length=n, program_dma=print
        ),
        lambda machine, t, n: t.allocate_resources(map_registers=n, reserve_dma=print),
        lambda machine, t, n: t.allocate_resources(n, reserve_dma=print, map_registers=1),
        lambda machine, t, n: t.set_maximum_length(n),
        lambda machine, t, n: t.set_device_address_offset(n),
        lambda machine, t, n: t.set_immediate_execution(n),
        lambda machine, t, n: t.dma_completed_with_length(n),
        lambda machine, t, n: t.dma_completed_final(n),
        lambda machine, t, n: t.enabler.get_fragment_length(n),
        lambda machine, t, n: t.enabler.set_maximum_scatter_gather_elements(n),
        lambda machine, t, n: t.enabler.complete_transfer(n),
        lambda machine, t, n: t.enabler.get_info(n),
        lambda machine, t, n: t.enabler.common_buffer(n),
        lambda machine, t, n: t.enabler.common_buffer(1, alignment=n),
        lambda machine, t, n: t.enabler.device.enabler(n),
        lambda machine, t, n: t.enabler.device.enabler(maximum_length=n),
        lambda machine, t, n: t.enabler.device.enabler(maximum_elements=n),
        lambda machine, t, n: t.enabler.device.enabler(address_width=n),
        lambda machine, t, n: t.enabler.device.enabler(dma_version=n),
        lambda machine, t, n: t.enabler.device.request(n),
        lambda machine, t, n: t.enabler.device.request(3, output=machine.mdl(1), output_length=n),
        lambda machine, t, n: t.enabler.device.set_alignment_requirement(n),
        lambda machine, t, n: t.enabler.device.enter_d0(n),
        lambda machine, t, n: machine.mdl(n),
        lambda machine, t, n: machine.mdl(1, offset=n),
        lambda machine, t, n: machine.mdl(1, pfns=[n]),
        lambda machine, t, n: machine.mdl(1).read(1, n),
        lambda machine, t, n: machine.mdl(1).write(b"1", n),
        lambda machine, t, n: machine.device_read(n, 1),
        lambda machine, t, n: machine.device_write(n, b"1"),
        lambda machine, t, n: machine.advance(n),
        lambda machine, t, n: machine.irql(n).__enter__(),
        lambda machine, t, n: machine.fail_allocation(n),
        lambda machine, t, n: Machine(map_registers=n),
        lambda machine, t, n: Machine(registers_per_adapter=n),
        lambda machine, t, n: Machine(log=n),
        lambda machine, t, n: Machine(seed=n),
        lambda machine, t, n: Machine(reserve_bytes=n),
    ],
)
def test_huge_numbers(call: Callable[[Machine, DmaTransaction, int], Any], number: int) -> None:
    with Machine() as machine:
        transaction = machine.device().enabler(dma_version=3).transaction()
        with suppress(BugCheck, OverflowError, StatusError, ValueError):
            call(machine, transaction, number)
        machine.check()


@pytest.mark.parametrize("value", [None, "1", 1.5, b"1", object(), [1], {}])
def test_wrong_types(value: Any) -> None:
    with Machine() as machine:
        transaction = machine.device().enabler(dma_version=3).transaction()
        for call in (
            lambda: transaction.set_maximum_length(value),
            lambda: transaction.set_immediate_execution(value),
            lambda: transaction.dma_completed_final(value),
            lambda: machine.mdl(value),
            lambda: machine.mdl(1, pfns=[value]),
            lambda: machine.advance(value),
            lambda: Machine(map_registers=value),
        ):
            with pytest.raises(TypeError):
                call()
        if value is not None and not isinstance(value, bytes):
            with pytest.raises((TypeError, ValueError, AttributeError)):
                transaction.initialize(value, program_dma=print)
            with pytest.raises(TypeError):
                machine.mdl(5).write(value)
        machine.check()
        assert not machine.halted


def test_an_mdl_changed_behind_the_librarys_back() -> None:
    with Machine() as machine:
        transaction = machine.device().enabler(dma_version=3).transaction()
        for change in (
            lambda mdl: setattr(mdl._mdl, "Next", mdl._mdl),
            lambda mdl: setattr(mdl._mdl, "Next", ffi.cast("PMDL", 0x1000)),
            lambda mdl: setattr(mdl._mdl, "Next", ffi.cast("PMDL", 2**64 - 8)),
            lambda mdl: setattr(mdl._mdl, "Next", mdl._mdl + 1),
            lambda mdl: setattr(mdl._mdl, "ByteCount", 2**32 - 1),
            lambda mdl: setattr(mdl._mdl, "ByteCount", 0),
            lambda mdl: setattr(mdl._mdl, "ByteOffset", 2**32 - 1),
            lambda mdl: setattr(mdl._mdl, "StartVa", ffi.cast("void *", 1)),
            lambda mdl: setattr(mdl._mdl, "Size", -1),
        ):
            before = machine.snapshot()
            mdl = machine.mdl(5000)
            try:
                change(mdl)
                transaction.initialize(mdl, length=9000, program_dma=lambda *_: None)
                transaction.execute()
                mdl.read(100)
                mdl.destroy()
            except (BugCheck, StatusError):
                pass
            machine.restore(before)
            machine.check()


def test_pages_that_are_scribbled_on_do_no_harm() -> None:
    """A driver may write anything into its buffers and lists."""
    with Machine(force_map_registers=True) as machine:
        transaction = machine.device().enabler(Profile.SCATTER_GATHER, dma_version=3).transaction()
        mdl = machine.mdl(8192)
        array = mdl.array
        assert array is not None

        def scribble(*_arguments: Any) -> None:
            array[:] = np.random.default_rng(1).integers(0, 256, 8192, dtype="u1")

        transaction.initialize(mdl, program_dma=scribble).check()
        transaction.execute().check()
        assert transaction.dma_completed().completed
        machine.check()
