"""One link: a DEALER of ours to one server, on one lane, and the frames under way on it.

A link is `dialing` until its first handshake is through (frames are held, briefly), `up` while frames flow, `down`
when the connection is gone (frames are refused at once; ZeroMQ keeps trying to reconnect). Whether there is a
connection is read off the socket itself: with IMMEDIATE it can be written exactly while one exists, and the window
keeps it below ZeroMQ's high-water mark. That saves a monitor, which would be two more sockets a link.

The window: the receiver acknowledges sequence numbers now and then (see sessions.py), and what is not acknowledged
counts as under way. A new connection is a new session; what was under way on the old one is in nobody's hands.

Who this server is, is said by the first frame of a session, by the first one in a cluster that it has found since, and
when the receiver asks: ZeroMQ may have made a new connection without a word, or the receiver may have forgotten. The
frames between are shorter by half, for small ones, and are made and read sooner.

Which links exist, and what a link that went down means, is the dialer's business.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from enum import StrEnum
from itertools import count
from typing import Any

import zmq

from transport.limits import LinkLimits
from transport.links.drops import Drops
from transport.stamp import Letter, Stamp
from transport.wire import WireError, unpack

ACK_KIND = "link.ack"
"""A frame from a receiver: `session` and `sequence` say up to where frames have arrived."""
WHO_KIND = "link.who"
"""A frame from a receiver that does not know whose frames these are, and drops them until it is told."""

# An operation on zmq's enum flags costs a microsecond.
_EVENTS, _POLLIN, _POLLOUT, _NOBLOCK = int(zmq.EVENTS), int(zmq.POLLIN), int(zmq.POLLOUT), int(zmq.NOBLOCK)
_sessions = count(1)  # of the process: links made anew after a restart of their owner start new sessions too


class LinkState(StrEnum):
    """Where a link stands."""

    DIALING = "dialing"
    UP = "up"
    DOWN = "down"
    CLOSED = "closed"


class Link:
    """Sends frames to one server on one lane; used from the event loop's thread only."""

    def __init__(
        self,
        address: str,
        socket: zmq.SyncSocket,
        *,
        urgent: bool,
        stamp: Stamp,
        limits: LinkLimits,
        drops: Drops,
        clock: Callable[[], float],
    ) -> None:
        self.address = address
        self.urgent = urgent
        self.state = LinkState.DIALING
        self.last_used = self.dialed_at = clock()
        self.stalled = False
        self.frames = 0
        self.bytes_to: Counter[str] = Counter()
        """Bytes of frames by the actor they were for."""
        self._socket = socket
        self._fd = socket.fileno()
        self._stamp = stamp
        self._limits = limits
        self._drops = drops
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._on_change: Callable[[Link], None] = lambda link: None
        self._check_due = False
        self._held: deque[tuple[float, Letter]] = deque()
        self._held_bytes = 0
        self._new_session()

    def _new_session(self) -> None:
        self._session = next(_sessions)
        self._sequence = 0
        self._told: str | None = None  # the cluster this server was of when it last said who it is
        self._under_way: deque[tuple[int, int]] = deque()  # (sequence, bytes)
        self._under_way_bytes = 0
        self._shut_since: float | None = None  # since when the window refuses

    def open(self, loop: asyncio.AbstractEventLoop, on_change: Callable[[Link], None]) -> None:
        """Start watching the socket; `on_change(link)` is called whenever `state` has become up or down."""
        self._loop = loop
        self._on_change = on_change
        loop.add_reader(self._fd, self._check)
        self._check_soon()

    def close(self, linger_ms: int = 0) -> None:
        """Close; frames held are gone, frames under way have `linger_ms` to leave."""
        if self.state is LinkState.CLOSED:
            return
        self.state = LinkState.CLOSED
        if self._loop is not None:
            self._loop.remove_reader(self._fd)
        self._drop_held()
        self._socket.close(linger_ms)

    def send(self, letter: Letter) -> bool:
        """Send, or hold while dialing. False when refused: down, window full, too large. Never waits."""
        self.last_used = now = self._clock()
        if self.state is LinkState.UP:
            return self._window_open(len(letter.body), now) and self._send(letter)
        if self.state is LinkState.DIALING:
            return self._hold(letter, now)
        self._drops.quietly("link down")
        return False

    def _send(self, letter: Letter) -> bool:
        cluster_id = self._stamp.cluster_id()
        origin = None if cluster_id == self._told else self._stamp.origin(self._session)
        try:
            frame = self._stamp.frame(letter, self._sequence + 1, origin)
            size = len(frame)
            if size > self._limits.frame_bytes_max:  # sent, it would cost us the connection
                self._drops.count("too large to send", f"{size} bytes of {letter.kind} for {self.address}")
                return False
            self._socket.send(frame, _NOBLOCK)
        except WireError as error:
            self._drops.count("too large to send", error)
            return False
        except zmq.ZMQError:
            self._drops.quietly("link down")
            self._check_soon()
            return False
        self._told = cluster_id
        self._sequence += 1
        self._under_way.append((self._sequence, size))
        self._under_way_bytes += size
        self.frames += 1
        self.bytes_to[letter.to] += size
        # Sending may have consumed the only sign of an arrived acknowledgement or of a lost connection.
        if self._socket.get(_EVENTS) != _POLLOUT:
            self._check_soon()
        return True

    def _window_open(self, size: int, now: float) -> bool:
        limits = self._limits
        if len(self._under_way) < limits.window_frames and self._under_way_bytes + size <= limits.window_bytes:
            return True
        self._drops.quietly("window full")
        if self._shut_since is None:
            self._shut_since = now
        elif now - self._shut_since > limits.window_stall_s:
            # What is under way was lost in a reconnect that nobody noticed, or the peer does not read at all.
            self.stalled = True
            self._set_state(LinkState.DOWN)
        return False

    def _hold(self, letter: Letter, now: float) -> bool:
        size = len(letter.body)
        limits = self._limits
        if len(self._held) >= limits.held_frames or (self._held and self._held_bytes + size > limits.held_bytes):
            self._drops.quietly("link being made")
            return False
        self._held.append((now, letter))
        self._held_bytes += size
        return True

    def _flush_held(self) -> None:
        now = self._clock()
        oldest = now - self._limits.hold_s
        held, self._held, self._held_bytes = self._held, deque(), 0
        for held_at, letter in held:
            if held_at < oldest:
                self._drops.quietly("held too long")
            elif self._window_open(len(letter.body), now):
                self._send(letter)

    def _drop_held(self) -> None:
        for _ in self._held:
            self._drops.quietly("held too long")
        self._held.clear()
        self._held_bytes = 0

    def give_up(self) -> None:
        """Stop holding frames for a link that did not come up; it still may, and then serves."""
        if self.state is LinkState.DIALING:
            self._set_state(LinkState.DOWN)

    def _check_soon(self) -> None:
        if not self._check_due and self._loop is not None:
            self._check_due = True
            self._loop.call_soon(self._check)

    def _check(self) -> None:
        """Read what the receiver says, then see whether the connection is there. Called when either may be news."""
        self._check_due = False
        if self.state is LinkState.CLOSED:
            return
        events = int(self._socket.get(_EVENTS))
        for _ in range(self._limits.batch_frames):
            if not events & _POLLIN:
                break
            for frame in self._socket.recv_multipart(zmq.NOBLOCK):
                self._on_word(frame)
            events = int(self._socket.get(_EVENTS))
        else:
            self._check_soon()
        connected = bool(events & _POLLOUT)
        if connected and self.state is not LinkState.UP:
            self._set_state(LinkState.UP)
        elif not connected and self.state is LinkState.UP:
            self._set_state(LinkState.DOWN)

    def _set_state(self, state: LinkState) -> None:
        self.state = state
        if state is LinkState.UP:
            self._flush_held()
        else:
            self._drop_held()
            self._new_session()
        self._on_change(self)

    def _on_word(self, frame: bytes) -> None:
        try:
            header, _ = unpack(frame)
        except WireError as error:
            self._drops.count("bad frame", f"{error}, from {self.address}")
            return
        if header.kind == WHO_KIND:
            self._told = None
        elif header.kind == ACK_KIND and header.origin is not None and header.origin.session == self._session:
            self._acknowledged(header.sequence)

    def _acknowledged(self, sequence: int) -> None:
        while self._under_way and self._under_way[0][0] <= sequence:
            self._under_way_bytes -= self._under_way.popleft()[1]
        self._shut_since = None

    def stats(self) -> dict[str, Any]:
        """What the link carries and has carried."""
        return {
            "address": self.address,
            "lane": "urgent" if self.urgent else "bulk",
            "state": self.state.value,
            "frames": self.frames,
            "bytes": self.bytes_to.total(),
            "held": len(self._held),
            "unacknowledged_frames": len(self._under_way),
            "unacknowledged_bytes": self._under_way_bytes,
        }
