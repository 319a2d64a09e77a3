"""What a machine says of itself for reading: its dump, and who waits for whom in it."""

from typing import TYPE_CHECKING

from wdfdma._core import Core
from wdfdma.arguments import require_flag

if TYPE_CHECKING:
    from wdfdma.waits import Wait


class MachineDump:
    """The part of a Machine that shows it."""

    __slots__ = ()

    _core: Core

    def dump(self, html: bool = False) -> str:
        """The machine as a debugger shows it, for reading: text, or one page of HTML. Of a halted machine too.

        Adapters, map registers, enablers, transactions, common buffers, and who waits for whom, with verdicts.
        Models: the debugger's !dma, !wdfkd.wdfdmaenabler and !wdfkd.wdfdmatransaction. Errors: ClosedError.

        >>> from wdfdma import Machine
        >>> with Machine(map_registers=8) as machine:
        ...     print(machine.dump().splitlines()[1].strip())
        Map registers:         0 held, 8 free, 8 in the pool
        """
        from wdfdma.dumping.dump import dump_machine

        return dump_machine(self._core, require_flag("html", html))

    def waits(self) -> "list[Wait]":
        """Who waits for whom: those for map registers first, in order, then those for each adapter's channel.

        Each has a verdict: queued, starving or deadlocked; `Verdict` says what these mean. Errors: ClosedError.

        >>> from wdfdma import Machine
        >>> with Machine(map_registers=8) as machine:
        ...     machine.waits()
        []
        """
        from wdfdma.waits import list_waits

        return list_waits(self._core.get_machine())
