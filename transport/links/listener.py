"""A listening socket of a server with one key, or none: a ROUTER, read in bounded batches.

Everything that comes in is hostile until proven otherwise: whatever cannot be a frame of a peer or a client is counted
and dropped here, and nothing a peer sends can raise past `_drain`. What ZeroMQ itself turns away (a handshake that
fails, a frame announced larger than the limit) is counted from the socket's monitor. Which address it listens on, and
whether it is the only one, is the entrance's business (entrance.py).

One thing libzmq gives no limit for: the number of parts of one message. With keys, only their holders can send any.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket as net
from collections.abc import Callable

import zmq
from zmq.utils.monitor import parse_monitor_message

from transport.address import Address, parse_address
from transport.keys import ClusterKey
from transport.limits import LinkLimits
from transport.links.admission import OTHER_CLUSTER, refusal
from transport.links.cuts import Cuts
from transport.links.drops import Drops
from transport.links.link import ACK_KIND, WHO_KIND
from transport.links.port import bound_address
from transport.links.sessions import Sessions
from transport.links.sockets import make_router
from transport.stamp import Letter, Stamp
from transport.text import shortened
from transport.wire import (
    OTHER_CLUSTER_ERROR,
    ErrorReply,
    Header,
    Origin,
    OtherVersionError,
    WireError,
    encode_body,
    kind_of,
    unpack,
)
from transport.zap import SERVER_USER

_log = logging.getLogger("quorate.links")

Arrival = tuple[Header, Origin, bytes, bytes | None]
"""A frame let in: its header, who made it, its body, and for a client's the routing id that an answer needs."""

OnFrames = Callable[[list[Arrival]], None]

_NOBLOCK = int(zmq.NOBLOCK)
_EVENTS, _POLLIN = int(zmq.EVENTS), int(zmq.POLLIN)
_NOBLOCK_MORE = int(zmq.NOBLOCK | zmq.SNDMORE)
_CALM_MS = 20
"""After so long without an event no more are to come."""
_EVENTS_MAX = 4_096
"""More than wait for a reader at a time (ZeroMQ keeps 2,000): whoever reads so many reads what comes meanwhile."""
_MONITORED = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_ACCEPT_FAILED


