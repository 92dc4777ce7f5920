"""Operators' requests: who is asked, what comes back, and that nothing an operator says can break the gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from actors.config import NodeConfig
from actors.gateway.reports import peer_rows
from actors.gossip.member import Member
from actors.views import status_view
from tests.unit.gateway.cast import ONE, TWO, Server
from tests.unit.runtime.stage import linked
from tests.unit.runtime.virtual_time import story

CONFIG = NodeConfig(data_dir=Path("data"))
ABSOLUTE = str(Path("data").absolute())
FAULTY = NodeConfig(data_dir=Path("data"), fault_hooks=True)


@story
async def test_status_has_the_keys_scripts_rely_on() -> None:
    """The contract of `status --format json`."""
    async with Server(CONFIG) as server:
        await server.follow(ONE)
        status = await server.value("status")

        promised = ("cluster_id", "node", "id", "role", "leader", "term", "quorum", "voters", "standbys")
        assert [status[key] for key in promised] == ["c1", "one", "one", "leader", "one", 3, True, ["one", "two"], []]
        assert (status["commit_index"], status["applied_index"]) == (12, 12)
        assert status["members"] == {"alive": 1, "suspect": 1}
        assert (status["join_state"], [seek["address"] for seek in status["seeking"]]) == ("joined", ["a:1", "b:2"])
        assert "a:1 (3 tries, refused: no, again in 1.5 s); b:2 (1 try, asked now)" in status_view(status)
        assert "three at c:3, 2.5 s ago: two clusters never merge" in status_view(status)


@story
async def test_info_has_serf_s_sections() -> None:
    """Serf's names where Serf has the figure, and nothing nested: a script takes info["gossip"]["failed"]."""
    async with Server(CONFIG) as server:
        await server.follow(ONE)
        info = await server.value("info")

        assert list(info) == ["agent", "event_handlers", "runtime", "gossip", "seeking", "counters", "raft", "tags"]
        assert (info["agent"]["name"], info["agent"]["cluster_id"], info["agent"]["profile"]) == ("one", "c1", "local")
        serf = ("alive", "suspect", "failed", "left", "health_score", "member_time", "intent_queue", "encrypted")
        assert [info["gossip"][key] for key in serf] == [1, 1, 0, 0, 2, 9, 4, False]
        assert (info["raft"]["role"], info["raft"]["voters"], info["raft"]["peers"]) == ("leader", 2, 2)
        assert info["counters"] == {"probes": 7}
        assert info["runtime"]["memory_bytes"] > 1_000_000
        assert not [value for section in info.values() for value in section.values() if isinstance(value, dict | list)]


@story
async def test_members_are_in_order_and_know_their_role() -> None:
    """The contract of `members --format json`; the role is Raft's."""
    async with Server(CONFIG) as server:
        await server.follow(ONE)
        one, two = await server.value("members")

        promised = ("name", "id", "address", "status", "tags", "role")
        assert [one[key] for key in promised] == ["one", "one", ONE, "alive", {}, "leader"]
        assert [two[key] for key in promised] == ["two", "two", TWO, "suspect", {"zone": "b"}, "follower"]


@story
async def test_the_data_directory_is_absolute() -> None:
    """Whoever asks is seldom in the folder where the server was started."""
    async with Server(CONFIG) as server:
        assert (await server.value("status"))["data_dir"] == ABSOLUTE
        assert (await server.value("info"))["agent"]["data_dir"] == ABSOLUTE


@story
async def test_members_are_listed_without_raft() -> None:
    """Gossip works while Raft does not answer; the role is then unknown, not wrong."""
    async with Server(CONFIG) as server:
        server.answers = False

        assert [row["role"] for row in await server.value("members")] == [None, None]


@story
async def test_members_say_how_far_they_are() -> None:
    """Estimated from the server that is asked; null for those it has not measured."""
    async with Server(CONFIG) as server:
        assert [row["rtt_ms"] for row in await server.value("members")] == [None, 0.61]


@story
async def test_members_say_for_how_long_they_have_not_been_alive() -> None:
    """Null for those who are: nobody counts that, and 0 would be a figure."""
    async with Server(CONFIG) as server:
        assert [row["status_age_s"] for row in await server.value("members")] == [None, 1.5]


@story
async def test_rtt() -> None:
    """The figure in ms, or the line that says why there is none."""
    async with Server(CONFIG) as server:
        assert await server.value("rtt", {"start": "two"}) == {"from": "two", "to": "one", "rtt_ms": 0.61}
        unknown = await server.request("rtt", {"start": "three", "to": "two"})

        assert (unknown.code, unknown.message) == ("refused", "no member is called 'three'")


@story
async def test_tags() -> None:
    """What gossip makes of the change, or why it makes none."""
    async with Server(CONFIG) as server:
        answer = await server.value("tags", {"put": {"role": "db"}})
        refused = await server.request("tags", {"remove": ["role"]})

        assert answer == {"name": "one", "tags": {"role": "db"}, "incarnation": 4}
        assert (refused.code, refused.message) == ("refused", "there is no such tag")


