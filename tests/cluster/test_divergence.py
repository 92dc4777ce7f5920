"""Data directories put back from older copies: one server has what its cluster has lost, says so, and is replaced."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import pytest

from tests.support.cluster import Cluster
from tests.support.command import run
from tests.support.server import Server
from tests.support.waiting import wait_until
from transport.client.errors import Diverged

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

TIMEOUT_S = 30.0
OLD, LOST, NEW = "before", "acknowledged, and lost by two", "after"


def copied(cluster: Cluster, servers: list[Server]) -> Path:
    """Their data directories as they are now, each copied while its server is stopped."""
    copies = cluster.folder / "copies"
    for server in servers:
        assert server.stop() == 0
        shutil.copytree(server.data_dir, copies / server.name)
        server.start()
        cluster.agree()
    return copies


def put_back(server: Server, copies: Path) -> None:
    """A server's raft.db becomes what it once was."""
    server.stop()
    for file in server.data_dir.glob("raft.db*"):
        file.unlink()
    for file in (copies / server.name).glob("raft.db*"):
        shutil.copy(file, server.data_dir)


@contextmanager
def asked(server: Server, path: str) -> Iterator[HTTPResponse]:
    """The beginning of an answer over HTTP."""
    host, _, port = server.http.rpartition(":")
    with closing(HTTPConnection(host, int(port), timeout=TIMEOUT_S)) as connection:
        connection.request("GET", path)
        yield connection.getresponse()


def get(server: Server, path: str) -> tuple[int, str]:
    """The status and the text of an answer over HTTP."""
    with asked(server, path) as answer:
        return answer.status, answer.read().decode()


def says_so(server: Server) -> str:
    """Everybody who asks how it is, hears it; returns its words."""
    line: str = server.wait_status("it has diverged", lambda said: bool(said["divergence"]))["divergence"]
    assert "asks to replace committed entry" in line
    assert line in server.cli("status").out
    health = server.cli("health")
    assert (health.code, health.error) == (5, f"error: {server.name} is unhealthy: history")
    status, ready = get(server, "/ready")
    assert (status, f"[-]history: {line}\n" in ready) == (503, True)
    return line


def reads_nothing_of_its_own(server: Server, line: str) -> None:
    """Stale reads, also of the past, and watches are refused; what is the leader's to answer is answered by it."""
    with pytest.raises(Diverged, match="asks to replace committed entry"):
        server.get_stale("k")
    for options in ((), ("--revision", "1")):
        refused = server.cli("kv", "get", "k", "--consistency", "stale", *options)
        assert (refused.code, refused.error) == (4, f"error: {line}")
    for path in ("/v1/kv/k?consistency=stale", "/v1/watch?prefix=k&since=1"):
        status, text = get(server, path)
        assert (status, json.loads(text)["error"]) == (503, "diverged")
    server.put("by way of it", "x")
    assert (server.get("k"), server.get("by way of it")) == (NEW.encode(), b"x")


def test_a_server_that_has_what_its_cluster_has_lost(cluster: Cluster) -> None:
    """Cut off while the two others are put back and go on, it says so then; an empty data directory is the cure."""
    keeper, *others = cluster.form(3).servers
    keeper.put("k", OLD)
    cluster.same_state()
    copies = copied(cluster, others)
    revision = keeper.put("k", LOST)
    cluster.same_state()
    cluster.isolate(keeper)
    with asked(keeper, f"/v1/watch?prefix=k&since={revision}") as watch:
        for server in others:
            put_back(server, copies)
        for server in others:
            server.start()
        leader = cluster.leader(among=others)
        leader.put("k", NEW)
        term = leader.status()["term"]
        assert keeper.get_stale("k").answer == LOST.encode()

        keeper.ask("fault.heal")
        line = says_so(keeper)
        assert NEW not in watch.read().decode(), "the stream ends, and tells nothing of what does not follow"
    reads_nothing_of_its_own(keeper, line)
    assert [server.status()["term"] for server in others] == [term, term]
    assert keeper.log_text().count("asks to replace committed entry") == 1
    assert "Traceback" not in keeper.log_text()

    keeper.stop()
    archive = cluster.add(index=5)
    shutil.copytree(keeper.data_dir, archive.data_dir)
    assert run("recover", "--data-dir", str(archive.data_dir), "--yes").code == 0
    shutil.rmtree(keeper.data_dir)
    keeper.options = ("--peer", leader.address)
    keeper.start()
    cluster.agree()
    assert cluster.same_state()["k"][0] == NEW.encode()
    wait_until("it is ready", lambda: get(keeper, "/ready")[0] == 200)
    archive.start()
    wait_until("the archive leads its own cluster", lambda: archive.status()["role"] == "leader")
    assert archive.get("k") == LOST.encode(), "what it alone had can still be read"


@pytest.mark.parametrize("elections", [1, 3], ids=["its term is the others'", "its term is newer"])
def test_a_server_that_comes_back_to_others_that_were_put_back(cluster: Cluster, elections: int) -> None:
    """One of them has led its term once more, with other entries; or its term is newer, and they elect again."""
    keeper, *others = cluster.form(3).servers
    keeper.put("k", OLD)
    cluster.same_state()
    copies = copied(cluster, others)
    for target in [*others, keeper][:elections]:
        assert keeper.cli("raft", "transfer", target.name).code == 0
        cluster.agree()
    for _ in range(3):  # what is committed is on disk with the next entry
        keeper.put("k", LOST)
    cluster.same_state()
    newest = keeper.status()["term"]
    for server in cluster.servers:
        server.stop()
    for server in others:
        put_back(server, copies)
        server.start()
    leader = cluster.leader(among=others)
    leader.put("k", NEW)
    assert leader.status()["term"] == 2 <= newest

    keeper.start()
    line = says_so(keeper)
    leader = cluster.leader(among=others)
    reads_nothing_of_its_own(keeper, line)
    assert [server.get_stale("k").answer for server in others] == [NEW.encode()] * 2
    assert [server.status()["divergence"] for server in others] == ["", ""]
