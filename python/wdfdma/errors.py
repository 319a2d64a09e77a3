"""What is raised."""

from typing import Any

from wdfdma._native import lib
from wdfdma.circumstances import Frame, Moment, NamedObject, ObjectState, read_circumstances
from wdfdma.enums import BugCheckCode, ObjectType, Op, Rule, TransactionState, WdfViolation


class ClosedError(ValueError):
    """The machine has been closed."""

    def __init__(self, message: str = "the machine is closed") -> None:
        super().__init__(message)


class CheckError(Exception):
    """An invariant of the machine does not hold, which is an error of this library.

    [invariant] says it in a sentence; [label] is the label of the object concerned or the number of a register.
    """

    def __init__(self, invariant: str, label: int, expected: int, actual: int) -> None:
        self.invariant = invariant
        self.label = label
        self.expected = expected
        self.actual = actual
        super().__init__(f"{invariant}: {label} has {actual}, expected {expected}")

    def __reduce__(self) -> Any:
        return type(self), (self.invariant, self.label, self.expected, self.actual)


class BugCheck(Exception):
    """The machine has halted.

    `code` and `parameters` are Windows' own, or ours where the `rule` is; handles are given as numbers. `op` is the
    innermost call in progress, `routine` the WDK's name of it where that op is ADAPTER_CALL, which stands for many;
    `frames` are the callbacks around it, the innermost first (of `depth`, the innermost 8). `object_type`, `label` and
    `handle` name the object concerned, made in step `created_step`; `state` is how it stood (None: no object), `moment`
    how the machine did; `others` are at most two objects concerned beside it. `summary` is one
    line, and so is `repr` of it; `str` is the whole page, as `report` makes it.
    """

    # A weak reference to what the machine's objects share, and what paging/keeping.py keeps of it; not pickled.
    _core: Any = None
    _kept: Any = None

    def __init__(
        self,
        code: int,
        parameters: tuple[int, ...] = (0, 0, 0, 0),
        *,
        rule: int = 0,
        op: int = 0,
        routine: str = "",
        step: int = 0,
        time_ns: int = 0,
        depth: int = 0,
        object_type: int = 0,
        label: int = 0,
        handle: int = 0,
        created_step: int = 0,
        state: ObjectState | None = None,
        moment: Moment | None = None,
        frames: tuple[Frame, ...] = (),
        others: tuple[NamedObject, ...] = (),
    ) -> None:
        self.code = BugCheckCode(code)
        self.parameters = parameters
        self.rule = Rule(rule)
        self.op = Op(op)
        self.routine = routine
        self.step = step
        self.time_ns = time_ns
        self.depth = depth
        self.object_type = ObjectType(object_type)
        self.label = label
        self.handle = handle
        self.created_step = created_step
        self.state = state
        self.moment = moment or Moment()
        self.frames = frames
        self.others = others
        super().__init__(self.summary)

    @property
    def summary(self) -> str:
        """What happened, in one line.

        >>> BugCheck(0x10D, (8, 7, 4, 0), op=Op.RELEASE, step=3, object_type=ObjectType.TRANSACTION).summary
        'WDF_VIOLATION (0x10D): DMA_FATAL_ERROR, transaction 0, transfer; in release, step 3'
        """
        parts = []
        if self.code == BugCheckCode.WDF_VIOLATION:
            parts.append(WdfViolation(self.parameters[0]).name)
        elif self.code == BugCheckCode.WDFDMA_VIOLATION and self.rule:
            parts.append(self.rule.label)
        else:
            parts.append(", ".join(f"0x{parameter:X}" for parameter in self.parameters))
        if self.object_type:
            parts.append(f"{self.object_type.label} {self.label}")
        if (self.code, parts[0]) == (BugCheckCode.WDF_VIOLATION, "DMA_FATAL_ERROR"):
            parts.append(TransactionState(self.parameters[2]).label)
        parts += map(str, self.others)
        number = "" if self.code.name.startswith("0x") else f" (0x{self.code:X})"
        during = f"; in {self.routine or self.op.label}" if self.op else ""
        return f"{self.code.name}{number}: {', '.join(parts)}{during}, step {self.step}"

    def report(self, *, scenario: str | None = None) -> str:
        """A page: what happened, the log, the pool, the cause and the fix, and how to see it again.

        Log and pool are there while the machine is halted by this bug check, and of one that was closed so. The page
        is made when it is asked for. [scenario] is the file that led to it, if there is one.

        >>> print(BugCheck(0x10D, (8, 7, 4, 0), rule=Rule.WDF_DMA_FATAL_ERROR).report().splitlines()[2])
        What happened
        """
        from wdfdma.paging.page import describe_bugcheck

        return describe_bugcheck(self, scenario)

    def __str__(self) -> str:
        return self.report()

    def __repr__(self) -> str:
        return self.summary

    def __reduce__(self) -> Any:
        values = {name: int(getattr(self, name)) for name in _NUMBERS}
        values |= {name: getattr(self, name) for name in _VALUES}
        return _make_bugcheck, (int(self.code), self.parameters, values)


def read_bugcheck(machine: Any) -> BugCheck:
    """Copies why a machine of C's halted, which it has."""
    record = lib.wdfdma_machine_get_bugcheck(machine)
    return BugCheck(
        record.code, tuple(record.parameters), rule=record.rule, **read_circumstances(record)
    )


_NUMBERS = (
    *("rule", "op", "step", "time_ns", "depth"),
    *("object_type", "label", "handle", "created_step"),
)


_VALUES = ("routine", "state", "moment", "frames", "others")


def _make_bugcheck(code: int, parameters: tuple[int, ...], values: dict[str, Any]) -> BugCheck:
    return BugCheck(code, parameters, **values)
