"""What a machine says of things that are still held."""

from typing import TYPE_CHECKING, Any
from weakref import ref

from wdfdma._core import Core
from wdfdma._native import NULL, ffi, lib
from wdfdma.arguments import require_any
from wdfdma.device import Device
from wdfdma.enabler import DmaEnabler
from wdfdma.enums import Rule
from wdfdma.machine_rules import list_violations, name_lines
from wdfdma.rules import Violation, read_violation
from wdfdma.status import Status

if TYPE_CHECKING:
    from traceback import StackSummary

    from wdfdma.traces import Traces


class MachineLeaks:
    """The part of a `Machine` that is about leaks."""

    __slots__ = ()
    _core: Core
    _leaks: list[Violation]

    def check_leaks(self, below: Device | DmaEnabler | None = None) -> list[Violation]:
        """Reports what is still held, by the whole machine or below a device or an enabler, as violations.

        Returns all of it, each time; `violations` has each once. Their rules are NEVER_COMPLETED and LEAK_...; what the
        rules ignore is not reported. Without [below] also map registers that a device wrote to while nothing was mapped
        through them, each once, as DMA_0F_3. Nothing else changes. Deleting a device or an enabler reports the same
        before, but for registers, and for common buffers, which go with their enabler.
        Errors: StatusError where [below] is deleted or of another machine; BugCheck where a rule stops the machine.

        >>> from wdfdma import Machine
        >>> with Machine() as machine:
        ...     transaction = machine.device().enabler().transaction()
        ...     _ = transaction.initialize(machine.mdl(4096), program_dma=lambda *transfer: None)
        ...     machine.check_leaks()
        [violation: LeakTransaction, transaction 0, step 3]
        """
        core = self._core
        if core.halted:
            core.fail()
        count = ffi.new("size_t *")
        lib.wdfdma_machine_get_violations(core.machine, count)
        known = count[0]
        root = NULL
        if below is not None:
            root = require_any("below", below, Device, DmaEnabler)._handle
        status = lib.wdfdma_machine_check_leaks(core.machine, root, count)
        if core.halted:
            core.fail()
        Status(status).check("wdfdma_machine_check_leaks")
        new = list_violations(core, known)
        return new if len(new) == count[0] else _list_leaks(core, root, new)

    @property
    def leaks(self) -> list[Violation]:
        """What was still held when `close` ended the machine; empty before, and where a bug check had halted it.

        >>> from wdfdma import Machine
        >>> with Machine() as machine:
        ...     _ = machine.device().enabler().common_buffer(4096)
        >>> machine.leaks
        [violation: LeakCommonBuffer, common_buffer 0, step 2]
        """
        return list(self._leaks)

    def get_trace(self, violation: Violation) -> "StackSummary | None":
        """Where the object concerned was made; if that is none of Python's, the first that a parameter names.

        None without `Machine(trace=True)`, or where no object that Python made is concerned. Works on a closed machine.
        The last of its lines is `made_at` of the violation.

        >>> from wdfdma import Machine
        >>> with Machine(trace=True) as machine:
        ...     _ = machine.device().enabler().common_buffer(4096)
        >>> machine.get_trace(machine.leaks[0])[-1].lineno
        2
        """
        traces = self._core.traces
        return None if traces is None else traces.find(violation.handle, *violation.parameters[1:])


def _list_leaks(core: Core, root: Any, new: list[Violation]) -> list[Violation]:
    """All that is still held, told before or not, and of what is [new] the registers, which are told once."""
    count = ffi.new("size_t *")
    lib.wdfdma_machine_list_leaks(core.machine, root, NULL, 0, count)
    records = ffi.new("wdfdma_violation[]", count[0])
    lib.wdfdma_machine_list_leaks(core.machine, root, records, count[0], count)
    listed = [read_violation(record, ref(core)) for record in records]
    return name_lines(core, listed) + [item for item in new if item.rule == Rule.DMA_0F_3]


def take_leaks(core: Core) -> list[Violation]:
    """What a machine that is about to end still holds. A rule that stops is collected here: nothing is raised."""
    if core.halted:
        return []
    machine: Any = core.machine
    lib.wdfdma_machine_take_leaks(machine, ffi.new("size_t *"))
    return list_violations(core)


def make_traces() -> "Traces":
    """What keeps where objects are made; most who import this package do not need it."""
    from wdfdma.traces import Traces

    return Traces()
