"""Following the sequence of frames of incoming sessions: what is missing, and when to acknowledge.

Delivery across a reconnect is unknown, so every frame carries its place in its session: a gap says that frames of that
session were lost. The acknowledgements let the sender bound what is under way (see link.py). Pure bookkeeping.
"""

from __future__ import annotations

from attrs import define

from transport.limits import LinkLimits
from transport.wire import Header


@define
class _Session:
    sequence: int = 0
    frames: int = 0
    bytes: int = 0


class Sessions:
    """The sessions that other servers send frames in, the least recently started ones forgotten first."""

    def __init__(self, limits: LinkLimits) -> None:
        self._limits = limits
        self._sessions: dict[tuple[str, int, int], _Session] = {}
        self.gaps = 0

    def received(self, header: Header, size: int) -> bool:
        """Note a frame of `size` bytes. True when it is time to acknowledge up to it."""
        key = (header.sender, header.incarnation, header.session)
        session = self._sessions.get(key)
        if session is None:
            session = self._started(key)
        if header.sequence != session.sequence + 1:
            self.gaps += 1
        session.sequence = header.sequence
        session.frames += 1
        session.bytes += size
        if session.frames < self._limits.ack_frames and session.bytes < self._limits.ack_bytes:
            return False
        session.frames = session.bytes = 0
        return True

    def _started(self, key: tuple[str, int, int]) -> _Session:
        if len(self._sessions) >= self._limits.sessions_max:
            del self._sessions[next(iter(self._sessions))]
        session = self._sessions[key] = _Session()
        return session
