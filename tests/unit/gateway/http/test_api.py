"""HTTP: every path, every status code, and bodies and keys that are not what one expects."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from actors.gateway.http.address import HttpError
from actors.gateway.http.app import make_app
from actors.gateway.http.http import HttpActor
from actors.runtime.actor import Context
from actors.runtime.asks import ActorDied, MailboxFull, Timeout
from actors.runtime.ref import Ref
from storage.kv_protocol import VALUE_BYTES_MAX
from tests.ports import free_ports
from tests.unit.gateway.http.play import Gateway, Http
from tests.unit.runtime.stage import Stage
from tests.unit.runtime.virtual_time import story
from transport.address import parse_address
from transport.client.protocol import decode_payload
from transport.client.stale import AGE_UNKNOWN_MS


async def test_a_keys_life(http: Http) -> None:
    """PUT, GET, DELETE: revisions count up, a missing key is 404."""
    assert await http("PUT", "/v1/kv/a", data=b"1") == (200, {"key": "a", "revision": 1})
    assert await http("GET", "/v1/kv/a") == (200, {"key": "a", "value": "1", "revision": 1})
    assert await http("DELETE", "/v1/kv/a") == (200, {"key": "a", "revision": 2})
    status, body = await http("GET", "/v1/kv/a")
    assert (status, body["error"]) == (404, "not_found")
    assert (await http("DELETE", "/v1/kv/a"))[0] == 404


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "text/plain; charset=latin-1",
        "x/y",
    ],
)
async def test_the_body_is_the_value_whatever_its_type(http: Http, content_type: str) -> None:
    """curl -d says form data, and means bytes."""
    await http("PUT", "/v1/kv/a", data=b"x=1&y=%20\xff", headers={"Content-Type": content_type})

    assert await http("GET", "/v1/kv/a") == (200, {"key": "a", "value_base64": "eD0xJnk9JTIw/w==", "revision": 1})


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("a/b/c", "a/b/c"),
        ("a%2Fb", "a/b"),
        ("a%20b", "a b"),
        ("%C3%A4", "ä"),
        ("a%3Fb", "a?b"),
        ("a/", "a/"),
        ("a+b", "a+b"),
        ("%25ff", "%ff"),
    ],
)
async def test_keys_may_hold_anything(http: Http, path: str, key: str) -> None:
    """Slashes, blanks, question marks: the rest of the path is the key, URL-decoded once."""
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", http.port)
        writer.write(
            f"PUT /v1/kv/{path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nConnection: close\r\n\r\n1".encode()
        )
        answer = await reader.read()
        writer.close()

    assert b" 200 " in answer.splitlines()[0]
    assert http.gateway.store.revision == 1
    assert (await http("GET", "/v1/kv"))[1]["items"][0]["key"] == key


async def test_compare_and_set_by_revision(http: Http) -> None:
    """`?revision=`: 0 creates, the right one changes, a wrong one is 409 and says which one it is."""
    assert (await http("PUT", "/v1/kv/a?revision=0", data=b"1"))[0] == 200
    status, body = await http("PUT", "/v1/kv/a?revision=0", data=b"2")
    assert (status, body["error"], body["revision"]) == (409, "conflict", 1)
    assert (await http("PUT", "/v1/kv/a?revision=1", data=b"2"))[0] == 200
    assert (await http("DELETE", "/v1/kv/a?revision=1"))[0] == 409
    assert (await http("DELETE", "/v1/kv/a?revision=2"))[0] == 200


async def test_pages(http: Http) -> None:
    """`?prefix=&limit=&start=`: in order, and `next` leads to the rest."""
    for key in ("b", "a1", "a2", "a3"):
        await http("PUT", f"/v1/kv/{key}", data=b"v")
    status, first = await http("GET", "/v1/kv?prefix=a&limit=2")
    _, rest = await http("GET", f"/v1/kv?prefix=a&limit=2&start={first['next']}")

    assert status == 200
    assert [item["key"] for item in first["items"]] == ["a1", "a2"]
    assert first["revision"] == 4
    assert ([item["key"] for item in rest["items"]], rest["next"]) == (["a3"], None)


async def test_a_stale_read_has_its_age(http: Http) -> None:
    """Linearizable unless asked otherwise, and that has none; an answer that there is no such key has one too."""
    await http("PUT", "/v1/kv/a", data=b"1")
    del http.gateway.requests[:]
    _, fresh = await http("GET", "/v1/kv/a")
    _, stale = await http("GET", "/v1/kv/a?consistency=stale")
    _, page = await http("GET", "/v1/kv?consistency=stale")
    http.gateway.age_ms = AGE_UNKNOWN_MS
    status, missing = await http("GET", "/v1/kv/b?consistency=stale")

    asked = [decode_payload(request.payload)[1] for request in http.gateway.requests]
    assert asked == ["linearizable", "stale", "stale", "stale"]
    assert "age_s" not in fresh
    assert (stale["age_s"], page["age_s"]) == (0.25, 0.25)
    assert (status, missing["error"], missing["age_s"]) == (404, "not_found", None)


async def test_beyond_loopback_any_name_will_do() -> None:
    """Whoever opens HTTP to others (--insecure) has a proxy or a name of his own before it."""
    gateway = Gateway()
    app = make_app(cast("Ref", gateway), parse_address("192.0.2.1:7947"))
    async with TestServer(app) as server, ClientSession() as session:
        assert (await Http(gateway, server, session).raw("PUT", "/v1/kv/a", "db.example"))[0] == 200


@story
async def test_what_is_no_http_is_one_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A URI over 8 KiB is the sender's mistake: no traceback of a library."""
    port = free_ports(1)
    async with Stage() as stage:
        await stage.play(("http", http_at(port)))
        with caplog.at_level(logging.INFO):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /v1/kv/" + b"k" * 9_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = await reader.read()
            writer.close()

    assert b" 400 " in answer.splitlines()[0]
    (record,) = [record for record in caplog.records if record.name.startswith(("aiohttp", "quorate.http.requests"))]
    assert record.exc_info is None
    assert len(record.getMessage()) < 250
    assert "\n" not in record.getMessage()


