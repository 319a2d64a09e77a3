"""MDLs: buffers as the pages that they lie in."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wdfdma._native import NULL, ffi, lib
from wdfdma.arguments import SIZE, require_face, require_number, require_type
from wdfdma.memory import get_bytes, make_array
from wdfdma.status import Status

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wdfdma.machine import Machine

_create = lib.wdfdma_mdl_create
_read = lib.wdfdma_mdl_read
_write = lib.wdfdma_mdl_write


def check_pfns(machine: "Machine", offset: int, length: int, pfns: Sequence[int]) -> list[int]:
    """[pfns], one for each page, below what the machine's physical addresses reach."""
    pages = (offset + length + 4095) // 4096
    try:
        pfns = list(pfns)
    except TypeError:
        raise TypeError(f"pfns: {pfns!r} is no row of numbers") from None
    if len(pfns) != pages:
        raise ValueError(
            f"pfns: {len(pfns)} page frame numbers, and the buffer spans {pages} pages"
        )
    bits = lib.wdfdma_machine_get_config(machine._core.machine).physical_address_bits
    for index, pfn in enumerate(pfns):
        require_number(f"pfns[{index}]", pfn, 0, (1 << (bits - 12)) - 1)
    return list(pfns)


class Mdl:
    """A buffer of [length] bytes that starts at [offset] of its first page.

    [pfns] are its page frame numbers, one for each page; None leaves them to the machine. A page may be in several
    MDLs. The MDL lives until `destroy`, or as long as its machine.
    Errors: StatusError for a length of 0, an offset past 4095, a page out of range.

    >>> from wdfdma import Machine
    >>> with Machine() as machine:
    ...     buffer = machine.mdl(8192, offset=512, pfns=[40, 12, 13])
    ...     buffer.write(b"abc", 4096)
    ...     print(buffer, buffer.read(2, 4097))
    <Mdl 8192 bytes at offset 512, pages 40 12 13> b'bc'
    """

    __slots__ = ("__weakref__", "_address", "_core", "_following", "_length", "_mdl", "_offset")

    def __init__(
        self,
        machine: "Machine",
        length: int,
        *,
        offset: int = 0,
        pfns: Sequence[int] | None = None,
    ) -> None:
        core = require_face("machine", machine, "Machine")
        if core.halted:
            core.fail()
        config = ffi.new("wdfdma_mdl_config *")
        config.byte_offset = require_number("offset", offset, 0, 4095)
        config.byte_count = require_number("length", length, 1, 2**32 - 1)
        if pfns is not None:
            numbers = ffi.new("uint64_t[]", check_pfns(machine, offset, length, pfns))
            config.pfns = numbers
            config.pfn_count = len(numbers)
        out = ffi.new("PMDL *")
        status = _create(core.machine, config, out)
        if core.halted:
            core.fail()
        Status(status).check("wdfdma_mdl_create")
        self._core = core
        self._mdl = out[0]
        self._length = length
        self._offset = offset
        self._following: Mdl | None = None
        self._address = ffi.cast("char *", self._mdl.StartVa) + offset
        core.mdls[self._mdl] = self
        if core.traces is not None:
            core.traces.keep(self._mdl)

    @property
    def length(self) -> int:
        """The bytes of this MDL alone."""
        return self._length

    @property
    def offset(self) -> int:
        """Where it begins in its first page, in bytes."""
        return self._offset

    @property
    def is_live(self) -> bool:
        """False once it is destroyed or its machine closed."""
        return self._core.mdls.get(self._mdl) is self

    def _require(self) -> Any:
        self._core.get_machine()
        if not self.is_live:
            raise ValueError("the MDL is destroyed")
        return self._mdl

    @property
    def pfns(self) -> list[int]:
        """The page frame numbers of its pages."""
        first = ffi.cast("PFN_NUMBER *", self._require() + 1)
        pages = (self._offset + self._length + 4095) // 4096
        return list(ffi.unpack(first, pages))

    @property
    def following(self) -> "Mdl | None":
        """The MDL behind it in its chain; assign to link or unlink."""
        return self._following

    @following.setter
    def following(self, following: "Mdl | None") -> None:
        mdl = self._require()
        mdl.Next = (
            NULL if following is None else require_type("following", following, Mdl)._require()
        )
        self._following = following

    @property
    def chain(self) -> list["Mdl"]:
        """This MDL and those behind it; a circle ends where it would begin again."""
        found = [self]
        while (following := found[-1].following) is not None and following not in found:
            found.append(following)
        return found

    @property
    def chain_length(self) -> int:
        """The bytes of the whole chain."""
        if self._following is None:
            return self._length
        return sum(mdl._length for mdl in self.chain)

    def read(self, length: int | None = None, offset: int = 0) -> bytes:
        """Copies [length] bytes at [offset] of the chain, as the processor sees them; None is up to its end.

        Errors: StatusError past the end.
        """
        mdl = self._require()
        require_number("offset", offset, 0, SIZE)
        count = max(self.chain_length - offset, 0) if length is None else length
        require_number("length", count, 0, 2**40)
        out = ffi.new("char[]", count)
        Status(_read(self._core.machine, mdl, offset, out, count)).check("wdfdma_mdl_read")
        return bytes(ffi.buffer(out, count))

    def write(self, data: Any, offset: int = 0) -> None:
        """Copies [data], anything with a buffer, to [offset] of the chain, as the processor does.

        Errors: StatusError past the end.
        """
        mdl = self._require()
        core = self._core
        if core.halted:
            core.fail()
        require_number("offset", offset, 0, SIZE)
        source = get_bytes(data)
        status = _write(core.machine, mdl, offset, source, len(source))
        if core.halted:
            core.fail()
        Status(status).check("wdfdma_mdl_write")

    @property
    def array(self) -> "NDArray[Any] | None":
        """The bytes of this MDL alone, in place: an array of uint8.

        None where its pages do not lie one after another in the machine, since an earlier MDL shares some.
        """
        address = lib.wdfdma_mdl_get_bytes(self._core.machine, self._require())
        if address == NULL:
            return None
        return make_array(self._core, address, self._length, "u1", writable=True)

    def destroy(self) -> None:
        """Ends this MDL, not its chain. Pages go when their last MDL goes. Twice is once."""
        core = self._core
        if core.closed or not self.is_live:
            return
        if core.halted:
            core.fail()
        status = lib.wdfdma_mdl_destroy(core.machine, self._mdl)
        if core.halted:
            core.fail()
        Status(status).check("wdfdma_mdl_destroy")
        core.mdls.pop(self._mdl, None)

    def __enter__(self) -> "Mdl":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.destroy()

    def __repr__(self) -> str:
        if not hasattr(self, "_address"):
            return "<Mdl not created>"
        size = f"{self._length} bytes at offset {self._offset}"
        if self._core.closed:
            return f"<Mdl {size}, machine closed>"
        if not self.is_live:
            return f"<Mdl {size}, destroyed>"
        pages = self.pfns
        shown = " ".join(str(page) for page in pages[:8])
        return f"<Mdl {size}, pages {shown}{' ...' if len(pages) > 8 else ''}>"
