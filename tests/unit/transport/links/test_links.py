"""Links between servers and to clients, on real sockets: what arrives, in which order, and what is refused."""

from __future__ import annotations

import asyncio
import socket

import pytest

from tests.unit.transport.links.network import RawPeer, Server, free_port, header, port_of, request, until
from transport import keys
from transport.errors import LinkError
from transport.limits import LinkLimits
from transport.stamp import Letter
from transport.wire import PROTOCOL_VERSION, pack


async def test_a_frame_arrives_with_its_senders_identity() -> None:
    """The first frame to a server is held until the link is up, and says who sent it and on which lane's session."""
    async with Server("s1") as one, Server("s2") as two:
        assert one.links.send(two.address, Letter("raft", "k", b"b", "gossip", 7), urgent=True)
        await until(lambda: two.frames, "the frame arrives")

        head, origin, body, routing_id = two.frames[0]
        assert (body, routing_id) == (b"b", None)
        assert (origin.sender, origin.incarnation, origin.address, origin.cluster_id) == ("s1", 1, one.address, "c1")
        assert (head.to, head.kind, head.actor, head.ask, head.sequence) == ("raft", "k", "gossip", 7, 1)


async def test_many_frames_arrive_in_order_without_a_gap() -> None:
    """A lane is in order; a sender that outruns the window is refused at once and loses nothing that was accepted."""
    async with Server("s1") as one, Server("s2") as two:
        one.tell(two, b"0")
        await until(lambda: two.frames, "the link is up")
        sent = [b"0"]
        while len(sent) < 5_000:
            body = b"%d" % len(sent)
            if one.tell(two, body):
                sent.append(body)
            else:
                await asyncio.sleep(0)
        await until(lambda: len(two.frames) == len(sent), "everything arrives")

        assert two.bodies == sent
        assert two.links.stats()["gaps"] == 0
        said, heard = one.links.stats(), two.links.stats()
        assert said["frames_out"] == heard["frames_in"] == len(sent)
        assert sum(said["bytes_out_to"].values()) == said["bytes_out"] == heard["bytes_in"]
        few = LinkLimits().ack_frames
        await until(lambda: one.link(two.address)["unacknowledged_frames"] < few, "all but the last are acknowledged")


async def test_lanes_are_separate_links() -> None:
    """A full bulk lane leaves the urgent lane free."""
    limits = LinkLimits(window_frames=128)
    async with Server("s1", limits=limits) as one, Server("s2") as two:
        one.tell(two, urgent=True)
        one.tell(two)
        await until(lambda: len(two.frames) == 2, "both lanes are up")
        while one.tell(two):
            pass

        assert one.tell(two, b"urgent", urgent=True)
        assert one.dropped("window full") == 1
        await until(lambda: two.bodies.count(b"urgent"), "the urgent frame arrives")


async def test_a_client_is_answered_on_its_own_connection() -> None:
    """A client needs no address: its routing id is enough, and only the gateway hears it."""
    async with Server() as server:
        with RawPeer(server.address) as client:
            client.send(request(b"ask"))
            await until(lambda: server.frames, "the request arrives")
            _, _, body, routing_id = server.frames[0]
            assert body == b"ask"
            assert routing_id is not None

            assert server.links.reply(routing_id, Letter("", "client.response", b"answer", ask=-1))

            head, answer = await client.receive()
            assert (head.kind, head.ask, answer) == ("client.response", -1, b"answer")
        await until(lambda: not server.links.reply(routing_id, Letter("", "k", b"")), "a client that left is noticed")
        assert server.dropped("answer to a peer that is gone")


async def test_what_no_client_may_say_is_dropped() -> None:
    """Without a sender a frame may only be a request to the gateway."""
    async with Server() as server:
        with RawPeer(server.address) as client:
            client.send(request(to="raft"))
            client.send(request(kind="raft.propose"))
            client.send(request(b"fine"))
            await until(lambda: server.frames, "the request arrives")
        assert server.bodies == [b"fine"]
        assert server.dropped("not for clients") == 2


