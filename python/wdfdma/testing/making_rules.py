"""The rules that make the world of a state machine: they run before all others, in any order."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, multiple

from wdfdma._native import lib
from wdfdma.testing import strategies
from wdfdma.testing.actor import Actor
from wdfdma.testing.bundles import BUFFERS, ENABLERS, TRANSACTIONS
from wdfdma.testing.strategies import Settings
from wdfdma.testing.taking_steps import TakingSteps

_DEFAULT_ADDRESS_BITS = 36
# Made once, as what the rules draw from is.
_MACHINES = strategies.machines()
_FAULTS = strategies.fault_plans()
_ENABLERS = st.lists(strategies.enablers(), min_size=1, max_size=3)
_FIRST_BUFFER = strategies.buffers()
_OTHER_BUFFERS = st.lists(strategies.buffers(first_page=48), max_size=1)
_CHOSEN = st.lists(st.integers(0, 2), min_size=1, max_size=3)
_PARTS = 4  # of a world: machine, enablers, buffers, faults


class MakingRules(TakingSteps):
    """Chooses the machine, what goes wrong, the enablers, the buffers and the first transactions."""

    @initialize(machine=_MACHINES, faults=_FAULTS)
    def make_machine(self, machine: Settings, faults: list[Settings]) -> None:
        """Chooses the machine, and what goes wrong though the driver does nothing wrong."""
        self.world["machine"] = machine
        self.set_up("faults", faults)

    @initialize(target=ENABLERS, enablers=_ENABLERS)
    def make_enablers(self, enablers: list[Settings]) -> Any:
        """Chooses the enablers."""
        self.set_up("enablers", enablers)
        return multiple(*range(len(enablers)))

    @initialize(
        target=BUFFERS,
        first=_FIRST_BUFFER,
        others=_OTHER_BUFFERS,
    )
    def make_buffers(self, first: list[Settings], others: list[list[Settings]]) -> Any:
        """Chooses the buffers."""
        self.set_up("buffers", [first, *others])
        return multiple(*range(1 + len(others)))

    @initialize(target=TRANSACTIONS, enablers=_CHOSEN)
    def make_transactions(self, enablers: list[int]) -> Any:
        """Chooses the first transactions, by their enablers."""
        self.expected = [Actor(number, enabler) for number, enabler in enumerate(enablers)]
        self.set_up("", None)
        return multiple(*self.expected)

    def set_up(self, part: str, value: Any) -> None:
        """Takes a part of the world; with the last one the machine is made."""
        if part:
            self.world[part] = value
        if len(self.world) < _PARTS or not self.expected:
            return
        bits = self.world["machine"].get("physical_address_bits", _DEFAULT_ADDRESS_BITS)
        frames = 1 << (bits - 12)
        self.world["buffers"] = [
            [{**mdl, "pfns": [pfn % frames for pfn in mdl["pfns"]]} for mdl in chain]
            for chain in self.world["buffers"]
        ]
        self.player = self.player_type(self.world, **self.machine_settings)
        self._machine_state = lib.wdfdma_machine_get_state(self.player.machine._core.machine)
        for actor in self.expected:
            actor.number = self.created
            actor.enabler %= len(self.world["enablers"])
            self.player.expected[actor.number] = actor
            self.take("create", transaction=actor.number, enabler=actor.enabler)
