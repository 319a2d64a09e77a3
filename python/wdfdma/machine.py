"""Machines: one world each."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from wdfdma._native import ffi, lib, read_string
from wdfdma.arguments import (
    SIZE,
    require_any,
    require_flag,
    require_member,
    require_number,
    require_type,
)
from wdfdma.device import Device
from wdfdma.enums import Irql
from wdfdma.errors import BugCheck, CheckError
from wdfdma.log import MachineLog
from wdfdma.machine_core import count_records, make_core
from wdfdma.machine_coverage import MachineCoverage
from wdfdma.machine_dump import MachineDump
from wdfdma.machine_leaks import MachineLeaks, make_traces, take_leaks
from wdfdma.machine_rules import MachineRules
from wdfdma.mdl import Mdl
from wdfdma.memory import get_bytes
from wdfdma.paging.keeping import keep_machine
from wdfdma.pool import Pool
from wdfdma.snapshot import Snapshot
from wdfdma.state import MachineState
from wdfdma.status import Status, StatusError

if TYPE_CHECKING:
    from wdfdma.coverage_map import CoverageMap


class Machine(MachineLog, MachineRules, MachineLeaks, MachineCoverage, MachineDump):
    """One independent world: a pool of map registers, memory, adapters, and the framework above them.

    [map_registers] is the size of the pool, [registers_per_adapter] the most that one adapter is granted (None: all).
    [force_map_registers] double-buffers every transfer; [verifier] is the framework's own. [log] is False, the length
    of a ring of records, or "grow". [maximum_depth] callbacks in one another use up the stack. [reserve_bytes] is
    address space set aside (None: the library's default). [trace] keeps, for `get_trace`, where each object is made.
    [journal] is a file, as for `record`. [coverage] counts what its calls do, for `coverage`: True into a map of its
    own, or a CoverageMap, which several machines may share.
    A machine is used by one thread at a time.
    Errors: StatusError for a setting out of its range.

    >>> with Machine(map_registers=16) as machine:
    ...     machine.state.free_registers
    16
    """

    __slots__ = ("__weakref__", "_core", "_leaks")

    def __init__(
        self,
        *,
        map_registers: int = 64,
        registers_per_adapter: int | None = None,
        physical_address_bits: int = 36,
        force_map_registers: bool = False,
        verifier: bool = True,
        seed: int = 0,
        log: bool | int | str = False,
        maximum_depth: int | None = None,
        reserve_bytes: int | None = None,
        trace: bool = False,
        journal: str | Path | None = None,
        coverage: "bool | CoverageMap" = False,
    ) -> None:
        config = ffi.new("wdfdma_machine_config *")
        lib.wdfdma_machine_config_init(config)
        config.map_registers = require_number("map_registers", map_registers, 0, 1 << 20)
        config.physical_address_bits = require_number(
            "physical_address_bits", physical_address_bits, 12, 52
        )
        config.force_map_registers = require_flag("force_map_registers", force_map_registers)
        config.verifier = require_flag("verifier", verifier)
        config.seed = require_number("seed", seed, 0, 2**64 - 1)
        config.log_records = count_records(log)
        if registers_per_adapter is not None:
            config.registers_per_adapter = require_number(
                "registers_per_adapter", registers_per_adapter, 0, 2**32 - 2
            )
        if maximum_depth is not None:
            config.maximum_depth = require_number("maximum_depth", maximum_depth, 1, 1024)
        if reserve_bytes is not None:
            config.reserve_bytes = require_number("reserve_bytes", reserve_bytes, 1 << 24, 1 << 40)
        self._core = make_core(config)
        self._leaks = []
        self._core.traces = make_traces() if require_flag("trace", trace) else None
        if coverage is not False:
            self.collect_coverage(coverage)
        if journal is not None:
            self._record("journal", journal)

    def record(self, path: str | Path | None) -> None:
        """Writes every call from now on to the file [path] before it runs, for `wdfdma.read_journal`; None ends it.

        The file holds what was written even where the process ends at once. Errors: OSError where it is not to be had.
        """
        if path is None:
            lib.wdfdma_journal_end(self._core.machine)
        else:
            self._record("path", path)

    def _record(self, name: str, path: str | Path) -> None:
        file = os.fsencode(require_any(name, path, str, Path))
        if lib.wdfdma_journal_begin(self._core.machine, file, 0):
            raise OSError(f"no journal can be written: {path}")

    # The world

    def device(self, **settings: Any) -> Device:
        """Makes a device; [settings] as for Device."""
        return Device(self, **settings)

    def mdl(self, length: int, *, offset: int = 0, pfns: Sequence[int] | None = None) -> Mdl:
        """Makes an MDL over [length] bytes from [offset] of its first page; see Mdl."""
        return Mdl(self, length, offset=offset, pfns=pfns)

    def chain(self, first: Mdl, *following: Mdl) -> Mdl:
        """Links MDLs into one chain, and returns the first.

        >>> with Machine() as machine:
        ...     machine.chain(machine.mdl(4096), machine.mdl(100, offset=8)).chain_length
        4196
        """
        mdls = (first, *following)
        for place, mdl in enumerate(mdls):
            require_type(f"mdls[{place}]", mdl, Mdl)
        for mdl, after in zip(mdls, (*following, None), strict=True):
            mdl.following = after
        return first

    def device_read(self, address: int, length: int) -> bytes:
        """Reads [length] bytes at a logical address, as a bus master does.

        An access that no live mapping and no common buffer allows is a bug check.
        """
        core = self._core
        if core.halted:
            core.fail()
        require_number("address", address, 0, 2**64 - 1)
        out = ffi.new("char[]", require_number("length", length, 0, 2**40))
        status = lib.wdfdma_device_read(core.machine, address, out, length)
        if core.halted:
            core.fail()
        Status(status).check("wdfdma_device_read")
        return bytes(ffi.buffer(out, length))

    def device_write(self, address: int, data: Any) -> None:
        """Writes [data], anything with a buffer, to a logical address, as a bus master does."""
        core = self._core
        if core.halted:
            core.fail()
        require_number("address", address, 0, 2**64 - 1)
        source = get_bytes(data)
        status = lib.wdfdma_device_write(core.machine, address, source, len(source))
        if core.halted:
            core.fail()
        Status(status).check("wdfdma_device_write")

    # Time, IRQL, chance

    def _change(self, call: str, argument: int) -> None:
        core = self._core
        if core.halted:
            core.fail()
        status = getattr(lib, call)(core.machine, argument)
        if core.halted:
            core.fail()
        Status(status).check(call)

    def advance(self, nanoseconds: int) -> None:
        """Moves virtual time on."""
        self._change("wdfdma_machine_advance", require_number("nanoseconds", nanoseconds, 0, SIZE))

    def fail_allocation(self, n: int) -> None:
        """Makes the [n]-th allocation from now on fail, as if memory had run out; 0: none."""
        self._change("wdfdma_machine_fail_allocation", require_number("n", n, 0, SIZE))

    @contextmanager
    def irql(self, level: Irql | int | str) -> Iterator[None]:
        """Runs a block at another IRQL, and goes back to the one before.

        >>> with Machine() as machine, machine.irql(Irql.DISPATCH_LEVEL):
        ...     machine.state.irql
        2
        """
        number = int(require_member("level", level, Irql))
        before = self.state.irql
        self._change("wdfdma_machine_set_irql", number)
        try:
            yield
        finally:
            if not self._core.halted:
                self._change("wdfdma_machine_set_irql", before)

    def random(self) -> int:
        """The next number, of 64 bits, of the machine's seeded generator."""
        return int(lib.wdfdma_machine_random(self._core.get_machine()))

    # What can be seen, of a halted machine too

    @property
    def state(self) -> MachineState:
        """The machine's counters."""
        return MachineState(self._core)

    @property
    def pool(self) -> Pool:
        """The map registers, and who waits for them."""
        return Pool(self._core)

    @property
    def halted(self) -> bool:
        """Whether a bug check has halted the machine."""
        self._core.get_machine()
        return self._core.halted

    @property
    def bugcheck(self) -> BugCheck | None:
        """Why the machine halted, as the exception that its calls raise."""
        self._core.get_machine()
        return self._core.make_bugcheck() if self._core.halted else None

    def check(self) -> None:
        """Walks all invariants of the library. Errors: CheckError for the first that is broken."""
        failure = ffi.new("wdfdma_check_failure *")
        if not lib.wdfdma_machine_check(self._core.get_machine(), failure):
            invariant = read_string(failure.invariant)
            raise CheckError(invariant, failure.object, failure.expected, failure.actual)

    # Copies

    def snapshot(self) -> Snapshot:
        """Copies all that the machine is. Errors: StatusError inside a callback."""
        return Snapshot(self._core)

    def restore(self, snapshot: Snapshot) -> None:
        """Makes the machine what it was when [snapshot] was made, a halt included; any number of times.

        Objects made since are gone.
        Errors: StatusError inside a callback; ValueError for a snapshot of another machine; TypeError.
        """
        require_type("snapshot", snapshot, Snapshot).restore(self._core)

    # The end

    def close(self) -> None:
        """Ends the machine; twice is once. `leaks` tells what it held.

        Its memory goes with the last array over it, and the last exception of the bug check that halted it.
        Errors: StatusError inside a callback of this machine.
        """
        core = self._core
        if core.depth:
            raise StatusError(Status.STATUS_INVALID_DEVICE_STATE, "wdfdma_machine_destroy")
        if not core.closed:
            self._leaks = take_leaks(core)
            if core.halted and core.errors:
                keep_machine(core)
        core.closed = core.halted = True
        core.machine = None
        core.objects.clear()
        core.mdls.clear()

    def __enter__(self) -> "Machine":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        core = getattr(self, "_core", None)
        if core is None or core.closed:
            return "<Machine closed>"
        if core.halted:
            return f"<Machine halted: {core.make_bugcheck().summary}>"
        state = lib.wdfdma_machine_get_state(core.machine)
        return f"<Machine {state.free_registers} of {state.map_registers} registers free>"
