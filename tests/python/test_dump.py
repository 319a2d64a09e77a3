"""Dumps of machines and objects, as text and as HTML."""

import sys
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest

from dump_support import FIFO, load_canonical
from wdfdma import BugCheck, ClosedError, DmaTransaction, Machine, Profile, Scenario, StatusError
from wdfdma.dumping.command import dump_scenario

Make = Callable[..., DmaTransaction]


def test_a_machine_that_is_empty() -> None:
    with Machine(map_registers=0) as machine:
        text = machine.dump()
        assert "0 held, 0 free, 0 in the pool" in text
        assert text.count("none") == 2
        assert "nobody waits" in text


def test_the_dump_names_everything(machine: Machine) -> None:
    enabler = machine.device().enabler(Profile.SCATTER_GATHER_DUPLEX, maximum_length=8192)
    item = enabler.transaction()
    enabler.common_buffer(100)
    item.initialize(machine.mdl(8192, offset=1), program_dma=lambda *transfer: None).check()
    item.execute().check()
    text = machine.dump()
    for expected in (
        "Adapter: 0     Owner: enabler 0 (read)",
        "Adapter: 1     Owner: enabler 0 (write)",
        "Map register file: 0..2",
        "0..2: transaction 0",
        "3..7: free",
        "WDFDMAENABLER: 0     Owner: device 0",
        "WdfDmaProfileScatterGatherDuplex",
        "Adapter (write): adapter 1",
        "WDFDMATRANSACTION: 0",
        "State:             transfer",
        "Current transfer:  8192 bytes, 0 not mapped yet",
        "Map register base: 0..2",
        "WDFCOMMONBUFFER: 0",
        "Length:          100 bytes",
    ):
        assert expected in text, expected
    assert "WDFCOMMONBUFFER" in enabler.dump()
    assert "Wait-for graph" not in enabler.dump()
    assert item.dump().startswith("WDFDMATRANSACTION: 0")
    assert machine.dump() == text


def test_what_waits_is_not_mapped_yet(machine: Machine, make_transaction: Make) -> None:
    holder, waiter = make_transaction(), make_transaction()
    holder.allocate_resources(map_registers=8, reserve_dma=lambda item: None).check()
    waiter.initialize(machine.mdl(8192), program_dma=lambda *transfer: None).check()
    waiter.execute().check()
    assert "Current transfer:  8192 bytes, 8192 not mapped yet" in waiter.dump()


def test_a_system_profile_that_is_not_configured(machine: Machine) -> None:
    enabler = machine.device().enabler(Profile.SYSTEM_DUPLEX, maximum_length=8192)
    assert "not configured" in enabler.dump()
    enabler.configure_system_profile(1).check()
    assert "Adapter (read):  not configured" in enabler.dump()
    assert "Adapter (write): adapter 0" in enabler.dump()


def test_a_device_address_offset_is_of_one_initialize(machine: Machine) -> None:
    enabler = machine.device().enabler(Profile.SYSTEM, maximum_length=8192)
    enabler.configure_system_profile(1).check()
    item, buffer = enabler.transaction(), machine.mdl(4096)
    for _ in range(2):
        item.initialize(buffer, program_dma=lambda *transfer: None).check()
        assert item.get_info().device_address_offset == 0
        assert "Device address offset" not in item.dump()
        item.set_device_address_offset(16)
        assert item.get_info().device_address_offset == 16
        assert "Device address offset: 16 bytes" in " ".join(item.dump().split())
        item.release().check()


def test_the_order_is_that_of_the_labels(machine: Machine) -> None:
    enabler = machine.device().enabler(dma_version=3)
    items = [enabler.transaction() for _ in range(12)]
    items[3].delete()
    enabler.transaction()  # it takes the place of the one that is gone
    titles = [
        int(line.rpartition(" ")[2])
        for line in machine.dump().splitlines()
        if "WDFDMATRANSACTION" in line
    ]
    assert titles == [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 12]