@story
async def test_why_tells_a_members_story() -> None:
    """`members --why NAME`, and a clear answer for a name nobody has."""
    async with Server(CONFIG) as server:
        report = await server.value("members", {"why": "two"})
        unknown = await server.request("members", {"why": "three"})

        assert report["member"]["name"] == "two"
        assert report["why"] == [{"age_s": 1.5, "event": "suspect", "by": "one", "detail": "no answer to a probe"}]
        assert (unknown.code, "three" in unknown.message) == ("not_found", True)


@story
async def test_raft_peers_come_with_the_reconcilers_reasons() -> None:
    """The contract of `raft peers --format json`."""
    async with Server(CONFIG) as server:
        await server.follow(ONE)
        peers = await server.value("raft.peers")

        assert [(peer["name"], peer["status"], peer["role"], peer["reason"]) for peer in peers] == [
            ("one", "alive", "leader", ""),
            ("two", "suspect", "follower", "voter"),
        ]


@story
async def test_health_names_what_is_wrong() -> None:
    """A cluster without a leader is unhealthy and not ready, and the checks say so."""
    async with Server(CONFIG) as server:
        await server.follow(ONE)
        well = await server.value("health")
        await server.follow("")
        ill = await server.value("health")

        assert (well["healthy"], well["ready"]) == (True, True)
        assert (ill["healthy"], ill["ready"]) == (False, False)
        assert {check["name"] for check in ill["checks"] if not check["ok"]} == {"leader", "quorum"}


@story
async def test_health_and_status_name_a_divergence() -> None:
    """It has a leader and a quorum, and is not well: what is committed here is not the cluster's."""
    async with Server(CONFIG) as server:
        await server.follow(TWO)
        server.divergence = "two, which leads term 3, asks to replace committed entry 9"
        report = await server.value("health")

        failed = {check["name"]: check["detail"] for check in report["checks"] if not check["ok"]}
        assert failed == {"history": server.divergence}
        assert (report["healthy"], report["ready"]) == (False, False)
        assert (await server.value("status"))["divergence"] == server.divergence


@pytest.mark.parametrize(("cluster_id", "words"), [("c1", "Raft configuration"), ("", "has not joined a cluster yet")])
def test_a_server_in_no_configuration_is_not_ready(cluster_id: str, words: str) -> None:
    """It may have a leader's word and still nothing to vouch for."""

    @story
    async def play() -> None:
        async with Server(CONFIG, cluster_id=cluster_id) as server:
            server.is_in_configuration = False
            await server.follow(TWO)
            report = await server.value("health")

            failed = {check["name"]: check["detail"] for check in report["checks"] if not check["ok"]}
            assert failed.keys() == {"configuration", "applied", "quorum"}
            assert "no Raft configuration" in failed["quorum"]
            assert words in failed["configuration"]
            assert not report["ready"]

    play()


@story
async def test_health_is_reported_without_raft_and_of_a_dead_actor() -> None:
    """The worse things are, the more the report is needed."""
    async with Server(CONFIG) as server:
        server.answers = False
        report = await server.value("health")

        assert not report["healthy"]
        assert "raft" in {check["name"] for check in report["checks"] if not check["ok"]}


@story
async def test_what_only_the_leader_can_do_takes_one_hop() -> None:
    """A transfer asked of a follower is carried out by the leader; its refusals come back in its own words."""
    async with Server(CONFIG, ONE) as one, Server(CONFIG, TWO) as two:
        linked({ONE: one.stage, TWO: two.stage})
        await one.follow(TWO)
        await two.follow(TWO)

        assert (await one.value("raft.transfer", {"name": ""}))["ok"]
        refused = await one.request("raft.remove", {"name": "one"})
        assert (refused.code, refused.message) == ("refused", "removing one would cost the quorum")


@story
async def test_what_only_the_leader_can_do_needs_one() -> None:
    """No leader known, or one that does not know that it is none any more: `no_leader`, and no second hop."""
    async with Server(CONFIG, ONE) as one, Server(CONFIG, TWO) as two:
        linked({ONE: one.stage, TWO: two.stage})
        refused = await one.request("raft.transfer", {"name": ""})
        assert (refused.code, "missing: two at" in refused.message) == ("no_leader", True)
        await one.follow(TWO)
        await two.follow(ONE)

        assert (await one.request("raft.transfer", {"name": ""})).code == "no_leader"


@story
async def test_a_server_that_has_not_joined_says_so() -> None:
    """Not the leader is missing, but a cluster; each peer's last word is in the line."""
    async with Server(CONFIG, cluster_id="") as server:
        refused = await server.request("raft.transfer", {"name": ""})

        assert refused.code == "no_leader"
        assert "one has not joined a cluster yet (a:1: refused: no; b:2: no answer yet)" in refused.message


