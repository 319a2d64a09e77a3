"""What Python refuses before C sees it: the argument, the value and the rule; and what it takes by name."""

from collections.abc import Callable
from typing import Any

import pytest

from wdfdma import (
    Direction,
    DmaEnabler,
    DmaTransaction,
    Irql,
    Machine,
    Op,
    Profile,
    Rule,
    RuleMode,
    Status,
    StatusError,
)

Call = Callable[[Machine, DmaEnabler, DmaTransaction], Any]

REFUSED: list[tuple[str, type[Exception], Call]] = [
    (
        "op: 'exexute' is no such name; closest: execute",
        ValueError,
        lambda m, e, t: m.faults.fail_call("exexute"),
    ),
    ("op: release is no call", ValueError, lambda m, e, t: m.faults.fail_call("release")),
    (
        "status: STATUS_SUCCESS is not .* as execute documents",
        ValueError,
        lambda m, e, t: m.faults.fail_call(Op.EXECUTE, status=Status.STATUS_SUCCESS),
    ),
    (
        "status: STATUS_SUCCESS is not .* as MapTransferEx documents",
        ValueError,
        lambda m, e, t: m.faults.fail_routine("MapTransferEx", status=Status.STATUS_SUCCESS),
    ),
    (
        "status: 'STATUS_BUSI' is no",
        ValueError,
        lambda m, e, t: m.faults.fail_call("execute", status="STATUS_BUSI"),
    ),
    (
        "move: 'execute' is none of dma_",
        ValueError,
        lambda m, e, t: m.faults.disturb_device("late", move="execute"),
    ),
    (
        "maximum_length: -1 is below 0",
        ValueError,
        lambda m, e, t: m.device().enabler(maximum_length=-1),
    ),
    (
        "dma_version: 'x' is not a whole",
        TypeError,
        lambda m, e, t: m.device().enabler(dma_version="x"),
    ),
    (
        "maximum_elements: -1 is",
        ValueError,
        lambda m, e, t: m.device().enabler(maximum_elements=-1),
    ),
    (
        "profile: 'pakket' is none of packet, sc",
        ValueError,
        lambda m, e, t: m.device().enabler("pakket"),
    ),
    (r"profile: 99 is none of packet \(1\), ", ValueError, lambda m, e, t: m.device().enabler(99)),
    ("fill: 5 is not callable", TypeError, lambda m, e, t: m.device().enabler(fill=5)),
    ("length: -4 is below 0", ValueError, lambda m, e, t: e.common_buffer(-4)),
    ("alignment: -1 is below 0", ValueError, lambda m, e, t: e.common_buffer(4, alignment=-1)),
    ("length: -4 is below 0", ValueError, lambda m, e, t: t.set_maximum_length(-4)),
    ("length: 'a' is not a whole number", TypeError, lambda m, e, t: t.set_maximum_length("a")),  # type: ignore[arg-type]
    ("offset: -4 is below 0", ValueError, lambda m, e, t: t.set_device_address_offset(-4)),
    ("length: -4 is below 0", ValueError, lambda m, e, t: t.dma_completed_with_length(-4)),
    ("length: -4 is below 0", ValueError, lambda m, e, t: t.dma_completed_final(-4)),
    (
        "map_registers: -3 is below 0",
        ValueError,
        lambda m, e, t: t.allocate_resources(map_registers=-3),
    ),
    (
        "direction: 'reed' is none of read, write",
        ValueError,
        lambda m, e, t: t.allocate_resources("reed"),
    ),
    ("direction: 'up' is none of", ValueError, lambda m, e, t: e.get_fragment_length("up")),
    ("direction: 'up' is none of", ValueError, lambda m, e, t: e.complete_transfer("up")),
    (
        "reserve_dma: 5 is not callable",
        TypeError,
        lambda m, e, t: t.allocate_resources(reserve_dma=5),
    ),  # type: ignore[arg-type]
    ("nanoseconds: -1 is below 0", ValueError, lambda m, e, t: m.advance(-1)),
    ("level: -1 is below 0", ValueError, lambda m, e, t: m.irql(-1).__enter__()),
    ("log: -1 is below 0", ValueError, lambda m, e, t: Machine(log=-1)),
    (
        "log: 'shrink' is not False, a number of records, or \"grow\"",
        ValueError,
        lambda m, e, t: Machine(log="shrink"),
    ),
    (
        "rule: 'ImediateLost' .*; closest: ImmediateLost",
        ValueError,
        lambda m, e, t: m.set_rule("ImediateLost", "stop"),
    ),
    (
        "mode: 'halt' is none of default, stop, ",
        ValueError,
        lambda m, e, t: m.set_rule("ImmediateLost", "halt"),
    ),
    (r"mdl: bytearray\(b'.* is no Mdl", TypeError, lambda m, e, t: t.initialize(bytearray(4096))),  # type: ignore[arg-type]
    ("mdl: 5 is no Mdl", TypeError, lambda m, e, t: t.initialize_using_offset(5, length=4)),  # type: ignore[arg-type]
    ("request: 5 is no Request", TypeError, lambda m, e, t: t.initialize_using_request(5)),  # type: ignore[arg-type]
    ("length: -1 is below 0", ValueError, lambda m, e, t: t.initialize(m.mdl(4096), length=-1)),
    ("offset: 9 is above 8", ValueError, lambda m, e, t: t.initialize(m.mdl(8), offset=9)),
    ("direction: 'up' is none", ValueError, lambda m, e, t: t.initialize(m.mdl(8), direction="up")),
    (
        "program_dma: 5 is not callable",
        TypeError,
        lambda m, e, t: t.initialize(m.mdl(4096), program_dma=5),
    ),  # type: ignore[arg-type]
    (r"mdls\[1\]: 5 is no Mdl", TypeError, lambda m, e, t: m.chain(m.mdl(4096), 5)),  # type: ignore[arg-type]
    (r"mdls\[0\]: \[<Mdl .* is no Mdl", TypeError, lambda m, e, t: m.chain([m.mdl(4096), 5])),  # type: ignore[arg-type]
    (
        "snapshot: <Snapshot .* is of another machine",
        ValueError,
        lambda m, e, t: m.restore(Machine().snapshot()),
    ),
    ("snapshot: 5 is no Snapshot", TypeError, lambda m, e, t: m.restore(5)),  # type: ignore[arg-type]
    ("length: -1 is below 0", ValueError, lambda m, e, t: m.mdl(8).read(-1)),
    ("offset: -1 is below 0", ValueError, lambda m, e, t: m.mdl(8).write(b"a", -1)),
]


