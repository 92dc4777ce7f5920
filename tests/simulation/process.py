"""A simulated process: alive or not, paused or not; what is meant for one life never reaches the next.

What lives here: that, and what the simulation asks of any process.  What does not: what runs in it: the product
(guarded.py), or the raw engine (raw.py).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actors.actor import Sender
    from tests.simulation.simulation import Simulation
    from transport.client_protocol import Request


class Process(ABC):
    """A process of one server."""

    PROBES: int
    """How many answers ``probe`` leads to."""

    def __init__(self, simulation: Simulation, id_: str) -> None:
        self.simulation = simulation
        self.id = id_
        self.life = 0
        self.is_alive = False
        self.is_paused = False
        self._backlog: list[Callable[[], None]] = []

    # --- what is in it --------------------------------------------------------------------------------------------

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
    def request(self, sender: Sender, request: Request) -> None:
        """A client asks."""

    @abstractmethod
    def probe(self, sender: Sender) -> None:
        """Somebody asks for what a server that serves can do."""

    # --- its life -------------------------------------------------------------------------------------------------

    def begin_life(self) -> None:
        """It is started."""
        self.life += 1
        self.is_alive, self.is_paused = True, False

    def end_life(self) -> None:
        """It is gone, with everything that was on its way to it."""
        self.life += 1
        self.is_alive = self.is_paused = False
        self._backlog.clear()

    def pause(self) -> None:
        """Stand still."""
        self.is_paused = True

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
