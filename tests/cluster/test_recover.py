"""`recover` on real servers: a majority destroyed, and every server moved (case Q3)."""

from __future__ import annotations

import shutil

import pytest

from tests.support.cluster import Cluster
from tests.support.command import run
from tests.support.server import Server
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]


def recover(server: Server, *options: str) -> str:
    """Run it on a stopped server's directory; returns what it printed."""
    done = run("recover", "--data-dir", str(server.data_dir), "--yes", *options)
    assert done.code == 0, done
    return done.out


def test_q3_one_of_three_is_left(cluster: Cluster) -> None:
    """Two are destroyed: the third goes on alone with everything, two new ones join, the destroyed stay outside."""
    cluster.form(3)
    survivor, second, third = cluster.servers
    for number in range(20):
        survivor.put(f"k{number}", str(number))
    cluster.same_state()
    running = run("recover", "--data-dir", str(survivor.data_dir), "--yes")
    assert (running.code, "in use" in running.error) == (1, True)
    old_cluster = survivor.status()["cluster_id"]
    for server in cluster.servers:
        server.kill()
    shutil.rmtree(second.data_dir)

    asked = run("recover", "--data-dir", str(survivor.data_dir))
    assert (asked.code, "--yes" in asked.error) == (2, True)
    said = recover(survivor)

    assert old_cluster in said
    assert "given up     s1" in said
    (copy,) = survivor.data_dir.glob("before-recovery-*")
    assert {file.name for file in copy.iterdir()} == {"raft.db", "serf.db"}
    assert run("check", str(survivor.data_dir)).code == 0
    survivor.start()
    cluster.agree([survivor])
    assert survivor.status()["cluster_id"] != old_cluster
    assert [survivor.get(f"k{number}") for number in (0, 19)] == [b"0", b"19"]
    newcomers = [cluster.add(join=survivor) for _ in range(2)]
    for newcomer in newcomers:
        newcomer.start()
    cluster.agree([survivor, *newcomers])
    assert len(cluster.same_state([survivor, *newcomers])) == 20
    third.start()  # on its old data: it is of another cluster, and both say so
    third.wait_log("two clusters never merge")
    survivor.wait_log("two clusters never merge")
    assert sorted(survivor.status()["voters"]) == ["s0", "s3", "s4"]


@pytest.mark.long
def test_q3_all_three_have_moved(cluster: Cluster) -> None:
    """RecoverNetworkChange: each is recovered with the same names and new addresses, and they are one cluster."""
    cluster.form(3)
    cluster.servers[0].put("k", "v")
    cluster.same_state()
    for server in cluster.servers:
        assert server.stop() == 0
    moved = [f"{server.name}=127.0.0.1:{server.port + 5}" for server in cluster.servers]
    options = [option for one in moved for option in ("--server", one)]

    for server in cluster.servers:
        assert "Before any of them is started" in recover(server, *options)
        server.port += 5
        server.address = f"127.0.0.1:{server.port}"
        server.http = f"127.0.0.1:{server.port + 1}"
        server.options = ()
        server.start()

    cluster.agree()
    assert len({server.status()["cluster_id"] for server in cluster.servers}) == 1
    assert cluster.same_state()["k"][0] == b"v"
    cluster.servers[2].put("k", "w")


@pytest.mark.long
def test_servers_that_have_moved_need_no_recovery(cluster: Cluster) -> None:
    """With their data and one peer that answers they find together at their new addresses, and keep their votes."""
    cluster.form(3)
    cluster.servers[0].put("k", "v")
    cluster_id = cluster.servers[0].status()["cluster_id"]
    for server in cluster.servers:
        assert server.stop() == 0
    for server in cluster.servers:
        server.port += 5
        server.address = f"127.0.0.1:{server.port}"
        server.options = ("--peer", cluster.servers[0].address)
        server.start()

    cluster.agree()
    assert cluster.servers[1].get("k") == b"v"
    assert cluster.servers[2].status()["cluster_id"] == cluster_id
    wait_until(
        "the configuration has the new addresses",
        lambda: (
            {peer["address"] for peer in cluster.servers[0].ask("raft.peers")}
            == {server.address for server in cluster.servers}
        ),
    )
