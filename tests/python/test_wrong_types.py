"""Every argument of every method, of a type that it cannot have: a TypeError that begins with the argument's name."""

import inspect
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import pytest

from wdfdma import (
    CommonBuffer,
    Device,
    DmaEnabler,
    DmaTransaction,
    Machine,
    Mdl,
    Profile,
    Request,
    Snapshot,
)
from wdfdma.fault_plan import FaultPlan

PAGE = 4096


class Wrong:
    """A value that nothing takes."""

    def __repr__(self) -> str:
        return "a wrong value"


@dataclass
class World:
    machine: Machine
    device: Device
    enabler: DmaEnabler
    transaction: DmaTransaction
    mdl: Mdl
    request: Request
    snapshot: Snapshot

    @property
    def faults(self) -> FaultPlan:
        return self.machine.faults


@pytest.fixture
def world() -> Iterator[World]:
    with Machine() as machine:
        device = machine.device()
        enabler = device.enabler(Profile.SYSTEM, dma_version=3)
        mdl = machine.mdl(PAGE)
        request = device.request("read", output=machine.mdl(PAGE))
        yield World(
            machine, device, enabler, enabler.transaction(), mdl, request, machine.snapshot()
        )


Given = Callable[[World], dict[str, Any]]

# What is called, with arguments that are all right; each of them is then given a wrong value.
CALLS: dict[str, tuple[Callable[[World], Callable[..., Any]], Given]] = {
    "Machine": (
        lambda w: Machine,
        lambda w: {
            "map_registers": 4,
            "registers_per_adapter": 4,
            "physical_address_bits": 36,
            "force_map_registers": True,
            "verifier": True,
            "seed": 1,
            "log": False,
            "maximum_depth": 8,
            "reserve_bytes": 1 << 24,
            "trace": False,
            "journal": None,
        },
    ),
    "Machine.collect_coverage": (
        lambda w: w.machine.collect_coverage,
        lambda w: {"coverage": True},
    ),
    "Machine.record": (lambda w: w.machine.record, lambda w: {"path": None}),
    "Machine.mdl": (
        lambda w: w.machine.mdl,
        lambda w: {"length": PAGE, "offset": 0, "pfns": [5]},
    ),
    "Machine.device": (
        lambda w: w.machine.device,
        lambda w: {"cleanup": None, "destroy": None},
    ),
    "Machine.device_read": (
        lambda w: w.machine.device_read,
        lambda w: {"address": 0, "length": 0},
    ),
    "Machine.device_write": (
        lambda w: w.machine.device_write,
        lambda w: {"address": 0, "data": b""},
    ),
    "Machine.advance": (lambda w: w.machine.advance, lambda w: {"nanoseconds": 1}),
    "Machine.fail_allocation": (lambda w: w.machine.fail_allocation, lambda w: {"n": 0}),
    "Machine.irql": (lambda w: enter(w.machine.irql), lambda w: {"level": 0}),
    "Machine.restore": (lambda w: w.machine.restore, lambda w: {"snapshot": w.snapshot}),
    "Machine.report": (
        lambda w: w.machine.report,
        lambda w: {"violation": None, "scenario": None},
    ),
    "Machine.set_rule": (
        lambda w: w.machine.set_rule,
        lambda w: {"rule": "NoAdapter", "mode": "stop"},
    ),
    "Machine.get_rule": (lambda w: w.machine.get_rule, lambda w: {"rule": "NoAdapter"}),
    "Machine.rules": (lambda w: enter(w.machine.rules), lambda w: {"mode": "stop"}),
    "Machine.check_leaks": (lambda w: w.machine.check_leaks, lambda w: {"below": None}),
    "Machine.dump": (lambda w: w.machine.dump, lambda w: {"html": False}),
    "Device": (lambda w: Device, lambda w: {"machine": w.machine}),
    "Device.enter_d0": (lambda w: w.device.enter_d0, lambda w: {"previous": "D3_FINAL"}),
    "Device.leave_d0": (lambda w: w.device.leave_d0, lambda w: {"target": "D3_FINAL"}),
    "Device.set_alignment_requirement": (
        lambda w: w.device.set_alignment_requirement,
        lambda w: {"mask": 0},
    ),
    "DmaEnabler": (
        lambda w: DmaEnabler,
        lambda w: {
            "device": w.device,
            "profile": "packet",
            "maximum_length": 1,
            "dma_version": 3,
            "address_width": 0,
            "maximum_elements": 3,
            "single_transfer": True,
            "preallocate_list": True,
            "cleanup": None,
            "destroy": None,
            "fill": None,
        },
    ),
    "DmaEnabler.configure_system_profile": (
        lambda w: w.enabler.configure_system_profile,
        lambda w: {
            "direction": "read",
            "dma_width": 2,
            "device_address": 0,
            "demand_mode": True,
            "looped_transfer": False,
            "request_line": 0,
            "channel": 0,
        },
    ),
    "DmaEnabler.set_maximum_scatter_gather_elements": (
        lambda w: w.enabler.set_maximum_scatter_gather_elements,
        lambda w: {"elements": 5},
    ),
    "DmaEnabler.get_fragment_length": (
        lambda w: w.enabler.get_fragment_length,
        lambda w: {"direction": "read"},
    ),
    "DmaEnabler.wdm_get_dma_adapter": (
        lambda w: w.enabler.wdm_get_dma_adapter,
        lambda w: {"direction": "read"},
    ),
    "DmaEnabler.complete_transfer": (
        lambda w: w.enabler.complete_transfer,
        lambda w: {"direction": "read"},
    ),
    "DmaEnabler.get_info": (lambda w: w.enabler.get_info, lambda w: {"direction": "read"}),
    "DmaEnabler.dump": (lambda w: w.enabler.dump, lambda w: {"html": False}),
    "DmaTransaction": (
        lambda w: DmaTransaction,
        lambda w: {"enabler": w.enabler, "cleanup": None, "destroy": None},
    ),
    "DmaTransaction.initialize": (
        lambda w: w.transaction.initialize,
        lambda w: {
            "mdl": w.mdl,
            "offset": 0,
            "length": 5,
            "direction": "read",
            "program_dma": print,
        },
    ),
    "DmaTransaction.initialize_using_offset": (
        lambda w: w.transaction.initialize_using_offset,
        lambda w: {
            "mdl": w.mdl,
            "offset": 0,
            "length": 5,
            "direction": "read",
            "program_dma": print,
        },
    ),
    "DmaTransaction.initialize_using_request": (
        lambda w: w.transaction.initialize_using_request,
        lambda w: {"request": w.request, "direction": "read", "program_dma": print},
    ),
    "DmaTransaction.allocate_resources": (
        lambda w: w.transaction.allocate_resources,
        lambda w: {"direction": "read", "reserve_dma": print, "map_registers": 1},
    ),
    "DmaTransaction.dma_completed_with_length": (
        lambda w: w.transaction.dma_completed_with_length,
        lambda w: {"length": 5},
    ),
    "DmaTransaction.dma_completed_final": (
        lambda w: w.transaction.dma_completed_final,
        lambda w: {"length": 5},
    ),
    "DmaTransaction.set_immediate_execution": (
        lambda w: w.transaction.set_immediate_execution,
        lambda w: {"value": True},
    ),
    "DmaTransaction.set_maximum_length": (
        lambda w: w.transaction.set_maximum_length,
        lambda w: {"length": 5},
    ),
    "DmaTransaction.set_single_transfer_requirement": (
        lambda w: w.transaction.set_single_transfer_requirement,
        lambda w: {"value": True},
    ),
    "DmaTransaction.set_device_address_offset": (
        lambda w: w.transaction.set_device_address_offset,
        lambda w: {"offset": 5},
    ),
    "DmaTransaction.set_channel_configuration_callback": (
        lambda w: w.transaction.set_channel_configuration_callback,
        lambda w: {"function": None},
    ),
    "DmaTransaction.set_transfer_complete_callback": (
        lambda w: w.transaction.set_transfer_complete_callback,
        lambda w: {"function": None},
    ),
    "DmaTransaction.dump": (lambda w: w.transaction.dump, lambda w: {"html": False}),
    "CommonBuffer": (
        lambda w: CommonBuffer,
        lambda w: {
            "enabler": w.enabler,
            "length": 5,
            "alignment": 3,
            "cleanup": None,
            "destroy": None,
        },
    ),
    "Request": (
        lambda w: Request,
        lambda w: {
            "device": w.device,
            "kind": "read",
            "input": None,
            "output": w.mdl,
            "input_length": None,
            "output_length": 5,
            "io_control_code": 0,
        },
    ),
    "Request.complete": (lambda w: w.request.complete, lambda w: {"status": 0}),
    "Request.complete_with_information": (
        lambda w: w.request.complete_with_information,
        lambda w: {"status": 0, "information": 5},
    ),
    "Request.set_information": (
        lambda w: w.request.set_information,
        lambda w: {"information": 5},
    ),
    "Mdl": (
        lambda w: Mdl,
        lambda w: {"machine": w.machine, "length": 5, "offset": 0, "pfns": None},
    ),
    "Mdl.following": (
        lambda w: lambda following: setattr(w.mdl, "following", following),
        lambda w: {"following": None},
    ),
    "Mdl.read": (lambda w: w.mdl.read, lambda w: {"length": 5, "offset": 0}),
    "Mdl.write": (lambda w: w.mdl.write, lambda w: {"data": b"", "offset": 0}),
    "FaultPlan.fail_call": (
        lambda w: w.faults.fail_call,
        lambda w: {"op": "execute", "status": None, "nth": 1, "per_mille": 0, "seed": 0},
    ),
    "FaultPlan.fail_routine": (
        lambda w: w.faults.fail_routine,
        lambda w: {"routine": "MapTransferEx", "status": None, "nth": 1, "per_mille": 0, "seed": 0},
    ),
    "FaultPlan.deny_registers": (
        lambda w: w.faults.deny_registers,
        lambda w: {"nth": 1, "per_mille": 0, "seed": 0},
    ),
    "FaultPlan.deny_adapter": (
        lambda w: w.faults.deny_adapter,
        lambda w: {"nth": 1, "per_mille": 0, "seed": 0},
    ),
    "FaultPlan.shorten_map": (
        lambda w: w.faults.shorten_map,
        lambda w: {"nth": 1, "per_mille": 0, "seed": 0},
    ),
    "FaultPlan.disturb_device": (
        lambda w: w.faults.disturb_device,
        lambda w: {"behaviour": "late", "nth": 1, "per_mille": 0, "seed": 0},
    ),
}


