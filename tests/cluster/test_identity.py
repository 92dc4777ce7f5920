"""Id, name and address are three things: servers that move, namesakes, an address that passes on."""

from __future__ import annotations

import asyncio
import shutil
from functools import partial

import pytest

from actors.gossip.roster import FLICKER_S
from quorate import Client, NoLeader
from tests.support.cluster import Cluster
from tests.support.server import Server
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]


def test_a_server_that_moves_keeps_its_vote(cluster: Cluster) -> None:
    """Stopped and started with another --bind: the same member and voter at the new address, and no election."""
    cluster.form(3)
    leader = cluster.leader()
    moving = cluster.followers()[0]
    others = [server for server in cluster.servers if server is not moving]
    before = leader.status()
    (row,) = [row for row in leader.ask("members") if row["name"] == moving.name]
    assert moving.stop() == 0
    leader.put("meanwhile", "written")

    moved = Server(cluster.folder, moving.name, cluster.port(5), "--peer", others[0].address)
    moved.data_dir = moving.data_dir
    cluster.servers[cluster.servers.index(moving)] = moved
    moved.start()

    cluster.agree()
    wait_until(
        "Raft knows the new address",
        lambda: (
            [
                (peer["name"], peer["address"], peer["voter"])
                for peer in leader.ask("raft.peers")
                if peer["id"] == row["id"]
            ]
            == [(moving.name, moved.address, True)]
        ),
    )
    for server in cluster.servers:
        assert sorted(member["name"] for member in server.ask("members")) == ["s0", "s1", "s2"]
    assert (leader.status()["term"], leader.status()["leader"]) == (before["term"], leader.name)
    assert moved.get("meanwhile") == b"written"


def test_39_a_taken_name_is_refused_and_the_process_ends(cluster: Cluster) -> None:
    """One clear line and exit code 1 for the newcomer, the same line at the member it asked, nothing changed."""
    cluster.form(3)
    namesake = Server(cluster.folder, "twin", cluster.port(5), "--peer", cluster.servers[0].address)
    namesake.name = "s2"
    cluster.servers.append(namesake)
    namesake.start()

    assert namesake.wait_exit() == 1
    (error,) = [line for line in namesake.log_text().splitlines() if line.startswith("error: ")]
    assert "the name s2 is taken by" in error
    assert "--name" in error
    assert "Traceback" not in namesake.log_text()
    cluster.servers[0].wait_log("refused to let .* in: the name s2 is taken by")
    cluster.servers.remove(namesake)
    cluster.agree()
    assert [member["status"] for member in cluster.servers[0].ask("members")] == ["alive"] * 3


@pytest.mark.long
def test_4_an_old_process_whose_name_was_given_away_yields(cluster: Cluster) -> None:
    """Stopped (SIGSTOP), replaced under its name, and woken: it ends with 1 and says so; the new one stays."""
    cluster.form(3)
    old = cluster.followers()[0]
    others = [server for server in cluster.servers if server is not old]
    old.pause()
    for other in others:
        wait_until(f"{other} has given up {old}'s name", partial(_has_given_up, other, old))
    new = Server(cluster.folder, "new", cluster.port(5), "--peer", others[0].address)
    new.name = old.name
    new.start()
    cluster.servers.append(new)
    new.wait_status("it has joined", lambda said: said["join_state"] == "joined")

    old.resume()

    assert old.wait_exit(30.0) == 1
    assert f"the name {old.name} belongs to" in old.log_text()
    assert "this server yields" in old.log_text()
    others[0].wait_log(f"two live servers are named {old.name}")
    assert new.is_running


