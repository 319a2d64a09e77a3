"""What the parts of `DmaStateMachine` stand on: its driver and device as they are, and the steps that they take."""

from typing import Any, ClassVar, cast

from hypothesis.stateful import RuleBasedStateMachine

from wdfdma.fault_forms import Fault, plan_faults
from wdfdma.status import SUCCESS
from wdfdma.testing.actor import Actor
from wdfdma.testing.bundles import TRANSACTIONS, Test
from wdfdma.testing.player import Player, Settings, Step

_ENDS = ("delete", "delete_enabler", "remove_device")  # steps that end transactions


class FaultyPlayer(Player):
    """A player that plans the faults of its world, and knows who was let through in a step."""

    def prepare(self) -> None:
        """Plans the faults."""
        self.let_through: set[int] = set()
        faults = self.world.get("faults", [])
        plan_faults(self.machine._core.machine, [Fault.model_validate(fault) for fault in faults])

    def on_event(self, transaction: Any, event: str, **fields: Any) -> bool:
        """Notes whose event it is."""
        self.let_through.add(transaction.label)
        return super().on_event(transaction, event, **fields)


class TakingSteps(RuleBasedStateMachine):
    """A driver and its device before any rule; until the world is made there is no player."""

    machine_settings: ClassVar[dict[str, Any]] = {"log": 64}
    player_type: ClassVar[type[FaultyPlayer]] = FaultyPlayer

    def __init__(self) -> None:
        super().__init__()
        self.world: Settings = {}
        self.steps: list[Step] = []
        self.player = cast("FaultyPlayer", None)
        self.expected: list[Actor] = []
        self.actors: list[Actor] = []
        self.created = 0
        self.named = 0
        self.in_d0 = False
        self.is_removed = False
        self._machine_state: Any = None  # None as long as there is no player
        self._seen: set[str] = set()
        self._states = 0

    def take(self, op: str, /, **keys: Any) -> Any:
        """Takes one step of a scenario, and returns what the call did; a transaction may be given as it is in a bundle.

        Once the device is removed nothing is done, and None is returned.

        Errors: BugCheck, ValueError for a step that cannot be played.
        """
        if self.is_removed:
            return None
        step: Step = {"op": op}
        for key, value in keys.items():
            step[key] = value.number if type(value) is Actor else value
        self.steps.append(step)
        self._seen.add(op)
        answer = self.play(step)
        if op == "create" and answer == SUCCESS:
            self.actors.append(self.player.actors[step["transaction"]])
            self.created += 1
        states = 0
        for actor in self.actors:
            actor.refresh()
            states |= 1 << actor.state
        self._states |= states
        if op in _ENDS:
            self.actors = [actor for actor in self.actors if actor.is_live]
        return answer

    def play(self, step: Step) -> Any:
        """Makes the call of one step, for `take`; a subclass may look at what stands before it and after it.

        Errors: as `take`.
        """
        return self.player.perform(step)

    def list_fitting(self, bundle: str, fits: Test) -> list[Any]:
        """What is in the [bundle] and [fits], the oldest first; of transactions, those that are not deleted."""
        if bundle == TRANSACTIONS.name:
            return [actor for actor in self.actors if fits(actor)]
        values = self.names_to_values
        found = [values[reference.name] for reference in self.bundle(bundle)]
        return [value for value in found if fits(value)]

    def has_fitting(self, bundle: str, fits: Test) -> bool:
        """Whether there is anything in the [bundle] that [fits]."""
        if bundle == TRANSACTIONS.name:
            return any(map(fits, self.actors))
        return bool(self.list_fitting(bundle, fits))

    def forget(self, bundle: str, value: Any) -> None:
        """Takes what is gone from a bundle."""
        kept = [item for item in self.bundle(bundle) if self.names_to_values[item.name] != value]
        self.bundles[bundle] = kept

    def get_reactions(self, actor: Actor, event: str) -> int:
        """How many reactions of [actor] to [event] are still to come."""
        return len(self.player.reactions[actor.number, event])