def enter(
    manager: Callable[..., AbstractContextManager[None]],
) -> Callable[..., None]:
    """A context manager as a call."""

    def run(**arguments: Any) -> None:
        with manager(**arguments):
            pass

    return run


@pytest.fixture(scope="module")
def cases() -> list[tuple[str, str]]:
    return list_cases()


def list_cases() -> list[tuple[str, str]]:
    with Machine() as machine:
        device = machine.device()
        enabler = device.enabler(Profile.SYSTEM, dma_version=3)
        request = device.request("read", output=machine.mdl(PAGE))
        made = World(
            machine,
            device,
            enabler,
            enabler.transaction(),
            machine.mdl(PAGE),
            request,
            machine.snapshot(),
        )
        return [(name, argument) for name, (_, given) in CALLS.items() for argument in given(made)]


@pytest.mark.parametrize(("name", "argument"), list_cases())
def test_a_wrong_type_is_named(world: World, name: str, argument: str) -> None:
    find, given = CALLS[name]
    arguments = given(world) | {argument: Wrong()}
    with pytest.raises(TypeError, match=rf"^{re.escape(argument)}: a wrong value is "):
        find(world)(**arguments)
    assert not world.machine.halted


@pytest.mark.parametrize("name", CALLS)
def test_with_nothing_wrong_there_is_no_type_error(world: World, name: str) -> None:
    """Otherwise the tests above would say little."""
    find, given = CALLS[name]
    try:
        find(world)(**given(world))
    except TypeError as error:  # what is not about types may well fail here
        pytest.fail(str(error))
    except Exception:
        pass


