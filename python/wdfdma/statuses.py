"""What there is to say of the statuses that calls of this library return."""

from dataclasses import dataclass

from wdfdma._native import NULL, lib, read_string
from wdfdma.status import Status


@dataclass(frozen=True)
class StatusInfo:
    """A status in words, from the library's table. `calls` are those that return it."""

    status: Status
    name: str
    calls: str
    cause: str
    fix: str
    source: str


def get_status_info(status: Status | int) -> StatusInfo:
    """What there is to say of a status. Errors: KeyError where no call of this library returns it.

    >>> get_status_info(Status.STATUS_WDF_BUSY).calls
    'WdfDmaTransactionExecute on a packet enabler of version 2'
    """
    found = lib.wdfdma_status_get_info(int(Status(status)))
    if found == NULL:
        raise KeyError(f"no call returns {status!r}")
    return StatusInfo(
        status=Status(found.status),
        name=read_string(found.name),
        calls=read_string(found.calls),
        cause=read_string(found.cause),
        fix=read_string(found.fix),
        source=read_string(found.source),
    )


def list_statuses() -> list[StatusInfo]:
    """All statuses of the table, by their values: successes first."""
    known = sorted(Status, key=lambda status: int(status) & 0xFFFFFFFF)
    return [get_status_info(item) for item in known if lib.wdfdma_status_get_info(item) != NULL]