def test_a_halted_machine_is_dumped(machine: Machine, make_transaction: Make) -> None:
    item = make_transaction()
    waiter = make_transaction()
    item.allocate_resources(map_registers=8, reserve_dma=lambda item: None).check()
    waiter.allocate_resources(map_registers=1, reserve_dma=lambda item: None).check()
    with pytest.raises(BugCheck) as caught:
        item.execute()
    text = machine.dump()
    assert f"Halted:                {caught.value.summary}" in text
    assert "nobody is served any more" in text
    assert [str(wait) for wait in machine.waits()] == [
        "transaction 1 waits for 1 map register, position 0: queued behind transaction 0"
    ]
    assert "State:             reserved" in item.dump()
    assert "Halted" in machine.dump(html=True)


def test_what_is_gone_is_not_dumped(make_transaction: Make) -> None:
    with Machine() as machine:
        enabler = machine.device().enabler(dma_version=3)
        item = enabler.transaction()
        item.delete()
        with pytest.raises(StatusError):
            item.dump()
        enabler.delete()
        with pytest.raises(StatusError):
            enabler.dump()
        machine.dump()
    for ask in (machine.dump, machine.waits, item.dump, enabler.dump):
        with pytest.raises(ClosedError):
            ask()


def test_looking_changes_nothing(machine: Machine, make_transaction: Make) -> None:
    for _ in range(3):
        make_transaction().allocate_resources(map_registers=5, reserve_dma=lambda item: None)
    before = (repr(machine.state), machine.log.tobytes())
    machine.dump()
    machine.dump(html=True)
    machine.waits()
    assert (repr(machine.state), machine.log.tobytes()) == before


# HTML


class Page(HTMLParser):
    """What a page is made of: it must be well formed, and ask for nothing."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_html_is_one_page_that_asks_for_nothing() -> None:
    evil = "<script>alert('x')</script> & \"<img src=x>\""
    scenario = Scenario.parse({**load_canonical()[FIFO].source, "name": evil}, "<b>.json")
    text = dump_scenario(scenario, 8, html=True)
    page = Page(text)
    assert not page.open
    assert page.tags <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "h4", "section"),
        *("table", "tr", "th", "td", "pre"),
    }
    assert page.attributes <= {"lang", "charset", "name", "content", "scope"}
    assert "url(" not in text
    assert "@import" not in text
    assert evil in page.text
    assert "starving behind transaction 1" in page.text
    plain = dump_scenario(scenario, 8)
    for line in plain.splitlines():
        assert line.strip().rpartition(": ")[2].strip() in page.text


def test_a_long_line_is_judged_and_shortened() -> None:
    with Machine(map_registers=4) as machine:
        device = machine.device()
        line = [device.enabler(dma_version=3).transaction() for _ in range(2000)]
        for item in line:
            item.allocate_resources(map_registers=4, reserve_dma=lambda item: None).check()
        waits = machine.waits()
        assert [wait.position for wait in waits] == list(range(1999))
        assert waits[-1].behind == tuple(f"transaction {label}" for label in range(1, 1999))
        assert waits[-1].reason == "queued behind transaction 1998"
        assert "and 1987 more" in line[0].dump()
        assert len(machine.dump()) < 4_000_000


def count_lines_of_dump(waiters: int) -> int:
    """The lines of Python that a dump executes, of a machine with as many holders as waiters."""
    lines = 0

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    with Machine(map_registers=waiters) as machine:
        device = machine.device()
        for _ in range(2 * waiters):
            transaction = device.enabler(dma_version=3).transaction()
            transaction.initialize(machine.mdl(4096), program_dma=lambda *transfer: None)
            transaction.execute()
        assert machine.state.waiting_pool == waiters
        before = sys.gettrace()
        sys.settrace(trace)
        try:
            machine.dump()
        finally:
            sys.settrace(before)
    return lines


def test_a_dump_takes_time_in_proportion() -> None:
    count_lines_of_dump(2)  # what is imported is imported
    assert count_lines_of_dump(80) < 2.5 * count_lines_of_dump(40)