async def test_other_clusters_and_versions_are_dropped_and_counted() -> None:
    """A stranger's frames are no frames; but its join is let in, so that gossip can tell it why it is refused."""
    async with Server() as server:
        with RawPeer(server.address) as peer:
            peer.send(pack(header(cluster_id="c2"), b"stranger"))
            peer.send(pack(header(version=PROTOCOL_VERSION + 1), b"newer"))
            peer.send(pack(header(cluster_id="c2", kind="gossip.join", sequence=2), b"join"))
            peer.send(pack(header(cluster_id="", to="gossip", sequence=3), b"new"))
            await until(lambda: len(server.frames) == 2, "the last arrives")
        assert server.bodies == [b"join", b"new"]
        assert server.dropped("other cluster") == 1
        assert server.dropped("other version") == 1


async def test_a_gap_is_counted() -> None:
    """A missing sequence number says that frames were lost: the receiver knows."""
    async with Server() as server:
        with RawPeer(server.address) as peer:
            for sequence in (1, 2, 5, 6):
                peer.send(pack(header(sequence=sequence), b""))
            await until(lambda: len(server.frames) == 4, "all arrive")
        assert server.links.stats()["gaps"] == 1


async def test_refusals_are_immediate_and_counted() -> None:
    """To oneself, to nonsense, too large: False at once, and the link survives."""
    async with Server("s1", limits=LinkLimits(frame_bytes_max=10_000)) as one, Server("s2") as two:
        assert not one.tell(one)
        assert not one.tell("no address")
        assert one.tell(two)
        await until(lambda: two.frames, "the link is up")
        assert not one.tell(two, b"x" * 10_000)
        assert one.tell(two, b"after")
        await until(lambda: len(two.frames) == 2, "the link still works")

        for reason in ("to this server itself", "bad address", "too large to send"):
            assert one.dropped(reason) == 1, reason
    assert not one.tell(two)


async def test_cuts_are_one_way_and_heal() -> None:
    """The fault hook drops frames silently, per direction; the sender does not learn it, as on a real network."""
    async with Server("s1") as one, Server("s2") as two:
        one.links.cut(two.address, inbound=False, outbound=True)
        assert one.tell(two, b"lost")
        assert two.tell(one, b"arrives")
        await until(lambda: one.frames, "the open direction works")

        one.links.cut(two.address, inbound=True, outbound=False)
        assert two.tell(one, b"lost too")
        assert one.tell(two, b"arrives too")
        await until(lambda: two.frames and one.dropped("cut") == 2, "the other direction works")

        one.links.heal()
        assert two.tell(one, b"healed")
        await until(lambda: len(one.frames) == 2, "healed")
        assert (one.bodies, two.bodies) == ([b"arrives", b"healed"], [b"arrives too"])


async def test_a_cut_outlived_by_far_more_than_a_window_heals() -> None:
    """Frames thrown away by an inbound cut are acknowledged all the same: the window must not stay shut afterwards."""
    limits = LinkLimits(window_frames=128)
    async with Server("s1", limits=limits) as one, Server("s2") as two:
        two.links.cut(one.address, inbound=True, outbound=True)
        while two.dropped("cut") < 1_000:
            one.tell(two, b"lost")
            await asyncio.sleep(0)
        two.links.heal()

        await until(lambda: one.tell(two, b"healed") and two.frames, "frames pass again")


async def test_a_peer_that_does_not_read_fills_the_window_and_no_more() -> None:
    """What is under way to one peer is bounded in bytes, whatever the caller tries."""
    limits = LinkLimits(frame_bytes_max=100_000, ack_bytes=100_000, window_bytes=300_000)
    async with Server("s1") as two:
        limited = Server("s2", limits=limits)
        async with limited as one:
            one.tell(two)
            await until(lambda: two.frames, "the link is up")
            accepted = sum(one.tell(two, b"x" * 50_000) for _ in range(100))

            assert accepted == 5
            assert one.link(two.address)["unacknowledged_bytes"] <= limits.window_bytes
            await until(lambda: one.tell(two, b"x" * 50_000), "acknowledgements open it again")


