"""Leaks that the record tells of already are handed out again, and nothing else changes by that."""

import pytest

from wdfdma import Machine, Profile, Rule
from wdfdma._native import NULL, ffi, lib

PAGE = 4096


def test_all_of_it_each_time_and_recorded_once() -> None:
    with Machine(map_registers=8) as machine:
        enabler = machine.device().enabler(dma_version=3)
        transaction = enabler.transaction()
        transaction.initialize(machine.mdl(PAGE), program_dma=lambda *_: None).check()
        first = machine.check_leaks()
        enabler.common_buffer(PAGE)
        machine.advance(5)
        second = machine.check_leaks()
        third = machine.check_leaks()
        assert [leak.rule for leak in first] == [Rule.LEAK_TRANSACTION]
        assert [leak.rule for leak in second] == [Rule.LEAK_TRANSACTION, Rule.LEAK_COMMON_BUFFER]
        assert third == second
        assert [leak.time_ns for leak in second] == [5, 5]
        assert [leak.rule for leak in machine.violations] == [leak.rule for leak in second]
        assert machine.violations[0] == first[0]
        assert second[0].report() == machine.report(second[0])


def test_registers_that_were_written_to_are_handed_out_with_leaks_that_were_told() -> None:
    with Machine(map_registers=8, force_map_registers=True) as machine:
        machine.set_rule(Rule.DMA_26, "ignore")
        machine.set_rule(Rule.DMA_0F_3, "collect")
        seen = []
        enabler = machine.device().enabler(Profile.PACKET, dma_version=3)
        transaction = enabler.transaction()
        transaction.initialize(
            machine.mdl(PAGE), program_dma=lambda _t, _d, elements: seen.append(elements)
        ).check()
        transaction.execute().check()
        machine.device_write(seen[0][0].address, b"now")
        transaction.dma_completed()
        assert [leak.rule for leak in machine.check_leaks()] == [Rule.LEAK_TRANSACTION]
        machine.device_write(seen[0][0].address, b"late")
        rules = [leak.rule for leak in machine.check_leaks()]
        assert rules == [Rule.LEAK_TRANSACTION, Rule.DMA_0F_3]
        assert [leak.rule for leak in machine.check_leaks()] == [Rule.LEAK_TRANSACTION]


def test_a_list_records_nothing_and_stops_nothing() -> None:
    with Machine(map_registers=8) as machine:
        machine.set_rule(Rule.LEAK_REFERENCE, "stop")
        for _ in range(3):
            machine.device().reference()
        core, count = machine._core, ffi.new("size_t *")
        out = ffi.new("wdfdma_violation[]", 3)
        for capacity in (0, 2, 3):
            room = out if capacity else NULL
            assert lib.wdfdma_machine_list_leaks(core.machine, NULL, room, capacity, count) == 0
            assert count[0] == 3
        assert [record.object for record in out] == [0, 1, 2]
        assert machine.violations == []
        assert not machine.halted
        machine.set_rule(Rule.LEAK_REFERENCE, "ignore")
        assert lib.wdfdma_machine_list_leaks(core.machine, NULL, NULL, 0, count) == 0
        assert count[0] == 0


@pytest.mark.parametrize("what", ["machine", "count", "out", "below", "halted"])
def test_what_a_list_refuses(what: str) -> None:
    with Machine(map_registers=8) as machine:
        count = NULL if what == "count" else ffi.new("size_t *")
        given = NULL if what == "machine" else machine._core.machine
        below = ffi.cast("WDFOBJECT", 5) if what == "below" else NULL
        if what == "halted":
            lib.wdfdma_machine_halt(given, 0xE2, 0)
        status = lib.wdfdma_machine_list_leaks(given, below, NULL, what == "out", count)
        assert status != 0


def test_below_a_device_alone() -> None:
    with Machine(map_registers=8) as machine:
        first, second = machine.device(), machine.device()
        for device in (first, second):
            device.enabler(dma_version=3).transaction().reference()
        assert [leak.label for leak in machine.check_leaks()] == [0, 1]
        for device, label in ((first, 0), (second, 1)):
            assert [leak.label for leak in machine.check_leaks(device)] == [label]