async def test_the_largest_value_and_one_byte_more(http: Http) -> None:
    """The limit is the store's; beyond it 413 with the limit in the text, however the body is sent."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield bytes(VALUE_BYTES_MAX // 16)

    assert (await http("PUT", "/v1/kv/a", data=bytes(VALUE_BYTES_MAX)))[0] == 200
    for body in (bytes(VALUE_BYTES_MAX + 1), chunks()):
        status, answer = await http("PUT", "/v1/kv/a", data=body)
        assert (status, answer["error"]) == (413, "too_large")
        assert str(VALUE_BYTES_MAX) in answer["message"]
    assert (await http("PUT", f"/v1/kv/{'k' * 3_000}", data=b""))[0] == 413


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (("no_leader", "no leader"), 503, "no_leader"),
        (("overloaded", "busy"), 503, "overloaded"),
        (("outcome_unknown", "who knows"), 504, "outcome_unknown"),
        (("timeout", "late"), 504, "timeout"),
        (("too_large", "big"), 413, "too_large"),
        (("failed", "a bug"), 500, "failed"),
        (MailboxFull("the gateway is full"), 503, "overloaded"),
        (ActorDied("gateway@1 died"), 504, "outcome_unknown"),
        (Timeout("no answer"), 504, "outcome_unknown"),
    ],
)
async def test_what_can_go_wrong_behind_it(http: Http, failure: Any, status: int, code: str) -> None:
    """503 promises that nothing was done and says when to try again; 504 promises nothing."""
    http.gateway.failure = failure
    answered, body = await http("PUT", "/v1/kv/a", data=b"1")

    assert (answered, body["error"]) == (status, code)
    assert body["message"]
    assert ("Retry-After" in await http.headers("PUT", "/v1/kv/a")) == (status == 503)


@pytest.mark.parametrize(
    ("path", "op"),
    [
        ("/v1/status", "status"),
        ("/v1/members", "members"),
        ("/v1/raft/peers", "raft.peers"),
        ("/v1/info", "info"),
        ("/v1/requests", "requests"),
        ("/v1/actors", "actors.list"),
        ("/v1/actors/mailboxes", "actors.mailboxes"),
    ],
)
async def test_reports(http: Http, path: str, op: str) -> None:
    """The JSON of the commands."""
    assert await http("GET", path) == (200, [{"op": op}])


async def test_health_and_ready(http: Http) -> None:
    """Status codes for machines, reasons line by line for people."""
    assert (await http("GET", "/health"))[0] == 200
    assert await http.text("/ready") == (200, "[+]leader: one leads in term 1\nready\n")
    http.gateway.health |= {"healthy": False, "ready": False}
    http.gateway.health["checks"] = [{"name": "leader", "ok": False, "detail": "no leader is known"}]

    assert (await http("GET", "/health"))[0] == 503
    assert await http.text("/ready") == (503, "[-]leader: no leader is known\nnot ready\n")


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v1", 404), ("GET", "/v1/kv/", 404), ("POST", "/v1/kv/a", 405)]
)
async def test_other_paths_and_methods(http: Http, method: str, path: str, status: int) -> None:
    """Errors of the server below look like all others."""
    answered, body = await http(method, path)

    assert answered == status
    assert set(body) == {"error", "message"}


async def test_another_state_machine(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    """The API is the store's; a server with another machine says so instead of failing in the dark."""
    monkeypatch.setattr(http.gateway.store, "read", lambda query: b"\xc1 not a result")

    status, body = await http("GET", "/v1/kv/a")

    assert (status, "state machine" in body["message"]) == (500, True)