def test_no_method_is_left_out() -> None:
    """Who adds a method with arguments adds it here."""
    kinds = (Machine, Device, DmaEnabler, DmaTransaction, CommonBuffer, Request, Mdl, FaultPlan)
    # They hand their settings on, take none of their own, or are tested by themselves.
    others = {
        *("Machine.chain", "Machine.get_trace", "Device.enabler", "Device.request"),
        "Machine.sometimes",  # any condition
        *("DmaEnabler.transaction", "DmaEnabler.common_buffer", "FaultPlan.every_site"),
    }
    missing = []
    for kind in kinds:
        for label, member in inspect.getmembers(kind, inspect.isfunction):
            takes = [item for item in inspect.signature(member).parameters if item != "self"]
            if takes and not label.startswith("_"):
                missing.append(f"{kind.__name__}.{label}")
    assert sorted(set(missing) - set(CALLS) - others) == []


@pytest.mark.parametrize("value", ["x", None, 1.5, 2, -1, []])
def test_what_is_no_flag(world: World, value: Any) -> None:
    for call in (
        world.transaction.set_immediate_execution,
        world.transaction.set_single_transfer_requirement,
    ):
        with pytest.raises((TypeError, ValueError), match=r"^value: .* is "):
            call(value)


@pytest.mark.parametrize("value", [True, False, 1, 0])
def test_what_is_a_flag(world: World, value: Any) -> None:
    world.transaction.set_immediate_execution(value)
    world.transaction.set_single_transfer_requirement(value)


def test_a_flag_of_numpy(world: World) -> None:
    numpy = pytest.importorskip("numpy")
    world.transaction.set_immediate_execution(numpy.bool_(True))
