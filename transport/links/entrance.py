"""The one address of a server: its port, who may come in, and during a rotation of the key a listener for each key.

With one key, or none, its listener accepts on the port itself. With two, a demultiplexer accepts (demux.py) and leads
each connection to the listener with the right key. Whenever that changes, the connections that stand are cut, since
ZeroMQ cannot hand one over; the port itself stays open all the while, so whoever was cut is back a moment later, and
nobody mistakes the server for dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import cycle

import zmq

from transport.address import Address
from transport.errors import LinkError
from transport.keys import ClusterKey
from transport.links.config import LinkConfig
from transport.links.cuts import Cuts
from transport.links.demux import Demux
from transport.links.drops import Drops
from transport.links.listener import Listener, OnFrames
from transport.links.port import bound_address, take_port
from transport.stamp import Letter, Stamp
from transport.zap import ZapHandler

_NO_KEY = ""


class Entrance:
    """Receives frames of servers and clients, and answers clients."""

    def __init__(
        self, ctx: zmq.SyncContext, config: LinkConfig, *, drops: Drops, cuts: Cuts, on_frames: OnFrames
    ) -> None:
        self._ctx = ctx
        self._config = config
        self._drops = drops
        self._cuts = cuts
        self._on_frames = on_frames
        self._marks = cycle(bytes([number]) for number in range(256))
        self._listeners: dict[str, Listener] = {}  # by the key's fingerprint
        self._by_mark: dict[bytes, Listener] = {}
        self._zap: ZapHandler | None = None
        self._demux = Demux(config.limits, drops)
        self._closed = {"frames_in": 0, "bytes_in": 0, "replies": 0, "gaps": 0}

    def bind(self) -> Address:
        """Take the address. Returns it with the port it got; raises LinkError, which says why not and what to try."""
        ring = self._config.ring
        if ring is not None and not all(key.can_serve for key in ring.accepted):
            raise LinkError("this key file is a client's: a server needs the cluster's key (`keys generate`)")
        self._port = take_port(self._config.bind, self._config.limits.backlog)
        return bound_address(self._port)

    def open(self, loop: asyncio.AbstractEventLoop, stamp: Stamp, heard: Callable[[str], None]) -> None:
        """Start receiving; `heard(address)` is called for every frame of a server."""
        self._loop = loop
        self._stamp = stamp
        self._heard = heard
        ring = self._config.ring
        if ring is None:
            self._listener(None).bind(self._port)
            return
        self._zap = ZapHandler(self._ctx, self._drops)
        try:
            self._zap.open(loop)
        except LinkError:
            self._port.close()
            raise
        self.accept(ring.accepted)

    def close(self, linger_ms: int = 0) -> None:
        """Stop receiving and give the address back (a moment later: ZeroMQ closes in the background)."""
        self._demux.close()
        self._close_listeners(list(self._listeners), linger_ms)
        if self._zap is not None:
            self._zap.close()
        self._port.close()

    def accept(self, keys: Sequence[ClusterKey]) -> None:
        """From now on let in who holds one of these keys, one or two; the first is the likelier one."""
        assert self._zap is not None, "a server without keys has none to change"
        self._zap.admit(keys)
        wanted = [self._listener(key) for key in keys]
        for listener in wanted:
            listener.expects_failures = len(wanted) > 1
        if len(wanted) > 1:
            self._demux.targets = [listener.bind_inside() for listener in wanted]
            if not self._demux.is_open:
                self._demux.open(self._loop, self._port)
            for listener in wanted:
                listener.unbind()
        else:
            wanted[0].bind(self._port)
            self._demux.close()
        self._close_listeners(self._listeners.keys() - {key.fingerprint for key in keys})

    def reply(self, routing_id: bytes, letter: Letter) -> bool:
        """Answer a client. False when it is gone or does not read its answers; never waits."""
        listener = self._by_mark.get(routing_id[-1:])
        if listener is None:
            self._drops.quietly("answer to a peer that is gone")
            return False
        return listener.reply(routing_id, letter)

    def counts(self) -> dict[str, int]:
        """Frames and bytes that came in, replies and gaps, since the start."""
        return {
            name: closed + sum(getattr(listener, name) for listener in self._listeners.values())
            for name, closed in self._closed.items()
        }

    def _listener(self, key: ClusterKey | None) -> Listener:
        """The listener with a key, made if there is none."""
        name = key.fingerprint if key else _NO_KEY
        listener = self._listeners.get(name)
        if listener is None:
            mark = next(mark for mark in self._marks if mark not in self._by_mark)
            listener = Listener(
                self._ctx,
                key,
                self._config.limits,
                mark=mark,
                drops=self._drops,
                cuts=self._cuts,
                on_frames=self._on_frames,
            )
            self._listeners[name] = self._by_mark[mark] = listener
            listener.open(self._loop, self._stamp, self._heard)
        return listener

    def _close_listeners(self, names: Iterable[str], linger_ms: int = 0) -> None:
        for name in names:
            listener = self._listeners.pop(name)
            del self._by_mark[listener.mark]
            for count in self._closed:
                self._closed[count] += getattr(listener, count)
            listener.close(linger_ms)
