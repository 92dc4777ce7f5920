"""What the parts of the gossip core have in common, in one object, so that a part takes one argument for it.

What lives here: the references, the list of effects, and counters. What does not: any rule.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from actors.gossip.awareness import Awareness
from actors.gossip.broadcasts import Broadcasts
from actors.gossip.coordinates import Coordinates
from actors.gossip.effects import Changed, Effect, Note, Send
from actors.gossip.roster import Roster
from actors.gossip.rumours import Rumours
from actors.gossip.trail import Step, Trails
from actors.gossip.turned_away import TurnedAway

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from actors.gossip.config import GossipConfig
    from actors.gossip.member import Claim

INFO = 20
WARNING = 30
SAID_MAX = 1000


class Source(Struct, frozen=True):
    """Who sent a message: the id and the advertised address in its frame."""

    id: str
    address: str


Handlers: TypeAlias = "dict[type, Callable[[float, Source, Any], None]]"
"""What a part does with the messages that are for it: each at a time, from somebody."""


class Shared:
    """One core's state that more than one part needs."""

    def __init__(self, own: Claim, config: GossipConfig, rng: Random) -> None:
        self.config = config
        self.rng = rng
        self.roster = Roster(own, rng)
        self.broadcasts = Broadcasts(self.roster, config)
        self.rumours = Rumours(self.roster, config)
        self.awareness = Awareness(config.health_max)
        self.coordinates = Coordinates(rng)
        self.trails = Trails()
        self.turned_away = TurnedAway()
        self.out: list[Effect] = []
        self.counts: Counter[str] = Counter()
        self._said: set[str] = set()
        # Random, so that an answer to a message of this server's previous run fits no message of this one.
        self._sequence = rng.getrandbits(31)

    def sequence(self) -> int:
        """A number for a message that is answered."""
        self._sequence += 1
        return self._sequence

    def send(self, address: str, message: object) -> None:
        """Tell a server."""
        self.out.append(Send(address, message))

    def note(self, level: int, text: str) -> None:
        """A line for the log."""
        self.out.append(Note(level, text))

    def note_once(self, level: int, text: str) -> None:
        """A line for the log that would otherwise be repeated with every message of somebody else."""
        if text not in self._said:
            if len(self._said) >= SAID_MAX:
                self._said.clear()
            self._said.add(text)
            self.note(level, text)

    def changed(self, now: float, claim: Claim, old_status: str, *, forgotten: bool = False) -> None:
        """Tell the rest of this server."""
        self.out.append(Changed(self.roster.view(claim, now), old_status, self.trails.last(claim.id), forgotten))

    def trace(self, now: float, member_id: str, event: str, detail: str = "", *, by: str = "") -> None:
        """Add a step to a member's trail."""
        self.trails.add(member_id, Step(now, event, by, detail))

    def take(self) -> list[Effect]:
        """The effects so far, in order; the list is empty afterwards."""
        taken = self.out[:]
        self.out.clear()
        return taken
