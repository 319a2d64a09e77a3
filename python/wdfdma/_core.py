"""What the objects of one machine share: whether it runs, and how an exception finds its way out of a callback.

C calls Python in callbacks, and an exception cannot cross C. So the first one is kept as *pending*, the machine is
halted, which makes every call of the framework in progress return at once, and the methods around them raise
it again, up to the outermost one. A bug check goes the same way.
"""

import weakref
from typing import TYPE_CHECKING, Any, NoReturn

from wdfdma._native import ffi, lib
from wdfdma.enums import BugCheckCode
from wdfdma.errors import BugCheck, ClosedError, read_bugcheck

if TYPE_CHECKING:
    from wdfdma.coverage_map import CoverageMap
    from wdfdma.fault_sites import FaultSites
    from wdfdma.mdl import Mdl
    from wdfdma.objects import WdfObject
    from wdfdma.traces import Traces

_FAILED_CALLBACK = int(BugCheckCode.MANUALLY_INITIATED_CRASH)

# By the address of the machine: for callbacks that C gives no context.
_cores: "weakref.WeakValueDictionary[Any, Core]" = weakref.WeakValueDictionary()


class Core:
    """A machine as its objects see it. Every method of theirs asks `halted` before and after it calls C."""

    __slots__ = (
        "__weakref__",
        "closed",
        "context",
        "coverage",
        "depth",
        "errors",
        "halted",
        "machine",
        "mdls",
        "objects",
        "outputs",
        "pending",
        "sites",
        "traces",
    )

    def __init__(self) -> None:
        self.machine: Any = None  # owns the machine, as every array over its memory does
        self.halted = False
        self.closed = False
        self.depth = 0  # callbacks of Python in progress
        self.pending: BaseException | None = None
        self.errors: weakref.WeakSet[BugCheck] | None = None  # that were made of its halts
        self.context = ffi.new_handle(self)  # what C hands to the callbacks
        self.outputs = [
            ffi.new("NTSTATUS *")
        ]  # one for each depth, so that a nested call has its own
        self.objects: dict[Any, WdfObject] = {}  # live ones by handle
        self.mdls: dict[Any, Mdl] = {}  # live ones by address
        self.coverage: CoverageMap | None = None  # that it counts into
        self.sites: FaultSites | None = None  # that fail once each
        self.traces: Traces | None = None  # where they were made, if that is asked for

    def adopt(self, machine: Any) -> None:
        """Takes a new machine of C's, which goes with the last reference to it."""
        self.machine = ffi.gc(machine, lib.wdfdma_machine_destroy)
        _cores[machine] = self

    def get_machine(self) -> Any:
        """The machine for C; raises ClosedError."""
        if self.closed:
            raise ClosedError
        return self.machine

    def fail(self) -> NoReturn:
        """Raises why the machine is halted."""
        if self.closed:
            raise ClosedError
        error = self.pending or self.make_bugcheck()
        self.pending = error if self.depth else None
        try:
            raise error
        finally:
            del error

    def make_bugcheck(self) -> BugCheck:
        """The record of the bug check that halted the machine."""
        error = read_bugcheck(self.machine)
        error._core = weakref.ref(self)
        if self.errors is None:
            self.errors = weakref.WeakSet()
        self.errors.add(error)
        return error

    def call(self, function: Any, *arguments: Any) -> Any:
        """Calls a callback of the user's; None if it failed."""
        self.depth += 1
        if len(self.outputs) == self.depth:
            self.outputs.append(ffi.new("NTSTATUS *"))
        try:
            return function(*arguments)
        except BaseException as error:
            self.catch(error)
            return None
        finally:
            self.depth -= 1

    def catch(self, error: BaseException) -> None:
        """Halts the machine for an exception that left a callback, and keeps it for the outermost call.

        The first one is kept, unless the later one was raised in handling it or must not wait (KeyboardInterrupt).
        """
        first = self.pending
        if first is None or any(link is first for link in _list_chain(error)):
            self.pending = error
        elif isinstance(error, Exception):
            _list_chain(first)[-1].__context__ = error
        else:
            _list_chain(error)[-1].__context__ = first
            self.pending = error
        lib.wdfdma_machine_halt(self.machine, _FAILED_CALLBACK, 0)
        self.halted = True


def _list_chain(error: BaseException) -> list[BaseException]:
    """The exception and what was being handled when it was raised."""
    chain = [error]
    while (earlier := chain[-1].__context__) is not None and earlier not in chain:
        chain.append(earlier)
    return chain


def find_core(handle: Any) -> Core:
    """The core of a live object, by its handle."""
    return _cores[lib.wdfdma_object_get_machine(handle)]
