"""Machines end in any order, and nothing is left of them."""

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wdfdma import ClosedError, Machine, Profile, RequestType, Snapshot


@pytest.fixture(autouse=True)
def _without_collector() -> Iterator[None]:
    """What goes by counting references goes at once; what needs the collector is told so."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def make_world(machine: Machine) -> dict[str, Any]:
    device = machine.device()
    enabler = device.enabler(Profile.PACKET, dma_version=3)
    transaction = enabler.transaction()
    mdl = machine.mdl(8192)
    transaction.initialize(mdl, program_dma=lambda *_: None).check()
    transaction.execute().check()
    request = device.request(RequestType.READ, output=mdl)
    return {
        "device": device,
        "enabler": enabler,
        "transaction": transaction,
        "buffer": enabler.common_buffer(100),
        "mdl": mdl,
        "request": request,
    }


CALLS = {
    "device": lambda item: item.enter_d0(),
    "enabler": lambda item: item.get_fragment_length(),
    "transaction": lambda item: item.execute(),
    "buffer": lambda item: item.get_length(),
    "mdl": lambda item: item.read(1),
    "request": lambda item: item.complete(),
}


def test_objects_of_a_closed_machine_say_so() -> None:
    machine = Machine()
    world = make_world(machine)
    machine.close()
    machine.close()
    for name, call in CALLS.items():
        with pytest.raises(ClosedError, match="the machine is closed"):
            call(world[name])
        assert not world[name].is_live
    for method in ("delete", "reference", "dereference"):
        with pytest.raises(ClosedError):
            getattr(world["transaction"], method)()
    world["mdl"].destroy()


@pytest.mark.parametrize(
    "call",
    [
        lambda machine: machine.device(),
        lambda machine: machine.mdl(1),
        lambda machine: machine.device_read(0, 1),
        lambda machine: machine.device_write(0, b"1"),
        lambda machine: machine.advance(1),
        lambda machine: machine.random(),
        lambda machine: machine.check(),
        lambda machine: machine.snapshot(),
        lambda machine: machine.log,
        lambda machine: machine.log_records(),
        lambda machine: machine.pool.bitmap,
        lambda machine: machine.pool.runs(),
        lambda machine: machine.state.free_registers,
        lambda machine: machine.halted,
        lambda machine: machine.bugcheck,
        lambda machine: machine.irql(1).__enter__(),
    ],
)
def test_a_closed_machine_says_so(call: Any) -> None:
    machine = Machine()
    machine.close()
    with pytest.raises(ClosedError):
        call(machine)


def test_stale_objects_of_a_closed_machine_do_not_touch_another() -> None:
    machine = Machine()
    world = make_world(machine)
    machine.close()
    with Machine() as other:
        make_world(other)
        for name, call in CALLS.items():
            with pytest.raises(ClosedError):
                call(world[name])
        assert not other.halted
        other.check()


def test_arrays_outlive_the_machine() -> None:
    machine = Machine(log="grow")
    world = make_world(machine)
    arrays = [machine.log, machine.pool.bitmap, world["buffer"].array, world["mdl"].array]
    world["buffer"].array[:] = 5
    copies = [array.copy() for array in arrays]
    core = weakref.ref(machine._core)
    machine.close()
    world.clear()
    del machine
    gc.collect()
    assert core() is None
    for array, before in zip(arrays, copies, strict=True):
        assert array.tobytes() == before.tobytes()
    arrays[2][:] = 6


def test_snapshots_outlive_the_machine() -> None:
    machine = Machine()
    world = make_world(machine)
    snapshot = machine.snapshot()
    machine.close()
    assert snapshot.nbytes > 0
    with pytest.raises(ClosedError):
        machine.restore(snapshot)
    del world
    assert isinstance(snapshot, Snapshot)


def test_a_machine_that_nobody_has_is_collected() -> None:
    machine = Machine(log="grow")
    world = make_world(machine)
    snapshot = machine.snapshot()
    references = [
        weakref.ref(machine._core),
        weakref.ref(machine),
        weakref.ref(world["transaction"]),
    ]
    del machine, world, snapshot
    gc.collect()
    assert [reference() for reference in references] == [None] * 3


def test_a_closed_machine_goes_without_the_collector() -> None:
    machine = Machine()
    make_world(machine)
    held = weakref.ref(machine._core.machine)
    machine.close()
    assert held() is None


def test_an_object_keeps_its_machine() -> None:
    transaction = make_world(Machine())["transaction"]
    gc.collect()
    assert transaction.get_bytes_transferred() == 0
    assert transaction.dma_completed().completed


def test_an_exception_keeps_no_machine() -> None:
    def fail(*_arguments: Any) -> None:
        raise KeyError

    with Machine() as machine:
        transaction = machine.device().enabler().transaction()
        transaction.initialize(machine.mdl(1), program_dma=fail).check()
        with pytest.raises(KeyError):
            transaction.execute()
        assert machine._core.pending is None
        core = weakref.ref(machine._core)
    del machine, transaction
    gc.collect()
    assert core() is None


def test_with_ends_objects_but_not_after_an_exception() -> None:
    with Machine() as machine:
        with machine.device() as device, device.enabler() as enabler:
            with enabler.transaction() as transaction:
                pass
            assert not transaction.is_live
            with pytest.raises(KeyError), enabler.transaction() as kept:
                raise KeyError
            assert kept.is_live
        assert not device.is_live
        assert not kept.is_live


def read_address_space() -> int:
    """Bytes of address space that this process has reserved; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * 4096
    except OSError:
        return 0


def test_thousands_of_machines_leave_nothing() -> None:
    def use(count: int) -> None:
        for _ in range(count):
            with Machine(map_registers=4) as machine:
                make_world(machine)

    use(20)
    gc.collect()
    before = read_address_space()
    use(2000)
    gc.collect()
    assert read_address_space() - before < 256 << 20


def test_thousands_of_objects_leave_nothing() -> None:
    with Machine() as machine:
        enabler = machine.device().enabler()
        for _ in range(3000):
            enabler.transaction().delete()
            machine.mdl(1).destroy()
            enabler.common_buffer(1).delete()
        assert len(machine._core.objects) == 2
        assert len(machine._core.mdls) == 0
        machine.check()


def test_machines_that_nobody_closed_make_room() -> None:
    """Each reserves 16 GiB of addresses, which are spent long before memory is."""
    gc.enable()
    for _ in range(9000):
        make_world(Machine(map_registers=4))