@pytest.mark.long
def test_a_copy_of_a_live_server_ends(cluster: Cluster) -> None:
    """Its data directory was copied and started elsewhere: one clear line and exit code 1, and the original stays."""
    cluster.form(3)
    leader = cluster.leader()
    original = cluster.followers()[0]
    copy = Server(cluster.folder, "copy", cluster.port(5), "--peer", leader.address)
    shutil.copytree(original.data_dir, copy.data_dir, ignore=shutil.ignore_patterns("lock"))
    copy.name = original.name
    cluster.servers.append(copy)
    copy.start()

    assert copy.wait_exit() == 1
    (error,) = [line for line in copy.log_text().splitlines() if line.startswith("error: ")]
    assert f"runs at {original.address} already" in error
    assert "Start the copy with an empty --data-dir" in error
    assert "Traceback" not in copy.log_text()
    original.wait_log(f"{copy.address} has the same id .* one data directory is a copy")
    cluster.servers.remove(copy)
    cluster.agree()
    addresses = {server.address for server in cluster.servers}
    wait_until(
        "Raft knows the address of the original",
        lambda: {peer["address"] for peer in leader.ask("raft.peers") if peer["voter"]} == addresses,
    )
    leader.put("k", "v")
    assert original.get("k") == b"v"


@pytest.mark.long
def test_a_reused_address_belongs_to_the_newcomer(cluster: Cluster) -> None:
    """A server with an empty data directory at a dead one's address: it takes its place among the voters."""
    cluster.form(3)
    dead = cluster.followers()[0]
    others = [server for server in cluster.servers if server is not dead]
    (row,) = [row for row in others[0].ask("members") if row["name"] == dead.name]
    dead.kill()

    new = Server(cluster.folder, "new", dead.port, "--peer", others[0].address)
    cluster.servers[cluster.servers.index(dead)] = new
    new.start()

    cluster.agree()
    for server in cluster.servers:
        peers = {peer["id"]: peer["name"] for peer in server.ask("raft.peers")}
        assert row["id"] not in peers
        assert sorted(peers.values()) == sorted([*(other.name for other in others), "new"])


def test_who_has_joined_nobody_serves_nobodys_cluster(cluster: Cluster) -> None:
    """At the address of a dead voter, which its leader still sends to: it follows no one, and passes nothing on."""
    cluster.form(3)
    dead = cluster.followers()[0]
    cluster.leader().put("secret", "ours")
    dead.kill()

    new = Server(cluster.folder, "new", dead.port, "--bootstrap-expect", "2", "--peer", f"127.0.0.1:{cluster.port(5)}")
    cluster.servers[cluster.servers.index(dead)] = new
    new.start()
    wait_until("the leader has sent to it", lambda: new.ask("links")["dropped"].get("other cluster", 0) > 3)

    with pytest.raises(NoLeader, match="starts no cluster yet"):
        new.get("secret")
    assert (new.status()["term"], new.status()["leader"]) == (0, "")
    new.kill()


async def test_a_client_stays_with_its_cluster(cluster: Cluster) -> None:
    """A founder that lost its disk founds another cluster at a known address: nothing of the client's goes there."""
    cluster.form(3)
    founder, *others = cluster.servers
    async with Client(*(server.address for server in cluster.servers), timeout_s=10.0) as client:
        revisions = [await client.kv.put("k", "before")]
        founder.kill()
        shutil.rmtree(founder.data_dir)
        founder.start()
        founder.wait_status("it leads a cluster of its own", lambda status: bool(status["leader"] == founder.name))
        for number in range(50):
            revisions.append(await client.kv.put("k", b"%d" % number))
            found = await client.kv.get("k")
            assert found is not None
            assert found.value == b"%d" % number
            await asyncio.sleep(0.02)  # the connection to the founder comes up again meanwhile
        assert revisions == sorted(revisions)
        for server in others:
            server.kill()
        with pytest.raises(NoLeader, match="is a server of cluster"):
            await client.kv.put("k", "nowhere", timeout_s=3.0)
    assert founder.get("k") is None


def _has_given_up(server: Server, other: Server) -> bool:
    """Whether a server has known another as failed for so long that its name is free."""
    rows = server.ask("members")
    return any(
        row["name"] == other.name and row["status"] == "failed" and row["status_age_s"] > FLICKER_S for row in rows
    )