async def test_a_stalled_window_dials_again() -> None:
    """A peer that takes frames and never acknowledges gets a new connection, instead of a link dead for ever."""
    now = [0.0]
    limits = LinkLimits(window_frames=128)
    async with Server("s1", limits=limits, clock=lambda: now[0]) as one, Server("s2") as two:
        one.tell(two)
        await until(lambda: two.frames, "the link is up")
        while one.tell(two):  # the loop does not run: nothing can be acknowledged
            pass
        now[0] += limits.window_stall_s + 1
        assert not one.tell(two)

        assert one.dropped("stalled link") == 1
        assert one.link(two.address)["state"] == "dialing"
        await until(lambda: one.tell(two, b"after") and two.bodies.count(b"after"), "the new link works")


async def test_idle_links_are_closed_and_made_again() -> None:
    """Gossip talks to everybody now and then: nobody keeps a link for that."""
    now = [0.0]
    limits = LinkLimits(idle_s=0.1)
    async with Server("s1", limits=limits, clock=lambda: now[0]) as one, Server("s2") as two:
        one.tell(two, b"1")
        await until(lambda: two.frames, "the link is up")
        now[0] += 1
        await until(lambda: not one.links.stats()["links"], "the idle link is closed")

        one.tell(two, b"2")
        await until(lambda: len(two.frames) == 2, "the link is made again")
        assert two.links.stats()["gaps"] == 0
        assert one.links.stats()["frames_out"] == 2


async def test_the_number_of_links_is_capped() -> None:
    """Past the cap the longest unused link makes room; when all are in use, the newcomer is refused."""
    now = [0.0]
    async with Server("s1", limits=LinkLimits(links_max=2), clock=lambda: now[0]) as one:
        ports = [free_port() for _ in range(3)]
        assert one.tell(f"127.0.0.1:{ports[0]}")
        now[0] += 10
        assert one.tell(f"127.0.0.1:{ports[1]}")
        assert one.tell(f"127.0.0.1:{ports[2]}")

        assert [port_of(link["address"]) for link in one.links.stats()["links"]] == ports[1:]
        assert not one.tell(f"127.0.0.1:{ports[0]}")
        assert one.dropped("too many links") == 1


async def test_a_taken_port_is_a_clear_error() -> None:
    """One line that names the address, the reason and the way out; the one who has the port is not disturbed."""
    async with Server("s1") as one:
        with pytest.raises(LinkError, match=rf"address {one.address} is in use.*--bind"):
            async with Server("s2", bind=one.address):
                pass
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(LinkError, match="is in use"):
            async with Server(bind=f"127.0.0.1:{taken.getsockname()[1]}"):
                pass


@pytest.mark.parametrize(
    ("bind", "why"),
    [
        ("192.0.2.1:7946", "is not an address of this machine"),
        ("no-such-host.invalid:7946", "is not a known host"),
        ("7946", "port is missing"),
    ],
)
async def test_an_address_that_cannot_be_served_is_a_clear_error(bind: str, why: str) -> None:
    """Each way not to get an address has its own line."""
    with pytest.raises(Exception, match=why):
        async with Server(bind=bind):
            pass


@pytest.mark.parametrize("secured", [False, True])
async def test_the_same_port_can_be_opened_right_after_close(secured: bool) -> None:
    """A restarted links actor gets its address (and its key handler) back although ZeroMQ closes in the background."""
    key = keys.parse(keys.generate().encode(), "generated") if secured else None
    async with Server("s1", key=key) as one, Server("s2", bind=f"localhost:{free_port()}", key=key) as two:
        for number in range(5):
            for _ in range(100):
                two.tell(one, b"x" * 10_000)  # something to linger for
            two.links.close(linger_ms=200)
            two.links.open(asyncio.get_running_loop())
            assert two.links.bound_address == f"127.0.0.1:{port_of(two.address)}"
            body = b"%d" % number
            # Told again and again: what is on the way when a connection ends is lost, and its sender cannot know.
            await until(lambda: one.tell(two, body) and two.bodies.count(body), "served again")  # noqa: B023


async def test_ipv6_works() -> None:
    """A server on an IPv6 literal reaches and is reached."""
    async with Server("s1", bind="[::1]:0") as one, Server("s2", bind="[::1]:0") as two:
        assert one.tell(two, b"v6")
        await until(lambda: two.frames, "arrives over IPv6")
        assert two.links.bound_address.startswith("[::1]:")
