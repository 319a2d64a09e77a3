"""What all transactions have in common: their states, and the calls that ask for one.

A kind of transaction adds how a transfer starts, how the next one is staged, how a mapping ends
and how resources go back.
"""

from __future__ import annotations

from typing import Any, Protocol

from .enabler import Enabler
from .hal import Chain, pages, transfer_info
from .pool import SUCCESS, Adapter, Pool, Undefined

INVALID_PARAMETER = "STATUS_INVALID_PARAMETER"
INVALID_DEVICE_REQUEST = "STATUS_INVALID_DEVICE_REQUEST"
BUFFER_TOO_SMALL = "STATUS_BUFFER_TOO_SMALL"
CANCELLED = "STATUS_CANCELLED"
BUSY = "STATUS_WDF_BUSY"
TOO_FRAGMENTED = "STATUS_WDF_TOO_FRAGMENTED"
TOO_MANY_TRANSFERS = "STATUS_WDF_TOO_MANY_TRANSFERS"
NOT_ENOUGH_MAP_REGISTERS = "STATUS_WDF_NOT_ENOUGH_MAP_REGISTERS"
MORE_PROCESSING_REQUIRED = "STATUS_MORE_PROCESSING_REQUIRED"


class BugCheck(Exception):
    """The machine stops: what a transaction was asked for does not suit its state."""

    def __init__(self, number: int, state: str) -> None:
        super().__init__(f"transaction {number} is {state}")
        self.parameters = [8, f"transaction {number}", state]


class World(Protocol):
    """What a transaction sees of the machine it lives in."""

    pool: Pool
    verifier: bool
    device_owner: object | None

    def fire(self, number: int, event: str, fields: dict[str, Any]) -> bool:
        """Calls the driver back and returns its answer."""

    def report_break(self) -> None:
        """The framework's verifier reports an error; the call goes on."""

    def waits(self, owner: object) -> bool:
        """Whether a request of [owner] stands in a queue."""


