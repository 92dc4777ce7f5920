"""What a leader that is cut off from the others still answers: nothing that claims to be current."""

from __future__ import annotations

import json
from http.client import HTTPConnection

import pytest

from storage.kv_protocol import get
from tests.support.cluster import Cluster
from tests.support.server import Server
from tests.support.waiting import wait_until
from transport.client.errors import NoLeader

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

READ_TIMEOUT_S = 1.5
OLD_S = 2.0
"""More than the longest election timeout: a leader steps down meanwhile."""


def refuses(server: Server) -> None:
    """A linearizable read ends with no leader, for the library, over HTTP and on the command line."""
    with server.client(READ_TIMEOUT_S) as client, pytest.raises(NoLeader):
        client.read(get("k"))
    status, body = over_http(server, f"timeout={READ_TIMEOUT_S}")
    assert (status, body["error"]) == (503, "no_leader")
    typed = server.cli("kv", "get", "k", "--timeout", str(READ_TIMEOUT_S))
    assert (typed.code, typed.out) == (4, "")
    assert "no leader" in typed.error


def over_http(server: Server, options: str) -> tuple[int, dict[str, object]]:
    """The answer to a GET of the key."""
    connection = HTTPConnection(server.http, timeout=10)
    try:
        connection.request("GET", f"/v1/kv/k?{options}")
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_a_leader_that_is_cut_off_answers_stale_reads_alone(cluster: Cluster) -> None:
    """From the moment of the cut, before it steps down and after it; what it says of the age goes on growing."""
    cluster.form(3)
    old = cluster.leader()
    others = [server for server in cluster.servers if server is not old]
    old.put("k", "old")

    cluster.isolate(old)
    refuses(old)
    cluster.leader(others).put("k", "new")
    refuses(old)

    wait_until("the age tells", lambda: (old.get_stale("k").age_s or 0.0) > OLD_S)
    assert old.get_stale("k").answer == b"old"
    status, body = over_http(old, "consistency=stale")
    assert (status, body["value"]) == (200, "old")
    assert isinstance(body["age_s"], float)
    assert body["age_s"] > OLD_S
    typed = old.cli("kv", "get", "k", "--consistency", "stale", "--format", "json")
    assert typed.json["value"] == "old"
    assert typed.json["age_s"] > OLD_S

    cluster.heal()
    cluster.agree()
    assert old.get("k") == b"new"
    cluster.same_state()
    fresh = old.get_stale("k")
    assert fresh.answer == b"new"
    assert fresh.age_s is not None
    assert fresh.age_s < OLD_S
