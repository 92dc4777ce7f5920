"""The gossip actor between its neighbours: the disk before the word, news to the others, answers to those who ask."""

from __future__ import annotations

import asyncio
import logging
import random
from pathlib import Path

import pytest
from msgspec.structs import replace

from actors.gossip.beginning import IdentityError
from actors.gossip.config import LOCAL
from actors.gossip.messages import (
    ForceLeave,
    Gossip,
    GossipStatusRequest,
    Join,
    JoinPeers,
    LeaveRequest,
    MembersRequest,
    SuspectDead,
)
from actors.gossip.own import RESERVE
from actors.gossip.tags import TagsError
from storage.serf_db import SerfLoad
from tests.unit.gossip.house import House
from tests.unit.gossip.lone import SUSPECT, claim
from tests.unit.runtime.virtual_time import story
from transport.wire import CLIENT, PROTOCOL_VERSION, Header, encode_body


@story
async def test_three_servers_find_together(tmp_path: Path) -> None:
    """Well within two seconds, with the founder's cluster id in every identity; and their news is told."""
    async with House(tmp_path) as house:
        servers = [await house.start("n0", cluster_id="c0")]
        servers += [await house.start(name, "n0:7946", tags={"role": name}) for name in ("n1", "n2")]
        for server in servers:
            assert await server.sees(n0="alive", n1="alive", n2="alive") < 1.0

        assert {server.identity.cluster_id for server in servers} == {"c0"}
        assert ("n2", "", "alive") in servers[1].news
        view = await servers[0].ask(MembersRequest())
        assert {member.name: member.tags for member in view.members}["n2"] == {"role": "n2"}


