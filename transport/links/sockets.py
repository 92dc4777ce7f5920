"""The ZeroMQ sockets of the link layer, with every option that matters set, and nothing else.

Why each is set (measured with libzmq 4.3.5): LINGER's default hangs the process at its end; without IMMEDIATE stale
frames pile up for a dead peer; without MAXMSGSIZE one announced frame takes all memory; without heartbeats a half-open
link lives for hours; without ROUTER_MANDATORY an answer to a client that is gone vanishes uncounted; without
ZAP_ENFORCE_DOMAIN a missing ZAP handler lets every key in. No socket chooses its own routing id, and HANDOVER stays
off: two sockets of one id lose every message of one of them.
"""

from __future__ import annotations

import zmq

from transport.address import Address
from transport.keys import ClusterKey
from transport.limits import LinkLimits
from transport.zap import zap_domain


def make_router(ctx: zmq.SyncContext, key: ClusterKey | None, limits: LinkLimits) -> zmq.SyncSocket:
    """The listening socket, not yet bound. A key must be one that can serve."""
    socket = ctx.socket(zmq.ROUTER)
    _set_common(socket, limits)
    socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
    socket.setsockopt(zmq.ROUTER_HANDOVER, 0)
    socket.setsockopt(zmq.RCVHWM, limits.receive_hwm_frames)
    socket.setsockopt(zmq.SNDHWM, limits.receive_hwm_frames)
    if key is not None and key.server is not None:
        socket.setsockopt(zmq.CURVE_SERVER, 1)
        socket.setsockopt(zmq.CURVE_SECRETKEY, key.server.secret)
        socket.setsockopt(zmq.ZAP_DOMAIN, zap_domain(key))
        socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
    return socket


def make_dealer(ctx: zmq.SyncContext, address: Address, key: ClusterKey | None, limits: LinkLimits) -> zmq.SyncSocket:
    """A socket connecting to `address`, as a server when the key says so, as a client otherwise."""
    socket = ctx.socket(zmq.DEALER)
    _set_common(socket, limits)
    # With IPV6 on, ZeroMQ tries a name's first IPv6 address only ("localhost" would never find 127.0.0.1): names are
    # resolved to IPv4, and IPv6 is for literals.
    socket.setsockopt(zmq.IPV6, int(address.is_ipv6))
    socket.setsockopt(zmq.IMMEDIATE, 1)
    # Above what the window lets out, even though ZeroMQ learns late what was read: a socket that cannot be written
    # is then one without a connection, and nothing else.
    socket.setsockopt(zmq.SNDHWM, 4 * limits.window_frames)
    socket.setsockopt(zmq.RCVHWM, limits.receive_hwm_frames)
    socket.setsockopt(zmq.RECONNECT_IVL, limits.reconnect_ms)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, limits.reconnect_max_ms)
    socket.setsockopt(zmq.HEARTBEAT_IVL, limits.heartbeat_ms)
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, limits.heartbeat_timeout_ms)
    socket.setsockopt(zmq.HEARTBEAT_TTL, limits.heartbeat_timeout_ms)
    if key is not None:
        pair = key.server or key.client
        socket.setsockopt(zmq.CURVE_SERVERKEY, key.server_public)
        socket.setsockopt(zmq.CURVE_PUBLICKEY, pair.public)
        socket.setsockopt(zmq.CURVE_SECRETKEY, pair.secret)
    socket.connect(address.endpoint)
    return socket


def _set_common(socket: zmq.SyncSocket, limits: LinkLimits) -> None:
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.MAXMSGSIZE, limits.frame_bytes_max)
    socket.setsockopt(zmq.HANDSHAKE_IVL, limits.handshake_ms)
