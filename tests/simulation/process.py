"""A simulated process: alive or not, paused or not; what is meant for one life never reaches the next.

What lives here: that, and what the simulation asks of any process.  What does not: what runs in it: the product
(guarded.py), or the raw engine (raw.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.runtime.actor import Sender
    from tests.simulation.agreement import Member
    from tests.simulation.simulation import Simulation


class Process(ABC):
    """A process of one server."""

    PROBES: int
    """How many answers ``probe`` leads to."""

    def __init__(self, simulation: Simulation, id_: str) -> None:
        self.simulation = simulation
        self.id = id_
        self.life = 0
        self.died_at = -inf
        self.is_alive = False
        self.is_paused = False
        self._backlog: list[Callable[[], None]] = []
        self._doom: Callable[[], None] | None = None

    # --- what is in it --------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def server(self) -> Member:
        """What the judge sees of it."""

    @property
    @abstractmethod
    def is_up(self) -> bool:
        """Whether its Raft runs and is not paused."""

    @property
    @abstractmethod
    def leads(self) -> bool:
        """Whether it believes that it leads."""

    @abstractmethod
    def start(self) -> None:
        """Begin with what the disk holds."""

    @abstractmethod
    def crash(self, kept: int, *, is_torn: bool) -> None:
        """Die; of the writes on their way the first ``kept`` are on disk, and the next may be there in part."""

    @abstractmethod
    def restart_raft(self, delay_s: float) -> None:
        """Its Raft alone ends and is started again."""

    @abstractmethod
    def receive(self, source: str, message: object) -> None:
        """A message of another server arrives."""

    @abstractmethod
    def resumed(self) -> None:
        """It goes on, and has heard nothing yet."""

    @abstractmethod
    def peer_gone(self, peer: str) -> None:
        """The port of a peer has refused a connection."""

    @abstractmethod
    def member_changed(self, address: str, *, is_gone: bool) -> None:
        """Gossip has news of the member at an address."""

    @abstractmethod
    def transfer(self, target: str) -> None:
        """Hand leadership over, if it leads."""

    @abstractmethod
    def change(self, kind: str, id_: str) -> bool:
        """As an operator wants it, change the configuration, if it leads and may; says whether there is such a change.

        kind: as in Configure (actors/raft/messages.py).
        """

    @abstractmethod
    def members(self) -> dict[str, bool]:
        """The servers of its configuration, and whether they vote."""

    @abstractmethod
    def has_taken_out(self, id_: str) -> bool:
        """Whether it leads, and its configuration, committed, has a server no longer."""

    @abstractmethod
    def glance(self, sender: Sender) -> None:
        """Somebody reads here, linearizably, whoever leads."""

    @abstractmethod
    def probe(self, sender: Sender) -> None:
        """Somebody asks for what a server that serves can do."""

    # --- its life -------------------------------------------------------------------------------------------------

    def begin_life(self) -> None:
        """It is started."""
        self.life += 1
        self.is_alive, self.is_paused = True, False
        self.simulation.gossip.begin(self.id)

    def end_life(self) -> None:
        """It is gone, with everything that was on its way to it."""
        self.life += 1
        self.is_alive = self.is_paused = False
        self._backlog.clear()
        self.died_at = self.simulation.clock.now
        self.simulation.gossip.end(self.id)

    def doom(self, action: Callable[[], None], within_s: float) -> None:
        """Have something happen to it in the middle of its next write, or after so long at the latest."""
        self._doom = action
        self.simulation.clock.later(within_s, partial(self._meet, action))

    def writing(self, sync_s: float) -> None:
        """A write begins, and takes so long."""
        if self._doom is not None:
            self.simulation.clock.later(self.simulation.rng.uniform(0.0, sync_s), partial(self._meet, self._doom))

    def _meet(self, action: Callable[[], None]) -> None:
        if self._doom is action:
            self._doom = None
            action()

    def pause(self) -> None:
        """Stand still."""
        self.is_paused = True
        self.simulation.gossip.pause(self.id)

    def resume(self) -> None:
        """Go on, and find what came meanwhile."""
        if not (self.is_alive and self.is_paused):
            return
        self.is_paused = False
        backlog, self._backlog = self._backlog, []
        self.resumed()
        life = self.life
        for action in backlog:
            if self.life == life:
                self.do(action)
        if self.life == life:
            self.simulation.gossip.resume(self.id)

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do something in this life, and not while paused."""
        self.simulation.clock.later(delay_s, partial(self._in_life, self.life, action))

    def do(self, action: Callable[[], None]) -> None:
        """Let something happen to it, or to its backlog while it is paused."""
        if not self.is_alive:
            return
        if self.is_paused:
            self._backlog.append(action)
        else:
            action()

    def _in_life(self, life: int, action: Callable[[], None]) -> None:
        if self.life == life:
            self.do(action)