@story
async def test_the_log_of_a_member_says_nothing_twice(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The reason is left out where it is what the line says anyway."""
    caplog.set_level(logging.INFO, "quorate")
    async with House(tmp_path) as house:
        servers = await house.cluster(2)
        await servers[1].stop()
        await servers[0].sees(n0="alive", n1="failed")

    assert "n1 at n1:7946 is alive" in caplog.messages
    failures = [line for line in caplog.messages if line.startswith("n1 at n1:7946 is failed")]
    assert failures
    assert all(line.endswith(")") for line in failures)


@story
async def test_what_a_restart_finds(tmp_path: Path) -> None:
    """The cluster, the members, and an incarnation above any that was used; no peer is needed then."""
    async with House(tmp_path) as house:
        servers = await house.cluster(3)
        view = await servers[2].ask(MembersRequest())
        used = next(member.incarnation for member in view.members if member.id == view.local)
        await servers[2].stop()
        state = servers[2].disk()
        assert state.incarnation == used + RESERVE - 1
        assert (state.cluster_id, state.left) == ("c0", False)
        assert [(member.name, member.status) for member in sorted(state.members, key=lambda m: m.name)] == [
            ("n0", "alive"),
            ("n1", "alive"),
        ]

        servers[2].peers = ()
        await servers[2].start()

        assert await servers[0].sees(n0="alive", n1="alive", n2="alive") < 1.0
        view = await servers[0].ask(MembersRequest())
        assert {member.name: member.incarnation for member in view.members}["n2"] > state.incarnation


@story
async def test_a_crash_of_the_actor_alone(tmp_path: Path) -> None:
    """Its next incarnation is in the cluster again at once, as the same member."""
    async with House(tmp_path) as house:
        servers = await house.cluster(3)

        servers[0].stage.system.kill("gossip", 1)
        await servers[0].stage.settle(1.0)

        assert servers[0].stage.row("gossip")["incarnation"] == 2
        for server in servers:
            await server.sees(n0="alive", n1="alive", n2="alive")


@story
async def test_a_dead_process_is_known_within_a_second(tmp_path: Path) -> None:
    """The links' evidence of two servers; everybody else on both hears it."""
    async with House(tmp_path) as house:
        servers = await house.cluster(3)

        await servers[2].stop()

        for server in servers[:2]:
            assert await server.sees(n0="alive", n1="alive", n2="failed") < 1.0
            assert server.news[-1] == ("n2", "suspect", "failed")
        view = await servers[0].ask(MembersRequest(why="n2"))
        (trail,) = view.why.values()
        assert "connection refused" in " ".join(step.detail for step in trail)


@story
async def test_evidence_of_one_is_not_enough(tmp_path: Path) -> None:
    """The suspect objects."""
    async with House(tmp_path) as house:
        servers = await house.cluster(3)

        servers[0].stage.tell("gossip", SuspectDead("n2:7946", "connection refused"))
        await servers[0].stage.settle(30)

        assert ("n2", "suspect", "alive") in servers[0].news
        assert "failed" not in [status for server in servers for _, _, status in server.news]


@story
async def test_leaving_in_two_steps(tmp_path: Path) -> None:
    """Each is answered when all have heard it, and the disk knows in the end."""
    async with House(tmp_path) as house:
        servers = await house.cluster(3)

        leaving = await servers[2].ask(LeaveRequest("leaving"))
        assert leaving.value == {"ok": True, "phase": "leaving", "acknowledged": ["n0", "n1"], "missing": []}
        assert await servers[0].sees(n0="alive", n1="alive", n2="leaving") < 0.1

        left = await servers[2].ask(LeaveRequest("left"))
        assert left.value["acknowledged"] == ["n0", "n1"]
        assert await servers[1].sees(n0="alive", n1="alive", n2="left") < 0.1
        await servers[2].stop()
        assert servers[2].disk().left
        await servers[0].stage.settle(10)
        assert "failed" not in [status for server in servers for _, _, status in server.news]


@story
async def test_leaving_and_staying(tmp_path: Path) -> None:
    """Who cannot leave takes it back."""
    async with House(tmp_path) as house:
        servers = await house.cluster(2)
        await servers[1].ask(LeaveRequest("leaving"))

        await servers[1].ask(LeaveRequest("stay"))

        await servers[0].sees(n0="alive", n1="alive")
        await servers[1].stop()
        assert not servers[1].disk().left


@story
async def test_leaving_with_a_silent_member(tmp_path: Path) -> None:
    """The answer comes in time and says who has not heard it."""
    async with House(tmp_path) as house:
        servers = await house.cluster(2)
        house.stages.pop("n0:7946")

        answer = await servers[1].ask(LeaveRequest("leaving"), timeout_s=4)

        assert (answer.value["acknowledged"], answer.value["missing"]) == ([], ["n0"])


@story
async def test_joining_by_hand(tmp_path: Path) -> None:
    """Answered for every address, the impossible ones too."""
    async with House(tmp_path) as house:
        await house.start("n0", cluster_id="c0")
        joiner = await house.start("n1", "nobody:1")

        answer = await joiner.ask(JoinPeers(["n0:7946", "n0:7946", "not an address", "n1:7946"]))

        assert (answer.value["ok"], answer.value["joined"]) == (True, ["n0:7946"])
        assert sorted(answer.value["failed"]) == ["n1:7946", "not an address"]
        await joiner.sees(n0="alive", n1="alive")


@story
async def test_joining_another_cluster_by_hand(tmp_path: Path) -> None:
    """Refused, with the line."""
    async with House(tmp_path) as house:
        one = await house.start("n0", cluster_id="c0")
        await house.start("m0", cluster_id="c1")

        answer = await one.ask(JoinPeers(["m0:7946"]))

        assert not answer.value["ok"]
        assert "two clusters never merge" in answer.value["reason"]


@story
async def test_force_leave(tmp_path: Path) -> None:
    """Of a failed member, of nobody, of this server."""
    async with House(tmp_path) as house:
        servers = await house.cluster(3)
        await servers[2].stop()
        await servers[0].sees(n0="alive", n1="alive", n2="failed")

        answer = await servers[0].ask(ForceLeave("n2"))
        assert (answer.value["ok"], answer.value["status"]) == (True, "left")
        assert await servers[1].sees(n0="alive", n1="alive", n2="left") < 0.2

        assert (await servers[0].ask(ForceLeave("x"))).value["reason"] == "no member is named x: 'members' lists them"
        assert "leaves with 'leave'" in (await servers[0].ask(ForceLeave("n0"))).value["reason"]


@story
async def test_status(tmp_path: Path) -> None:
    """How gossip is doing, and a lagging event loop shows in it."""
    async with House(tmp_path) as house:
        servers = await house.cluster(2)
        servers[0].lag_s = 3.0
        await servers[0].stage.settle(20)

        status = (await servers[0].ask(GossipStatusRequest())).value

        assert (status["join_state"], status["members"], status["live"]) == ("joined", 2, 2)
        assert status["health_score"] == LOCAL.health_max


@story
async def test_a_server_that_waits_for_its_peer(tmp_path: Path) -> None:
    """It says whom it tries, and joins when somebody comes up there."""
    async with House(tmp_path) as house:
        joiner = await house.start("n1", "n0:7946")
        await joiner.stage.settle(30)
        status = (await joiner.ask(GossipStatusRequest())).value
        assert (status["join_state"], status["seeking"][0]["address"]) == ("joining", "n0:7946")

        await house.start("n0", cluster_id="c0")

        assert await joiner.sees(n0="alive", n1="alive") < 3.0


@story
async def test_gossip_from_no_server_is_ignored(tmp_path: Path) -> None:
    """A frame without an address cannot be answered, and no server sends one."""
    async with House(tmp_path) as house:
        server = await house.start("n0", cluster_id="c0")
        header = Header(PROTOCOL_VERSION, "gossip", "gossip.join", "", 1, 0, None)

        server.stage.system.deliver(header, CLIENT, encode_body(Join(1, "c0", claim("x"))), None)
        await server.stage.settle(1)

        assert await server.statuses() == {"n0": "alive"}


@story
async def test_an_impossible_name_is_one_clear_line(tmp_path: Path) -> None:
    """No other server would take such a claim."""
    async with House(tmp_path) as house:
        with pytest.raises(IdentityError, match=r"cannot join a cluster as x+: id or name has a wrong length"):
            await house.start("x" * 200, cluster_id="c0")
        with pytest.raises(TagsError, match="the tags have 604 characters together: at most 512 are allowed"):
            await house.start("n0", cluster_id="c0", tags={"note": "x" * 600})


@story
async def test_an_objection_beyond_what_is_reserved_waits_for_the_disk(tmp_path: Path) -> None:
    """An incarnation far above its own is claimed of a server: it writes down a higher one, then uses it."""
    async with House(tmp_path) as house:
        servers = await house.cluster(2)
        me = servers[0].identity
        far = claim("n0", 5000, liveness=SUSPECT, accusers=("x",), address=servers[0].address)

        servers[1].stage.system.ref("gossip", "n0:7946", owner="gossip").tell(Gossip([replace(far, id=me.id)]))
        await servers[0].stage.settle(1)

        view = await servers[1].ask(MembersRequest())
        assert {member.name: (member.incarnation, member.status) for member in view.members}["n0"] == (5001, "alive")
        await servers[0].stop()
        assert servers[0].disk().incarnation == 5001 + RESERVE


@story
async def test_answers_that_wait_are_read_before_timers_fire(tmp_path: Path) -> None:
    """Whenever a loop is held up for a moment, shorter than what counts as a stall, no probe fails for it."""
    async with House(tmp_path) as house:
        servers = await house.cluster(3)
        loop = servers[0].stage.loop
        rng = random.Random(1)
        for _ in range(150):
            await asyncio.sleep(rng.random() * LOCAL.probe_timeout_s)
            loop.advance(rng.uniform(0.5, 0.99) * LOCAL.stall_s)

        for server in servers:
            counters = (await server.ask(GossipStatusRequest())).value["counters"]
            assert counters["probes"] > 30
            assert "failed probes" not in counters


@story
async def test_no_start_finds_a_cluster_and_nobody_in_it(tmp_path: Path) -> None:
    """Whenever a server that joins is killed: it knows no cluster yet, or members of it too. Else it would found it."""
    async with House(tmp_path) as house:
        await house.start("n0", cluster_id="c0")
        joiner = await house.start("n1", "n0:7946")
        persistence = joiner.stage.system.ref("persistence")

        known: list[list[str]] = []
        while len(known) < 100:
            state = (await persistence.ask(SerfLoad(), timeout_s=1.0)).state
            if state.cluster_id:
                known.append([member.name for member in state.members])

        assert known == [["n0"]] * 100
