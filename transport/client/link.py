"""One connection of an async client to one server: a DEALER read in bounded batches, and its monitor.

What lives here: bytes in and out, and whether there is a connection.  What does not: what is sent, and to whom.  The
socket is read with `add_reader` and NOBLOCK rather than through zmq.asyncio, which costs a task switch a message.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import zmq

from transport.address import Address
from transport.client.dealer import (
    CONNECTED,
    DISCONNECTED,
    HANDSHAKE_FAILED,
    HANDSHAKE_REFUSED,
    MONITORED,
    handshake_trouble,
    make_client_socket,
    read_event,
)
from transport.client.frames import decode_answer
from transport.client.protocol import Response
from transport.wire import WireError

if TYPE_CHECKING:
    import asyncio

    from transport.keys import ClusterKey

BATCH_FRAMES: Final = 256
"""Answers read before other work of the event loop gets its turn."""

_NOBLOCK: Final = int(zmq.NOBLOCK)
_EVENTS: Final = int(zmq.EVENTS)
_POLLIN: Final = int(zmq.POLLIN)


class ClientLink:
    """Connects when made, and again whenever the connection is lost, until closed.

    on_answer(response) is called for every answer, on_change(link) when `is_up` has changed.
    """

    def __init__(
        self,
        ctx: zmq.SyncContext,
        address: Address,
        key: ClusterKey | None,
        loop: asyncio.AbstractEventLoop,
        *,
        on_answer: Callable[[Response], None],
        on_change: Callable[[ClientLink], None],
    ) -> None:
        self.address = str(address)
        self.is_up = False
        self.trouble = f"no server answers at {address}"
        self._where = address
        self._key = key
        self._loop = loop
        self._on_answer = on_answer
        self._on_change = on_change
        self._due = False
        self._closed = False
        self._socket = make_client_socket(ctx, address, key)
        self._monitor = self._socket.get_monitor_socket(MONITORED)
        self._fds = (self._socket.fileno(), self._monitor.fileno())
        self._socket.connect(address.endpoint)
        loop.add_reader(self._fds[0], self._read)
        loop.add_reader(self._fds[1], self._look)
        # Connecting may have consumed the first report of either.
        loop.call_soon(self._look)

    def send(self, frame: bytes) -> bool:
        """Send one frame; False when there is no connection to take it.  Never waits."""
        try:
            self._socket.send(frame, _NOBLOCK)
        except zmq.ZMQError:
            return False
        # The fd reports an arrival once, and sending may have consumed the report.
        if int(self._socket.get(_EVENTS)) & _POLLIN:
            self._read_soon()
        return True

    def close(self) -> None:
        """Give the sockets back, at once; nothing is called after this."""
        if self._closed:
            return
        self._closed = True
        for fd in self._fds:
            self._loop.remove_reader(fd)
        self._socket.disable_monitor()
        self._monitor.close(0)
        self._socket.close(0)

    def _read_soon(self) -> None:
        if not self._due:
            self._due = True
            self._loop.call_soon(self._read)

    def _read(self) -> None:
        """Read a batch of answers."""
        self._due = False
        if not self._closed and self._read_answers():
            self._read_soon()

    def _look(self) -> None:
        """See what has become of the connection."""
        if self._closed:
            return
        # Answers first: what arrived before the connection was lost is not lost.
        if self._read_answers():
            self._read_soon()
            self._loop.call_soon(self._look)
        else:
            self._read_events()

    def _read_answers(self) -> bool:
        """Read a batch; True when there may be more."""
        for _ in range(BATCH_FRAMES):
            try:
                frame = self._socket.recv(_NOBLOCK)
            except zmq.Again:
                return False
            try:
                response = decode_answer(frame)
            except WireError as error:
                self.trouble = f"{self.address} is no Quorate server of this release: {error}"
                continue
            self._on_answer(response)
            # Cheaper than a read in vain, which makes an exception.
            if self._closed or not int(self._socket.get(_EVENTS)) & _POLLIN:
                return False
        return True

    def _read_events(self) -> None:
        while not self._closed:
            try:
                event = read_event(self._monitor)
            except zmq.Again:
                return
            if event & CONNECTED:
                self._set_up(is_up=True)
            elif event & (HANDSHAKE_FAILED | HANDSHAKE_REFUSED):
                self.trouble = handshake_trouble(self._where, self._key)
            elif event & DISCONNECTED:
                self._set_up(is_up=False)

    def _set_up(self, *, is_up: bool) -> None:
        if self.is_up != is_up:
            self.is_up = is_up
            if is_up:
                self.trouble = f"the connection to {self.address} was lost"
            self._on_change(self)
