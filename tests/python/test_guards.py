"""What a device writes around a transfer that bounces, and into registers nobody uses: found, told, put right."""

from collections.abc import Iterator

import pytest

from wdfdma import BugCheck, Direction, DmaTransaction, Element, Machine, ObjectType, Rule, RuleMode

LENGTH = 100


class Bounced:
    """A machine without an IOMMU on which one transaction bounces."""

    def __init__(self) -> None:
        self.machine = Machine(map_registers=4, force_map_registers=True)
        for rule in (Rule.DMA_26, Rule.DEVICE_AFTER_FREE, Rule.DEVICE_OUTSIDE_LIST):
            self.machine.set_rule(rule, RuleMode.IGNORE)
        self.mdl = self.machine.mdl(LENGTH)
        self.transaction = self.machine.device().enabler().transaction()
        self.address = 0

    def start(self) -> None:
        def program_dma(_: DmaTransaction, __: Direction, elements: list[Element]) -> None:
            self.address = elements[0].address

        self.transaction.initialize(self.mdl, program_dma=program_dma).check()
        self.transaction.execute().check()

    def finish(self) -> None:
        self.transaction.dma_completed()
        self.transaction.release().check()


@pytest.fixture
def bounced() -> Iterator[Bounced]:
    made = Bounced()
    yield made
    made.machine.close()


def test_an_overrun_names_the_transaction(bounced: Bounced) -> None:
    bounced.start()
    bounced.machine.device_write(bounced.address, bytes(LENGTH + 1))
    with pytest.raises(BugCheck) as caught:
        bounced.finish()
    assert caught.value.rule == Rule.DMA_0F_5
    assert caught.value.parameters[:2] == (0x0F, 5)
    assert caught.value.parameters[3] == bounced.address + LENGTH
    (violation,) = bounced.machine.violations
    assert (violation.object_type, violation.label) == (ObjectType.TRANSACTION, 0)


def test_a_transfer_within_its_bounds_is_not_told(bounced: Bounced) -> None:
    bounced.start()
    bounced.machine.device_write(bounced.address, b"\x11" * LENGTH)
    bounced.finish()
    assert bounced.mdl.read() == b"\x11" * LENGTH
    assert bounced.machine.check_leaks() == []
    bounced.machine.close()
    assert bounced.machine.leaks == []


def test_a_freed_register_reads_as_filled(bounced: Bounced) -> None:
    bounced.start()
    bounced.machine.device_write(bounced.address, b"\x11" * LENGTH)
    bounced.finish()
    assert bounced.machine.device_read(bounced.address, LENGTH) == b"\x0f" * LENGTH


def test_a_late_write_is_found_by_a_look_for_leaks(bounced: Bounced) -> None:
    machine = bounced.machine
    bounced.start()
    bounced.finish()
    machine.device_write(bounced.address, b"x")
    machine.set_rule(Rule.DMA_0F_3, RuleMode.COLLECT)
    (found,) = machine.check_leaks()
    assert (found.rule, found.parameters[:3]) == (Rule.DMA_0F_3, (0x0F, 3, bounced.address))
    assert machine.check_leaks() == []


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        (RuleMode.DEFAULT, True),
        (RuleMode.STOP, True),
        (RuleMode.COLLECT, True),
        (RuleMode.IGNORE, False),
    ],
)
def test_a_late_write_is_found_at_the_end(bounced: Bounced, mode: RuleMode, told: bool) -> None:
    machine = bounced.machine
    machine.set_rule(Rule.DMA_0F_3, mode)
    bounced.start()
    bounced.finish()
    machine.device_write(bounced.address, b"x")
    machine.close()
    assert [violation.rule for violation in machine.leaks] == [Rule.DMA_0F_3] * told
