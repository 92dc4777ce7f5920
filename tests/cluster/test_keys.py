"""A cluster with a key: who holds it is in, who does not stays out, and is told why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cluster import Cluster
from tests.support.command import run
from tests.support.server import Server

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]


def generate(path: Path, *options: str) -> Path:
    """A key file, made as a user makes it."""
    assert run("keys", "generate", str(path), *options).code == 0
    assert path.stat().st_mode & 0o777 == 0o600
    return path


def test_a_cluster_with_a_key(cluster: Cluster, tmp_path: Path) -> None:
    """Three servers with the key form a cluster; clients with it or a client's file are served, others are not."""
    cluster.key = generate(tmp_path / "cluster.key")
    cluster.form(3)
    server = cluster.servers[1]
    assert server.cli("kv", "put", "k", "v").code == 0
    client_key = generate(tmp_path / "client.key", "--client-of", str(cluster.key))
    address = ("--address", server.address)

    assert run("kv", "get", "k", *address, "--key", str(client_key)).out == "v"
    for key in ([], ["--key", str(generate(tmp_path / "other.key"))]):
        refused = run("kv", "get", "k", *address, *key)
        assert refused.code == 3
        assert "key" in refused.error

    cluster.leader().kill()
    cluster.leader()
    assert cluster.running[0].cli("kv", "get", "k").out == "v"


@pytest.mark.parametrize("which", ["none", "another", "a client's"])
def test_a_server_with_the_wrong_key_stays_out(cluster: Cluster, tmp_path: Path, which: str) -> None:
    """It does not join, says why in its log (or ends, with a client's file), and the cluster goes on (S27)."""
    key = generate(tmp_path / "cluster.key")
    cluster.key = key
    cluster.form(1)
    cluster.key = None
    if which == "another":
        cluster.key = generate(tmp_path / "other.key")
    elif which == "a client's":
        cluster.key = generate(tmp_path / "client.key", "--client-of", str(key))
    stranger = cluster.add()
    stranger.start()

    if which == "a client's":
        assert stranger.wait_exit() == 2
        assert "client" in stranger.log_text()
    else:
        stranger.wait_log(f"{cluster.servers[0].address}: it answers, but no link comes up: it may hold another key")
        stranger.wait_log(rf"no way to {cluster.servers[0].address} yet \(it answers, but no link comes up")
        assert stranger.is_running, "it goes on trying: the key may be put right on the other side"
    assert "Traceback" not in stranger.log_text()
    member: Server = cluster.servers[0]
    member.put("k", "v")
    assert [row["name"] for row in member.ask("members")] == ["s0"]
