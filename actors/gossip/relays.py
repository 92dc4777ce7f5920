"""Probing on behalf of others (SWIM's ping-req, with Lifeguard's nacks).

What lives here: the probes under way for others. What does not: this server's own probes (prober.py).
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from msgspec import Struct

from actors.gossip.member import ADDRESS_CHARS_MAX
from actors.gossip.messages import Ack, Nack, Ping, Stranger

if TYPE_CHECKING:
    from actors.gossip.messages import PingRequest
    from actors.gossip.shared import Shared

RELAYS_MAX = 256
WAIT_S_MAX = 60.0


class Relay(Struct):
    """One probe for somebody else."""

    asker: str
    """Address the outcome goes to."""
    sequence: int
    """The asker's number for it."""
    target: str
    until: float


class Relays:
    """The probes for others, by the number of the ping."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._relays: dict[int, Relay] = {}

    def next_deadline(self) -> float:
        """When `tick` has something to do."""
        return min((relay.until for relay in self._relays.values()), default=inf)

    def ask(self, now: float, asker: str, request: PingRequest) -> None:
        """Probe for somebody. Requests beyond the limit are dropped: the asker then counts this server as silent."""
        is_sound = 0 < request.wait_s <= WAIT_S_MAX and len(request.address) <= ADDRESS_CHARS_MAX
        if not is_sound or len(self._relays) >= RELAYS_MAX:
            self._shared.counts["dropped ping requests"] += 1
            return
        sequence = self._shared.sequence()
        self._relays[sequence] = Relay(asker, request.sequence, request.target, now + request.wait_s)
        claims = self._shared.broadcasts.take(now, first=(request.target,))
        self._shared.send(request.address, Ping(sequence, request.target, claims))

    def acked(self, now: float, sequence: int, target: str) -> bool:
        """A target answers. False when it is none of these, or too late."""
        relay = self._relays.get(sequence)
        if relay is None or relay.target != target:
            return False
        del self._relays[sequence]
        self._shared.send(relay.asker, Ack(relay.sequence, target, self._shared.broadcasts.take(now, first=(target,))))
        return True

    def met_stranger(self, sequence: int, target: str) -> bool:
        """Another server lives at the target's address. False when it is none of these targets."""
        relay = self._relays.get(sequence)
        if relay is None or relay.target != target:
            return False
        del self._relays[sequence]
        self._shared.send(relay.asker, Stranger(relay.sequence, target))
        return True

    def tick(self, now: float) -> None:
        """Tell the askers of those who did not answer."""
        for sequence in [sequence for sequence, relay in self._relays.items() if relay.until <= now]:
            relay = self._relays.pop(sequence)
            self._shared.send(relay.asker, Nack(relay.sequence, relay.target))

    def postpone(self, stall_s: float) -> None:
        """This server stood still for so long."""
        for relay in self._relays.values():
            relay.until += stall_s
