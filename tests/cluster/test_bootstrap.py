"""`start --bootstrap-expect N` with real servers (cases B)."""

from __future__ import annotations

import pytest

from tests.support.cluster import Cluster
from tests.support.server import Server
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]


def equals(cluster: Cluster, count: int) -> list[Server]:
    """Servers with the same line: each names all, itself too; not started."""
    peers = [option for index in range(count) for option in ("--peer", f"127.0.0.1:{cluster.port(index)}")]
    servers = [cluster.add() for _ in range(count)]
    for server in servers:
        server.options = (*peers, "--bootstrap-expect", str(count))
    return servers


def test_b1_three_equal_servers_are_one_cluster(cluster: Cluster) -> None:
    """B1, B2, B7: nothing with two; three voters with the third, one leader; a fourth joins and moves no term."""
    first, second, third = equals(cluster, 3)
    first.start()
    second.start()
    first.wait_log("asking")
    waiting = wait_until("the first answers", first.status)
    assert (waiting["cluster_id"], waiting["leader"]) == ("", "")
    put = first.cli("kv", "put", "k", "v", "--timeout", "1")
    assert put.code == 4
    assert f"starts no cluster yet (127.0.0.1:{second.port}: " in put.error
    assert f"127.0.0.1:{third.port}: no answer yet" in put.error

    third.start()
    cluster.agree()
    second.put("k", "v")
    terms = {server.status()["term"] for server in cluster.servers}
    peers = first.ask("raft.peers")
    assert [peer["voter"] for peer in peers] == [True] * 3
    assert sum("starting cluster" in server.log_text() for server in cluster.servers) >= 1

    fourth = cluster.add()
    fourth.options = third.options
    fourth.start()
    cluster.agree()
    assert {server.status()["term"] for server in cluster.servers} == terms
    assert "starting cluster" not in fourth.log_text()

    for server in cluster.servers[:3]:
        server.kill()
    for server in cluster.servers[:3]:
        server.start()
    cluster.agree()
    assert third.get("k") == b"v"


def test_b3_servers_that_expect_different_numbers(cluster: Cluster) -> None:
    """B3: neither founds, and both say why."""
    one, other, third = equals(cluster, 3)
    other.options = (*other.options[:-1], "2")
    for server in (one, other, third):
        server.start()

    one.wait_log("expects 2 servers and this server expects 3")
    third.wait_log("expects 2 servers and this server expects 3")
    other.wait_log("expects 3 servers and this server expects 2")
    assert {server.status()["cluster_id"] for server in cluster.servers} == {""}
