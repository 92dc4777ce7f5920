"""Who is at the other end of each connection, and following the sequence of its frames: what is missing, and when to
acknowledge.

A server says who it is with the first frame of a session; what comes on the same connection later is from the same one.
A connection that nothing is known of here is not guessed at: the listener asks who it is (see listener.py).

Delivery across a reconnect is unknown, so every frame carries its place in its session: a gap says that frames of that
session were lost. The acknowledgements let the sender bound what is under way (see link.py). Pure bookkeeping.
"""

from __future__ import annotations

from msgspec import Struct

from transport.limits import LinkLimits
from transport.wire import Origin


class _Session(Struct):
    origin: Origin
    sequence: int = 0
    frames: int = 0
    bytes: int = 0


class Sessions:
    """The sessions that other servers send frames in, by connection; the least recently started are forgotten first."""

    def __init__(self, limits: LinkLimits) -> None:
        self._limits = limits
        self._sessions: dict[bytes, _Session] = {}
        self.gaps = 0

    def origin(self, connection: bytes) -> Origin | None:
        """Who is there, or None when nobody has said so, or it was forgotten."""
        session = self._sessions.get(connection)
        return None if session is None else session.origin

    def introduce(self, connection: bytes, origin: Origin) -> None:
        """Whose frames come from there from now on."""
        session = self._sessions.get(connection)
        if session is not None and _names_the_same(session.origin, origin):
            session.origin = origin
            return
        if session is None and len(self._sessions) >= self._limits.sessions_max:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[connection] = _Session(origin)

    def received(self, connection: bytes, sequence: int, size: int) -> bool:
        """Note a frame of `size` bytes of whoever is there. True when it is time to acknowledge up to it."""
        session = self._sessions[connection]
        if sequence != session.sequence + 1:
            self.gaps += 1
        session.sequence = sequence
        session.frames += 1
        session.bytes += size
        if session.frames < self._limits.ack_frames and session.bytes < self._limits.ack_bytes:
            return False
        session.frames = session.bytes = 0
        return True


def _names_the_same(before: Origin, now: Origin) -> bool:
    return (before.session, before.sender, before.incarnation) == (now.session, now.sender, now.incarnation)
