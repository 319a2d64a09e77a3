"""Plays the steps of a scenario one by one through the Python face, as the driver and its device."""

from collections import defaultdict, deque
from typing import Any

from wdfdma._callbacks import Element
from wdfdma.common_buffer import CommonBuffer
from wdfdma.enabler import DmaEnabler, EnablerInfo
from wdfdma.enums import CompletionStatus, Direction, Profile
from wdfdma.machine import Machine
from wdfdma.mdl import Mdl
from wdfdma.request import Request
from wdfdma.testing.actor import Actor
from wdfdma.testing.plays import PLAYS
from wdfdma.transaction import DmaTransaction

Step = dict[str, Any]
Settings = dict[str, Any]
Reactions = defaultdict[tuple[int, str], deque[Step]]

_PROFILES = {profile.label: profile for profile in Profile}


class Player:
    """A machine with the enablers and buffers of [world], a scenario without steps, and the driver that plays steps.

    `perform` plays one as `wdfdma run` would: reactions are kept for each transaction and event, and run in its
    callback. The steps of a WDM driver, and those that hand over wrong arguments, are not for this face.
    [settings] are further settings of the machine.

    >>> player = Player({"enablers": [{"profile": "packet", "maximum_length": 4096}], "buffers": []})
    >>> player.perform({"op": "create", "transaction": 0, "enabler": 0})
    <Status.STATUS_SUCCESS: 0x00000000>
    """

    def __init__(self, world: Settings, **settings: Any) -> None:
        settings = {"log": "grow", **world.get("machine", {}), **settings}
        self.world = world
        self.machine = Machine(**settings)
        self.prepare()
        self.device = self.machine.device()
        self.enablers = [self._make_enabler(**enabler) for enabler in world["enablers"]]
        self.buffers = [self._make_chain(chain) for chain in world["buffers"]]
        self._infos: dict[int, EnablerInfo] = {}
        self.actors: dict[int, Actor] = {}
        self.expected: dict[int, Actor] = {}  # that are still to be created
        self.reactions: Reactions = defaultdict(deque)
        self.requests: dict[int, Request] = {}
        self.common_buffers: dict[int, CommonBuffer] = {}

    def prepare(self) -> None:
        """Called with the new machine, before anything is made."""

    def _make_enabler(self, profile: str, **settings: Any) -> DmaEnabler:
        configured = settings.pop("configured", True)
        enabler = self.device.enabler(_PROFILES[profile], **settings)
        if profile.startswith("system") and configured:
            enabler.configure_system_profile(Direction.READ).check()
            if profile == "system_duplex":
                enabler.configure_system_profile(Direction.WRITE).check()
        return enabler

    def _make_chain(self, chain: list[Settings]) -> Mdl:
        return self.machine.chain(*(self.machine.mdl(**settings) for settings in chain))

    def perform(self, step: Step) -> Any:
        """Plays one step, and returns what the call did.

        Errors: BugCheck; ValueError for a step that is not for this face.
        """
        play = PLAYS.get(step["op"])
        if play is None:
            raise ValueError(f"op: the step {step['op']!r} cannot be played")
        return play(self, step)

    def get_enabler_info(self, number: int) -> EnablerInfo:
        """How an enabler was made, which does not change."""
        info = self._infos.get(number)
        if info is None:
            info = self._infos[number] = self.enablers[number].get_info()
        return info

    def get_transaction(self, step: Step) -> DmaTransaction:
        """The transaction of a step. Errors: KeyError."""
        found: DmaTransaction = self.actors[step["transaction"]].transaction
        return found

    # Callbacks.

    def on_event(self, transaction: DmaTransaction, event: str, **fields: Any) -> bool:
        """Called in each callback: runs the oldest reaction to [event]; returns what the callback is to return."""
        reactions = self.reactions.get((transaction.label, event))
        if not reactions:
            return True
        reaction = reactions.popleft()
        for step in reaction["do"]:
            self.perform(step)
        return bool(reaction.get("returns", True))

    def program_dma(
        self, transaction: DmaTransaction, direction: Direction, elements: list[Element]
    ) -> bool:
        """EvtProgramDma of all transactions."""
        actor = self.actors[transaction.label]
        actor.elements = elements
        actor.programmed = True
        actor.controller_runs = actor.is_system
        return self.on_event(transaction, "program_dma", direction=direction, elements=elements)

    def reserve_dma(self, transaction: DmaTransaction) -> None:
        """EvtReserveDma of all transactions."""
        self.on_event(transaction, "reserve_dma")

    def configure_dma_channel(
        self, transaction: DmaTransaction, mdl: Mdl, offset: int, length: int
    ) -> bool:
        """EvtDmaTransactionConfigureDmaChannel of all transactions."""
        return self.on_event(transaction, "configure_dma_channel", offset=offset, length=length)

    def dma_transfer_complete(
        self, transaction: DmaTransaction, direction: Direction, status: CompletionStatus
    ) -> None:
        """EvtDmaTransactionDmaTransferComplete of all transactions."""
        self.on_event(transaction, "dma_transfer_complete", direction=direction, status=status)
