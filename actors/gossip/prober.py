"""Failure detection: one member after the other is probed, by way of others when it does not answer (SWIM, 3.1).

What lives here: the round of targets, the one probe that is under way, and what its end means for this server's own
health. What does not: probing on behalf of others (relays.py), and what an accusation leads to (beliefs.py).

An answer counts until the probe's deadline by this server's own clock and not a moment longer: a late one tells of the
past, and no other clock is ever looked at.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from actors.gossip.member import ADDRESS_TAKEN, Liveness, Status
from actors.gossip.messages import Ping, PingRequest

if TYPE_CHECKING:
    from actors.gossip.beliefs import Beliefs
    from actors.gossip.member import Claim
    from actors.gossip.shared import Shared

# A relay is given this share of the time that is left, so that its nack is back before the probe ends (memberlist).
_RELAY_SHARE = 0.8
SILENT = "no answer to a probe"


class Probe:
    """One probe of one member."""

    def __init__(self, target: Claim, sequence: int, started: float) -> None:
        self.target = target
        self.sequence = sequence
        self.started = started
        self.direct_until = inf
        self.until = inf
        self.relays: dict[str, bool] = {}
        """Members asked to probe too, and whether each has said that it got no answer."""


class Prober:
    """Probes one member an interval."""

    def __init__(self, shared: Shared, beliefs: Beliefs) -> None:
        self._shared = shared
        self._roster = shared.roster
        self._awareness = shared.awareness
        self._beliefs = beliefs
        self._round: list[str] = []
        self._probe: Probe | None = None
        self._next_at = inf

    def start(self, now: float) -> None:
        """Begin, somewhere inside the first interval: servers that start together should not probe together."""
        if self._next_at == inf:
            self._next_at = now + self._shared.rng.random() * self._shared.config.probe_interval_s

    def stop(self) -> None:
        """Probe no more."""
        self._probe = None
        self._next_at = inf

    def next_deadline(self) -> float:
        """When `tick` has something to do."""
        if self._probe is None:
            return self._next_at if self._roster.live_count > 1 else inf
        return min(self._probe.direct_until, self._probe.until)

    def postpone(self, stall_s: float) -> None:
        """This server stood still for so long: the answers are in its mailbox."""
        self._next_at += stall_s
        if self._probe is not None:
            # How long its answer takes cannot be told any more, and no coordinate is to be moved by it.
            self._probe.started = -inf
            self._probe.direct_until += stall_s
            self._probe.until += stall_s

    def tick(self, now: float) -> None:
        """Ask relays, give up, or begin the next probe, as it is time for."""
        probe = self._probe
        if probe is not None and now >= probe.until:
            self._probe = None
            self._fail(now, probe)
        elif probe is not None and now >= probe.direct_until:
            self._ask_relays(now, probe)
        if self._probe is None and now >= self._next_at:
            self._begin(now)

    def admit(self, member_id: str) -> None:
        """Put a new member at a random place of the round: it is not probed last because it is new."""
        self._round.insert(self._shared.rng.randint(0, len(self._round)), member_id)

    def acked(self, sequence: int, target: str) -> bool:
        """The target, or a relay, says that the target is there. False when that comes too late to count."""
        probe = self._probe
        if probe is None or (probe.sequence, probe.target.id) != (sequence, target):
            return False
        self._probe = None
        self._awareness.add(-1)
        return True

    def round_trip_s(self, now: float, sequence: int) -> float | None:
        """How long an answer that has just come took; None when no probe waits for it."""
        probe = self._probe
        return now - probe.started if probe is not None and probe.sequence == sequence else None

    def nacked(self, sequence: int, relay: str) -> None:
        """A relay got no answer."""
        if self._probe is not None and self._probe.sequence == sequence and relay in self._probe.relays:
            self._probe.relays[relay] = True

    def met_stranger(self, now: float, sequence: int, target: str) -> None:
        """Another server lives at the target's address."""
        if self.acked(sequence, target):
            self._beliefs.accuse(now, target, ADDRESS_TAKEN)

    def greet(self, now: float, target: Claim) -> None:
        """Ping out of turn and expect nothing: an accused member learns of it, and links find out if it is gone."""
        claims = self._shared.broadcasts.take(now, first=(target.id,))
        self._shared.send(target.address, Ping(self._shared.sequence(), target.id, claims))

    def _begin(self, now: float) -> None:
        target = self._next_target()
        interval_s = self._awareness.scale(self._shared.config.probe_interval_s)
        self._next_at = now + interval_s
        if target is None:
            return
        probe = self._probe = Probe(target, self._shared.sequence(), now)
        probe.direct_until = now + self._awareness.scale(self._shared.config.probe_timeout_s)
        probe.until = self._next_at
        self._shared.counts["probes"] += 1
        # Lifeguard's buddy: a suspect hears of the suspicion with the very message that it answers.
        buddy = () if target.liveness is Liveness.ALIVE else (target.id,)
        claims = self._shared.broadcasts.take(now, first=buddy)
        self._shared.send(target.address, Ping(probe.sequence, target.id, claims))

    def _next_target(self) -> Claim | None:
        for _ in range(2):
            while self._round:
                claim = self._roster.get(self._round.pop())
                if claim is not None and claim.is_live and claim.id != self._roster.own_id:
                    return claim
            self._round = [claim.id for claim in self._roster.others() if claim.is_live]
            self._shared.rng.shuffle(self._round)
        return None

    def _ask_relays(self, now: float, probe: Probe) -> None:
        probe.direct_until = inf
        target = self._roster.get(probe.target.id)
        if target is None:
            return
        self._shared.counts["indirect probes"] += 1
        relays = self._roster.choose(
            self._shared.config.indirect_probes,
            lambda claim: claim.status is Status.ALIVE and claim.id != target.id,
        )
        wait_s = (probe.until - now) * _RELAY_SHARE
        for relay in relays:
            probe.relays[relay.id] = False
            self._shared.send(relay.address, PingRequest(probe.sequence, target.id, target.address, wait_s))

    def _fail(self, now: float, probe: Probe) -> None:
        """Nobody reached it. Relays that said so are well, and so is our way to them; silent ones are our own fault."""
        self._shared.counts["failed probes"] += 1
        silent = sum(not said for said in probe.relays.values())
        self._awareness.add(silent if probe.relays else 1)
        known = self._roster.get(probe.target.id)
        # It has come up with a newer incarnation meanwhile: it spoke to somebody after this probe had begun.
        if known is None or known.incarnation > probe.target.incarnation:
            return
        self._shared.trace(now, known.id, "probed", self._account(probe))
        self._beliefs.accuse(now, known.id, SILENT)

    def _account(self, probe: Probe) -> str:
        relays = ", ".join(
            f"{self._roster.name_of(relay)} ({'no answer either' if said else 'silent itself'})"
            for relay, said in probe.relays.items()
        )
        score = f"own health score {self._awareness.score}"
        return f"no answer; relays: {relays}; {score}" if relays else f"no answer; nobody to relay; {score}"