@story
async def test_a_taken_port_is_a_clear_error() -> None:
    """It names the address and the option, and the start of the server fails with it."""
    port = free_ports(1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        async with Stage() as stage:
            with pytest.raises(HttpError, match=rf"127\.0\.0\.1:{port} is in use.*--http"):
                await stage.play(("http", http_at(port)))


@story
async def test_the_address_is_given_back_and_taken_again() -> None:
    """A restart of the actor finds its port free."""
    port = free_ports(1)
    async with Stage() as stage:
        await stage.play(("http", http_at(port)))
        stage.system.kill("http", 1)
        await stage.settle()

        assert stage.row("http") | {"incarnation": 2, "state": "running"} == stage.row("http")
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()


def http_at(port: int) -> Any:
    """A factory of HTTP actors."""

    def make(context: Context) -> HttpActor:
        return HttpActor(context, f"127.0.0.1:{port}")

    return make


async def test_what_is_asked_for_is_handed_on(http: Http) -> None:
    """`members --why` and the place in the events are parameters here."""
    await http("GET", "/v1/members?why=two")
    await http("GET", "/v1/events")
    await http("GET", "/v1/events?cursor=1.1-7&wait=2")

    asked = [decode_payload(request.payload) for request in http.gateway.requests]
    assert asked[0] == {"why": "two"}
    assert asked[1] == {"cursor": "", "wait_s": 0.0, "recent": True}
    assert asked[2] == {"cursor": "1.1-7", "wait_s": 2.0, "recent": True}
    assert (await http("GET", "/v1/events?wait=-1"))[0] == 400


@pytest.mark.parametrize("cursor", ["x", "7", "-7", "1.1-", "1.1-x", "1.1-7%0A", "%C3%A4-1"])
async def test_what_is_no_cursor_is_refused(http: Http, cursor: str) -> None:
    """It would be read as none, and a reader who has lost its place would hear everything again without a word."""
    status, body = await http("GET", f"/v1/events?cursor={cursor}")

    assert (status, body["error"]) == (400, "bad_request")
    assert "cursor is the `cursor` of an answer before, not " in body["message"]
    assert http.gateway.requests == []


async def test_a_method_that_a_path_has_not(http: Http) -> None:
    """Which ones it has is in the header, as RFC 9110 (15.5.6) asks for."""
    reader, writer = await asyncio.open_connection("127.0.0.1", http.port)
    writer.write(b"POST /v1/kv/a HTTP/1.0\r\nHost: localhost\r\n\r\n")
    head = (await reader.read()).partition(b"\r\n\r\n")[0].splitlines()
    writer.close()

    assert b" 405 " in head[0]
    assert b"Allow: DELETE,GET,HEAD,PUT" in head
