"""Servers that come and go: by `leave`, by `force-leave`, by a crash, and back."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.cluster import Cluster
from tests.support.load import Load
from tests.support.server import Server
from tests.support.verdict import check_state
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

GONE_MAX_S = 10.0
"""The promise is 2 s; this is for a busy machine."""


def gone(cluster: Cluster, server: Server, others: list[Server]) -> float:
    """Wait until no server that stays counts another as a member or a voter; returns for how many seconds."""
    began = time.monotonic()
    for other in others:
        other.wait_member(server, "left", "gone")
        wait_until(
            f"{other} has no {server} among the voters",
            lambda other=other: server.name not in other.status()["voters"],  # type: ignore[misc]
        )
    return time.monotonic() - began


@pytest.mark.parametrize("role", ["follower", "leader"])
def test_a_server_leaves_under_load(cluster: Cluster, seed: int, role: str) -> None:
    """`leave` ends with 0 and the process too; the others forget the server within 2 s, and writes go on."""
    cluster.form(3)
    with Load([server.address for server in cluster.servers], seed) as load:
        load.more(50)
        leaving = cluster.leader() if role == "leader" else cluster.followers()[0]
        others = [server for server in cluster.servers if server is not leaving]
        began = time.monotonic()
        assert leaving.cli("leave").code == 0
        left_s = time.monotonic() - began
        took_s = gone(cluster, leaving, others)
        print(f"the {role} left in {left_s:.2f} s, and was gone {took_s:.2f} s later")
        assert took_s < GONE_MAX_S
        assert leaving.wait_exit() == 0
        load.serves_again()
        load.more(50)
    cluster.agree(others)
    check_state(cluster.same_state(others), load)


def test_a_server_that_left_may_come_back(cluster: Cluster) -> None:
    """The same command line after a `leave` brings the server back as a member and a voter."""
    cluster.form(3)
    server = cluster.servers[2]
    assert server.cli("leave").code == 0
    assert server.wait_exit() == 0
    cluster.servers[0].put("meanwhile", "written")

    server.start()

    cluster.agree()
    assert cluster.same_state()["meanwhile"][0] == b"written"


def test_a_dead_server_is_taken_out_by_hand(cluster: Cluster) -> None:
    """A killed server stays a voter, since it may come back; `force-leave` takes it out of members and voters."""
    cluster.form(3)
    dead, *others = cluster.servers
    dead.kill()
    cluster.leader(others)
    for other in others:
        other.wait_member(dead, "failed")
    assert dead.name in others[0].status()["voters"]
    unknown = others[0].cli("force-leave", "nobody")
    assert unknown.code == 1
    assert "nobody" in unknown.error

    assert others[0].cli("force-leave", dead.name).code == 0

    gone(cluster, dead, others)
    others[1].put("k", "v")


def test_a_server_that_lives_is_not_forced_out(cluster: Cluster) -> None:
    """`force-leave` of a server that lives says that it does and what to do instead, and changes nothing."""
    cluster.form(3)
    one, other = cluster.followers()

    refused = one.cli("force-leave", other.name)

    assert refused.code == 1
    assert f"{other.name} is alive" in refused.error
    assert f"'leave' on it (--address {other.address})" in refused.error
    itself = one.cli("force-leave", one.name)
    assert (itself.code, "leaves with 'leave'" in itself.error) == (1, True)
    cluster.agree()
    assert sorted(one.status()["voters"]) == ["s0", "s1", "s2"]


@pytest.mark.long
def test_34_a_pruned_server_is_forgotten_by_all_and_by_raft(cluster: Cluster) -> None:
    """`force-leave --prune` of a dead voter: in nobody's list, in no configuration; it may come back as it was."""
    cluster.form(3)
    dead = cluster.followers()[0]
    others = [server for server in cluster.servers if server is not dead]
    dead.kill()
    for other in others:
        other.wait_member(dead, "failed")

    pruned = others[0].cli("force-leave", "--prune", dead.name)

    assert (pruned.code, pruned.out.strip()) == (0, f"{dead.name} is forgotten")
    for other in others:
        other.wait_member(dead, "gone")
        wait_until(
            f"{other} has no {dead} in the configuration",
            lambda other=other: dead.name not in [peer["name"] for peer in other.ask("raft.peers")],  # type: ignore[misc]
        )
    dead.start()
    cluster.agree()


@pytest.mark.long
def test_three_of_five_leave_at_once(cluster: Cluster) -> None:
    """The leader among them. Each hands over what it has, gets out of Raft and says goodbye; nobody is ever failed."""
    cluster.form(5)
    leader, *followers = cluster.leader(), *cluster.followers()
    stayers, leavers = followers[:2], [leader, *followers[2:]]
    stayers[0].put("k", "v")

    with ThreadPoolExecutor(len(leavers)) as pool:
        outcomes = list(pool.map(lambda server: server.cli("leave"), leavers))

    assert [outcome.code for outcome in outcomes] == [0, 0, 0], [outcome.err for outcome in outcomes]
    assert [leaver.wait_exit() for leaver in leavers] == [0, 0, 0]
    for leaver in leavers:
        gone(cluster, leaver, stayers)
    cluster.agree(stayers)
    assert cluster.same_state(stayers).keys() == {"k"}
    for stayer in stayers:
        assert " is failed" not in stayer.log_text()


def test_a_cluster_grows_and_shrinks(cluster: Cluster) -> None:
    """From one to five voters and a standby, and down again by leaves, with every key kept."""
    cluster.form(5)
    cluster.servers[0].put("k", "v")
    sixth = cluster.add()
    sixth.start()
    said = sixth.wait_status("it is in the configuration", lambda said: sixth.name in said["standbys"])
    assert said["role"] == "standby"
    assert len(said["voters"]) == 5
    assert sixth.get("k") == b"v"

    for server in [cluster.leader(), *cluster.followers()][:3]:
        assert server.cli("leave").code == 0
        assert server.wait_exit() == 0

    cluster.agree()
    assert cluster.same_state().keys() == {"k"}


def test_the_last_server_may_leave(cluster: Cluster) -> None:
    """A cluster of one that is left has nobody to hand over to: it ends with 0 all the same."""
    server = cluster.add()
    server.start()
    cluster.agree()

    assert server.cli("leave").code == 0
    assert server.wait_exit() == 0


@pytest.mark.long
def test_a_server_cannot_leave_without_a_quorum(cluster: Cluster) -> None:
    """Nobody can take it out: `leave` says so, and the server stays."""
    cluster.form(3)
    first, *others = cluster.servers
    for other in others:
        other.kill()
    first.wait_status("it knows that it has no quorum", lambda said: not said["quorum"])

    refused = first.cli("leave")

    assert refused.code == 4
    assert "quorum" in refused.error
    assert first.is_running
    for other in others:
        other.start()
    cluster.agree()


@pytest.mark.long
def test_a_server_that_is_needed_may_not_leave(cluster: Cluster) -> None:
    """With one of three voters dead, one that left would leave one of two: `leave` has the leader's reason."""
    cluster.form(3)
    leader = cluster.leader()
    dead, needed = (server for server in cluster.servers if server is not leader)
    dead.kill()
    leader.wait_member(dead, "failed")

    refused = needed.cli("leave")

    assert refused.code == 4
    assert f"the leader at {leader.address} did not take {needed.name} out" in refused.error
    assert "only 1 of the 2 voters left would be up" in refused.error
    assert needed.is_running
