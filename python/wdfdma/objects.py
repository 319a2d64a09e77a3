"""What every object of the framework has: a handle, references, callbacks for its end."""

from collections.abc import Callable
from typing import Any

from wdfdma._core import Core, find_core
from wdfdma._native import NULL, ffi, lib
from wdfdma.arguments import require_callable
from wdfdma.enums import ObjectType

_delete = lib.WdfObjectDelete
_reference = lib.WdfObjectReferenceActual
_dereference = lib.WdfObjectDereferenceActual
_get_type = lib.wdfdma_object_get_type
_get_machine = lib.wdfdma_object_get_machine

ObjectCallback = Callable[[Any], object]


class WdfObject:
    """An object of the framework. The machine owns it; a method on one that was deleted is a bug check."""

    __slots__ = ("__weakref__", "_cleanup", "_core", "_destroy", "_handle", "_label")

    _core: Core
    _handle: Any
    _label: int
    _cleanup: ObjectCallback | None
    _destroy: ObjectCallback | None

    def _adopt(self, core: Core, handle: Any) -> None:
        """Becomes the face of a new object."""
        self._core = core
        self._handle = handle
        self._label = lib.wdfdma_object_get_label(handle)
        core.objects[handle] = self
        if core.traces is not None:
            core.traces.keep(handle)

    def _make_attributes(
        self, cleanup: ObjectCallback | None, destroy: ObjectCallback | None
    ) -> Any:
        require_callable("cleanup", cleanup)
        require_callable("destroy", destroy)
        self._cleanup = cleanup
        self._destroy = destroy
        if cleanup is None and destroy is None:
            return NULL
        attributes = ffi.new("WDF_OBJECT_ATTRIBUTES *")
        attributes.Size = ffi.sizeof("WDF_OBJECT_ATTRIBUTES")
        attributes.ExecutionLevel = lib.WdfExecutionLevelInheritFromParent
        attributes.SynchronizationScope = lib.WdfSynchronizationScopeInheritFromParent
        if cleanup is not None:
            attributes.EvtCleanupCallback = lib.wdfdma_python_object_cleanup
        if destroy is not None:
            attributes.EvtDestroyCallback = lib.wdfdma_python_object_destroy
        return attributes

    @property
    def label(self) -> int:
        """The number that names the object in logs, counted from 0 for each type."""
        return self._label

    @property
    def is_live(self) -> bool:
        """False once the object is deleted or its machine closed."""
        core = self._core
        return not core.closed and bool(_get_type(self._handle) != ObjectType.NONE)

    def delete(self) -> None:
        """Deletes the object and, before it, its children.

        Source: WdfObjectDelete function (wdfobject.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        _delete(self._handle)
        if core.halted:
            core.fail()
        self._forget()

    def _forget(self) -> None:
        """After a call that may have ended this object, which has no children."""
        if _get_machine(self._handle) == NULL:
            self._core.objects.pop(self._handle, None)

    def _forget_family(self) -> None:
        """After a call that may have ended this object and its children."""
        core = self._core
        core.objects = {
            handle: item for handle, item in core.objects.items() if _get_machine(handle) != NULL
        }

    def reference(self) -> None:
        """Adds a reference: what the object is stays until as many are taken away.

        Source: WdfObjectReferenceActual function (wdfobject.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        _reference(self._handle, NULL, 0, NULL)
        if core.halted:
            core.fail()

    def dereference(self) -> None:
        """Takes a reference away; past the last it is a bug check.

        Source: WdfObjectDereferenceActual function (wdfobject.h).
        """
        core = self._core
        if core.halted:
            core.fail()
        _dereference(self._handle, NULL, 0, NULL)
        if core.halted:
            core.fail()
        self._forget()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self.is_live:
            self.delete()

    def _describe(self) -> str:
        """What `repr` says of a live object."""
        return str(self._label)

    def __repr__(self) -> str:
        name = type(self).__name__
        if not hasattr(self, "_label"):
            return f"<{name} not created>"
        if self._core.closed:
            return f"<{name} {self._label}, machine closed>"
        if not self.is_live:
            return f"<{name} {self._label} deleted>"
        return f"<{name} {self._describe()}>"


def run_end_callback(handle: Any, which: str) -> None:
    """Calls the cleanup or destroy function of the object that ends."""
    core = find_core(handle)
    item = core.objects[handle]
    core.call(getattr(item, which), item)
