"""Making frames: what every frame of this server says about its sender."""

from __future__ import annotations

from collections.abc import Callable

from transport.wire import PROTOCOL_VERSION, Header, pack


class Stamp:
    """Puts this server's identity on frames. The cluster id is asked for each time: a joiner gets it late."""

    def __init__(self, server_id: str, incarnation: int, address: str, cluster_id: Callable[[], str]) -> None:
        self.server_id = server_id
        self.incarnation = incarnation
        self.address = address
        self.cluster_id = cluster_id

    def frame(self, letter: Letter, session: int, sequence: int) -> bytes:
        """The frame of a letter. Raises WireError when its names do not fit a header."""
        to, kind, body, actor, ask = letter
        return pack(
            Header(
                PROTOCOL_VERSION,
                self.cluster_id(),
                to,
                kind,
                self.server_id,
                self.incarnation,
                self.address,
                actor,
                session,
                sequence,
                ask,
            ),
            body,
        )


Letter = tuple[str, str, bytes, str, int]
"""To which actor, kind, body, from which actor, ask: what is to be sent, not yet given its place in a session."""
