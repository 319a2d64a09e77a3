"""NTSTATUS values."""

from typing import Any

from wdfdma._native import lib
from wdfdma.enums import Constant


class StatusError(Exception):
    """A call answered with an error; `status` says which.

    >>> str(StatusError(Status.STATUS_INVALID_PARAMETER, "WdfDmaEnablerCreate"))
    'WdfDmaEnablerCreate: STATUS_INVALID_PARAMETER (0xC000000D)'
    """

    def __init__(self, status: "Status", call: str = "") -> None:
        self.status = status
        self.call = call
        where = f"{call}: " if call else ""
        super().__init__(f"{where}{status.name} (0x{status & 0xFFFFFFFF:08X})")

    def __reduce__(self) -> Any:
        return type(self), (self.status, self.call)


class Status(
    Constant,
    members={name: getattr(lib, name) for name in sorted(dir(lib)) if name.startswith("STATUS_")},
):
    """What a DDI returns; equal to the NTSTATUS, a signed number of 32 bits.

    >>> Status.STATUS_WDF_BUSY.is_success, Status(0xC000000D)
    (False, <Status.STATUS_INVALID_PARAMETER: 0xC000000D>)
    """

    @property
    def is_success(self) -> bool:
        """What NT_SUCCESS says: true for successes and for information."""
        return int(self) >= 0

    def check(self, call: str = "") -> "Status":
        """Returns the status itself; raises StatusError for an error or a warning.

        >>> Status.STATUS_PENDING.check()
        <Status.STATUS_PENDING: 0x00000103>
        """
        if int(self) < 0:
            raise StatusError(self, call)
        return self

    @classmethod
    def _missing_(cls, value: object) -> "Status | None":
        if not isinstance(value, int) or not -(2**31) <= value < 2**32:
            return None
        signed = value - 2**32 if value >= 2**31 else value
        known = cls._value2member_map_.get(signed)
        if isinstance(known, cls):
            return known
        member = int.__new__(cls, signed)
        member._name_ = f"0x{value & 0xFFFFFFFF:08X}"
        member._value_ = signed
        return member

    def __repr__(self) -> str:
        return f"<Status.{self.name}: 0x{self & 0xFFFFFFFF:08X}>"


SUCCESS: Status = Status.STATUS_SUCCESS
