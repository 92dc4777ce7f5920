"""Disks that are really full: real servers, real ENOSPC, and the way back without anybody's help."""

from __future__ import annotations

import time
import urllib.error
import urllib.request

import pytest

from storage.kv_protocol import put
from tests.support.cluster import Cluster
from tests.support.load import Load
from tests.support.server import Server
from tests.support.small_disk import Way, cramped, full_partition, ways
from tests.support.verdict import check
from tests.support.waiting import wait_until
from tests.support.witness import Witness
from transport.errors import QuorateError

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

HANDED_OVER_S = 5.0
STEADY_S = 4.0

each_way = pytest.mark.parametrize("way", ways())


def ready(server: Server) -> tuple[int, str]:
    """What `/ready` says."""
    try:
        with urllib.request.urlopen(f"http://{server.http}/ready", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def says_so(server: Server) -> None:
    """The full server tells everybody who asks."""
    status = server.wait_status("its disk is full", lambda said: bool(said["storage_error"]))
    assert "raft.db" in status["storage_error"]
    assert status["role"] != "leader"
    health = server.cli("health")
    assert health.code == 5
    assert "disk" in health.error
    code, text = ready(server)
    assert code == 503
    assert "[-]disk: " in text


@each_way
def test_a_full_leader_hands_over_and_comes_back(cluster: Cluster, way: Way) -> None:
    """Others lead within moments, nobody calls an election for as long as it is full, and nothing is lost."""
    servers = cramped(cluster, 3, way)
    addresses = [server.address for server in servers]
    with Witness(servers) as witness, Load(addresses, seed=1) as load:
        load.more(50)
        leader = next(server for server in servers if server is cluster.leader())
        others = [server for server in servers if server is not leader]
        began = time.monotonic()
        leader.fill()
        cluster.leader(among=others)
        elected_s = time.monotonic() - began
        load.serves_again()
        print(f"{way}: another server leads {elected_s:.2f} s after the leader's disk was full")
        assert elected_s < HANDED_OVER_S
        says_so(leader)
        term = others[0].status()["term"]

        # It holds nobody up and stands for nothing.
        until = time.monotonic() + STEADY_S
        while time.monotonic() < until:
            load.more(5)
            assert leader.status()["role"] != "leader"
        assert others[0].status()["term"] == term

        leader.free()
        leader.wait_status("its disk has room", lambda said: not said["storage_error"])
        wait_until("it is ready", lambda: ready(leader)[0] == 200)
        check(cluster, load, witness)


@each_way
def test_a_full_follower_holds_nobody_up(cluster: Cluster, way: Way) -> None:
    """The leader stays, the term stays, writes go on; with room again the follower has everything."""
    servers = cramped(cluster, 3, way)
    addresses = [server.address for server in servers]
    with Witness(servers) as witness, Load(addresses, seed=2) as load:
        load.more(20)
        leader = cluster.leader()
        follower = next(server for server in servers if server is not leader)
        term = leader.status()["term"]
        follower.fill()
        says_so(follower)
        load.more(200)
        assert leader.status()["term"] == term
        assert leader.status()["role"] == "leader"

        follower.free()
        follower.wait_status("its disk has room", lambda said: not said["storage_error"])
        check(cluster, load, witness)


@each_way
def test_a_lone_server_acknowledges_nothing_while_it_is_full(cluster: Cluster, way: Way) -> None:
    """It says so, goes on by itself, and has every write that it acknowledged, also after a stop."""
    (server,) = cramped(cluster, 1, way)
    server.put("before", "there")
    server.fill()
    with server.client(timeout_s=2.0) as client, pytest.raises(QuorateError):
        client.propose(put("during", b"never acknowledged"))
    says_so(server)
    assert server.get_stale("before").answer == b"there"

    server.free()
    cluster.leader()
    server.put("after", "there too")
    assert {"before", "after"} <= set(server.state()) <= {"before", "during", "after"}
    assert "Traceback" not in server.log_text()


def test_a_disk_that_is_full_at_the_start(cluster: Cluster) -> None:
    """One clear line, and nothing half made is taken for a data directory later."""
    server = full_partition(cluster.folder, cluster.port(0))

    assert server.wait_exit() == 1
    (line,) = [line for line in server.log_text().splitlines() if line.startswith("error: ")]
    assert str(server.data_dir) in line
    assert "full" in line or "refused" in line or "too large" in line
    assert "Traceback" not in server.log_text()
