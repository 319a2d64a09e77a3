"""What the pages of all buffers should hold, byte for byte, their neighbours included."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from model.hal import PAGE, Element
from wdfdma import Machine

_CYCLE = bytes(range(251))


def pattern(start: int, length: int) -> bytes:
    """[length] bytes that differ from page to page, and from one [start] to the next."""
    start %= len(_CYCLE)
    return (_CYCLE * (length // len(_CYCLE) + 2))[start : start + length]


def find_wrong_byte(found: bytes, expected: bytes) -> int | None:
    """Where the first byte is that differs; pytest would look for minutes at how many do."""
    if found == expected:
        return None
    assert len(found) == len(expected)
    pairs = enumerate(zip(found, expected, strict=True))
    return next(at for at, (one, other) in pairs if one != other)


class Memory:
    """[content] is what is expected; `read` asks the machine, through MDLs over whole pages."""

    def __init__(self, machine: Machine, world: dict[str, Any]) -> None:
        frames = 1 << world["machine"].get("physical_address_bits", 36) - 12
        used = {pfn for chain in world["buffers"] for mdl in chain for pfn in mdl["pfns"]}
        near = {pfn + step for pfn in used for step in (-1, 0, 1) if 0 <= pfn + step < frames}
        self._at = {pfn: index * PAGE for index, pfn in enumerate(sorted(near))}
        self._mdl = machine.mdl(len(near) * PAGE, pfns=sorted(near))
        self.content = bytearray(pattern(100, len(near) * PAGE))
        self._mdl.write(bytes(self.content))

    def read(self) -> bytes:
        return self._mdl.read()

    def get(self, places: Iterable[Element]) -> bytes:
        found = (self._find(address, length) for address, length in places)
        return b"".join(bytes(self.content[where]) for where in found)

    def put(self, places: Iterable[Element], data: bytes) -> None:
        """Puts [data] at the first of [places], as far as it goes."""
        for address, length in places:
            piece, data = data[:length], data[length:]
            self.content[self._find(address, len(piece))] = piece

    def _find(self, address: int, length: int) -> slice:
        at = self._at[address // PAGE] + address % PAGE
        return slice(at, at + length)
