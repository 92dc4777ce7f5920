"""The socket between a client and one server, with its options, and what its monitor says in words.

What lives here: ZeroMQ's side of both clients.  What does not: the servers' own sockets
(transport/links/sockets.py), whose options differ and whose modules import an event loop, which the command line does
without.

A handshake that fails is tried again by ZeroMQ for ever and in silence; a person with a wrong key would only see a
time-out.  The monitor tells, so whoever waits for a connection looks at it.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import zmq

if TYPE_CHECKING:
    from transport.address import Address
    from transport.keys import ClusterKey

FRAME_BYTES_MAX: Final = 16 * 1024 * 1024
"""The links' own limit: what a server sends is never larger."""

FAILED_HANDSHAKES_MAX: Final = 3
"""A server that is just starting may drop a handshake once; one that drops three in a row means it."""

NOT_CONNECTED: Final = int(zmq.EVENT_CONNECT_RETRIED)
"""A connect failed; the monitor does not say why."""
CONNECTED: Final = int(zmq.EVENT_HANDSHAKE_SUCCEEDED)
DISCONNECTED: Final = int(zmq.EVENT_DISCONNECTED)
HANDSHAKE_FAILED: Final = int(zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)
HANDSHAKE_REFUSED: Final = int(zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH)
"""The handshake failed for a reason that the next one will not cure; ZeroMQ stops trying."""
MONITORED: Final = NOT_CONNECTED | CONNECTED | DISCONNECTED | HANDSHAKE_FAILED | HANDSHAKE_REFUSED

_SEND_HWM_FRAMES: Final = 10_000
_RECONNECT_MS: Final = 100
_RECONNECT_MAX_MS: Final = 1_000
_HEARTBEAT_MS: Final = 1_000
_HEARTBEAT_TIMEOUT_MS: Final = 3_000
_HANDSHAKE_MS: Final = 5_000
_EVENT: Final = struct.Struct("=hi")


def make_client_socket(ctx: zmq.SyncContext, address: Address, key: ClusterKey | None) -> zmq.SyncSocket:
    """A DEALER that is not connected yet: its monitor must be there first.  A key's client pair is used."""
    socket = ctx.socket(zmq.DEALER)
    socket.setsockopt(zmq.LINGER, 0)
    # Without a connection a send fails at once: a request that ZeroMQ keeps for later may be carried out when its
    # client has long reported that it was not.
    socket.setsockopt(zmq.IMMEDIATE, 1)
    socket.setsockopt(zmq.MAXMSGSIZE, FRAME_BYTES_MAX)
    socket.setsockopt(zmq.SNDHWM, _SEND_HWM_FRAMES)
    socket.setsockopt(zmq.RCVHWM, 0)
    socket.setsockopt(zmq.RECONNECT_IVL, _RECONNECT_MS)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, _RECONNECT_MAX_MS)
    socket.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, _HEARTBEAT_TIMEOUT_MS)
    socket.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
    # As in transport/links/sockets.py: with IPV6 on, a name is tried on its first IPv6 address only.
    socket.setsockopt(zmq.IPV6, int(address.is_ipv6))
    if key is not None:
        socket.setsockopt(zmq.CURVE_SERVERKEY, key.server_public)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, key.client.public)
        socket.setsockopt(zmq.CURVE_SECRETKEY, key.client.secret)
    return socket


def read_event(monitor: zmq.SyncSocket) -> int:
    """The next event of a monitor.  Raises zmq.Again when there is none."""
    event, _ = _EVENT.unpack(monitor.recv_multipart(zmq.NOBLOCK)[0])
    return int(event)


def handshake_trouble(address: Address, key: ClusterKey | None) -> str:
    """What to tell somebody whose connections are accepted and whose handshakes fail."""
    if key is None:
        return (
            f"{address} turned the connection away: the server wants a key (--key FILE), "
            "or it is no Quorate server (HTTP has another port)"
        )
    return (
        f"{address} turned the connection away: the key {key.fingerprint} is not that of its cluster "
        "(was it rotated?), the server runs without a key, or it is no Quorate server"
    )
