"""A run as bytes: every message with its time, its ends and its body, summed up in one checksum."""

from __future__ import annotations

import random
from hashlib import blake2b

from tests.membership.crowd import Crowd
from tests.membership.starving import Hunger, starve
from tests.unit.gossip.simnet import Host
from transport.wire import encode_body

MEMBERS = 30
SECONDS = 15.0


class _TracedCrowd(Crowd):
    """A crowd of which everything that is sent is written down."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.sum = blake2b()
        self.lines = 0

    def send(self, sender: Host, address: str, message: object) -> None:
        """Carry a message, or lose it."""
        self.lines += 1
        self.sum.update(f"{self.now!r} {sender.name} {address} ".encode() + encode_body(message))
        super().send(sender, address, message)


def digest(seed: int) -> str:
    """The checksum of a run with starved members, a death and a leave, and how many messages were sent."""
    crowd, rng = _TracedCrowd(seed), random.Random(seed)
    crowd.settle(MEMBERS)
    starve(crowd, rng.sample(crowd.members, 2), Hunger(stopped_s=3, running_s=1), rng)
    crowd.run(SECONDS / 3)
    crowd.vanish(crowd.members[3])
    crowd.members[4].call(crowd.members[4].core.leave, "leaving")
    crowd.run(2 * SECONDS / 3)
    return f"{crowd.sum.hexdigest()} {crowd.lines}"