@pytest.mark.parametrize(("message", "kind", "call"), REFUSED)
def test_an_error_names_the_argument_and_the_value(
    message: str, kind: type[Exception], call: Call
) -> None:
    with Machine() as machine:
        enabler = machine.device().enabler()
        transaction = enabler.transaction()
        before = machine.state.step
        with pytest.raises(kind, match=f"^{message}") as caught:
            call(machine, enabler, transaction)
        assert caught.value.__context__ is None or caught.value.__suppress_context__
        assert len(machine.faults) == 0
        assert not machine.halted
        assert (
            machine.state.step <= before + 2
        )  # what the call itself made before: a device, a buffer
        machine.check()


def test_names_stand_for_what_they_name() -> None:
    with Machine() as machine:
        enabler = machine.device().enabler("packet64", dma_version=3)
        assert enabler.get_info("write").profile == Profile.PACKET64
        assert enabler.get_fragment_length("WRITE") == enabler.get_fragment_length(Direction.WRITE)
        transaction = enabler.transaction()
        status = transaction.initialize(
            machine.mdl(8), direction="write", program_dma=lambda *transfer: None
        )
        assert status.is_success
        assert transaction.get_info().direction == Direction.WRITE
        transaction.release()
        assert transaction.allocate_resources(
            "read_from_device", map_registers=1, reserve_dma=print
        ).is_success
        with machine.rules("stop", "ImmediateLost"):
            assert machine.get_rule("immediate_lost") == RuleMode.STOP
        assert machine.get_rule(Rule.IMMEDIATE_LOST) == RuleMode.DEFAULT
        with machine.irql("dispatch_level"):
            assert machine.state.irql == Irql.DISPATCH_LEVEL


def test_a_fault_without_a_place_hits_the_first() -> None:
    with Machine() as machine:
        enabler = machine.device().enabler()
        machine.faults.fail_call("create", status="STATUS_INSUFFICIENT_RESOURCES")
        machine.faults.deny_registers()
        assert [fault.nth for fault in machine.faults] == [1, 1]
        with pytest.raises(StatusError):
            enabler.transaction()
        enabler.transaction()
        machine.faults.shorten_map(per_mille=5)
        assert list(machine.faults)[-1].nth == 0
