"""The pool of map registers, as it is at the moment."""

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from wdfdma._core import Core
from wdfdma._native import NULL, ffi, lib
from wdfdma.memory import make_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from wdfdma.transaction import DmaTransaction


class Run(NamedTuple):
    """Map registers that were granted together."""

    first: int
    length: int


class Pool:
    """The map registers of a machine, and who waits for them.

    >>> from wdfdma import Machine
    >>> with Machine(map_registers=8) as machine:
    ...     transaction = machine.device().enabler(dma_version=3).transaction()
    ...     _ = transaction.allocate_resources(map_registers=3, reserve_dma=lambda transaction: None)
    ...     print(machine.pool, machine.pool.runs())
    <Pool 5 of 8 registers free, 0 waiting> [Run(first=0, length=3)]
    """

    __slots__ = ("_core",)

    def __init__(self, core: Core) -> None:
        self._core = core

    @property
    def bitmap(self) -> "NDArray[Any]":
        """Bit `i % 64` of word `i // 64` is 1 where register `i` is held: live, without a copy, not to be written."""
        words = ffi.new("size_t *")
        bitmap = lib.wdfdma_pool_get_bitmap(self._core.get_machine(), words)
        return make_array(self._core, bitmap, words[0], "u8")

    def runs(self) -> list[Run]:
        """The runs that are held, lowest first."""
        return list_runs(self._core.get_machine())

    def waiters(self) -> list["DmaTransaction | None"]:
        """The transactions that wait for map registers, in their order; None where a waiter is no transaction."""
        machine = self._core.get_machine()
        count = lib.wdfdma_pool_copy_waiters(machine, NULL, 0)
        handles = ffi.new("WDFDMATRANSACTION[]", count)
        lib.wdfdma_pool_copy_waiters(machine, handles, count)
        objects = self._core.objects
        return [cast("DmaTransaction | None", objects.get(handle)) for handle in handles]

    def __repr__(self) -> str:
        if self._core.closed:
            return "<Pool, machine closed>"
        state = lib.wdfdma_machine_get_state(self._core.machine)
        return (
            f"<Pool {state.free_registers} of {state.map_registers} registers free, "
            f"{state.waiting_pool} waiting>"
        )


def list_runs(machine: Any) -> list[Run]:
    """The runs that are held in a machine of C's, lowest first."""
    import numpy as np

    words = ffi.new("size_t *")
    bitmap = lib.wdfdma_pool_get_bitmap(machine, words)
    count = lib.wdfdma_machine_get_state(machine).map_registers
    held = np.frombuffer(ffi.buffer(bitmap, words[0] * 8), "u1")
    bits = np.unpackbits(held, bitorder="little")[:count]
    found: list[Run] = []
    free_from = 0
    for index in np.flatnonzero(bits).tolist():
        if index < free_from:
            continue
        length = lib.wdfdma_pool_get_run(machine, index) or 1
        found.append(Run(index, length))
        free_from = index + length
    return found
