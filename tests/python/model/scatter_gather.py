"""Scatter-gather transactions: each transfer is a list of its own, with registers of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from .enabler import Enabler
from .hal import (
    Chain,
    bounces,
    chain_length,
    elements,
    needed,
    pages,
    parts,
    runs_past,
    spanned,
)
from .pool import SUCCESS, Action, Adapter, Request, Run, Undefined
from .transaction import BUFFER_TOO_SMALL, TOO_FRAGMENTED, Transaction, World


@dataclass(eq=False)
class MappedList:
    """A list that the HAL built; [put] once it was handed back."""

    run: Run | None
    put: bool = False


class ScatterGatherTransaction(Transaction):
    def __init__(self, world: World, number: int, enabler: Enabler) -> None:
        super().__init__(world, number, enabler)
        self.list: MappedList | None = None

    def prepare(self) -> str:
        """Asks of every fragment whether it can be mapped."""
        if self.single:
            return SUCCESS
        offset, left = self.start, self.length
        while left > 0:
            length = min(left, self.maximum_fragment)
            registers = needed(self.own_chain(), offset, length)
            if registers is None:
                self.world.report_break()
                return BUFFER_TOO_SMALL
            if registers > self.enabler.maximum_elements:
                return TOO_FRAGMENTED
            offset, left = offset + length, left - length
        return SUCCESS

    def start_transfer(self) -> str:
        return self.stage()

    def stage(self) -> str:
        chain, adapter = self.own_chain(), self.own_adapter("a list built")
        offset = self.start + self.transferred
        length = min(self.remaining, self.maximum_fragment)
        if length == 0 or offset >= chain_length(chain):
            raise Undefined("a transfer of zero bytes, or past the end of the buffer")
        if not self.single:
            registers = needed(chain, offset, length)
            if registers is None:
                return BUFFER_TOO_SMALL
            if registers > self.enabler.maximum_elements:
                return TOO_FRAGMENTED
            if registers > adapter.map_registers:
                length = whole_mdls(chain, offset, length, adapter.map_registers)
        self.fragment = length
        self.remaining -= length
        status = self.build(adapter, chain, offset, length)
        if status != SUCCESS:
            self.remaining += length
        return status

    def build(self, adapter: Adapter, chain: Chain, offset: int, length: int) -> str:
        """Asks the HAL for a list of this very range, which the wait does not change."""
        if runs_past(chain, offset, length):
            return BUFFER_TOO_SMALL
        count = spanned(chain, offset, length)
        # Not a closure, which a deep copy of the model would leave behind.
        routine = partial(self.listed, self.life, adapter, chain, (offset, length))
        request = Request(adapter, self, count, routine)
        return self.world.pool.allocate(request, self.version3 and self.immediate)

    def listed(
        self, life: int, adapter: Adapter, chain: Chain, span: tuple[int, int], run: Run | None
    ) -> Action:
        """The list routine: the registers have come, and the list is built."""
        if life != self.life:
            raise Undefined("a list granted to a transaction that was released meanwhile")
        if self.deleted:
            raise Undefined("a list granted to a transaction that is over")
        if self.list is not None and not self.list.put:
            raise Undefined("a list built over one that is still mapped")
        self.list = MappedList(run)
        found = parts(chain, *span)
        self.bounces = bounces(adapter, found)
        self.mapped = span
        pairs = [list(element) for element in elements(adapter, found, run)]
        self.fire("program_dma", direction=self.direction, elements=pairs)
        return Action.KEEP_REGISTERS

    def end_mapping(self) -> None:
        """Puts the list and then forgets whatever list stands in its place."""
        if self.list is None:
            return
        self.own_adapter("a list put")
        if self.list.put:
            raise Undefined("a list put twice")
        self.list.put = True
        if self.list.run is not None:
            self.world.pool.give_back(self.list.run)
        self.list = None

    def give_back(self, force: bool) -> None:
        self.end_mapping()
        self.adapter = None


def whole_mdls(chain: Chain, offset: int, length: int, registers: int) -> int:
    """The length up to the end of the last MDL of the range whose pages all fit."""
    total = 0
    for part in parts(chain, offset, length):
        registers -= pages(part.position, part.length)
        if registers < 0:
            break
        total += part.length
    return total