@story
async def test_raft_peers_fall_back_on_this_server() -> None:
    """The leader knows more, but a list without it is better than none."""
    async with Server(CONFIG, ONE) as one:
        linked({ONE: one.stage})
        await one.follow(TWO)

        assert len(await one.value("raft.peers")) == 2


@story
async def test_join_force_leave_and_leave() -> None:
    """Membership by hand: the answers are gossip's and the node's, refusals included."""
    async with Server(CONFIG) as server:
        assert await server.value("join", {"peers": ["a:1", "b:2"]}) == {
            "joined": ["a:1"],
            "failed": {"b:2": "no answer"},
        }
        assert (await server.value("force_leave", {"name": "two"}))["status"] == "left"
        unknown = await server.request("force_leave", {"name": "five"})
        assert (unknown.code, unknown.message) == ("refused", "no member is called five")
        assert (await server.value("leave")) == {"left": True}
        server.may_leave = False
        stays = await server.request("leave")
        assert (stays.code, stays.message) == ("no_leader", "cannot leave: no quorum")


@story
async def test_a_member_that_is_declared_left_keeps_its_vote_until_a_leader_takes_it() -> None:
    """Whoever declares it left without a majority is told that Raft goes on counting on it."""
    async with Server(CONFIG) as server:
        alone = await server.value("force_leave", {"name": "two"})
        await server.follow(TWO)
        led = await server.value("force_leave", {"name": "two"})

        assert (alone["status"], alone["keeps_vote"]) == ("left", True)
        assert (led["status"], led["keeps_vote"]) == ("left", False)


@story
async def test_a_kill_names_an_incarnation() -> None:
    """A command given twice kills once; an actor that kills itself still answers."""
    async with Server(CONFIG) as server:
        killed = await server.value("actors.kill", {"target": "gateway@1"})
        await server.stage.settle(1)
        again = await server.request("actors.kill", {"target": "gateway@1"})

        assert "gateway@1" in killed["result"]
        assert (again.code, "incarnation 2" in again.message) == ("refused", True)


@pytest.mark.parametrize(
    ("op", "payload", "code"),
    [
        ("no.such.thing", {}, "bad_request"),
        ("join", {}, "bad_request"),
        ("join", {"peers": "a:1"}, "bad_request"),
        ("status", {"verbose": True}, "bad_request"),
        ("status", ["status"], "bad_request"),
        ("actors.kill", {"target": "raft"}, "bad_request"),
        ("actors.kill", {"target": "raft@one"}, "bad_request"),
        ("actors.kill", {"target": "nobody@1"}, "refused"),
        ("raft.snapshot", {}, "ok"),
        ("version", {}, "ok"),
        ("links", {}, "ok"),
        ("actors.list", {}, "ok"),
        ("actors.tree", {}, "ok"),
        ("actors.mailboxes", {}, "ok"),
        ("actors.dead_letters", {}, "ok"),
        ("fault.heal", {}, "refused"),
        ("fault.crash", {"actor": "raft"}, "refused"),
    ],
)
def test_every_operation_ends_with_a_code(op: str, payload: Any, code: str) -> None:
    """Whatever is asked, the answer has a code, a line of text when it is not "ok", and the gateway lives on."""

    @story
    async def play() -> None:
        async with Server(CONFIG) as server:
            await server.follow(ONE)
            answer = await server.request(op, payload)
            assert answer.code == code, answer
            assert bool(answer.message) == (code != "ok")
            assert server.stage.row("gateway")["incarnation"] == 1

    play()


@story
async def test_faults_are_made_where_the_hooks_are_on() -> None:
    """A server of a local cluster obeys; what it cannot do it says."""
    async with Server(FAULTY) as server:
        await server.value("fault.cut", {"address": TWO, "outbound": False})
        await server.value("fault.heal")
        await server.value("fault.crash", {"actor": "raft"})
        assert (await server.request("fault.crash", {"actor": "nobody"})).code == "refused"

        assert server.log == [f"cut {TWO} True False", "heal", "crash raft"]


@story
async def test_a_bug_in_an_operation_does_not_end_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator's question is not worth the requests in progress."""

    def broken(*_: object) -> None:
        raise KeyError("oops")

    async with Server(CONFIG) as server:
        monkeypatch.setattr(server, "uptime_s", broken)
        answer = await server.request("status")

        assert (answer.code, "oops" in answer.message) == ("failed", True)
        assert server.stage.row("gateway")["incarnation"] == 1


def test_raft_peers_show_who_is_kept_out_and_why() -> None:
    """A member that the reconciler refuses has a row too: nobody looks for it in a log."""
    newcomer = Member("3", "three", "127.0.0.1:2", "alive", {}, 1, 1)
    rows = peer_rows({"peers": [{"id": "1", "name": "one"}]}, {"1": "voter", "3": "refused: one is there"}, [newcomer])

    assert [(row["name"], row["reason"]) for row in rows] == [("one", "voter"), ("three", "refused: one is there")]
    assert (rows[1]["role"], rows[1]["voter"], rows[1]["match_index"]) == ("none", False, None)
