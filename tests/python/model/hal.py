"""Buffers in pages, and what a device sees of them: addresses, elements, system transfers.

A chain is a list of MDLs and an offset into it counts from the first byte of the first one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .pool import Adapter, Pool, Run, TransferContext, Undefined

PAGE = 4096
REGISTERS_AT = 0x100000


@dataclass(frozen=True)
class Mdl:
    """[length] bytes that begin [offset] bytes into the first of the pages [pfns]."""

    offset: int
    length: int
    pfns: tuple[int, ...]

    def __post_init__(self) -> None:
        if not (0 <= self.offset < PAGE and self.length > 0):
            raise ValueError("an MDL begins in its first page and is not empty")
        if len(self.pfns) != pages(self.offset, self.length):
            raise ValueError("an MDL has one page frame number for each of its pages")


Chain = Sequence[Mdl]
Element = tuple[int, int]


@dataclass(frozen=True)
class Part:
    """The [length] bytes of a range that lie in one MDL, from its byte [start]."""

    mdl: Mdl
    start: int
    length: int

    @property
    def position(self) -> int:
        return self.mdl.offset + self.start

    def pieces(self) -> Iterator[Element]:
        """Physical address and length of the bytes in each page."""
        position, left = self.position, self.length
        while left > 0:
            inside = position % PAGE
            length = min(PAGE - inside, left)
            yield self.mdl.pfns[position // PAGE] * PAGE + inside, length
            position, left = position + length, left - length


def pages(offset: int, length: int) -> int:
    """How many pages [length] bytes touch that begin at [offset]."""
    return (offset % PAGE + length + PAGE - 1) // PAGE


def chain_length(chain: Chain) -> int:
    return sum(mdl.length for mdl in chain)


def parts(chain: Chain, offset: int, length: int) -> list[Part]:
    """The range, MDL by MDL, as far as the chain goes."""
    found = []
    for mdl in chain:
        if length > 0 and offset < mdl.length:
            part = Part(mdl, offset, min(length, mdl.length - offset))
            found.append(part)
            length -= part.length
        offset = max(0, offset - mdl.length)
    return found


def spanned(chain: Chain, offset: int, length: int) -> int:
    """Registers for the range, each MDL on registers of its own."""
    return sum(pages(part.position, part.length) for part in parts(chain, offset, length))


def needed(chain: Chain, offset: int, length: int) -> int | None:
    """Registers by the framework's own count; None for a range too far past the chain.

    A range that runs a little past the chain is counted as if its last MDL went on.
    """
    found = parts(chain, offset, length)
    if not found:
        raise Undefined("a transfer that begins past the end of the buffer")
    last = found[-1]
    missing = length - sum(part.length for part in found)
    if missing + last.position % PAGE > PAGE:
        return None
    before = sum(pages(part.position, part.length) for part in found[:-1])
    return before + pages(last.position, last.length + missing)


def runs_past(chain: Chain, offset: int, length: int) -> bool:
    return offset + length > chain_length(chain)


def bounces(adapter: Adapter, range_parts: Sequence[Part]) -> bool:
    """Whether the bytes go through map registers."""
    if not adapter.needs_registers:
        return False
    addresses = [address for part in range_parts for address, _ in part.pieces()]
    frames = [address // PAGE for address in addresses]
    scattered = any(after != before + 1 for before, after in pairwise(frames))
    return (
        adapter.force
        or any(frame * PAGE >= 1 << adapter.width for frame in frames)
        or (not adapter.scatter_gather and scattered)
    )


def elements(adapter: Adapter, range_parts: Sequence[Part], run: Run | None) -> list[Element]:
    """The range as the device sees it, neighbours joined."""
    bounced = bounces(adapter, range_parts)
    register = run.first if run is not None else 0
    found: list[Element] = []
    for part in range_parts:
        for address, length in part.pieces():
            if bounced:
                address = REGISTERS_AT + register * PAGE + address % PAGE
            register += 1
            if found and sum(found[-1]) == address:
                found[-1] = (found[-1][0], found[-1][1] + length)
            else:
                found.append((address, length))
    return found


def transfer_info(adapter: Adapter, chain: Chain, offset: int, length: int) -> Element | None:
    """Registers and elements that mapping the whole range would take; None past the chain."""
    if runs_past(chain, offset, length):
        return None
    registers = spanned(chain, offset, length) if adapter.needs_registers else 0
    return registers, len(elements(adapter, parts(chain, offset, length), None))


@dataclass(frozen=True)
class Mapping:
    """What one call to map a packet or system transfer gave."""

    elements: list[Element]
    length: int
    bounced: bool


def map_transfer(
    pool: Pool, adapter: Adapter, chain: Chain, run: Run, offset: int, length: int
) -> Mapping:
    """Maps what lies in one MDL and fits the registers."""
    if not pool.holds(run):
        raise Undefined("a transfer mapped on registers that nobody holds")
    found = parts(chain, offset, length)
    if length == 0 or not found:
        raise Undefined("a transfer of nothing, or past the end of the buffer")
    first = found[0]
    fits = run.count * PAGE - first.position % PAGE
    cut = [Part(first.mdl, first.start, min(first.length, fits))]
    mapped = elements(adapter, cut, run)[:1]
    return Mapping(mapped, mapped[0][1], bounces(adapter, cut))


def start_controller(adapter: Adapter, context: TransferContext, owner: object) -> bool:
    """Hands a mapped transfer to the controller; False if it was cancelled before."""
    own_channel(adapter, owner)
    if context.cancelled:
        return False
    if adapter.running is not None:
        raise Undefined("a transfer mapped while the controller transfers")
    adapter.running = context
    context.mapped = True
    return True


def controller_done(adapter: Adapter) -> bool:
    """The device event: the running transfer, if any, is complete."""
    context = adapter.running
    if context is None:
        return False
    adapter.running = None
    context.mapped = False
    if context.completion is not None:
        context.completion("complete")
    return True


def cancel_mapped(adapter: Adapter, context: TransferContext) -> bool:
    """Cancels the transfer, stopping it where it runs; False if it is cancelled already."""
    if context.cancelled:
        return False
    context.cancelled = True
    if context.mapped:
        adapter.running = None
        context.mapped = False
        if context.completion is not None:
            context.completion("cancelled")
    return True


def flush_system(adapter: Adapter, context: TransferContext, owner: object) -> None:
    """Ends a mapping: the flags are cleared, and what still runs stops without a word."""
    own_channel(adapter, owner)
    if adapter.running is context:
        adapter.running = None
    context.mapped = context.cancelled = False


def own_channel(adapter: Adapter, owner: object) -> None:
    if adapter.channel is None or adapter.channel.owner is not owner:
        raise Undefined("a transfer mapped or flushed on a channel that another owns")