class Listener:
    """Receives frames of servers and clients, answers clients, acknowledges servers."""

    def __init__(
        self,
        ctx: zmq.SyncContext,
        key: ClusterKey | None,
        limits: LinkLimits,
        *,
        mark: bytes,
        drops: Drops,
        cuts: Cuts,
        on_frames: OnFrames,
    ) -> None:
        """Frames get routing ids that end with `mark`, so that answers find the way back to this socket."""
        self.mark = mark
        self.expects_failures = False
        """Whether a handshake may fail for no reason worth a word: the caller is then led to another listener."""
        self._limits = limits
        self._drops = drops
        self._cuts = cuts
        self._on_frames = on_frames
        self._arrived: list[Arrival] = []
        self._sessions = Sessions(limits)
        self._secured = key is not None
        self._drain_due = False
        self._outside = ""
        self._inside: Address | None = None
        self._socket = make_router(ctx, key, limits)
        self.frames_in = self.bytes_in = self.replies = 0

    @property
    def gaps(self) -> int:
        """How often frames of a session were missing."""
        return self._sessions.gaps

    def bind(self, listening: net.socket) -> None:
        """Accept on a copy of a listening socket."""
        if not self._outside:
            self._socket.setsockopt(zmq.USE_FD, os.dup(listening.fileno()))
            self._socket.bind(bound_address(listening).endpoint)
            self._socket.setsockopt(zmq.USE_FD, -1)
            self._outside = self._endpoint()

    def unbind(self) -> None:
        """Accept there no more; ZeroMQ cuts what was accepted there."""
        if self._outside:
            self._socket.unbind(self._outside)
            self._outside = ""
            self._drain_soon()

    def bind_inside(self) -> Address:
        """Accept on a port of this machine alone, which is returned."""
        if self._inside is None:
            self._socket.bind("tcp://127.0.0.1:*")
            self._inside = parse_address(self._endpoint().removeprefix("tcp://"))
        return self._inside

    def _endpoint(self) -> str:
        return self._socket.get_string(zmq.LAST_ENDPOINT).rstrip("\0")

    def open(self, loop: asyncio.AbstractEventLoop, stamp: Stamp, heard: Callable[[str], None]) -> None:
        """Start receiving; `heard(address)` is called for every frame of a server."""
        self._loop = loop
        self._stamp = stamp
        self._heard = heard
        self._monitor = self._socket.get_monitor_socket(int(_MONITORED))
        loop.add_reader(self._monitor.fileno(), self._on_monitor)
        loop.add_reader(self._socket.fileno(), self._drain)
        # Binding and connecting may consume the first edge of the fds, as sending does: look once without being told.
        loop.call_soon(self._on_monitor)
        self._drain_soon()

    def close(self, linger_ms: int = 0) -> None:
        """Stop receiving and give the address back (a moment later: ZeroMQ closes in the background)."""
        if self._socket.closed:
            return
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_reader(self._monitor.fileno())
        self._end_monitor()
        self._socket.close(linger_ms)

    def _end_monitor(self) -> None:
        """ZeroMQ's thread waits for room for an event, and holds a lock by then that this would wait for, for ever."""
        if not self._has_calmed_down():
            # Events come faster than they are read: each accept fails. That ends with the accepting alone.
            self.unbind()
            if self._inside is not None:
                self._socket.unbind(f"tcp://127.0.0.1:{self._inside.port}")
            while self._monitor.poll(_CALM_MS) and not self._has_calmed_down():
                pass
        self._socket.disable_monitor()
        self._monitor.close(0)

    def _has_calmed_down(self) -> bool:
        try:
            for _ in range(_EVENTS_MAX):
                self._monitor.recv_multipart(_NOBLOCK)
        except zmq.Again:
            return True
        return False

    def reply(self, routing_id: bytes, letter: Letter) -> bool:
        """Answer a client. False when it is gone or does not read its answers; never waits."""
        try:
            frame = self._stamp.frame(letter, 0, None)
        except WireError as error:
            self._drops.count("too large to send", error)
            return False
        if len(frame) > self._limits.frame_bytes_max:
            self._drops.count("too large to send", f"an answer of {len(frame)} bytes to a client")
            return False
        sent = self._send(routing_id[: -len(self.mark)], frame)
        self.replies += sent
        return sent

    def _send(self, routing_id: bytes, frame: bytes) -> bool:
        try:
            self._socket.send(routing_id, _NOBLOCK_MORE)
            self._socket.send(frame, _NOBLOCK)
        except zmq.Again:
            self._drops.quietly("answer to a peer that does not read")
            return False
        except zmq.ZMQError:
            self._drops.quietly("answer to a peer that is gone")
            return False
        finally:
            # Sending, also in vain, may have consumed the only sign that something has arrived.
            if int(self._socket.get(_EVENTS)) & _POLLIN:
                self._drain_soon()
        return True

    def _drain_soon(self) -> None:
        if not self._drain_due:
            self._drain_due = True
            self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        """Read until there is nothing (only then the fd reports the next arrival) or the batch is full."""
        self._drain_due = False
        if self._socket.closed:
            return
        if not self._read_batch():
            self._drain_soon()
        if self._arrived:
            arrived, self._arrived = self._arrived, []
            try:
                self._on_frames(arrived)
            except Exception:
                _log.exception("handing over %d frames, the first a %r, failed", len(arrived), arrived[0][0].kind)

    def _read_batch(self) -> bool:
        """Read a batch; True when there is nothing more."""
        try:
            for _ in range(self._limits.batch_frames):
                routing_id = self._socket.recv(_NOBLOCK)
                frame, user, is_last = self._read()
                if is_last:
                    self._on_arrival(routing_id, frame, user)
                else:
                    self._skip_parts()
                # Cheaper than a read in vain, which makes an exception.
                if not int(self._socket.get(_EVENTS)) & _POLLIN:
                    return True
        except zmq.Again:
            return True
        except zmq.ZMQError as error:
            _log.error("cannot read from the listening socket: %s", error)
            return True
        return False

    def _read(self) -> tuple[bytes, str | None, bool]:
        """The next part, the user it is from (None without keys), and whether it is the last of its message."""
        part = self._socket.recv(_NOBLOCK, copy=False)  # knows what follows, which costs a microsecond to ask for
        if not self._secured:
            return part.bytes, None, not part.more
        # Asked of every frame: remembered by routing id, it could be inherited by a client that chooses its own.
        user = part.get("User-Id")
        return part.bytes, user if isinstance(user, str) else "", not part.more

    def _skip_parts(self) -> None:
        while self._socket.getsockopt(zmq.RCVMORE):
            self._socket.recv(_NOBLOCK)
        self._drops.count("bad frame", "a message of several parts")

    def _on_arrival(self, routing_id: bytes, frame: bytes, user: str | None) -> None:
        try:
            header, body = unpack(frame)
        except OtherVersionError as error:
            self._drops.count("other version", error)
            return
        except WireError as error:
            self._drops.count("bad frame", error)
            return
        origin = header.origin or self._sessions.origin(routing_id)
        if origin is None:
            self._ask_who(routing_id, user)
            return
        refused = refusal(header, origin, user, self._stamp.cluster_id())
        if header.origin is not None and origin.sender and refused in ("", OTHER_CLUSTER):
            self._sessions.introduce(routing_id, origin)
        if refused:
            self._drops.count(refused, f"{header.kind!r} from {origin.sender or 'a client'} {origin.address}"[:200])
            if refused == OTHER_CLUSTER and not origin.sender:
                self._say_which_cluster(routing_id, header.ask, origin.cluster_id)
            return
        self.frames_in += 1
        self.bytes_in += len(frame)
        if origin.sender:
            self._on_server_frame(routing_id, header, origin, body, len(frame))
        else:
            self._arrived.append((header, origin, body, routing_id + self.mark))

    def _ask_who(self, routing_id: bytes, user: str | None) -> None:
        """A frame of a connection that nobody has introduced: its sender takes it for an older one."""
        self._drops.quietly("not introduced")
        if user is None or user == SERVER_USER:
            self._send(routing_id, self._stamp.frame(Letter("", WHO_KIND, b""), 0, None))

    def _say_which_cluster(self, routing_id: bytes, ask: int, theirs: str) -> None:
        own = self._stamp
        why = f"{own.address} is a server of cluster {own.cluster_id()}, and {shortened(theirs)} was asked for"
        error = ErrorReply(OTHER_CLUSTER_ERROR, why)
        self._send(routing_id, own.frame(Letter("", kind_of(error), encode_body(error), ask=-ask), 0, None))

    def _on_server_frame(self, routing_id: bytes, header: Header, origin: Origin, body: bytes, size: int) -> None:
        if self._sessions.received(routing_id, header.sequence, size):
            ack = Letter(header.actor, ACK_KIND, b"")
            self._send(routing_id, self._stamp.frame(ack, header.sequence, self._stamp.origin(origin.session)))
        if origin.address in self._cuts.inbound:
            self._drops.quietly("cut")
            return
        self._heard(origin.address)
        self._arrived.append((header, origin, body, None))

    def _on_monitor(self) -> None:
        """Read a batch: where every accept fails, events come as fast as they are read."""
        for _ in range(self._limits.batch_frames):
            if self._monitor.closed:
                return
            try:
                event = parse_monitor_message(self._monitor.recv_multipart(_NOBLOCK))["event"]
            except zmq.ZMQError:
                return
            self._note(event)
        self._loop.call_soon(self._on_monitor)

    def _note(self, event: int) -> None:
        if event == zmq.EVENT_ACCEPT_FAILED:
            self._drops.count("connection not accepted", "out of file descriptors? raise `ulimit -n`")
        elif self.expects_failures:
            return
        elif event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
            self._drops.count("handshake failed", "a connection that does not speak ZeroMQ, or has no key")
        elif event == zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL:
            # Servers do so themselves, to see whether anybody listens (probe.py): no news in a healthy cluster.
            detail = "a connection ended early: another server's look who is there, a port scan, a health check"
            self._drops.count("handshake not finished", detail, level=logging.DEBUG)
