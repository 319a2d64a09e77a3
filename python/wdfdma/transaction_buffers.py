"""What a transaction is initialized with: a chain of MDLs, a part of one, or a request."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wdfdma._callbacks import Element
from wdfdma._native import NULL, lib
from wdfdma.arguments import (
    SIZE,
    require_callable,
    require_direction,
    require_number,
    require_type,
)
from wdfdma.enums import Direction
from wdfdma.status import SUCCESS, Status
from wdfdma.transaction_calls import TransactionCalls

if TYPE_CHECKING:
    from wdfdma.mdl import Mdl
    from wdfdma.request import Request

_initialize = lib.WdfDmaTransactionInitialize
_initialize_using_offset = lib.WdfDmaTransactionInitializeUsingOffset
_initialize_using_request = lib.WdfDmaTransactionInitializeUsingRequest
_program_routine = lib.wdfdma_python_program_dma

_FARTHEST = 2**47  # what an address has room for

ProgramDma = Callable[[Any, Direction, list[Element]], object]


class TransactionBuffers(TransactionCalls):
    """The ways in which a transaction gets its buffer. What C does not take is looked at once more, to say why."""

    __slots__ = ("_program_dma",)

    _program_dma: ProgramDma | None

    def _keep_program_dma(self, program_dma: ProgramDma | None) -> Any:
        """Keeps [program_dma] for its calls; returns what C calls for it. Errors: TypeError."""
        require_callable("program_dma", program_dma)
        self._program_dma = program_dma
        return NULL if program_dma is None else _program_routine

    def initialize(
        self,
        mdl: "Mdl | None",
        *,
        offset: int = 0,
        length: int | None = None,
        direction: Direction | int | str = Direction.READ,
        program_dma: ProgramDma | None = None,
    ) -> Status:
        """Gives the transaction [length] bytes of a chain, from [offset] in its first MDL on; None is all of it.

        [program_dma] gets the transaction, the direction and a list of elements, each an address and a length in bytes.
        [direction] may be a name, "read" or "write", here as in every call. Errors: TypeError, ValueError.
        Source: WdfDmaTransactionInitialize function (wdfdmatransaction.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        routine = self._keep_program_dma(program_dma)
        try:
            if mdl is None:
                status = _initialize(self._handle, routine, direction, NULL, NULL, length or 0)
            else:
                bytes_left = mdl.chain_length - offset if length is None else length
                start = mdl._address + offset if offset else mdl._address
                status = _initialize(self._handle, routine, direction, mdl._mdl, start, bytes_left)
        except (AttributeError, OverflowError, TypeError):
            range_ = _fit_range(mdl, offset, length)
            status = _initialize(self._handle, routine, require_direction(direction), *range_)
        if core.halted:
            core.fail()
        return Status(status) if status else SUCCESS

    def initialize_using_offset(
        self,
        mdl: "Mdl | None",
        *,
        offset: int = 0,
        length: int,
        direction: Direction | int | str = Direction.READ,
        program_dma: ProgramDma | None = None,
    ) -> Status:
        """As initialize, all numbers handed on as they are.

        Source: WdfDmaTransactionInitializeUsingOffset function (wdfdmatransaction.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        routine = self._keep_program_dma(program_dma)
        try:
            chain = NULL if mdl is None else mdl._mdl
            status = _initialize_using_offset(
                self._handle, routine, direction, chain, offset, length
            )
        except (AttributeError, OverflowError, TypeError):
            chain = NULL if mdl is None else _require_mdl(mdl)._mdl
            first = require_number("offset", offset, 0, SIZE)
            count = require_number("length", length, 0, SIZE)
            way = require_direction(direction)
            status = _initialize_using_offset(self._handle, routine, way, chain, first, count)
        if core.halted:
            core.fail()
        return Status(status) if status else SUCCESS

    def initialize_using_request(
        self,
        request: "Request | None",
        *,
        direction: Direction | int | str = Direction.READ,
        program_dma: ProgramDma | None = None,
    ) -> Status:
        """Gives the transaction the buffer of a request, which must not be completed while the transaction runs.

        Source: WdfDmaTransactionInitializeUsingRequest function (wdfdmatransaction.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        routine = self._keep_program_dma(program_dma)
        try:
            handle = NULL if request is None else request._handle
            status = _initialize_using_request(self._handle, handle, routine, direction)
        except (AttributeError, OverflowError, TypeError):
            handle = NULL if request is None else _require_request(request)._handle
            way = require_direction(direction)
            status = _initialize_using_request(self._handle, handle, routine, way)
        if core.halted:
            core.fail()
        return Status(status) if status else SUCCESS


def _require_mdl(mdl: object) -> "Mdl":
    """[mdl], which must be one. Errors: TypeError."""
    from wdfdma.mdl import Mdl

    return require_type("mdl", mdl, Mdl)


def _require_request(request: object) -> "Request":
    """[request], which must be one. Errors: TypeError."""
    from wdfdma.request import Request

    return require_type("request", request, Request)


def _fit_range(mdl: object, offset: int, length: int | None) -> tuple[Any, Any, int]:
    """The chain, the address and the bytes that C wants. Errors: TypeError, ValueError."""
    first = require_number("offset", offset, -_FARTHEST, _FARTHEST)
    count = 0 if length is None else require_number("length", length, 0, SIZE)
    if mdl is None:
        return NULL, NULL, count
    chain = _require_mdl(mdl)
    if length is None:
        count = chain.chain_length - require_number("offset", offset, 0, chain.chain_length)
    return chain._mdl, chain._address + first, count
