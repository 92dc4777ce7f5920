"""Handshakes of one dialling socket that fail: the peer is there, and has turned our key away.

ZeroMQ tries again in silence, with the same key, for ever; its monitor tells. A link does without one (link.py), so it
is only watched while there is another key to try.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import zmq

_FAILED: Final = int(
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH
)


class Handshakes:
    """Calls `on_failed` once, at the first handshake of the socket that fails; to be closed before the socket is."""

    def __init__(self, socket: zmq.SyncSocket, loop: asyncio.AbstractEventLoop, on_failed: Callable[[], None]) -> None:
        self._socket = socket
        self._loop = loop
        self._on_failed = on_failed
        self._monitor = socket.get_monitor_socket(_FAILED)
        loop.add_reader(self._monitor.fileno(), self._look)
        loop.call_soon(self._look)  # attaching may have consumed the first edge of the fd

    def close(self) -> None:
        """Watch no longer."""
        if not self._monitor.closed:
            self._loop.remove_reader(self._monitor.fileno())
            self._socket.disable_monitor()
            self._monitor.close(0)

    def _look(self) -> None:
        if not self._monitor.closed and int(self._monitor.get(zmq.EVENTS)) & zmq.POLLIN:
            self.close()
            self._on_failed()
