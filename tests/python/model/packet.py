"""Packet transactions, and what system transactions share with them.

A base of map registers, and one transfer after another on it.
"""

from __future__ import annotations

from .enabler import Enabler
from .hal import PAGE, Chain, map_transfer, needed, pages
from .pool import SUCCESS, Action, Adapter, Request, Run, Undefined
from .transaction import BUFFER_TOO_SMALL, BUSY, CANCELLED, Transaction, World


class PacketTransaction(Transaction):
    """Holds registers in [run], for one transaction or, if [reserved], for several."""

    def __init__(self, world: World, number: int, enabler: Enabler) -> None:
        super().__init__(world, number, enabler)
        self.run: Run | None = None
        self.staging = False
        self.stage_again = False
        self.stopped = False
        self.is_mapped = False

    def prepare(self) -> str:
        self.new_context()
        return SUCCESS

    def new_context(self) -> None:
        """A packet transfer has no context to initialize."""

    def own_run(self) -> Run:
        if self.run is None:
            raise Undefined("the transaction does not hold its map registers")
        return self.run

    # Resources.

    def allocate_resources(self, direction: str, count: int) -> str:
        if not self.version3:
            return super().allocate_resources(direction, count)
        if count == 0:
            self.require("initialized")
        else:
            self.require("created", "initialized", "released")
        if self.reserved:
            self.bugcheck()
        self.adapter = self.enabler.adapters[direction]
        self.direction = direction
        found = count or self.registers_needed(self.adapter)
        if found is None:
            self.state = "transfer_failed"
            return BUFFER_TOO_SMALL
        self.reserved = found
        self.chain = None
        self.start = self.length = self.remaining = 0
        self.new_context()
        self.state = "reserved"
        status = self.allocate(self.adapter, self.reserved)
        if status != SUCCESS:
            self.state = "transfer_failed"
            self.reserved = 0
        return status

    def registers_needed(self, adapter: Adapter) -> int | None:
        return needed(self.own_chain(), self.start, self.remaining)

    def allocate(self, adapter: Adapter, count: int) -> str:
        if self.world.waits(self):
            raise Undefined("registers asked for while others are waited for")
        request = Request(adapter, self, count, self.granted)
        return self.world.pool.allocate(request, self.version3 and self.immediate)

    def free_resources(self) -> None:
        if not self.version3:
            return super().free_resources()
        if self.state in ("created", "transfer"):
            self.bugcheck()
        self.state = "released"
        self.give_back(force=True)
        self.reset()

    def give_back(self, force: bool) -> None:
        if self.run is None or (self.reserved and not force):
            return
        adapter = self.own_adapter("registers given back")
        self.is_mapped = False
        self.free_registers(adapter, self.run)
        if self.world.device_owner is self:
            self.world.device_owner = None
        self.reserved = 0
        self.run = None
        self.adapter = None

    def free_registers(self, adapter: Adapter, run: Run) -> None:
        self.world.pool.give_back(run)

    # A transfer.

    def start_transfer(self) -> str:
        if not self.version3:
            if self.world.device_owner is not None:
                self.world.report_break()
                return BUSY
            self.world.device_owner = self
        self.fragment = min(self.remaining, self.maximum_fragment)
        if self.reserved:
            self.granted(self.own_run())
            return SUCCESS
        adapter = self.own_adapter("Execute")
        return self.allocate(adapter, self.registers_to_start(adapter))

    def registers_to_start(self, adapter: Adapter) -> int:
        if self.fragment == self.remaining:
            return pages(self.own_chain()[0].offset + self.start, self.fragment)
        return pages(PAGE - 1, self.fragment)

    def granted(self, run: Run | None) -> Action:
        """The adapter routine: the registers have come."""
        if self.deleted or self.state in ("transfer_completed", "transfer_failed", "released"):
            raise Undefined("registers granted to a transaction that is over")
        if self.run is not None and self.run is not run:
            raise Undefined("registers granted over those that are held")
        self.run = run
        if self.state == "reserved":
            self.fire("reserve_dma")
        else:
            status = self.stage()
            if status != SUCCESS:
                self.staging_failed(status)
        return self.answer()

    def answer(self) -> Action:
        return Action.KEEP_REGISTERS

    def staging_failed(self, status: str) -> None:
        """Nobody is told of it."""

    def stage(self) -> str:
        self.stage_again = True
        if self.staging:
            return SUCCESS
        self.staging = True
        status = SUCCESS
        while self.stage_again and status == SUCCESS and not self.deleted:
            self.stage_again = False
            status = self.round()
            self.after_round()
        self.staging = False
        return status

    def round(self) -> str:
        chain = self.own_chain()
        offset = self.start + self.transferred
        length = min(self.remaining, self.maximum_fragment)
        if self.reserved and not self.single:
            length = min(length, self.reserved * PAGE - self.page_offset(offset))
        self.fragment = length
        self.remaining -= length
        if self.stopped:
            return CANCELLED
        if not self.configured(offset, length):
            return SUCCESS
        return self.program(chain, offset, length)

    def program(self, chain: Chain, offset: int, length: int) -> str:
        adapter = self.own_adapter("a transfer mapped")
        if not self.may_map(adapter):
            return CANCELLED
        mapping = map_transfer(self.world.pool, adapter, chain, self.own_run(), offset, length)
        self.remaining += length - mapping.length
        self.fragment = mapping.length
        self.bounces = mapping.bounced
        self.mapped = (offset, mapping.length)
        self.is_mapped = True
        found = [list(element) for element in mapping.elements]
        self.fire("program_dma", direction=self.direction, elements=found)
        return SUCCESS

    def page_offset(self, position: int) -> int:
        """In its page; the end of an MDL rather than the beginning of the next, and as though the last went on."""
        chain = self.own_chain()
        for mdl in chain[:-1]:
            if position <= mdl.length:
                return (mdl.offset + position) % PAGE
            position -= mdl.length
        return (chain[-1].offset + position) % PAGE

    def configured(self, offset: int, length: int) -> bool:
        return True

    def may_map(self, adapter: Adapter) -> bool:
        return True

    def after_round(self) -> None:
        """Nothing waits for the end of a round."""

    def end_mapping(self) -> None:
        self.own_adapter("completed")
        self.own_run()
        self.is_mapped = False
