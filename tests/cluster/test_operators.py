"""What an operator sees and does: status, health, peers, transfer, removal, snapshots, actors, version."""

from __future__ import annotations

import pytest

from tests.support.cluster import Cluster
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

ACTORS = {"persistence", "links", "gossip", "raft", "reconciler", "gateway", "http"}


def test_every_server_tells_the_same_story(shared: Cluster) -> None:
    """status, members and raft peers agree on names, roles and the leader, in JSON and as tables."""
    leader = shared.leader()
    for server in shared.servers:
        status = server.cli("status", "--format", "json").json
        assert status["node"] == server.name
        assert status["leader"] == leader.name
        assert status["role"] == ("leader" if server is leader else "follower")
        assert status["quorum"] is True
        assert sorted(status["voters"]) == ["s0", "s1", "s2"]
        assert status["standbys"] == []
        rows = server.cli("raft", "peers", "--format", "json").json
        assert [row["name"] for row in rows if row["role"] == "leader"] == [leader.name]
        assert all(isinstance(row["match_index"], int) for row in rows), "the leader's figures, from any server"
        assert all(row["reason"] for row in rows), "a reason for every decision"
        for command in (["status"], ["members"], ["raft", "peers"]):
            shown = server.cli(*command)
            assert shown.code == 0
            assert leader.name in shown.out
            assert "\x1b" not in shown.out, "no colour in a pipe"
        lines = server.cli("members", "--format", "jsonl").out.splitlines()
        assert len(lines) == 3


def test_members_can_be_narrowed_and_explained(shared: Cluster) -> None:
    """--status and --tag choose rows; --why tells how a member came to its status."""
    server = shared.servers[0]
    assert server.cli("members", "--status", "failed", "--format", "json").json == []
    assert len(server.cli("members", "--status", "alive", "--format", "json").json) == 3
    why = server.cli("members", "--why", "s1", "--format", "json").json
    assert why["member"]["name"] == "s1"
    assert why["why"]
    shown = server.cli("members", "--why", "s1")
    assert len(shown.out.splitlines()) > 1, f"the story, not the status alone: {shown.out!r}"
    unknown = server.cli("members", "--why", "nobody")
    assert unknown.code == 1
    assert "nobody" in unknown.error


def test_health(shared: Cluster) -> None:
    """A cluster that works is healthy: exit code 0 everywhere."""
    for server in shared.servers:
        health = server.cli("health", "--format", "json")
        assert health.code == 0
        assert health.json["healthy"]
        assert health.json["ready"]


def test_leadership_is_handed_over(shared: Cluster) -> None:
    """`raft transfer NAME` makes that server lead; without a name the best follower; a wrong name is refused."""
    old = shared.leader()
    target = shared.followers()[0]
    assert target.cli("raft", "transfer", target.name).code == 0
    wait_until("the target leads", lambda: target.status()["role"] == "leader")
    shared.agree()
    assert old.cli("raft", "transfer").code == 0
    shared.agree()
    assert target.status()["role"] != "leader"
    wrong = old.cli("raft", "transfer", "nobody")
    assert wrong.code != 0
    assert "nobody" in wrong.error


def test_a_removal_that_makes_no_sense_is_refused(shared: Cluster) -> None:
    """An alive server would be added again at once, and an unknown one cannot be removed: both are told so."""
    leader, follower = shared.leader(), shared.followers()[0]
    for server in shared.servers:
        alive = server.cli("raft", "remove", follower.name)
        assert alive.code == 1
        assert "leave" in alive.error, "what to do instead"
        unknown = server.cli("raft", "remove", "nobody")
        assert unknown.code == 1
        assert "nobody" in unknown.error
    assert leader.cli("raft", "remove", leader.name).code == 1
    assert shared.disagreement() == ""


def test_a_snapshot_on_request(shared: Cluster) -> None:
    """`raft snapshot` writes one on the server that is asked; the store is the same afterwards."""
    server = shared.followers()[0]
    server.put("snapshot/key", "value")
    shared.same_state()
    assert server.cli("raft", "snapshot").code == 0
    status = server.status()
    assert status["snapshot_index"] > 0
    assert server.get_stale("snapshot/key").answer == b"value"
    assert server.cli("raft", "snapshot").code == 0, "nothing new is no failure"


def test_actors_can_be_looked_at(shared: Cluster) -> None:
    """list, tree, mailboxes and dead-letters answer; kill needs NAME@INCARNATION of one that lives."""
    server = shared.servers[0]
    rows = server.cli("actors", "list", "--format", "json").json
    assert {row["name"] for row in rows} >= ACTORS
    assert {row["state"] for row in rows} == {"running"}
    tree = server.cli("actors", "tree").out
    assert all(name in tree for name in ACTORS | {"root", "edge"})
    assert server.cli("actors", "mailboxes").code == 0
    assert server.cli("actors", "dead-letters").code == 0
    for wrong in ("raft@99", "nobody@1"):
        refused = server.cli("actors", "kill", wrong)
        assert refused.code == 1
        assert wrong.partition("@")[0] in refused.error
