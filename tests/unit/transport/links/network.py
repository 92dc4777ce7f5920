"""Real links on loopback for the tests: servers that record what reaches them, raw clients, raw TCP."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import zmq

from transport.client.protocol import GATEWAY, REQUEST
from transport.keys import ClusterKey
from transport.limits import LinkLimits
from transport.links.links import LinkConfig, Links
from transport.links.listener import Arrival
from transport.ring import Ring
from transport.stamp import Letter
from transport.wire import PROTOCOL_VERSION, Header, Origin, pack, unpack

PATIENCE_S = 20.0
"""How long a test waits for what must happen; only a failing test waits that long."""


async def until(condition: Callable[[], Any], what: str) -> None:
    """Let the loop run until `condition()` holds. Fails with `what` when it never does."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        await asyncio.sleep(0.002)


class Server:
    """Links with a context of their own, recording what they report."""

    def __init__(
        self,
        server_id: str = "s1",
        *,
        bind: str = "127.0.0.1:0",
        cluster_id: str = "c1",
        key: ClusterKey | None = None,
        ring: Ring | None = None,
        limits: LinkLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ctx = zmq.Context()
        self.cluster_id = cluster_id
        self.frames: list[Arrival] = []
        self.dead: list[tuple[str, str]] = []
        self.no_link: list[tuple[str, str]] = []
        self.links = Links(
            self.ctx,
            LinkConfig(bind, bind, server_id, 1, ring or (Ring(key) if key else None), limits or LinkLimits()),
            cluster_id=lambda: self.cluster_id,
            on_frames=self.frames.extend,
            on_dead=lambda address, reason: self.dead.append((address, reason)),
            on_no_link=lambda address, reason: self.no_link.append((address, reason)),
            clock=clock,
        )

    async def __aenter__(self) -> Server:
        try:
            self.links.open(asyncio.get_running_loop())
        except Exception:
            self.ctx.destroy(linger=0)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.links.close()
        self.ctx.destroy(linger=0)

    @property
    def address(self) -> str:
        """Where others reach this server."""
        return self.links.advertised_address

    def tell(self, other: Server | str, body: bytes = b"", *, kind: str = "test.note", urgent: bool = False) -> bool:
        """Send a note to the actor `gossip` of another server."""
        address = other if isinstance(other, str) else other.address
        return self.links.send(address, Letter("gossip", kind, body, "gossip"), urgent=urgent)

    @property
    def bodies(self) -> list[bytes]:
        """The bodies that have arrived, in order."""
        return [body for _, _, body, _ in self.frames]

    def dropped(self, reason: str) -> int:
        """How many frames were dropped for this reason."""
        count: int = self.links.stats()["dropped"].get(reason, 0)
        return count

    def link(self, address: str, lane: str = "bulk") -> dict[str, Any]:
        """The state of one link, or {}."""
        links: list[dict[str, Any]] = self.links.stats()["links"]
        return next((link for link in links if (link["address"], link["lane"]) == (address, lane)), {})


class RawPeer:
    """A DEALER that says whatever a test wants it to say."""

    def __init__(self, address: str, *, key: tuple[bytes, bytes, bytes] | None = None) -> None:
        self.ctx = zmq.Context()
        self.socket = self.ctx.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        if key is not None:
            server_public, public, secret = key
            self.socket.setsockopt(zmq.CURVE_SERVERKEY, server_public)
            self.socket.setsockopt(zmq.CURVE_PUBLICKEY, public)
            self.socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
        self.socket.connect(f"tcp://{address}")

    def __enter__(self) -> RawPeer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ctx.destroy(linger=0)

    def send(self, *parts: bytes) -> None:
        """Send one message of these parts."""
        self.socket.send_multipart(parts)

    async def receive(self) -> tuple[Header, bytes]:
        """The next frame that comes back."""
        await until(lambda: self.socket.poll(0), "an answer")
        return unpack(self.socket.recv())


def header(**changes: Any) -> Header:
    """A server's header that says who it is, valid unless changed."""
    said: dict[str, Any] = {
        "sender": "s9",
        "address": "127.0.0.1:9",
        "cluster_id": "c1",
        "incarnation": 1,
        "session": 1,
    }
    fields: dict[str, Any] = {
        "version": PROTOCOL_VERSION,
        "to": "raft",
        "kind": "test.note",
        "actor": "raft",
        "sequence": 1,
        "ask": 0,
        "origin": Origin(**{name: changes.pop(name, value) for name, value in said.items()}),
    }
    return Header(**fields | changes)


def request(body: bytes = b"", **changes: Any) -> bytes:
    """A client's frame, valid unless changed."""
    fields = {"sender": "", "address": "", "to": GATEWAY, "kind": REQUEST, "cluster_id": "", "session": 0}
    return pack(header(**fields | changes), body)


def free_port() -> int:
    """A port of loopback nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def port_of(address: str) -> int:
    """The port in an address."""
    return int(address.rpartition(":")[2])
