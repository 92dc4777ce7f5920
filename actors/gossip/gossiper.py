"""Dissemination: what is new goes to a few members at a time; now and then two members exchange all they know.

Members are told in a shuffled order, all of them before one is told again: drawn anew each time, in a small cluster one
would now and then be passed over until the next exchange (a joiner of ten was, for up to 16 s of simulated time). What
is missed all the same is found by what travels with the answers to probes, a digest of the members and the time of the
latest event: where two differ while neither side has news to tell, that leads to an exchange. So do, at longer
intervals, two digests of everything, the dead and the suspects included; two members that know the same send nothing
more (memberlist sends it all each time).

What lives here: the choice of who is told, and the rhythm of the exchanges. What does not: what is new (broadcasts.py),
when it is told (waves.py), and how a state is exchanged (admission.py).
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from actors.gossip.dispatches import Query, UserEvent
from actors.gossip.member import COUNTER_MAX, Status
from actors.gossip.messages import Ack, Gossip
from actors.gossip.waves import Waves

if TYPE_CHECKING:
    from actors.gossip.admission import Admission
    from actors.gossip.herald import Herald
    from actors.gossip.member import Claim
    from actors.gossip.shared import Shared


class Gossiper:
    """Tells others, once this server has a cluster."""

    def __init__(self, shared: Shared, admission: Admission, herald: Herald) -> None:
        self._shared = shared
        self._config = shared.config
        self._roster = shared.roster
        self._admission = admission
        self._herald = herald
        self._deck: list[str] = []
        self._waves = Waves(shared.config)
        self._push_pull_at = inf
        self._repair_at = 0.0

    def start(self, now: float) -> None:
        """Begin to tell. The exchanges of servers that start together should not come together."""
        self._waves.start(now)
        if self._push_pull_at == inf:
            interval_s = self._config.push_pull_s(self._roster.live_count)
            self._push_pull_at = now + self._shared.rng.random() * interval_s

    def catch_up(self, now: float) -> None:
        """This server was away: ask what was said meanwhile, perhaps that it is dead."""
        if self._push_pull_at != inf:
            self._push_pull_at = now

    def stop_exchanges(self) -> None:
        """This server has left: it passes on that it has, and takes no further part."""
        self._push_pull_at = inf

    def next_deadline(self) -> float:
        """When `tick` has something to do."""
        return min(self._wave_at(), self._push_pull_at)

    def postpone(self, stall_s: float) -> None:
        """This server stood still for so long."""
        self._waves.postpone(stall_s)
        self._push_pull_at += stall_s

    def tick(self, now: float) -> None:
        """Tell what is new, and compare everything with somebody, as it is time for."""
        if now >= self._wave_at():
            self._gossip(now)
        if now >= self._push_pull_at:
            self._push_pull(now)

    def _wave_at(self) -> float:
        if not self._has_news():
            return inf
        return self._waves.next_at(is_new=self._shared.broadcasts.has_new or self._shared.rumours.has_new)

    def _has_news(self) -> bool:
        """Of members, or of anything else."""
        return len(self._roster) > 1 and bool(self._shared.broadcasts or self._shared.rumours)

    def _gossip(self, now: float) -> None:
        self._waves.sent(now)
        targets = self._deal(now)
        if not targets:
            # Nobody to tell: whoever is met later is told everything.
            self._shared.broadcasts.clear()
            self._shared.rumours.clear()
        for target in targets:
            claims = self._shared.broadcasts.take(now)
            room = self._config.message_bytes - sum(claim.weight for claim in claims)
            rumours = self._shared.rumours.take(room, alone=not claims)
            if claims or rumours:
                events = [rumour for rumour in rumours if isinstance(rumour, UserEvent)]
                queries = [rumour for rumour in rumours if isinstance(rumour, Query)]
                self._shared.send(target.address, Gossip(claims, events, queries))

    def compare(self, now: float, address: str, ack: Ack) -> None:
        """An answer says what a member knows. With news in it, or news to tell here, the views are on the move."""
        if ack.claims or self._has_news() or now < self._repair_at:
            return
        differs = ack.digest != self._roster.digest
        # No clock goes beyond the maximum, so whoever claims more is not to be caught up with.
        is_behind = min(ack.event_clock, COUNTER_MAX) > self._herald.events.clock
        if differs or is_behind:
            self._repair_at = now + self._config.repair_s(self._roster.live_count)
            self._shared.counts["repairs"] += 1
        if differs:
            self._admission.exchange(now, address, reply=True)
        if is_behind:
            self._herald.exchange(address)

    def _deal(self, now: float) -> list[Claim]:
        """The next members to be told."""
        targets: dict[str, Claim] = {}
        for _ in range(2):
            while self._deck and len(targets) < self._config.gossip_nodes:
                claim = self._roster.get(self._deck.pop())
                if claim is not None and self._hears_gossip(now, claim):
                    targets[claim.id] = claim
            if len(targets) == self._config.gossip_nodes:
                break
            self._deck = [claim.id for claim in self._roster.others()]
            self._shared.rng.shuffle(self._deck)
        return list(targets.values())

    def _hears_gossip(self, now: float, claim: Claim) -> bool:
        """The live do, and for a while those that failed: one that lives after all can object then."""
        if claim.status is Status.FAILED:
            return self._roster.age_s(claim.id, now) < self._config.gossip_to_dead_s
        return claim.is_live

    def _push_pull(self, now: float) -> None:
        self._push_pull_at = now + self._config.push_pull_s(self._roster.live_count)
        for partner in self._roster.choose(1, lambda claim: claim.status is Status.ALIVE):
            self._admission.compare(partner.address)
            self._herald.exchange(partner.address)
