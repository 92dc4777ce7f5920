"""Who this server is on the network, and whether it may be there: what its links are made from."""

from __future__ import annotations

from attrs import field, frozen

from transport.address import parse_address
from transport.errors import LinkError
from transport.keys import ClusterKey
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


def check_exposure(bind: str, key: ClusterKey | None, insecure: bool) -> None:
    """Raise LinkError when a server would listen beyond this machine without a key and nobody said so aloud."""
    if key is None and not insecure and not parse_address(bind).is_loopback:
        raise LinkError(
            f"refusing to listen on {bind} without a key: whoever reaches it could command the cluster; "
            "give --key FILE (`keys generate` makes one), or --insecure if that is what you want"
        )
