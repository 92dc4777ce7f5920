"""The parts of one gossip core, each made with what it needs of the others.

What lives here: which part knows which. What does not: any rule (the parts have them), and the order of things when a
message comes or time passes (swim.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from actors.gossip.admission import Admission
from actors.gossip.beliefs import Beliefs
from actors.gossip.farewell import Farewell
from actors.gossip.gossiper import Gossiper
from actors.gossip.herald import Herald
from actors.gossip.muster import Mustering
from actors.gossip.names import Names
from actors.gossip.own import Own
from actors.gossip.prober import Prober
from actors.gossip.relays import Relays
from actors.gossip.report import Report
from actors.gossip.seeker import Seeker
from actors.gossip.shared import Shared
from actors.gossip.twins import Twins

if TYPE_CHECKING:
    from random import Random

    from actors.gossip.beginning import Beginning
    from actors.gossip.config import GossipConfig
    from actors.gossip.shared import Handlers


class Timed(Protocol):
    """A part that time matters to."""

    def tick(self, now: float) -> None:
        """Do what is due."""

    def next_deadline(self) -> float:
        """When `tick` has something to do; infinity for never."""

    def postpone(self, stall_s: float) -> None:
        """Move what is timed: this server stood still for so long."""


class Parts:
    """Made once a run."""

    def __init__(self, beginning: Beginning, config: GossipConfig, rng: Random) -> None:
        self.shared = shared = Shared(beginning.own, config, rng)
        self.twins = Twins(shared)
        self.own = Own(shared, self.twins, clock=beginning.clock, reserved=beginning.reserved)
        self.beliefs = Beliefs(shared, self.own)
        self.prober = Prober(shared, self.beliefs)
        self.relays = Relays(shared)
        self.seeker = Seeker(shared)
        self.seeker.cluster_id = beginning.cluster_id
        self.mustering = Mustering(shared, self.seeker, beginning.expect)
        self.herald = Herald(shared, beginning.dispatching)
        self.names = Names(shared)
        self.admission = Admission(shared, self.own, self.beliefs, self.seeker, self.herald, self.names)
        self.farewell = Farewell(shared, self.own)
        self.gossiper = Gossiper(shared, self.admission, self.herald)
        self.report = Report(shared, self.own, self.seeker, self.mustering, self.herald)

    def timed(self) -> tuple[Timed, ...]:
        """Those that time matters to, in the order in which they act when it passes."""
        return (
            self.prober,
            self.relays,
            self.beliefs,
            self.seeker,
            self.mustering,
            self.farewell,
            self.names,
            self.gossiper,
            self.herald.queries,
        )

    def handlers(self) -> Handlers:
        """Which part takes which message by itself; what takes several is a conversation (conversation.py)."""
        return {
            **self.admission.handlers,
            **self.herald.handlers,
            **self.mustering.handlers,
            **self.names.handlers,
            **self.twins.handlers,
        }
