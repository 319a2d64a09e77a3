"""The driver's side of a transaction: its number in the scenario, and how it stands."""

from typing import TYPE_CHECKING, Any

from wdfdma._callbacks import Element
from wdfdma._native import ffi, lib
from wdfdma.enums import Direction, TransactionState, Waiting

if TYPE_CHECKING:
    from wdfdma.enabler import EnablerInfo
    from wdfdma.request import Request
    from wdfdma.transaction import DmaTransaction

_get_info = lib.wdfdma_transaction_get_info

CREATED = int(TransactionState.CREATED)
RESERVED = int(TransactionState.RESERVED)
INITIALIZED = int(TransactionState.INITIALIZED)
TRANSFER = int(TransactionState.TRANSFER)
RELEASED = int(TransactionState.RELEASED)
OVER = (int(TransactionState.TRANSFER_COMPLETED), int(TransactionState.TRANSFER_FAILED))
_NOT_WAITING = int(Waiting.NOT)
_IDLE = (CREATED, RELEASED)
_BEFORE_INITIALIZE = (*_IDLE, RESERVED)
_BEFORE_RELEASE = (INITIALIZED, RESERVED, *OVER)
_BEFORE_CANCEL = (INITIALIZED, RESERVED, TRANSFER)


class Actor:
    """A transaction as the driver of a scenario has it: what the bundles of `DmaStateMachine` hold.

    `number` is its number in the scenario, `transaction` the object of the machine, which a step may have deleted
    since, or never made (`is_live`). How it stands after the last step: its `state`, a TransactionState; whether its
    request for map registers, or for its channel, waits (`is_waiting`); whether it has what AllocateResources asked for
    (`holds_reservation`), or its waiting reservation was cancelled, after which it can only be deleted (`is_spoiled`);
    `info`, all that a debugger would show. `elements` are what EvtProgramDma was called with last, `request` what it
    was initialized with.
    """

    __slots__ = (
        "controller_runs",
        "elements",
        "enabler",
        "has_completion_callback",
        "holds_reservation",
        "info",
        "is_list",
        "is_live",
        "is_spoiled",
        "is_system",
        "is_waiting",
        "most_registers",
        "number",
        "programmed",
        "references",
        "request",
        "state",
        "transaction",
        "version3",
    )

    def __init__(self, number: int, enabler: int) -> None:
        self.number = number
        self.enabler = enabler
        self.transaction: Any = None
        self.is_live = False
        self.is_system = self.is_list = self.version3 = False
        self.most_registers = 0
        self.elements: list[Element] = []
        self.programmed = False  # since the last transfer was asked for
        self.controller_runs = False  # the system's, for this transaction
        self.has_completion_callback = False
        self.references = 0
        self.request: Request | None = None
        self.info: Any = ffi.new("wdfdma_transaction_info *")
        self.state = 0
        self.is_waiting = self.holds_reservation = self.is_spoiled = False

    def begin(self, transaction: "DmaTransaction", settings: "EnablerInfo") -> None:
        """Takes the transaction that the step `create` made, of an enabler with these [settings]."""
        profile = settings.profile.label
        self.transaction = transaction
        self.is_live = True
        self.is_system = profile.startswith("system")
        self.is_list = profile.startswith("scatter_gather")
        self.version3 = settings.version == 3
        self.most_registers = settings.map_registers
        self.refresh()

    def refresh(self) -> None:
        """Asks the machine how the transaction stands now."""
        info = self.info
        if not self.is_live:
            return
        if _get_info(self.transaction._handle, info):
            self.is_live = False
            return
        self.state = info.state
        self.is_waiting = info.waiting != _NOT_WAITING
        reserved, holds = info.reserved, info.holds_base
        self.holds_reservation = bool(reserved and holds)
        self.is_spoiled = bool(reserved and not holds and not self.is_waiting)

    @property
    def has_context(self) -> bool:
        """Whether the framework tells its transfer context: version 3, initialized or reserved, or further."""
        return self.version3 and self.state not in _IDLE

    @property
    def direction(self) -> str:
        """Where its bytes go, as a scenario says it."""
        return Direction(self.info.direction).label

    def __repr__(self) -> str:
        """As the notes of a failure name it."""
        return f"transaction {self.number}"


# What a correct driver may do with a transaction as it stands.


def may_initialize(actor: Actor) -> bool:
    """Initialize: it is idle, or its reservation is there."""
    return (
        actor.is_live
        and actor.state in _BEFORE_INITIALIZE
        and not actor.is_waiting
        and not actor.is_spoiled
    )


def may_execute(actor: Actor) -> bool:
    """Execute: it is initialized."""
    return actor.is_live and actor.state == INITIALIZED


def may_complete(actor: Actor) -> bool:
    """DmaCompleted: its device was programmed, the controller has finished, nothing is waited for."""
    return (
        actor.programmed
        and not actor.controller_runs
        and actor.is_live
        and actor.state == TRANSFER
        and not actor.is_waiting
    )


def may_access(actor: Actor) -> bool:
    """The device reads or writes: a bus master was programmed, and its transfer is not completed."""
    return not actor.is_system and bool(actor.elements) and may_complete(actor)


def may_stop(actor: Actor) -> bool:
    """StopSystemTransfer: the controller runs."""
    return actor.controller_runs and actor.is_live and actor.state == TRANSFER


def may_reserve(actor: Actor) -> bool:
    """AllocateResources: version 3, no list, idle, and nothing is reserved."""
    return (
        actor.is_live
        and actor.state in _IDLE
        and actor.version3
        and not actor.is_list
        and not actor.info.reserved
    )


def may_free(actor: Actor) -> bool:
    """FreeResources: the reservation is there and no transfer runs."""
    return (
        actor.is_live
        and actor.holds_reservation
        and not actor.is_waiting
        and actor.state not in (CREATED, TRANSFER)
    )


def may_release(actor: Actor) -> bool:
    """Release: initialized, reserved and granted, or over."""
    return (
        actor.is_live
        and actor.state in _BEFORE_RELEASE
        and not actor.is_waiting
        and not actor.is_spoiled
    )


def may_cancel(actor: Actor) -> bool:
    """Cancel: version 3, initialized, reserved or in transfer."""
    return actor.is_live and actor.version3 and actor.state in _BEFORE_CANCEL


def may_delete(actor: Actor) -> bool:
    """Delete: no transfer runs, nothing is waited for, and nobody has a reference."""
    return (
        actor.is_live and actor.state != TRANSFER and not actor.is_waiting and not actor.references
    )


def may_go(actor: Actor) -> bool:
    """Its enabler, or its device, may end: it is released, or was never used, and nobody has a reference."""
    return may_delete(actor) and actor.state in _IDLE and not actor.info.reserved


def is_idle(actor: Actor) -> bool:
    """Created or released, with nothing asked for."""
    return actor.is_live and actor.state in _IDLE and not actor.is_spoiled


def is_live(actor: Actor) -> bool:
    """Not deleted."""
    return actor.is_live
