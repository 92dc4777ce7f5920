"""What members say to each other once they have met: probes and their answers, gossip, and notices of leaving.

What lives here: one handler a message, which hands its parts to those that know. What does not: the handshake and the
exchange of everything (admission.py), and the rules (the parts have them).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.gossip.coordinates import pack
from actors.gossip.member import Status
from actors.gossip.messages import Ack, Gossip, Nack, Notice, NoticeAck, Ping, PingRequest, Stranger

if TYPE_CHECKING:
    from actors.gossip.member import Claim
    from actors.gossip.parts import Parts
    from actors.gossip.shared import Handlers, Source

CLAIMS_PER_MESSAGE = 500


class Conversation:
    """The handlers of one core."""

    def __init__(self, parts: Parts) -> None:
        self._shared = parts.shared
        self._roster = parts.shared.roster
        self._seeker = parts.seeker
        self._beliefs = parts.beliefs
        self._prober = parts.prober
        self._relays = parts.relays
        self._farewell = parts.farewell
        self._gossiper = parts.gossiper
        self._herald = parts.herald
        self.handlers: Handlers = {
            Ping: self._on_ping,
            Ack: self._on_ack,
            Nack: self._on_nack,
            Stranger: self._on_stranger,
            PingRequest: self._on_ping_request,
            Gossip: self._on_gossip,
            Notice: self._on_notice,
            NoticeAck: self._on_notice_ack,
        }

    def _learn(self, now: float, source: Source, claims: list[Claim]) -> None:
        if not self._seeker.cluster_id:
            return
        for claim in claims[:CLAIMS_PER_MESSAGE]:
            self._beliefs.learn(now, claim, source.id)

    def _on_ping(self, now: float, source: Source, ping: Ping) -> None:
        if ping.target != self._roster.own_id:
            self._shared.send(source.address, Stranger(ping.sequence, ping.target))
            return
        self._learn(now, source, ping.claims)
        # Whoever is not alive to us has to know, and whoever is behind about us too.
        pinger = self._roster.get(source.id)
        first = [] if pinger is None or pinger.status is Status.ALIVE else [pinger.id]
        if any(claim.id == self._roster.own_id for claim in ping.claims):
            first.append(self._roster.own_id)
        claims = self._shared.broadcasts.take(now, first=first) if self._seeker.cluster_id else []
        place, event_clock = pack(self._shared.coordinates.own), self._herald.events.clock
        ack = Ack(ping.sequence, ping.target, claims, self._roster.digest, place, event_clock)
        self._shared.send(source.address, ack)

    def _on_ack(self, now: float, source: Source, ack: Ack) -> None:
        self._learn(now, source, ack.claims)
        if source.id == ack.target:
            self._measure(now, ack)
        if not self._prober.acked(ack.sequence, ack.target) and not self._relays.acked(now, ack.sequence, ack.target):
            self._shared.counts["late acks"] += 1
        elif ack.digest and ack.target == source.id:
            self._gossiper.compare(now, source.address, ack)

    def _measure(self, now: float, ack: Ack) -> None:
        rtt_s = self._prober.round_trip_s(now, ack.sequence)
        if rtt_s is not None and not self._shared.coordinates.observe(ack.target, ack.coordinate, rtt_s):
            self._shared.counts["rejected coordinates"] += 1

    def _on_nack(self, now: float, source: Source, nack: Nack) -> None:
        self._prober.nacked(nack.sequence, source.id)

    def _on_stranger(self, now: float, source: Source, stranger: Stranger) -> None:
        if not self._relays.met_stranger(stranger.sequence, stranger.target):
            self._prober.met_stranger(now, stranger.sequence, stranger.target)

    def _on_ping_request(self, now: float, source: Source, request: PingRequest) -> None:
        self._relays.ask(now, source.address, request)

    def _on_gossip(self, now: float, source: Source, gossip: Gossip) -> None:
        self._learn(now, source, gossip.claims)
        self._herald.learn(now, gossip, source.id)

    def _on_notice(self, now: float, source: Source, notice: Notice) -> None:
        if notice.claim.id == source.id:
            self._learn(now, source, [notice.claim])
            self._shared.send(source.address, NoticeAck(notice.sequence))

    def _on_notice_ack(self, now: float, source: Source, ack: NoticeAck) -> None:
        self._farewell.acked(ack.sequence, source.id)
