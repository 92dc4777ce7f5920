"""HTTP requests that are not carried out: they make no sense, do not arrive, or are meant for another host."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging

import pytest
from aiohttp import ClientConnectionResetError

from actors.gateway.http import api as http_api
from actors.gateway.http.guard import request_log
from actors.gateway.http.http import HttpActor
from storage.kv_protocol import VALUE_BYTES_MAX
from tests.ports import free_ports
from tests.unit.gateway.http.play import Http
from tests.unit.runtime.stage import Stage
from tests.unit.runtime.virtual_time import story


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/kv/a?consistency=eventual"),
        ("GET", "/v1/kv?limit=many"),
        ("GET", "/v1/kv?limit=-1"),
        ("GET", "/v1/kv?limit=0"),
        ("PUT", "/v1/kv/a?cas=3"),
        ("PUT", "/v1/kv/a?Revision=3"),
        ("PUT", "/v1/kv/a?revision=1&revision=2"),
        ("PUT", "/v1/kv/a?consistency=stale"),
        ("DELETE", "/v1/kv/a?rev=3"),
        ("GET", "/v1/kv/a?revision=3"),
        ("GET", "/v1/kv?from=a"),
        ("GET", "/v1/status?verbose"),
        ("GET", "/ready?x=1"),
        ("PUT", "/v1/kv/a?revision=last"),
        ("PUT", "/v1/kv/a?revision=99999999999999999999"),
        ("GET", "/v1/watch?key="),
        ("DELETE", "/v1/kv/a?revision="),
        ("GET", "/v1/kv/a?timeout=soon"),
        ("GET", "/v1/kv/a?timeout=nan"),
        ("GET", "/v1/kv/a?timeout=0"),
        ("PUT", "/v1/kv/%ffz"),
        ("GET", "/v1/kv/%zz"),
        ("DELETE", "/v1/kv/a%"),
        ("PUT", "/v1/kv/%ed%a0%80"),
        ("GET", "/v1/kv?prefix=%ff"),
    ],
)
async def test_a_request_that_makes_no_sense(http: Http, method: str, path: str) -> None:
    """400, and a line that names what is wrong."""
    status, body = await http.raw(method, path)

    assert (status, body["error"]) == (400, "bad_request")
    assert body["message"]
    assert all(request.op == "read" for request in http.gateway.requests)


async def test_a_number_that_is_too_large(http: Http) -> None:
    """It is one, and the limit is said."""
    status, body = await http("GET", f"/v1/kv/a?revision={10**18}")

    assert (status, body["message"]) == (400, f"revision is too large: at most {10**18 - 1}, not '{10**18}'")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/kv/{}"), ("PUT", "/v1/kv/{}"), ("DELETE", "/v1/kv/{}"), ("GET", "/v1/watch?key={}")],
)
async def test_a_key_that_none_can_be(http: Http, method: str, path: str) -> None:
    """The store's limit, whatever is wanted of the key: that it is not there would be true of any such key."""
    status, body = await http(method, path.format("ä" * 1_025))

    assert (status, body["message"]) == (413, "a key of 2050 bytes; the limit is 2048")
    assert http.gateway.requests == []


@story
async def test_an_encoded_body_is_not_decoded() -> None:
    """The value is what was sent; who sends something else by a name for it hears so, and no library is let at it."""
    port = free_ports(1)
    async with Stage() as stage:
        await stage.play(("http", lambda context: HttpActor(context, f"127.0.0.1:{port}")))
        for encoding, body in (("gzip", gzip.compress(b"1")), ("gzip", b"1"), ("deflate", b"1"), ("br", b"1")):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head = f"PUT /v1/kv/a HTTP/1.0\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            answer = await reader.read()
            writer.close()

            assert b" 415 " in answer.splitlines()[0]
            assert b"unsupported_media_type" in answer


