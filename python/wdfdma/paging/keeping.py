"""Machines that have ended, kept for the pages of their bug checks: a page is made when somebody reads it, if at all.

The exceptions keep them. Where a program gathers many exceptions, the oldest get their pages, and their machines go.
"""

from collections import deque
from threading import RLock
from weakref import ReferenceType, ref

from wdfdma._core import Core
from wdfdma._native import lib
from wdfdma.errors import BugCheck

# What all that are kept may use together, and how many they may be.
_MOST_BYTES = 256 << 20
_MOST = 1024

# Whoever makes a page of a machine that is kept, or lets one go, holds it.
lock = RLock()
_keepers: "deque[tuple[ReferenceType[BugCheck], int]]" = deque()
_kept_bytes = 0


def keep_machine(core: Core) -> None:
    """Hands the machine, which is about to be closed, to the exceptions that were made of its halts."""
    global _kept_bytes
    kept = Core()
    kept.machine, kept.traces = core.machine, core.traces
    kept.halted = core.halted
    kept.context = None  # which holds it: the machine is to go at once with the last exception
    size = int(lib.wdfdma_machine_get_used_bytes(core.machine))
    with lock:
        for error in core.errors or ():
            error._kept = kept
            _keepers.append((ref(error), size))
            _kept_bytes += size
        while len(_keepers) > _MOST or _kept_bytes > _MOST_BYTES:
            _let_go()


def _let_go() -> None:
    """Takes the oldest off the list; if its exception is still there, that gets its page."""
    global _kept_bytes
    keeper, size = _keepers.popleft()
    _kept_bytes -= size
    error = keeper()
    if error is not None:
        error._kept = error.report()
