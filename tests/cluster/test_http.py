"""The HTTP API of a real server: every route, with what goes wrong on each."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from actors.gateway.metrics import DEFINITIONS, PREFIX
from storage.kv_protocol import VALUE_BYTES_MAX
from tests.support.cluster import Cluster
from tests.support.server import Server

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

TIMEOUT_S = 20.0


def http(server: Server, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
    """The status and the body of a response, decoded when it is JSON."""
    host, _, port = server.http.rpartition(":")
    connection = HTTPConnection(host, int(port), timeout=TIMEOUT_S)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        raw = response.read()
        is_json = response.headers.get_content_type() == "application/json"
        return response.status, json.loads(raw) if is_json else raw.decode()
    finally:
        connection.close()


def test_keys(shared: Cluster) -> None:
    """PUT, GET, compare-and-set, list and DELETE, each through another server."""
    one, two, three = shared.servers
    status, put = http(one, "PUT", "/v1/kv/http/a%20b", b"value")
    assert (status, put["key"]) == (200, "http/a b")
    assert http(two, "GET", "/v1/kv/http/a%20b") == (200, {**put, "value": "value"})
    assert http(three, "PUT", f"/v1/kv/http/a%20b?revision={put['revision']}", b"\xff")[0] == 200
    status, lost = http(one, "PUT", f"/v1/kv/http/a%20b?revision={put['revision']}", b"late")
    assert (status, lost["error"]) == (409, "conflict")
    shared.same_state()
    status, stale = http(two, "GET", "/v1/kv/http/a%20b?consistency=stale")
    assert (status, stale["value_base64"]) == (200, "/w==")
    status, page = http(three, "GET", "/v1/kv?prefix=http/&limit=1")
    assert (status, [item["key"] for item in page["items"]]) == (200, ["http/a b"])
    assert http(one, "DELETE", "/v1/kv/http/a%20b")[0] == 200
    assert http(two, "GET", "/v1/kv/http/a%20b")[0] == 404
    assert http(two, "DELETE", "/v1/kv/http/a%20b")[0] == 404


def test_a_transaction_and_the_past(shared: Cluster) -> None:
    """POST /v1/txn, and GET with the revision that it had."""
    one, two, three = shared.servers
    take = b'{"when": [{"key": "http/t", "revision": 0}], "then": [{"op": "put", "key": "http/t", "value": "1"}]}'
    status, won = http(one, "POST", "/v1/txn", take)
    assert (status, won["succeeded"], won["results"]) == (200, True, [None])
    status, lost = http(two, "POST", "/v1/txn", take)
    assert (status, lost["succeeded"], lost["results"]) == (200, False, [])
    assert http(two, "POST", "/v1/txn", b'{"then": [], "els": []}')[0] == 400
    assert http(two, "PUT", "/v1/kv/http/t", b"2")[0] == 200
    status, then = http(three, "GET", f"/v1/kv/http/t?revision={won['revision']}")
    assert (status, then["value"]) == (200, "1")
    status, page = http(three, "GET", f"/v1/kv?prefix=http/t&revision={won['revision']}")
    assert (status, [item["value"] for item in page["items"]], page["revision"]) == (200, ["1"], won["revision"])
    assert http(three, "GET", "/v1/kv/http/t?revision=1000000000")[0] == 400


def test_a_watch_is_a_stream_of_events(shared: Cluster) -> None:
    """From a revision on, with the revision as id; who comes again with that goes on behind it, at another server."""
    one, two, three = shared.servers
    first = http(one, "PUT", "/v1/kv/watched/a", b"1")[1]["revision"]
    http(two, "PUT", "/v1/kv/other", b"")
    last = http(three, "DELETE", "/v1/kv/watched/a")[1]["revision"]

    told = updates(two, f"/v1/watch?prefix=watched/&since={first - 1}", 2)
    assert told == [
        {"revision": first, "changes": [{"key": "watched/a", "value": "1"}]},
        {"revision": last, "changes": [{"key": "watched/a", "deleted": True}]},
    ]
    assert updates(three, "/v1/watch?key=watched/a", 1, last_id=first) == told[1:]
    assert http(one, "GET", "/v1/watch?key=a&prefix=b")[0] == 400
    assert http(one, "GET", "/v1/watch?since=x")[0] == 400
    for server in shared.servers:
        status, refused = http(server, "GET", "/v1/watch?since=1000000000")
        assert (status, refused["message"].split(";")[0]) == (400, "revision 1000000000 is not reached yet")


def updates(server: Server, path: str, count: int, last_id: int | None = None) -> list[dict[str, Any]]:
    """The first updates of a stream; a server that is behind the others may well write bookmarks before them."""
    host, _, port = server.http.rpartition(":")
    connection = HTTPConnection(host, int(port), timeout=TIMEOUT_S)
    try:
        connection.request("GET", path, headers={} if last_id is None else {"Last-Event-ID": str(last_id)})
        response = connection.getresponse()
        assert response.headers.get_content_type() == "text/event-stream"
        told: list[dict[str, Any]] = []
        revisions: list[int] = []
        while len(told) < count:
            fields = dict(line.decode().rstrip("\n").split(": ", 1) for line in iter(response.readline, b"\n"))
            data = json.loads(fields["data"])
            revisions.append(data["revision"])
            assert fields["id"] == str(revisions[-1])
            assert fields["event"] in ("update", "bookmark")
            if fields["event"] == "update":
                told.append(data)
        assert revisions == sorted(set(revisions))
        return told
    finally:
        connection.close()


def test_the_cluster(shared: Cluster) -> None:
    """/v1/status, /v1/members, /v1/raft/peers, /health and /ready say what the commands say."""
    leader = shared.leader()
    for server in shared.servers:
        status, said = http(server, "GET", "/v1/status")
        assert (status, said["node"], said["leader"]) == (200, server.name, leader.name)
        status, members = http(server, "GET", "/v1/members")
        assert (status, [row["status"] for row in members]) == (200, ["alive"] * 3)
        status, peers = http(server, "GET", "/v1/raft/peers")
        assert (status, [row["voter"] for row in peers]) == (200, [True] * 3)
        status, health = http(server, "GET", "/health")
        assert (status, health["healthy"]) == (200, True), health
        status, ready = http(server, "GET", "/ready")
        assert status == 200
        assert ready.splitlines()[-1] == "ready"


def test_metrics(shared: Cluster) -> None:
    """Every metric of docs/metrics.md is there on the leader, and the figures are those of `status`."""
    leader = shared.leader()
    leader.put("http/metrics", "1")
    status, text = http(leader, "GET", "/metrics")
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert status == 200
    # No letter is dead in a healthy cluster.
    assert {PREFIX + one.name for one in DEFINITIONS} - {"quorate_dead_letters"} <= set(families)
    assert len(families["quorate_raft_peer_lag"].samples) == 3
    members = {sample.labels["status"]: sample.value for sample in families["quorate_gossip_members"].samples}
    assert members["alive"] == 3
    counts = {(s.name, s.labels.get("le")): s.value for s in families["quorate_storage_commit_seconds"].samples}
    assert counts["quorate_storage_commit_seconds_count", None] >= 1
    (role,) = [s.labels["role"] for s in families["quorate_raft_role"].samples if s.value]
    assert role == leader.status()["role"]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1/kv/http/none", 404),
        ("GET", "/v1/kv/x?consistency=maybe", 400),
        ("GET", "/v1/kv?limit=many", 400),
        ("GET", "/v1/kv/x?timeout=-1", 400),
        ("PUT", "/v1/kv/x?revision=-1", 400),
        ("GET", "/v1/nothing", 404),
        ("POST", "/v1/kv/x", 405),
        ("PUT", "/v1/kv/" + "k" * 5_000, 413),
    ],
)
def test_what_makes_no_sense_is_said(shared: Cluster, method: str, path: str, expected: int) -> None:
    """A wrong request has its status code and a JSON body that says what is wrong."""
    status, body = http(shared.servers[0], method, path, b"v" if method in ("PUT", "POST") else None)

    assert status == expected
    assert body["error"]
    assert body["message"]


def test_a_body_over_the_limit(shared: Cluster) -> None:
    """One byte more than a value may have is 413, and the server goes on."""
    server = shared.servers[0]
    assert http(server, "PUT", "/v1/kv/http/large", b"x" * (VALUE_BYTES_MAX + 1))[0] == 413
    assert http(server, "GET", "/v1/kv/http/large")[0] == 404


@pytest.mark.long
def test_without_a_quorum(cluster: Cluster) -> None:
    """A server left alone is unhealthy and not ready, refuses writes as not done, and still answers stale reads."""
    cluster.form(3)
    leader = cluster.leader()
    followers = cluster.followers()
    leader.put("k", "v")
    cluster.same_state()
    for server in followers:
        server.kill()
    leader.wait_status("it knows that it has no quorum", lambda said: not said["quorum"])

    assert http(leader, "GET", "/health")[0] == 503
    status, ready = http(leader, "GET", "/ready")
    assert status == 503
    assert ready.splitlines()[-1] == "not ready"
    assert leader.cli("health").code == 5
    assert leader.cli("status").code == 0
    assert http(leader, "PUT", "/v1/kv/k?timeout=0.5", b"w")[0] in (503, 504)
    assert http(leader, "GET", "/v1/kv/k?timeout=0.5")[0] == 503
    assert http(leader, "GET", "/v1/kv/k?consistency=stale")[1]["value"] == "v"
    put = leader.cli("kv", "put", "k", "w", "--timeout", "0.5")
    assert put.code == 4
    assert put.error
    for server in followers:
        server.start()
    cluster.agree()
    assert http(leader, "GET", "/ready")[0] == 200
