"""How many HTTP connections there may be at a time: files are few, and the links and the disk need some too.

What lives here: who gets in.  What does not: what they ask (api.py), and how long they may take about it.
"""

from __future__ import annotations

import asyncio
import logging
import resource
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from aiohttp.web import Server

CONNECTIONS_MAX: Final = 2_048
SHARE_OF_FILES: Final = 4
"""HTTP takes at most one in so many of the files that this process may open."""

_FULL: Final = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

log = logging.getLogger("quorate.http")


class Door:
    """Where connections arrive; those that are let in get the API's protocol."""

    def __init__(self, server: Server, connections_max: int) -> None:
        self._server = server
        self._max = connections_max
        self._is_full = False

    def __call__(self) -> asyncio.BaseProtocol:
        """The protocol of a connection that has just been made."""
        return _Visitor(self)

    def let_in(self) -> asyncio.BaseProtocol | None:
        """The protocol of one more connection, None when there are too many; that is logged once each time."""
        was_full, self._is_full = self._is_full, len(self._server.connections) >= self._max
        if self._is_full and not was_full:
            log.warning("HTTP has %d connections, which is the limit: further ones are turned away", self._max)
        return None if self._is_full else self._server()


class _Visitor(asyncio.Protocol):
    """A connection before it is let in."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Go in, or hear that there are too many."""
        # Asked now and not when the protocol is made: those made in the same breath would not see each other.
        protocol = self._door.let_in()
        if protocol is not None:
            transport.set_protocol(protocol)
            protocol.connection_made(transport)
        else:
            writer = cast("asyncio.Transport", transport)
            writer.write(_FULL)
            writer.close()


def connections_max() -> int:
    """The limit for this process."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS_MAX if files == resource.RLIM_INFINITY else min(CONNECTIONS_MAX, files // SHARE_OF_FILES)
