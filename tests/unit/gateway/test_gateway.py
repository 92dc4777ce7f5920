"""The gateway actor among real actors: what it carries between clients, Raft and other servers."""

from __future__ import annotations

import asyncio
from pathlib import Path

from actors.config import NodeConfig
from actors.gateway.limits import GatewayLimits
from actors.raft.messages import LeaderChanged
from tests.unit.gateway.cast import ONE, TWO, Server
from tests.unit.runtime.stage import linked
from tests.unit.runtime.virtual_time import story
from transport.client.protocol import Request, Response, decode_payload, encode_payload
from transport.wire import ErrorReply

CONFIG = NodeConfig(data_dir=Path("data"))


@story
async def test_the_requests_of_a_turn_are_one_batch() -> None:
    """Ten clients at once cost Raft one message."""
    async with Server(CONFIG) as server:
        await server.follow(ONE)
        answers = await asyncio.gather(*(server.request("propose", [b"a%d" % i]) for i in range(10)))

        assert [decode_payload(answer.payload) for answer in answers] == [[b"A%d" % i] for i in range(10)]
        assert [len(batch) for batch in server.batches] == [10]


@story
async def test_a_client_on_a_link_is_answered_there() -> None:
    """The answer goes back under the routing id the request came with."""
    async with Server(CONFIG) as server:
        linked({ONE: server.stage})
        await server.follow(ONE)
        server.from_client(b"client 1", Request(7, "propose", encode_payload([b"a"]), 1_000))
        server.from_client(b"client 2", Request(7, "read", encode_payload([b"q", "linearizable"]), 1_000))
        await server.stage.settle(1)

        assert dict(server.replies()) == {
            b"client 1": Response(7, "ok", encode_payload([b"A"])),
            b"client 2": Response(7, "ok", encode_payload([b"q", 12, 0])),
        }


@story
async def test_a_follower_has_the_leader_do_it() -> None:
    """A write to any server is a write: one hop, one batch, and the answer comes back the same way."""
    async with Server(CONFIG, ONE) as one, Server(CONFIG, TWO) as two:
        linked({ONE: one.stage, TWO: two.stage})
        await one.follow(TWO)
        await two.follow(TWO)

        assert await one.value("propose", [b"a", b"b"]) == [b"A", b"B"]
        assert one.batches == []
        assert two.batches == [[b"a", b"b"]]


@story
async def test_a_request_waits_for_a_leader() -> None:
    """During an election a write is late, not lost: it goes out when a leader is named."""
    async with Server(CONFIG) as server:
        waiting = asyncio.create_task(server.value("propose", [b"a"]))
        await server.stage.settle(2)
        assert not waiting.done()

        await server.follow(ONE)

        assert await waiting == [b"A"]


@story
async def test_a_server_that_has_not_joined_says_so() -> None:
    """It gives gossip's last word on each peer in place of a hint at voters, to every request that ends for it."""
    async with Server(CONFIG, cluster_id="") as server:
        put, read = await asyncio.gather(
            server.request("propose", [b"a"], timeout_s=3), server.request("read", [b"q", "linearizable"], timeout_s=3)
        )

        for answer in (put, read):
            assert answer.code == "no_leader"
            assert "one has not joined a cluster yet (a:1: refused: no; b:2: no answer yet)" in answer.message
            # Of a read that goes without saying.
            assert ("nothing was changed" in answer.message) == (answer is put)


@story
async def test_no_leader_is_said_at_the_deadline() -> None:
    """Not later, and with the code that promises that nothing was changed."""
    async with Server(CONFIG) as server:
        answer = await server.request("propose", [b"a"], timeout_s=3)

        assert answer.code == "no_leader"
        assert "1 of 2 voters can be reached and a quorum takes 2; missing: two at" in answer.message
        assert 3 <= server.stage.loop.time() <= 3.1


@story
async def test_a_link_that_takes_nothing_is_no_reason_to_give_up() -> None:
    """The leader cannot be reached: nothing was sent, so the write waits, and goes through when it can."""
    async with Server(CONFIG, ONE) as one, Server(CONFIG, TWO) as two:
        linked({ONE: one.stage})
        await one.follow(TWO)
        await two.follow(TWO)
        waiting = asyncio.create_task(one.value("propose", [b"a"]))
        await one.stage.settle(1)
        assert not waiting.done()

        linked({ONE: one.stage, TWO: two.stage})

        assert await waiting == [b"A"]
        assert two.batches == [[b"a"]]


@story
async def test_the_death_of_raft_is_an_unknown_outcome_and_soon() -> None:
    """Raft crashed over a command: nobody will answer it, and nobody knows what became of it."""
    async with Server(CONFIG) as server:
        await server.follow(ONE)
        server.answers = False
        waiting = asyncio.create_task(server.request("propose", [b"a"], timeout_s=30))
        await server.stage.settle(1)
        server.stage.system.kill("raft", 1)

        assert (await waiting).code == "outcome_unknown"
        assert server.stage.loop.time() < 2


@story
async def test_a_restarted_gateway_learns_who_leads() -> None:
    """Raft named the leader before this incarnation began; the gateway asks."""
    async with Server(CONFIG) as server:
        await server.follow(ONE)
        server.stage.system.kill("gateway", 1)
        await server.stage.settle(1)

        assert await server.value("propose", [b"a"]) == [b"A"]
        assert server.stage.row("gateway")["incarnation"] == 2


@story
async def test_an_old_answer_about_the_leader_is_no_news() -> None:
    """What Raft answered when the gateway asked may be handled after what Raft has said since: the latter stands."""
    async with Server(CONFIG) as server:
        await server.follow(ONE)
        answer = LeaderChanged(3, "", "", is_me=False, ready=False)
        server.stage.system.ref("gateway", owner="gateway").tell(answer)

        assert await server.value("propose", [b"a"]) == [b"A"]


@story
async def test_a_client_hears_of_the_death_of_the_gateway() -> None:
    """A request in progress is answered by the runtime: the client need not wait for its deadline."""
    async with Server(CONFIG) as server:
        linked({ONE: server.stage})
        await server.follow(ONE)
        server.answers = False
        server.from_client(b"client", Request(7, "propose", encode_payload([b"a"]), 30_000))
        await server.stage.settle(1)
        server.stage.system.kill("gateway", 1)
        await server.stage.settle(1)

        ((who, answer),) = server.replies()
        assert who == b"client"
        assert isinstance(answer, ErrorReply)
        assert answer.type == "ActorDied"


@story
async def test_too_much_is_refused_while_the_rest_goes_on() -> None:
    """Admission: the third of three is turned away at once, and both limits are back when the first two are done."""
    async with Server(CONFIG, limits=GatewayLimits(pending_max=2)) as server:
        three = [asyncio.create_task(server.request("propose", [b"a"])) for _ in range(3)]
        await asyncio.sleep(0)
        await server.stage.settle(0.1)
        assert [task.done() for task in three] == [False, False, True]
        await server.follow(ONE)

        assert [(await task).code for task in three] == ["ok", "ok", "overloaded"]
        assert await server.value("propose", [b"a", b"b"]) == [b"A", b"B"]


@story
async def test_operators_requests_are_limited_too() -> None:
    """They are coroutines, and those must not pile up either."""
    async with Server(CONFIG, limits=GatewayLimits(admin_max=1)) as server:
        server.answers = False
        first, second = await asyncio.gather(server.request("status"), server.request("status"))

        assert (first.code, second.code) == ("timeout", "overloaded")
