"""Links with keys: who may connect, and as what. Real CURVE handshakes throughout."""

from __future__ import annotations

import asyncio

import pytest
import zmq

from tests.unit.transport.links.network import RawPeer, Server, header, request, until
from transport import keys
from transport.address import parse_address
from transport.errors import LinkError
from transport.keys import ClusterKey, KeyPair
from transport.limits import LinkLimits
from transport.links.drops import Drops
from transport.links.sockets import make_dealer
from transport.stamp import Letter
from transport.wire import pack
from transport.zap import ZapHandler


@pytest.fixture
def key() -> ClusterKey:
    """A cluster's key."""
    return keys.parse(keys.generate().encode(), "generated")


def triple(key: ClusterKey, pair: KeyPair | None) -> tuple[bytes, bytes, bytes]:
    """What a raw peer needs to connect with one pair of a key."""
    assert pair is not None
    return key.server_public, pair.public, pair.secret


async def test_servers_of_one_key_talk_on_both_lanes(key: ClusterKey) -> None:
    """The cluster key is all two servers need."""
    async with Server("s1", key=key) as one, Server("s2", key=key) as two:
        assert one.tell(two, b"bulk")
        assert one.tell(two, b"urgent", urgent=True)
        await until(lambda: len(two.frames) == 2, "both arrive")


async def test_a_client_may_ask_and_is_answered(key: ClusterKey) -> None:
    """The client pair is good for requests."""
    async with Server(key=key) as server:
        with RawPeer(server.address, key=triple(key, key.client)) as client:
            client.send(request(b"ask"))
            await until(lambda: server.frames, "the request arrives")
            routing_id = server.frames[0][3]
            assert routing_id is not None
            assert server.links.reply(routing_id, Letter("", "client.response", b"answer"))
            assert (await client.receive())[1] == b"answer"


async def test_a_client_key_cannot_speak_as_a_server(key: ClusterKey) -> None:
    """A client that names a sender in its frames is not believed: its key says what it is."""
    async with Server(key=key) as server:
        with RawPeer(server.address, key=triple(key, key.client)) as client:
            client.send(pack(header(kind="raft.append"), b"forged"))
            client.send(pack(header(sender="s2", kind="gossip.join"), b"forged"))
            client.send(request(b"fine"))
            await until(lambda: server.frames, "the request arrives")
        assert server.bodies == [b"fine"]
        assert server.dropped("server frame without the server key") == 2


async def test_a_client_cannot_inherit_a_servers_routing_id(key: ClusterKey) -> None:
    """The key is asked of every frame, so taking over the routing id of a server that left gains nothing."""
    async with Server(key=key) as server:
        for pair, body in ((key.server, b"server"), (key.client, b"forged")):
            ctx: zmq.SyncContext = zmq.Context()
            socket = ctx.socket(zmq.DEALER)
            socket.setsockopt(zmq.CURVE_SERVERKEY, key.server_public)
            _, public, secret = triple(key, pair)
            socket.setsockopt(zmq.CURVE_PUBLICKEY, public)
            socket.setsockopt(zmq.CURVE_SECRETKEY, secret)
            socket.setsockopt(zmq.ROUTING_ID, b"server's")
            socket.connect(f"tcp://{server.address}")
            socket.send(pack(header(), body))
            await until(
                lambda: server.frames and (server.dropped("server frame without the server key") or body == b"server"),  # noqa: B023
                "the frame is judged",
            )
            ctx.destroy(linger=0)
            # The connection is gone for the server too once its routing id is free.
            await until(lambda: not server.links.reply(b"server's", Letter("", "k", b"")), "the server sees it leave")
        assert server.bodies == [b"server"]


async def test_the_server_key_speaks_as_a_server_only(key: ClusterKey) -> None:
    """Roles do not mix: a frame without a sender needs the client key."""
    async with Server(key=key) as server:
        with RawPeer(server.address, key=triple(key, key.server)) as peer:
            peer.send(request(b"odd"))
            peer.send(pack(header(), b"fine"))
            await until(lambda: server.frames, "the second frame arrives")
        assert server.bodies == [b"fine"]
        assert server.dropped("client frame without the client key") == 1


async def test_unknown_keys_are_refused(key: ClusterKey) -> None:
    """Knowing the server's public key is not enough: CURVE alone would let any key in."""
    async with Server(key=key) as server:
        stranger = KeyPair(*zmq.curve_keypair())
        with RawPeer(server.address, key=triple(key, stranger)) as peer:
            peer.send(request(b"let me in"))
            await until(lambda: server.dropped("unknown key"), "the key is refused")
        assert not server.frames


async def test_a_peer_without_a_key_is_refused(key: ClusterKey) -> None:
    """Plain connections do not reach a server that has a key."""
    async with Server(key=key) as server:
        with RawPeer(server.address) as peer:
            peer.send(request(b"let me in"))
            # Both ends see that their mechanisms differ; whoever hangs up first decides what this end calls it.
            reasons = ("handshake failed", "handshake not finished")
            await until(lambda: any(map(server.dropped, reasons)), "the handshake fails")
        assert not server.frames


async def test_a_wrong_key_has_a_reason_in_words(key: ClusterKey) -> None:
    """The one who dials learns that the other is there but no link comes up, and what that may be."""
    other = keys.parse(keys.generate().encode(), "generated")
    async with Server("s1", key=key) as one, Server("s2", key=other) as two:
        one.tell(two)
        await until(lambda: one.links.why_down(two.address), "a reason is found")

        assert "another key" in one.links.why_down(two.address)
        assert not one.dead
        assert not two.frames


async def test_without_its_handler_the_port_lets_nobody_in(key: ClusterKey) -> None:
    """ZAP fails open by default: a server whose handler is gone must refuse even good keys."""
    async with Server(key=key) as server:
        handler = server.links._entrance._zap
        assert handler is not None
        handler.close()
        with RawPeer(server.address, key=triple(key, key.client)) as client:
            client.send(request(b"anybody there?"))
            await until(lambda: server.dropped("handshake not finished"), "the handshake fails")
        assert not server.frames


async def test_a_client_file_cannot_start_a_server(key: ClusterKey) -> None:
    """The key file of a client is refused by name, before a port is taken."""
    client_key = keys.parse(keys.client_only(key).encode(), "generated")
    with pytest.raises(LinkError, match="is a client's"):
        async with Server(key=client_key):
            pass


async def test_one_context_has_one_handler(key: ClusterKey) -> None:
    """Two servers with keys in one ZeroMQ context would decide for each other: refused, and nothing is left behind."""
    async with Server(key=key) as server:
        drops = Drops(lambda: 0.0)
        with pytest.raises(LinkError, match="share one ZeroMQ context"):
            ZapHandler(server.ctx, drops).open(asyncio.get_running_loop())


async def test_a_dialer_with_a_client_file_is_a_client(key: ClusterKey) -> None:
    """The same socket recipe serves clients: they present the client pair."""
    client_key = keys.parse(keys.client_only(key).encode(), "generated")
    async with Server(key=key) as server:
        ctx: zmq.SyncContext = zmq.Context()
        socket = make_dealer(ctx, parse_address(server.address), client_key, LinkLimits())
        await until(lambda: socket.poll(0, zmq.POLLOUT), "connected")
        socket.send(request(b"ask"))
        await until(lambda: server.frames, "the request arrives")
        ctx.destroy(linger=0)