@story
async def test_a_body_that_breaks_off(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever goes away in the middle of it leaves no stack in the log."""
    port = free_ports(1)
    async with Stage() as stage:
        await stage.play(("http", lambda context: HttpActor(context, f"127.0.0.1:{port}")))
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"PUT /v1/kv/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n123")
        await stage.settle(1)
        writer.close()
        await stage.settle(1)

    assert [record.getMessage() for record in caplog.records if record.exc_info] == []


async def test_a_body_that_does_not_come(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a body holds a connection for so long and no longer, and changes nothing."""
    monkeypatch.setattr(http_api, "BODY_TIMEOUT_S", 0.05)
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", http.port)
        writer.write(b"PUT /v1/kv/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345")
        head, _, body = (await reader.readuntil(b"}\n")).partition(b"\r\n\r\n")
        writer.close()

    assert b" 408 " in head.splitlines()[0]
    assert b"Connection: close" in head
    assert json.loads(body)["error"] == "timeout"
    assert http.gateway.requests == []


async def test_a_body_that_is_too_large_is_not_waited_for(http: Http) -> None:
    """That it will be is in the header: whoever waits to be asked for it is refused in place of that."""
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", http.port)
        size = f"Expect: 100-continue\r\nContent-Length: {VALUE_BYTES_MAX + 1}"
        writer.write(f"PUT /v1/kv/a HTTP/1.1\r\nHost: localhost\r\n{size}\r\n\r\n".encode())
        head, _, body = (await reader.readuntil(b"}\n")).partition(b"\r\n\r\n")
        writer.close()

    assert b" 413 " in head.splitlines()[0]
    assert b"Connection: close" in head
    assert json.loads(body)["error"] == "too_large"


async def test_a_body_is_asked_for_when_it_is_wanted(http: Http) -> None:
    """Whoever waits for that word is told to go on (RFC 9110, section 10.1.1)."""
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", http.port)
        writer.write(b"PUT /v1/kv/a HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"1")
        head = await reader.readuntil(b"\r\n\r\n")
        writer.close()

    assert b" 200 " in head.splitlines()[0]
    assert http.gateway.store.revision == 1


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:7947", 200),
        ("LOCALHOST.", 200),
        ("127.0.0.1:9", 200),
        ("[::1]:7947", 200),
        ("", 200),
        ("evil.example", 421),
        ("evil.example:7947", 421),
        ("192.0.2.1", 421),
        ("localhost.evil.example", 421),
    ],
)
async def test_a_loopback_address_answers_to_its_own_names(http: Http, host: str, status: int) -> None:
    """A page of another host, whose name has come to mean this machine, can neither read nor write."""
    answered, body = await http.raw("PUT", "/v1/kv/a", host)

    assert answered == status
    assert http.gateway.store.revision == (1 if status == 200 else 0)
    assert (body.get("error") == "misdirected_request") == (status == 421)


@story
async def test_too_many_connections(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Those beyond the limit are turned away, and told so; one line of the log; when one goes there is room again."""
    monkeypatch.setattr("actors.gateway.http.http.connections_max", lambda: 3)
    port = free_ports(1)
    async with Stage() as stage:
        await stage.play(("http", lambda context: HttpActor(context, f"127.0.0.1:{port}")))
        idle = await asyncio.gather(*(asyncio.open_connection("127.0.0.1", port) for _ in range(5)))
        answers = [await reader.read() for reader, _ in idle[3:]]
        idle[0][1].close()
        await stage.settle(1)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /nothing HTTP/1.0\r\n\r\n")
        served = await reader.read()
        for _, one in (*idle, (reader, writer)):
            one.close()

    assert all(b" 503 " in answer.splitlines()[0] and b"Retry-After" in answer for answer in answers)
    assert b" 404 " in served.splitlines()[0]
    assert len([record for record in caplog.records if "limit" in record.getMessage()]) == 1


@pytest.mark.parametrize(
    ("error", "is_told"),
    [(ConnectionResetError("gone"), False), (ClientConnectionResetError("gone"), False), (ValueError("a bug"), True)],
)
def test_a_client_that_goes_away_is_no_error(error: Exception, is_told: bool) -> None:
    """Such as one that has watched for long enough; whatever else ends a handler is logged with its stack."""
    record = logging.LogRecord("x", logging.ERROR, "", 0, "failed", (), (type(error), error, None))

    assert bool(request_log.filter(record)) == is_told
