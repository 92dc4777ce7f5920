"""A letter, how it becomes a frame, and what this server says of itself in the first one of a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from transport.wire import PROTOCOL_VERSION, Header, Origin, pack


class Letter(NamedTuple):
    """What is to be sent, not yet given its place in a session; the fields mean what they mean in a Header."""

    to: str
    kind: str
    body: bytes
    actor: str = ""
    ask: int = 0


class Stamp:
    """Puts this server's identity on frames. The cluster id is asked for each time: a joiner gets it late."""

    def __init__(self, server_id: str, incarnation: int, address: str, cluster_id: Callable[[], str]) -> None:
        self.server_id = server_id
        self.incarnation = incarnation
        self.address = address
        self.cluster_id = cluster_id

    def origin(self, session: int) -> Origin:
        """Who this server is, in one of its sessions."""
        return Origin(self.server_id, self.address, self.cluster_id(), self.incarnation, session)

    def frame(self, letter: Letter, sequence: int, origin: Origin | None) -> bytes:
        """The frame of a letter. Raises WireError when its names do not fit a header."""
        to, kind, body, actor, ask = letter
        return pack(Header(PROTOCOL_VERSION, to, kind, actor, sequence, ask, origin), body)
