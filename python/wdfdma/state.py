"""The counters of a machine."""

from wdfdma._core import Core
from wdfdma._native import ffi, lib
from wdfdma.enums import ObjectType, Op


class MachineState:
    """What a machine counts, as attributes: free_registers, waiting_pool, time_ns, step, irql and so on. Live."""

    __slots__ = ("_core",)

    def __init__(self, core: Core) -> None:
        self._core = core

    @property
    def objects(self) -> dict[ObjectType, int]:
        """Live objects by type."""
        counts = lib.wdfdma_machine_get_state(self._core.get_machine()).objects
        return {kind: counts[kind] for kind in ObjectType if kind != ObjectType.NONE}

    @property
    def op(self) -> Op:
        """The innermost call in progress."""
        return Op(lib.wdfdma_machine_get_state(self._core.get_machine()).op)

    def __getattr__(self, name: str) -> int:
        number: int = getattr(lib.wdfdma_machine_get_state(self._core.get_machine()), name)
        return number

    def __dir__(self) -> list[str]:
        return [name for name, _ in ffi.typeof("wdfdma_machine_state").fields]

    def __repr__(self) -> str:
        if self._core.closed:
            return "<MachineState, machine closed>"
        values = {name: getattr(self, name) for name in dir(self) if name not in ("op", "objects")}
        return f"<MachineState {' '.join(f'{name}={value}' for name, value in values.items())}>"
