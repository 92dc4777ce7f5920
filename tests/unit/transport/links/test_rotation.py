"""Links during a rotation of the key: both keys on one port, and nobody mistaken for dead. Real CURVE handshakes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
from attrs import evolve

from tests.unit.transport.links.network import RawPeer, Server, port_of, request, until
from transport import keys
from transport.keys import ClusterKey
from transport.limits import LinkLimits
from transport.ring import Ring, Stage
from transport.stamp import Letter

ONE_WAY_S = 0.25


@pytest.fixture
def old() -> ClusterKey:
    """The key a cluster was started with."""
    return keys.parse(keys.generate().encode(), "generated")


@pytest.fixture
def new() -> ClusterKey:
    """The key it is rotated to."""
    return keys.parse(keys.generate().encode(), "generated")


def client(server: Server, key: ClusterKey) -> RawPeer:
    """A client with a key, connecting."""
    return RawPeer(server.address, key=(key.server_public, key.client.public, key.client.secret))


async def asks(server: Server, peer: RawPeer, body: bytes) -> None:
    """A request of the client arrives, and the answer to it comes back to this client."""
    peer.send(request(body))
    await until(lambda: any(frame[2] == body for frame in server.frames), "the request arrives")
    routing_id = next(frame[3] for frame in server.frames if frame[2] == body)
    assert routing_id is not None
    assert server.links.reply(routing_id, Letter("", "client.response", body))
    assert (await peer.receive())[1] == body


async def talks(one: Server, two: Server, body: bytes) -> None:
    """What one server sends to the other arrives, sent again while links are made."""

    def sent() -> bool:
        one.tell(two, body, urgent=True)
        return body in two.bodies

    await until(sent, f"{body!r} arrives")


async def test_both_keys_on_one_port(old: ClusterKey, new: ClusterKey) -> None:
    """While both are accepted, clients of either are served, each by the answers to its own requests."""
    async with Server(ring=Ring(old, new, Stage.INSTALLED)) as server:
        with client(server, old) as first, client(server, new) as second:
            for number in range(3):
                await asks(server, first, b"old %d" % number)
                await asks(server, second, b"new %d" % number)


async def test_a_key_of_neither_is_refused(old: ClusterKey, new: ClusterKey) -> None:
    """A third key, a plain connection and garbage are turned away, counted, and disturb nobody."""
    third = keys.parse(keys.generate().encode(), "generated")
    async with Server(ring=Ring(old, new, Stage.USING)) as server:
        with client(server, third) as stranger, RawPeer(server.address) as plain, client(server, new) as friend:
            stranger.send(request(b"let me in"))
            plain.send(request(b"let me in"))
            with socket.create_connection(("127.0.0.1", port_of(server.address))) as door:
                door.sendall(b"GET / HTTP/1.1\r\n" * 200)
                await until(lambda: server.dropped("handshake failed") >= 2, "they are turned away")
            await asks(server, friend, b"fine")
        assert server.bodies == [b"fine"]


async def test_a_client_pair_is_good_with_its_own_key_only(old: ClusterKey, new: ClusterKey) -> None:
    """Knowing the new key's public part does not make an old client's pair a new one."""
    async with Server(ring=Ring(old, new, Stage.USING)) as server:
        with RawPeer(server.address, key=(new.server_public, old.client.public, old.client.secret)) as peer:
            peer.send(request(b"let me in"))
            await until(lambda: server.dropped("unknown key"), "the pair is refused")
        assert not server.frames


async def test_the_stages_of_a_rotation(old: ClusterKey, new: ClusterKey) -> None:
    """Servers talk and clients are served all the way; a server is never taken for dead; the old key ends with it."""
    ring = Ring(old)
    async with Server("s1", ring=ring) as one, Server("s2", ring=ring) as two:
        await talks(one, two, b"before")
        steps = [ring.at(new, stage) for stage in (Stage.INSTALLED, Stage.USING, Stage.SETTLED)]
        for number, step in enumerate(steps):
            for server in (one, two):
                server.links.use_ring(step)
                await talks(one, two, b"step %d" % number + server.address.encode())
                await talks(two, one, b"step %d" % number + server.address.encode())
            for key in step.accepted:
                with client(two, key) as peer:
                    await asks(two, peer, b"%d %s" % (number, key.fingerprint.encode()))
        assert one.dead == two.dead == []

        with client(two, old) as peer:
            peer.send(request(b"late"))
            await until(
                lambda: two.dropped("handshake failed") + two.dropped("handshake not finished"), "it is refused"
            )
        assert b"late" not in two.bodies


async def test_the_port_is_never_closed(old: ClusterKey, new: ClusterKey) -> None:
    """A refused connection is evidence of a dead process: while listeners change places there must be none."""
    ring = Ring(old)
    async with Server(ring=ring) as server:
        port = port_of(server.address)
        stop = asyncio.Event()
        knocks = 0

        async def knock() -> None:
            nonlocal knocks
            while not stop.is_set():
                with socket.create_connection(("127.0.0.1", port), timeout=5):
                    knocks += 1
                await asyncio.sleep(0)

        knocking = asyncio.create_task(knock())
        for step in (ring.at(new, stage) for stage in (Stage.INSTALLED, Stage.USING, Stage.SETTLED)):
            server.links.use_ring(step)
            seen = knocks
            await until(lambda seen=seen: knocks > seen + 50, "fifty knocks")  # type: ignore[misc]
        stop.set()
        await knocking


@pytest.mark.parametrize("back_with", ["old", "new"])
async def test_a_server_that_was_off_knows_one_key(old: ClusterKey, new: ClusterKey, back_with: str) -> None:
    """It dials in with either file, and is dialled with the key it knows."""
    ring = Ring(old, new, Stage.USING)
    async with Server("s1", ring=ring) as one, Server("s2", key=old if back_with == "old" else new) as two:
        await talks(one, two, b"there")
        await talks(two, one, b"back")


async def test_a_slow_handshake_is_no_refusal(old: ClusterKey, new: ClusterKey) -> None:
    """Across a wide-area network a handshake takes longer than any look at the port: the key is not given up for it."""
    ring = Ring(old, new, Stage.USING)
    async with Server("s1", ring=ring) as one, Server("s2", key=new) as two, far_away(two.address) as far:

        def sent() -> bool:
            one.tell(far, b"far", urgent=True)
            return b"far" in two.bodies

        await until(sent, "the link comes up")
        assert one.links._dialer._on_spare == set()


@contextlib.asynccontextmanager
async def far_away(address: str) -> AsyncIterator[str]:
    """The address of a port that leads to a server far away."""
    loop = asyncio.get_running_loop()
    writers: list[asyncio.StreamWriter] = []

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                loop.call_later(ONE_WAY_S, writer.write, data)
        writer.close()

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port_of(address))
        writers.extend((writer, inner_writer))
        await asyncio.gather(carry(reader, inner_writer), carry(inner_reader, writer))

    async with await asyncio.start_server(visit, "127.0.0.1", 0) as relay:
        yield f"127.0.0.1:{relay.sockets[0].getsockname()[1]}"
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(0.01)


async def test_a_second_server_cannot_have_the_port_meanwhile(old: ClusterKey, new: ClusterKey) -> None:
    """The port belongs to one server in a rotation too, and is free when it closes."""
    async with Server(ring=Ring(old, new, Stage.USING)) as server:
        address = server.address
        with pytest.raises(Exception, match="in use by another program"):
            async with Server(bind=address, key=new):
                pass
    async with Server(bind=address, key=new) as server:
        with client(server, new) as peer:
            await asks(server, peer, b"mine")


async def test_connections_have_a_limit(old: ClusterKey, new: ClusterKey) -> None:
    """More connections at once than a rotation's limit are not accepted; one that ends makes room."""
    limits = evolve(LinkLimits(), rotation_connections_max=2)
    async with Server(ring=Ring(old, new, Stage.USING), limits=limits) as server:
        with client(server, old) as first, client(server, new) as second:
            await asks(server, first, b"1")
            await asks(server, second, b"2")
            with client(server, old) as third:
                third.send(request(b"3"))
                await until(lambda: server.dropped("connection not accepted"), "the third waits outside")
                first.ctx.destroy(linger=0)
                await until(lambda: b"3" in server.bodies, "it comes in when there is room")