class Transaction:
    """One transaction; [fragment] is the current transfer's length, [remaining] what follows it.

    [life] counts how often it was reset: what was asked for in an earlier life comes too late.
    [mapped] is where in its chain the last transfer programmed lies, and [bounces] how it goes.
    """

    def __init__(self, world: World, number: int, enabler: Enabler) -> None:
        self.world = world
        self.number = number
        self.enabler = enabler
        self.state = "created"
        self.deleted = False
        self.adapter: Adapter | None = None
        self.direction, self.reserved = "read", 0
        self.life = 0
        self.bounces: bool | None = None
        self.mapped = (0, 0)
        self.reset()

    def reset(self) -> None:
        self.life += 1
        self.chain: Chain | None = None
        self.start = self.length = self.remaining = 0
        self.transferred = self.fragment = self.maximum_fragment = 0
        self.immediate = False
        self.single = self.enabler.single_transfer

    # What each kind does in its own way.

    def prepare(self) -> str:
        """The last part of Initialize."""
        raise NotImplementedError

    def start_transfer(self) -> str:
        raise NotImplementedError

    def stage(self) -> str:
        raise NotImplementedError

    def end_mapping(self) -> None:
        raise NotImplementedError

    def give_back(self, force: bool) -> None:
        raise NotImplementedError

    # Checks.

    @property
    def version3(self) -> bool:
        return self.enabler.version == 3

    def require(self, *states: str) -> None:
        if self.state not in states:
            self.bugcheck()

    def bugcheck(self) -> None:
        raise BugCheck(self.number, self.state)

    def only_version3(self) -> bool:
        if not self.version3:
            self.world.report_break()
        return self.version3

    def own_adapter(self, what: str) -> Adapter:
        if self.adapter is None:
            raise Undefined(f"{what} with no adapter")
        return self.adapter

    def own_chain(self) -> Chain:
        if self.chain is None:
            raise Undefined("a grant or a transfer without a buffer")
        return self.chain

    def fire(self, event: str, **fields: Any) -> bool:
        return self.world.fire(self.number, event, fields)

    # The calls.

    def initialize(self, chain: Chain, offset: int, length: int, direction: str) -> str:
        first = chain[0].length
        single_mdl = self.enabler.kind == "packet" and not self.version3
        if length == 0 or offset >= first or (single_mdl and offset + length > first):
            return INVALID_PARAMETER
        self.require("created", "reserved", "released")
        self.adapter = self.enabler.adapters[direction]
        self.direction = direction
        self.chain, self.start = chain, offset
        self.length = self.remaining = length
        self.maximum_fragment = self.enabler.fragment_length(direction)
        status = self.check_single_transfer() if self.single else SUCCESS
        if status == SUCCESS:
            status = self.prepare()
        if status == SUCCESS:
            self.state = "initialized"
        else:
            self.release()
        return status

    def check_single_transfer(self) -> str:
        adapter = self.own_adapter("Initialize")
        self.maximum_fragment = self.enabler.maximum_length
        if self.length > self.maximum_fragment:
            return TOO_MANY_TRANSFERS
        info = transfer_info(adapter, self.own_chain(), self.start, self.length)
        if info is None:
            return BUFFER_TOO_SMALL
        registers, count = info
        if registers > (self.reserved or adapter.map_registers):
            return NOT_ENOUGH_MAP_REGISTERS
        limit = 1 if self.enabler.kind == "packet" else self.enabler.maximum_elements
        return TOO_FRAGMENTED if count > limit else SUCCESS

    def execute(self) -> str:
        self.require("initialized")
        if self.fragment:
            raise Undefined("executed while a transfer that nobody executed is programmed")
        self.state = "transfer"
        status = self.start_transfer()
        if status != SUCCESS:
            self.state = "transfer_failed"
        return status

    def allocate_resources(self, direction: str, count: int) -> str:
        self.world.report_break()
        return INVALID_DEVICE_REQUEST

    def free_resources(self) -> None:
        self.world.report_break()

    def set_immediate_execution(self, value: bool) -> None:
        if not self.only_version3():
            return
        if self.state not in ("created", "initialized", "released"):
            self.world.report_break()
        self.immediate = value

    def set_single_transfer_requirement(self, value: bool) -> None:
        if not self.only_version3():
            return
        if self.state not in ("created", "released", "reserved"):
            self.world.report_break()
            return
        self.single = value

    def set_maximum_length(self, length: int) -> None:
        self.own_adapter("SetMaximumLength")
        if length < self.enabler.fragment_length(self.direction):
            self.maximum_fragment = length

    def get_transfer_info(self) -> tuple[int, int]:
        self.require("initialized")
        chain = self.own_chain()
        if self.version3:
            adapter = self.own_adapter("GetTransferInfo")
            return transfer_info(adapter, chain, self.start, self.length) or (0, 0)
        total = self.version2_registers(chain)
        return total, total

    def version2_registers(self, chain: Chain) -> int:
        """A count that takes the start offset off every MDL, not only off the first."""
        offset, left, total = self.start, self.length, 0
        for mdl in chain:
            if left <= 0:
                break
            if mdl.length <= offset:
                offset -= mdl.length
                continue
            length = min(mdl.length - offset, left)
            total += pages(mdl.offset + offset, length)
            left -= length
        return total

    def get_bytes_transferred(self) -> int:
        return self.transferred

    def get_current_dma_transfer_length(self) -> int:
        return self.fragment

    def dma_completed(self) -> tuple[bool, str]:
        self.require("transfer")
        return self.complete(self.fragment)

    def dma_completed_with_length(self, length: int) -> tuple[bool, str]:
        self.require("transfer")
        return self.complete(length)

    def dma_completed_final(self, length: int) -> tuple[bool, str]:
        self.require("transfer")
        return self.complete(length, final=True)

    def complete(self, length: int, final: bool = False) -> tuple[bool, str]:
        if length > self.fragment:
            self.world.report_break()
            return self.finish(INVALID_PARAMETER)
        self.transferred += length
        self.remaining += self.fragment - length
        self.fragment = length
        if self.transferred > self.length:
            raise Undefined("more bytes completed than the transaction has")
        self.end_mapping()
        if self.single and self.remaining:
            return self.finish(TOO_MANY_TRANSFERS)
        if final or not self.remaining:
            return self.finish(SUCCESS)
        status = self.stage()
        if status == SUCCESS:
            return False, MORE_PROCESSING_REQUIRED
        return self.finish(status)

    def finish(self, status: str) -> tuple[bool, str]:
        self.state = "transfer_completed" if status == SUCCESS else "transfer_failed"
        self.give_back(force=False)
        self.fragment = 0
        return True, status

    def release(self) -> str:
        if self.state == "released":
            return SUCCESS
        if self.state == "transfer" and self.world.verifier:
            self.bugcheck()
        self.state = "released"
        self.give_back(force=False)
        self.reset()
        return SUCCESS

    def cancel(self) -> bool:
        if not self.only_version3():
            return False
        if self.state in ("created", "released"):
            self.bugcheck()
        if not self.world.pool.cancel(self.own_adapter("Cancel"), self):
            return False
        self.state = "transfer_failed"
        return True

    def stop_system_transfer(self) -> None:
        self.world.report_break()

    def set_device_address_offset(self, offset: int) -> None:
        self.world.report_break()

    def set_callback(self, event: str, value: bool) -> None:
        self.world.report_break()

    def delete(self) -> None:
        if self.state == "transfer" and self.world.verifier:
            self.bugcheck()
        self.give_back(force=True)
        self.deleted = True
