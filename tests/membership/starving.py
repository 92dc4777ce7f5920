"""What a cluster has to bear beyond loss: members that are starved of a processor, and cores without Lifeguard.

What lives here: the two. What does not: the network and its members (crowd.py), and what comes of it (experiments.py).
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from functools import partial
from math import inf

from attrs import evolve, frozen

from actors.gossip.broadcasts import Broadcasts
from actors.gossip.config import GossipConfig
from actors.gossip.member import Claim
from tests.membership.crowd import Crowd, Fellow


@frozen
class Hunger:
    """How a starved member fares. Times are drawn between half and one and a half of these.

    It stands still, runs for a moment, stands still again (Lifeguard, section 5); or, with late_s, its timers are on
    time, while whatever it hears has waited so long in a queue before it.
    """

    stopped_s: float = 0.0
    running_s: float = 0.0
    late_s: float = 0.0

    @property
    def name(self) -> str:
        """For tables."""
        if self.late_s:
            return f"hears everything {self.late_s:g} s late"
        return f"stands still for {self.stopped_s:g} s, runs for {self.running_s:g} s"


def starve(crowd: Crowd, members: Iterable[Fellow], hunger: Hunger, rng: random.Random) -> None:
    """From now on these have too little of a processor."""
    for member in members:
        member.late_s = hunger.late_s
        if hunger.stopped_s:
            crowd.at(crowd.now + _about(rng, hunger.running_s), partial(_stop, crowd, member, hunger, rng))


def _stop(crowd: Crowd, member: Fellow, hunger: Hunger, rng: random.Random) -> None:
    member.pause()
    crowd.at(crowd.now + _about(rng, hunger.stopped_s), partial(_go_on, crowd, member, hunger, rng))


def _go_on(crowd: Crowd, member: Fellow, hunger: Hunger, rng: random.Random) -> None:
    member.resume()
    crowd.at(crowd.now + _about(rng, hunger.running_s), partial(_stop, crowd, member, hunger, rng))


def _about(rng: random.Random, mean_s: float) -> float:
    return mean_s * (0.5 + rng.random())


class Unaccompanied(Broadcasts):
    """Without Lifeguard's buddy: a ping carries what is new, and no word on its target."""

    def take(self, now: float, *, first: Iterable[str] = ()) -> list[Claim]:
        """What goes along with one message."""
        return super().take(now)


def without_lifeguard(crowd: Crowd, config: GossipConfig) -> None:
    """Plain SWIM from the same code: no health score, no suspicion longer than the shortest, and no buddy."""
    crowd.config = evolve(config, health_max=0, suspicion_max_mult=1)
    crowd.broadcasts = Unaccompanied


def without_stalls(crowd: Crowd) -> None:
    """And a core that does not know that it stood still, as memberlist's: its timers run on without it."""
    crowd.config = evolve(crowd.config, stall_s=inf)
