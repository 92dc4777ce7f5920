"""Two keys on one port: each connection is led to the listener that has the key its caller wants.

A CURVE socket of ZeroMQ has one key, and who calls does not say which one it expects: only the holder of the right
secret can read its first command (HELLO, RFC 26). But until the answer to that, the caller's bytes do not depend on
ours, since every greeting of ours is the same. So the first listener is given the connection's bytes; if it hangs up
on them, the next one is given the same bytes from the beginning, and the caller, who has seen one greeting, notices
nothing. Whoever answers the HELLO has the right key, and from there on bytes are only carried.

It knows no secret and decrypts nothing: authentication stays with ZeroMQ. Carrying costs each message two more system
calls each way; it is done only while a rotation is under way.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from typing import Final

from transport.address import Address
from transport.limits import LinkLimits
from transport.links.drops import Drops

_GREETING_BYTES: Final = 64
"""RFC 23: signature, version, mechanism, role, filler. The answer to a HELLO follows it."""

_OPENING_BYTES_MAX: Final = 1_024
"""A caller's greeting and HELLO are 266 bytes."""


class Demux:
    """Accepts on a listening socket and leads each connection to one of several listeners on this machine."""

    def __init__(self, limits: LinkLimits, drops: Drops) -> None:
        self.limits = limits
        self.drops = drops
        self.targets: Sequence[Address] = ()
        """The listeners, in the order in which they are tried."""
        self.visits: set[Visit] = set()
        self._opening: asyncio.Task[None] | None = None
        self._server: asyncio.Server | None = None

    @property
    def is_open(self) -> bool:
        """Whether it accepts connections, or is about to."""
        return self._opening is not None

    def open(self, loop: asyncio.AbstractEventLoop, listening: socket.socket) -> None:
        """Begin to accept on a copy of `listening`; until that has begun, connections wait."""
        self.loop = loop
        self._opening = loop.create_task(self._serve(listening), name="two keys on one port")

    def close(self) -> None:
        """Stop accepting, let go of the port, and end every connection."""
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        if self._server is not None:
            self._server.close()
            self._server = None
        for visit in list(self.visits):
            visit.abort()

    async def _serve(self, listening: socket.socket) -> None:
        # In two steps: `close` may come between them, and must find the server that it has to close.
        self._server = await self.loop.create_server(
            lambda: Visit(self), sock=listening.dup(), backlog=self.limits.backlog, start_serving=False
        )
        await self._server.start_serving()


class Visit(asyncio.Protocol):
    """One connection from outside."""

    outer: asyncio.Transport

    def __init__(self, demux: Demux) -> None:
        self._demux = demux
        self._untried = list(demux.targets)
        self._opening = bytearray()  # what the caller has sent, until it is known whose caller it is
        self._shown = 0  # bytes of a listener that the caller has seen
        self._inner: _Inner | None = None
        self._calling: asyncio.Task[None] | None = None
        self.is_led = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the caller's first bytes: a port scan costs no listener anything."""
        assert isinstance(transport, asyncio.Transport)
        self.outer = transport
        demux = self._demux
        if len(demux.visits) >= demux.limits.rotation_connections_max:
            demux.drops.count("connection not accepted", "too many at once during a rotation of the key")
            transport.abort()
            return
        demux.visits.add(self)
        demux.loop.call_later(demux.limits.handshake_ms / 1000, self._give_up)

    def data_received(self, data: bytes) -> None:
        """Carry, and until somebody has answered also keep."""
        if not self.is_led:
            self._opening += data
            if len(self._opening) > _OPENING_BYTES_MAX:
                self._refuse()
                return
            if self._calling is None:
                self._call_next()
        if self._inner is not None:
            self._inner.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """The caller has gone."""
        self._demux.visits.discard(self)
        if self._calling is not None:
            self._calling.cancel()
        if self._inner is not None:
            self._inner.transport.close()

    def pause_writing(self) -> None:
        """The caller reads too slowly."""
        if self._inner is not None:
            self._inner.transport.pause_reading()

    def resume_writing(self) -> None:
        """The caller has caught up."""
        if self._inner is not None:
            self._inner.transport.resume_reading()

    def abort(self) -> None:
        """End it now."""
        self.outer.abort()

    # --- finding the listener -----------------------------------------------------------------------------------------

    def _call_next(self) -> None:
        self._inner = None
        if not self._untried:
            self._refuse()
            return
        self._calling = self._demux.loop.create_task(self._call(self._untried.pop(0)))

    async def _call(self, target: Address) -> None:
        try:
            await self._demux.loop.create_connection(lambda: _Inner(self), target.host, target.port)
        except OSError as error:
            self._demux.drops.count("connection not accepted", error, level=logging.ERROR)
            self.abort()

    def reached(self, inner: _Inner) -> None:
        """A listener is there: it gets what the caller has sent so far."""
        self._inner = inner
        inner.transport.write(bytes(self._opening))

    def answered(self, inner: _Inner, data: bytes) -> None:
        """A listener says something: what the caller has not seen yet is passed on."""
        before, inner.received = inner.received, inner.received + len(data)
        if not self.is_led:
            data = data[max(0, self._shown - before) :]
            self._shown = max(self._shown, inner.received)
            if inner.received > _GREETING_BYTES:
                self.is_led = True
                self._opening.clear()
        if data:
            self.outer.write(data)

    def left(self, inner: _Inner) -> None:
        """A listener has hung up: not its key, or the end."""
        if self.is_led or self.outer.is_closing():
            self.outer.close()
        elif inner is self._inner:
            self._call_next()

    def _give_up(self) -> None:
        if not self.is_led and not self.outer.is_closing():
            self._refuse()

    def _refuse(self) -> None:
        self._demux.drops.count("handshake failed", "a connection with neither the old nor the new key")
        self.abort()


class _Inner(asyncio.Protocol):
    """The connection of a visit to one listener."""

    transport: asyncio.Transport

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self.received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._visit.reached(self)

    def data_received(self, data: bytes) -> None:
        self._visit.answered(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._visit.left(self)

    def pause_writing(self) -> None:
        self._visit.outer.pause_reading()

    def resume_writing(self) -> None:
        self._visit.outer.resume_reading()
