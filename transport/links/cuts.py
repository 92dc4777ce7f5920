"""The fault hook of the link layer: pretend that the network between two servers is cut, in one or both directions.

Frames are thrown away, silently as a network would; connections and acknowledgements stay. Only a local cluster and
tests can reach it.
"""

from __future__ import annotations


class Cuts:
    """From and to which advertised addresses nothing passes."""

    def __init__(self) -> None:
        self.inbound: set[str] = set()
        self.outbound: set[str] = set()

    def cut(self, address: str, *, inbound: bool, outbound: bool) -> None:
        """Set both directions for an address; False heals a direction."""
        for addresses, is_cut in ((self.inbound, inbound), (self.outbound, outbound)):
            if is_cut:
                addresses.add(address)
            else:
                addresses.discard(address)

    def heal(self) -> None:
        """Let everything pass again."""
        self.inbound.clear()
        self.outbound.clear()

    def __contains__(self, address: str) -> bool:
        return address in self.inbound or address in self.outbound
