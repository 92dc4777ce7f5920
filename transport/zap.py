"""The ZAP handler: which CURVE key may connect, and as what (RFC 27 of ZeroMQ).

libzmq asks it over `inproc://zeromq.zap.01` about every connecting key; one handler serves one ZeroMQ context. The
user id it answers with comes back with every frame of the connection, so a frame's claim to be a server's can be held
against the key. When the handler is gone, connections are refused, never let in (ZAP_ENFORCE_DOMAIN).

Each listening socket has a key, and the key's own ZAP domain: during a rotation the holders of one key are let in by
the socket of that key only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import zmq
from zmq.utils import z85

from transport.errors import LinkError
from transport.keys import ClusterKey
from transport.links.drops import Drops

SERVER_USER = "server"
CLIENT_USER = "client"

_ENDPOINT = "inproc://zeromq.zap.01"
_VERSION = b"1.0"
_FRAMES = 7  # version, request id, domain, address, identity, mechanism, key


def zap_domain(key: ClusterKey) -> bytes:
    """The domain of the sockets that listen with a key."""
    return b"quorate." + key.fingerprint.encode()


class ZapHandler:
    """Answers libzmq's questions with the keys that are admitted now."""

    def __init__(self, ctx: zmq.SyncContext, drops: Drops) -> None:
        self._users: dict[tuple[bytes, bytes], bytes] = {}
        self._drops = drops
        self._loop: asyncio.AbstractEventLoop | None = None
        self._socket = ctx.socket(zmq.REP)
        self._socket.setsockopt(zmq.LINGER, 0)

    def open(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start answering. Raises LinkError when the ZeroMQ context has a handler already."""
        try:
            self._socket.bind(_ENDPOINT)
        except zmq.ZMQError as error:
            self._socket.close()
            raise LinkError(f"two servers with keys cannot share one ZeroMQ context ({error.strerror})") from error
        self._loop = loop
        loop.add_reader(self._socket.fileno(), self._on_readable)
        loop.call_soon(self._on_readable)

    def admit(self, keys: Iterable[ClusterKey]) -> None:
        """From now on these keys are let in, and no others; connections that stand are not looked at again."""
        self._users = {}
        for key in keys:
            self._users[zap_domain(key), z85.decode(key.client.public)] = CLIENT_USER.encode()
            self._users[zap_domain(key), z85.decode(key.server_public)] = SERVER_USER.encode()

    def close(self) -> None:
        """Stop answering; from here on every key is refused."""
        if self._loop is None:
            return
        self._loop.remove_reader(self._socket.fileno())
        self._loop = None
        self._socket.unbind(_ENDPOINT)  # at once: a mere close gives the name back later
        self._socket.close()

    def _on_readable(self) -> None:
        if self._loop is None:
            return
        # Read until empty: the fd tells of changes only, and the answer just sent may have consumed one.
        while True:
            try:
                request = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._socket.send_multipart(self._answer(request), zmq.NOBLOCK)

    def _answer(self, request: list[bytes]) -> list[bytes]:
        request_id = request[1] if len(request) > 1 else b""
        user = self._user(request)
        if user is None:
            address = request[3].decode(errors="replace") if len(request) > 3 else "unknown"
            self._drops.count("unknown key", f"a connection from {address} with a key of another cluster, or none")
            return [_VERSION, request_id, b"400", b"unknown key", b"", b""]
        return [_VERSION, request_id, b"200", b"OK", user, b""]

    def _user(self, request: list[bytes]) -> bytes | None:
        if len(request) != _FRAMES:
            return None
        version, _, domain, _, _, mechanism, key = request
        if version != _VERSION or mechanism != b"CURVE":
            return None
        return self._users.get((domain, key))
