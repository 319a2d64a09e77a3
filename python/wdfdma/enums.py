"""Enumerations, with the names and the values of the compiled headers."""

import re
from collections.abc import Mapping
from enum import EnumMeta, IntEnum
from typing import TYPE_CHECKING, Any, TypeVar

from wdfdma._native import ffi, lib

_T = TypeVar("_T")


def _to_member_name(name: str) -> str:
    if name.isupper():
        return name
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()


def _read_type(type_name: str, prefix: str) -> dict[str, int]:
    """The enumerators of a C enumeration by their names in Python, without its counts."""
    elements: dict[int, str] = ffi.typeof(type_name).elements
    names = {value: _to_member_name(name.removeprefix(prefix)) for value, name in elements.items()}
    return {name: value for value, name in sorted(names.items()) if not name.endswith("COUNT")}


def _read_directions() -> dict[str, int]:
    full = _read_type("WDF_DMA_DIRECTION", "WdfDmaDirection")
    return {name.partition("_")[0]: value for name, value in full.items()} | full


def _read_irqls() -> dict[str, int]:
    names = [name for name in dir(lib) if re.fullmatch(r"[A-Z]+_LEVEL", name)]
    return {
        name: getattr(lib, name) for name in sorted(names, key=lambda name: name != "PASSIVE_LEVEL")
    }


class _FromHeader(EnumMeta):
    """Fills an enumeration with the [members] given in its class statement."""

    @classmethod
    def __prepare__(  # type: ignore[override]
        metacls, name: str, bases: tuple[type, ...], members: Mapping[str, int] | None = None
    ) -> Any:
        namespace = super().__prepare__(name, bases)
        for key, value in (members or {}).items():
            namespace[key] = value
        return namespace

    def __new__(
        metacls,
        name: str,
        bases: tuple[type, ...],
        namespace: Any,
        members: Mapping[str, int] | None = None,
    ) -> Any:
        return super().__new__(metacls, name, bases, namespace)

    def __init__(cls, *arguments: Any, **_keywords: Any) -> None:
        super().__init__(*arguments)

    if TYPE_CHECKING:

        def __getattr__(cls: type[_T], name: str) -> _T: ...


class Constant(IntEnum, metaclass=_FromHeader):
    """A number with a name; a number that the headers do not name is kept as it is.

    >>> Direction(1), Direction.WRITE.label
    (<Direction.WRITE: 1>, 'write')
    """

    @property
    def label(self) -> str:
        """The name in a scenario."""
        return self.name.lower()

    @classmethod
    def _missing_(cls, value: object) -> "Constant | None":
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"0x{value & 0xFFFFFFFFFFFFFFFF:X}"
        member._value_ = value
        return member

    def __str__(self) -> str:
        return self.name

    def __format__(self, form: str) -> str:
        return format(int(self), form) if form else self.name


class Op(Constant, members=_read_type("wdfdma_op", "WDFDMA_OP_")):
    """What a driver or the control plane may call."""


class Argument(Constant, members=_read_type("wdfdma_argument", "WDFDMA_ARGUMENT_")):
    """What a scripted driver may hand over instead of the right argument."""


class Event(Constant, members=_read_type("wdfdma_event", "WDFDMA_EVENT_")):
    """The callbacks of a transaction."""


class TransactionState(Constant, members=_read_type("wdfdma_transaction_state", "WDFDMA_STATE_")):
    """The states of a transaction."""


class Waiting(Constant, members=_read_type("wdfdma_waiting", "WDFDMA_WAITING_")):
    """Where a transaction's request for map registers is."""


class ObjectType(Constant, members=_read_type("wdfdma_object_type", "WDFDMA_OBJECT_")):
    """The kinds of objects that a record names."""


class BugCheckCode(Constant, members=_read_type("wdfdma_bugcheck_code", "WDFDMA_BUGCHECK_")):
    """The codes with which a machine halts."""


class WdfViolation(Constant, members=_read_type("wdfdma_wdf_violation", "WDFDMA_WDF_")):
    """Parameter 1 of WDF_VIOLATION."""


class Rule(Constant, members=_read_type("wdfdma_rule", "WDFDMA_RULE_")):
    """The rules of the verifier; `get_rule_info` says what each is about."""


class Severity(Constant, members=_read_type("wdfdma_severity", "WDFDMA_SEVERITY_")):
    """How bad it is to break a rule."""


class RuleMode(Constant, members=_read_type("wdfdma_rule_mode", "WDFDMA_MODE_")):
    """What a machine does where a rule is broken."""


class RuleEnding(Constant, members=_read_type("wdfdma_rule_ending", "WDFDMA_ENDING_")):
    """What may follow a broken rule."""


class RecordKind(Constant, members=_read_type("wdfdma_record_kind", "WDFDMA_RECORD_")):
    """The kinds of log records."""


class Profile(Constant, members=_read_type("WDF_DMA_PROFILE", "WdfDmaProfile")):
    """What a device can do; the profile of an enabler."""


class Direction(Constant, members=_read_directions()):
    """Where a transaction's bytes go: READ is from the device, WRITE is to it."""


class CompletionStatus(Constant, members=_read_type("DMA_COMPLETION_STATUS", "Dma")):
    """How a transfer of the system's DMA controller ended."""


class AllocationAction(Constant, members=_read_type("IO_ALLOCATION_ACTION", "")):
    """What a WDM driver's AdapterControl routine returns."""


class DmaWidth(Constant, members=_read_type("DMA_WIDTH", "")):
    """The width of a device's port."""


class RequestType(Constant, members=_read_type("WDF_REQUEST_TYPE", "WdfRequestType")):
    """What a request asks for."""


class PowerState(Constant, members=_read_type("WDF_POWER_DEVICE_STATE", "WdfPowerDevice")):
    """The power states of a device."""


class Irql(Constant, members=_read_irqls()):
    """Interrupt request levels."""
