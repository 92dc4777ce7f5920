"""The reconciler on real servers: lost voters, dead servers, and what `raft peers` says about them (cases F, E, R8)."""

from __future__ import annotations

import pytest

from tests.support.cluster import Cluster
from tests.support.load import Load
from tests.support.server import Server
from tests.support.verdict import check_state
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]


def formed(cluster: Cluster, count: int, *options: str) -> list[Server]:
    """Servers with the same options, which agree."""
    for _ in range(count):
        server = cluster.add(*options)
        server.options = (*server.options, *options)
        server.start()
    leader = cluster.leader()
    wait_until("all are in the configuration", lambda: len(leader.ask("raft.peers")) == count)
    return cluster.servers


def roles(server: Server) -> dict[str, str]:
    """Name to role, as the leader has it."""
    return {peer["name"]: peer["role"] for peer in server.ask("raft.peers")}


def reasons(server: Server) -> dict[str, str]:
    """Name to reason."""
    return {peer["name"]: peer["reason"] for peer in server.ask("raft.peers")}


@pytest.mark.long
def test_f9_a_standby_takes_the_vote_of_a_lost_voter_under_load(cluster: Cluster, seed: int) -> None:
    """F9, F2: three of four vote; a killed one is replaced within seconds, cleaned up later, and back as a newcomer."""
    servers = formed(cluster, 4, "--max-voters", "3", "--dead-server-timeout", "6")
    leader = cluster.leader()
    wait_until("three vote", lambda: sorted(roles(leader).values()) == ["follower", "follower", "leader", "standby"])
    standby = next(server for server in servers if roles(leader)[server.name] == "standby")
    full = "standby: there are 3 voters (--max-voters 3)"
    wait_until("it is said why the fourth does not", lambda: reasons(leader)[standby.name] == full)
    lost = next(server for server in servers if roles(leader)[server.name] == "follower")
    others = [server for server in servers if server is not lost]
    with Load([server.address for server in others], seed) as load:
        load.more(50)
        lost.kill()
        wait_until("the standby votes", lambda: roles(leader).get(standby.name) == "follower")
        kept = "failed: kept for 6 s (--dead-server-timeout), it is expected back"
        assert reasons(leader).get(lost.name, kept) == kept, "unless its time is over already, on a busy machine"
        wait_until("the dead one is removed", lambda: lost.name not in roles(leader))
        load.more(50)
        lost.start()
        wait_until("it is back, as a standby", lambda: roles(leader).get(lost.name) == "standby")
        load.more(50)
    check_state(cluster.same_state(), load)


def test_f6_a_dead_voter_of_three_stays(cluster: Cluster) -> None:
    """F6: fewer than --min-voters must not vote, and it is said; an operator may take it out all the same."""
    servers = formed(cluster, 3, "--dead-server-timeout", "1")
    cluster.agree()
    gone, *others = servers
    gone.kill()
    leader = cluster.leader(others)
    for other in others:
        other.wait_member(gone, "failed")

    expected = "dead: kept, 3 servers vote and fewer must not (--min-voters 3)"
    wait_until("it is said why the dead one stays", lambda: reasons(leader)[gone.name] == expected)
    assert sorted(leader.status()["voters"]) == ["s0", "s1", "s2"]
    refused = leader.cli("raft", "remove", leader.name)
    assert (refused.code, "leave on it instead" in refused.error) == (1, True)
    assert leader.cli("raft", "remove", gone.name).code == 0, "an operator may"
    wait_until("it is out", lambda: sorted(leader.status()["voters"]) == sorted(s.name for s in others))
