"""Who this server is on the network: what its links are made from."""

from __future__ import annotations

from attrs import field, frozen

from transport.limits import LinkLimits
from transport.ring import Ring


@frozen
class LinkConfig:
    """A server's place on the network.

    `bind` is where it listens; `advertise` is where others reach it (port 0 stands for the port that `bind` got).
    `incarnation` counts the boots of this server id. Without a `ring` nothing is encrypted and nobody authenticated.
    """

    bind: str
    advertise: str
    server_id: str
    incarnation: int
    ring: Ring | None = None
    limits: LinkLimits = field(factory=LinkLimits)
