"""Who one is, said once a connection: also when the connection is another one by now, or what was said is forgotten."""

from __future__ import annotations

import asyncio
import time

import pytest
import zmq

from tests.unit.transport.links.network import PATIENCE_S, RawPeer, Server, header, until
from transport import keys
from transport.client.protocol import GATEWAY, REQUEST
from transport.limits import LinkLimits
from transport.links.link import WHO_KIND, Link
from transport.links.listener import Listener
from transport.wire import pack


def stand_still_until(link: Link, listener: Listener, *, connected: bool) -> None:
    """Block the event loop, so that the link notices nothing; what ZeroMQ does, it does on any call of it."""
    deadline = time.monotonic() + PATIENCE_S
    while bool(int(link._socket.get(zmq.EVENTS)) & zmq.POLLOUT) is not connected:
        listener._socket.get(zmq.EVENTS)
        assert time.monotonic() < deadline, "the connection does not change"
        time.sleep(0.01)


async def test_only_the_first_frame_says_who_made_it() -> None:
    """The later ones are that much shorter, and whose they are is known all the same."""
    async with Server("s1") as one, Server("s2") as two:
        for number in range(3):
            assert one.tell(two, b"%d" % number)
        await until(lambda: len(two.frames) == 3, "all arrive")

        first, *later = [head.origin for head, _, _, _ in two.frames]
        assert first is not None
        assert later == [None, None]
        assert [origin for _, origin, _, _ in two.frames] == [first] * 3


async def test_each_lane_and_each_server_says_it() -> None:
    """What is known of one connection says nothing of another one."""
    async with Server("s1") as one, Server("s2") as two, Server("s3") as three:
        for number in range(10):
            one.tell(three, b"1", urgent=number % 2 == 0)
            two.tell(three, b"2", urgent=number % 2 == 0)
        await until(lambda: len(three.frames) == 20, "all arrive")

        assert {(body, origin.sender) for _, origin, body, _ in three.frames} == {(b"1", "s1"), (b"2", "s2")}
        assert three.links.stats()["gaps"] == three.dropped("not introduced") == 0


async def test_a_connection_made_anew_without_a_word() -> None:
    """ZeroMQ has connected again while the sender's loop stood still: the receiver asks who that is, and is told."""
    async with Server("s1") as one, Server("s2") as two:
        one.tell(two, b"before")
        await until(lambda: two.frames, "the link is up")
        (link,) = one.links._dialer._links.values()
        (listener,) = two.links._entrance._listeners.values()
        session = link._session
        listener.unbind()
        stand_still_until(link, listener, connected=False)
        listener.bind(two.links._entrance._port)
        stand_still_until(link, listener, connected=True)

        assert one.tell(two, b"for nobody")
        await until(lambda: two.dropped("not introduced"), "it is not known who says so")
        await until(lambda: one.tell(two, b"after") and two.bodies.count(b"after"), "the link serves again")

        assert link._session == session, "the link was not meant to notice"
        assert b"for nobody" not in two.bodies
        assert {origin.sender for _, origin, _, _ in two.frames} == {"s1"}


async def test_a_receiver_that_forgets_asks_again() -> None:
    """More connections than it keeps in mind: every server gets through, and is never taken for another one."""
    async with Server("s1") as one, Server("s2") as two, Server("s3", limits=LinkLimits(sessions_max=1)) as three:
        for sender, name in ((one, b"1"), (two, b"2"), (one, b"1 again"), (two, b"2 again")):
            await until(lambda: sender.tell(three, name) and three.bodies.count(name), "it gets through")  # noqa: B023
            await asyncio.sleep(0)

        assert three.dropped("not introduced") >= 2
        assert all(origin.sender == f"s{int(body[:1])}" for _, origin, body, _ in three.frames)


async def test_a_server_that_finds_its_cluster_says_so() -> None:
    """The connection stays; from the next frame on the receiver judges it as one of that cluster."""
    async with Server("s1", cluster_id="") as one, Server("s2") as two:
        one.tell(two, b"none yet")
        await until(lambda: two.frames, "one without a cluster is heard")
        one.cluster_id = "c1"
        one.tell(two, b"joined")
        one.tell(two, b"and stays")
        await until(lambda: len(two.frames) == 3, "a member is heard")
        assert [origin.cluster_id for _, origin, _, _ in two.frames] == ["", "c1", "c1"]

        one.cluster_id = "c2"
        one.tell(two, b"elsewhere")
        one.tell(two, b"elsewhere")
        one.tell(two, b"join", kind="gossip.join")
        await until(lambda: len(two.frames) == 4, "only a join is heard from elsewhere")
        assert two.bodies[-1] == b"join"
        assert two.dropped("other cluster") == 2
        assert two.links.stats()["gaps"] == 1, "where two were refused"


async def test_the_receivers_cluster_may_change_too() -> None:
    """A connection that was let in while the receiver had no cluster is judged anew with every frame."""
    async with Server("s1", cluster_id="c1") as one, Server("s2", cluster_id="") as two:
        one.tell(two, b"heard")
        await until(lambda: two.frames, "one without a cluster hears every cluster")
        two.cluster_id = "c2"
        one.tell(two, b"refused")
        await until(lambda: two.dropped("other cluster"), "and one with another cluster does not")
        assert two.bodies == [b"heard"]


async def test_a_frame_of_nobody_is_asked_about_and_dropped() -> None:
    """Whoever has not said who it is reaches no actor, neither as a server nor as a client."""
    async with Server() as server:
        with RawPeer(server.address) as peer:
            peer.send(pack(header(origin=None), b"of nobody"))
            peer.send(pack(header(origin=None, to=GATEWAY, kind=REQUEST, actor=""), b"of nobody"))
            asked = [await peer.receive() for _ in range(2)]
        assert [head.kind for head, _ in asked] == [WHO_KIND] * 2
        assert server.dropped("not introduced") == 2
        assert not server.frames


@pytest.mark.parametrize("introduced", [False, True])
async def test_a_client_is_not_taken_for_a_server(introduced: bool) -> None:
    """With a client's key nobody introduces a server, or is asked to."""
    key = keys.parse(keys.generate().encode(), "generated")
    async with Server(key=key) as server:
        with RawPeer(server.address, key=(key.server_public, key.client.public, key.client.secret)) as peer:
            if introduced:
                peer.send(pack(header(), b"a server, am I not?"))
                await until(lambda: server.dropped("server frame without the server key"), "it is no server")
            peer.send(pack(header(origin=None, sequence=2), b"as I said"))
            await until(lambda: server.dropped("not introduced"), "it is nobody")
            await asyncio.sleep(0)
            assert not peer.socket.poll(0)
        assert not server.frames


async def test_a_server_that_is_asked_for_ever_goes_on() -> None:
    """A peer that asks after every frame gets longer frames, and nothing else changes."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.setsockopt(zmq.LINGER, 0)
        port = router.bind_to_random_port("tcp://127.0.0.1")
        async with Server("s1") as one:
            for number in range(5):
                assert one.tell(f"127.0.0.1:{port}", b"%d" % number)
                await until(lambda: router.poll(0), "the frame arrives")
                routing_id, frame = router.recv_multipart()
                assert b"s1" in frame
                router.send_multipart([routing_id, pack(header(kind=WHO_KIND), b"")])
                router.send_multipart([routing_id, pack(header(kind=WHO_KIND, origin=None, version=9), b"")])
                await until(lambda: one.dropped("bad frame") == number + 1, "both are read")  # noqa: B023
