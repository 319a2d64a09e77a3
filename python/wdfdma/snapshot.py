"""Snapshots: copies of all that a machine is."""

from typing import TYPE_CHECKING, Any
from weakref import ref

from wdfdma._core import Core
from wdfdma._native import ffi, lib
from wdfdma.status import Status
from wdfdma.transaction import DmaTransaction

if TYPE_CHECKING:
    from wdfdma.mdl import Mdl
    from wdfdma.objects import WdfObject

_CALLBACKS = ("_program_dma", "_reserve_dma", "_configure_dma_channel", "_dma_transfer_complete")


class Snapshot:
    """What a machine was, the Python functions of its transactions included; made by `Machine.snapshot`."""

    __slots__ = ("_callbacks", "_core", "_links", "_mdls", "_objects", "_snapshot")

    def __init__(self, core: Core) -> None:
        self._core = ref(core)
        out = ffi.new("wdfdma_snapshot **")
        status = lib.wdfdma_snapshot_create(core.get_machine(), out)
        Status(status).check("wdfdma_snapshot_create")
        self._snapshot: Any = ffi.gc(out[0], lib.wdfdma_snapshot_destroy)
        self._objects: dict[Any, WdfObject] = dict(core.objects)
        self._mdls: dict[Any, Mdl] = dict(core.mdls)
        self._links = [(mdl, mdl._following) for mdl in core.mdls.values()]
        self._callbacks = [
            (item, *(getattr(item, name) for name in _CALLBACKS))
            for item in core.objects.values()
            if isinstance(item, DmaTransaction)
        ]

    def restore(self, core: Core) -> None:
        """Makes the machine what it was. Errors: ValueError for another machine; StatusError."""
        machine = core.get_machine()
        if core is not self._core():
            raise ValueError(f"snapshot: {self!r} is of another machine")
        status = lib.wdfdma_machine_restore(machine, self._snapshot)
        Status(status).check("wdfdma_machine_restore")
        core.halted = bool(lib.wdfdma_machine_get_state(machine).halted)
        core.pending = None
        core.objects = dict(self._objects)
        core.mdls = dict(self._mdls)
        for mdl, following in self._links:
            mdl._following = following
        for item, *functions in self._callbacks:
            for name, function in zip(_CALLBACKS, functions, strict=True):
                setattr(item, name, function)

    @property
    def nbytes(self) -> int:
        """The bytes that it holds."""
        return int(lib.wdfdma_snapshot_get_bytes(self._snapshot))

    def __repr__(self) -> str:
        return f"<Snapshot {self.nbytes} bytes>"