async def test_large_frames_pass_a_slow_reader(old: ClusterKey, new: ClusterKey) -> None:
    """What is carried is held back by whoever reads slowly, and arrives whole."""
    async with Server(ring=Ring(old, new, Stage.USING)) as server:
        with client(server, old) as peer:
            body = b"x" * (4 << 20)
            for _ in range(4):
                peer.send(request(body))
            await until(lambda: len(server.frames) == 4, "all arrive")
            assert all(frame[2] == body for frame in server.frames)
            routing_id = server.frames[0][3]
            assert routing_id is not None
            for _ in range(4):
                assert server.links.reply(routing_id, Letter("", "client.response", body))
            await asyncio.sleep(0.1)
            for _ in range(4):
                assert (await peer.receive())[1] == body


@pytest.mark.parametrize("turns", [0, 1, 2, 50])
async def test_links_are_made_anew_in_a_rotation(old: ClusterKey, new: ClusterKey, turns: int) -> None:
    """The actor that owns them was restarted, however far the ones before had come: the port is free at once."""
    ring = Ring(old, new, Stage.USING)
    async with Server(ring=ring) as server:
        for _ in range(turns):
            await asyncio.sleep(0)
        address = server.address
        server.links.close()
        async with Server(bind=address, ring=ring) as again:
            for key in (old, new):
                with client(again, key) as peer:
                    await asks(again, peer, key.fingerprint.encode())
