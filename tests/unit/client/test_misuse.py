"""What a program asks of a client that cannot be: an error that names it, with nothing sent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from quorate import BadRequest, Client, ClientError, TooLarge, Unreachable
from tests.unit.client.servers import FakeServer
from tests.unit.client.test_client import WRITES, Script
from transport.client.session_protocol import SESSION_OPEN


@pytest.mark.parametrize(
    ("pairs", "kind", "words"),
    [
        ({}, BadRequest, "0 keys at once; the limit is 1 to 128"),
        ({str(number): "" for number in range(129)}, TooLarge, "129 keys at once; the limit is 1 to 128"),
        ({"a": "", "": ""}, BadRequest, "a key must not be empty"),
        ({"a": "", "k" * 2_049: ""}, TooLarge, "a key of 2049 bytes; the limit is 2048"),
        ({"a": "", "b": bytes(1 << 20)}, TooLarge, "a value of 1048576 bytes; the limit is"),
        ({"a": bytes(600_000), "b": bytes(600_000)}, TooLarge, "2 keys of 12000.. bytes together; the limit is"),
    ],
    ids=["none", "many", "empty", "long", "large", "heavy"],
)
async def test_many_keys_beyond_a_limit(pairs: dict[str, bytes | str], kind: type[ClientError], words: str) -> None:
    """One clear line, and nothing is sent: not even a session is opened."""
    with FakeServer(Script()) as server:
        async with Client(server.address) as client:
            with pytest.raises(kind, match=words):
                await client.kv.put_many(pairs)
        assert not [request for request in server.requests if request.op in (*WRITES, SESSION_OPEN)]


@pytest.mark.parametrize("text", ["\udcff", "a\ud800"])
async def test_text_that_cannot_be_sent(text: str) -> None:
    """A key, a prefix or a value of str that is no UTF-8 is a BadRequest, whichever call it is given to."""
    with FakeServer(Script()) as server:
        async with Client(server.address) as client:
            kv = client.kv
            for call in (
                kv.put(text, "1"),
                kv.put("a", text),
                kv.put_many({"a": "1", text: "1"}),
                kv.put_many({"a": "1", "b": text}),
                kv.get(text),
                kv.delete(text),
                kv.cas(text, None, "1"),
                kv.cas("a", text, "1"),
                kv.list(text),
                kv.list(start=text),
            ):
                with pytest.raises(BadRequest, match="UTF-8"):
                    await call


async def test_a_client_outside_its_async_with() -> None:
    """Before it and after it: an error that says so, and nothing to wait for."""
    with FakeServer(Script()) as server:
        client = Client(server.address)
        with pytest.raises(Unreachable, match="async with"):
            await client.kv.get("a")
        async with client:
            assert await client.kv.get("a") is None
        with pytest.raises(Unreachable, match="async with"):
            await client.kv.put("a", "1")


@pytest.mark.parametrize("address", [None, 7946, ["127.0.0.1:7946", "127.0.0.1:7956"]])
def test_an_address_of_another_type(address: Any) -> None:
    """A setting that is not there, or a list of addresses, is named as what it is."""
    with pytest.raises(TypeError, match=f"an address is str, HOST:PORT, not {type(address).__name__}"):
        Client(address)


async def test_keys_and_values_of_other_types() -> None:
    """A programmer's mistake, and named as one."""
    with FakeServer(Script()) as server:
        async with Client(server.address) as client:
            anything: Any
            for anything in (5, None, ["a"]):
                with pytest.raises(TypeError, match="a value is bytes or str"):
                    await client.kv.put("a", anything)
                with pytest.raises(TypeError, match="a value is bytes or str"):
                    await client.kv.put_many({"a": anything})
                with pytest.raises(TypeError, match="a key is str"):
                    await client.kv.put(anything, "a")
                with pytest.raises(TypeError, match="put_many takes a mapping"):
                    await client.kv.put_many(anything)


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan"), float("inf"), 1e300])
async def test_a_time_that_is_none(timeout_s: float) -> None:
    """Nothing is sent that nobody could wait for."""
    with pytest.raises(ValueError, match="timeout_s is seconds, more than 0"):
        Client(timeout_s=timeout_s)
    with FakeServer(Script()) as server:
        async with Client(server.address) as client:
            with pytest.raises(ValueError, match="timeout_s is seconds, more than 0"):
                await client.kv.put("a", "1", timeout_s=timeout_s)
        assert not [request for request in server.requests if request.op in WRITES]


@pytest.mark.parametrize(
    "arguments", [object(), {"x": object()}, 1 << 70, "\udcff"], ids=["object", "in", "huge", "text"]
)
async def test_arguments_that_cannot_be_sent(arguments: Any) -> None:
    """They are refused where they are given, and others who ask at the same time get their answers."""
    with FakeServer(Script()) as server:
        async with Client(server.address) as client:
            outcomes: Any = await asyncio.gather(
                client.call("status", arguments), client.kv.put("a", "1"), return_exceptions=True
            )
            assert isinstance(outcomes[0], TypeError)
            assert "'status' cannot be asked with these arguments" in str(outcomes[0])
            assert outcomes[1] == 1


async def test_arguments_of_no_mapping() -> None:
    """What MessagePack can hold is the server's to judge, and stands in nobody's way."""
    with FakeServer(Script()) as server:
        async with Client(server.address) as client:
            asked = client.call("status", 3), client.call("info", 4), client.kv.put("a", "1")
            answers: list[Any] = list(await asyncio.gather(*asked))
            assert answers == [{"op": "status"}, {"op": "info"}, 1]


@pytest.mark.parametrize("exactly_once", [True, False])
@pytest.mark.parametrize("ask", ["propose", "read", "read_stale"])
@pytest.mark.parametrize("wrong", ["text", bytearray(b"text"), ["text"]], ids=["str", "bytearray", "list"])
async def test_commands_and_queries_of_other_types(ask: str, wrong: Any, exactly_once: bool) -> None:
    """They would share a request with others' and have all of it refused: nothing but bytes is taken."""
    with FakeServer(Script()) as server:
        async with Client(server.address, exactly_once=exactly_once) as client:
            outcomes: Any = await asyncio.gather(
                getattr(client, ask)(wrong), client.kv.put("a", "1"), client.kv.get("b"), return_exceptions=True
            )
            assert isinstance(outcomes[0], TypeError)
            assert str(outcomes[0]) == f"a command or query is bytes, not {type(wrong).__name__}"
            assert list(outcomes[1:]) == [1, None]


@pytest.mark.parametrize("number", [-1, 1 << 63, 10**5000], ids=["negative", "large", "huge"])
async def test_numbers_that_no_revision_can_be(number: int) -> None:
    """One line names the argument, before anything is sent."""
    with FakeServer(Script()) as server:
        async with Client(server.address) as client:
            kv = client.kv
            for name, call in (
                ("revision", kv.get("a", revision=number)),
                ("revision", kv.list(revision=number)),
                ("revision", kv.put("a", "1", revision=number)),
                ("after", kv.watch("a", after=number)),
                ("lease", kv.put("a", "1", lease=number)),
                ("lease", kv.lease(number)),
                ("lease", kv.renew(number)),
                ("lease", kv.revoke(number)),
            ):
                with pytest.raises(ValueError, match=f"^{name} is (0 or more|at most)"):
                    await call
        assert not [request for request in server.requests if request.op in (*WRITES, "read", "watch")]


@pytest.mark.parametrize("ttl_s", [0, 0.5, -1, float("nan"), float("inf"), 1e300])
async def test_times_that_no_lease_can_last(ttl_s: float) -> None:
    """Whether a lease is granted by itself or for a lock: the range is named."""
    with FakeServer(Script()) as server:
        async with Client(server.address) as client:
            with pytest.raises(ValueError, match="ttl_s is 1 to 86400 seconds, not "):
                await client.kv.grant(ttl_s)
            with pytest.raises(ValueError, match="ttl_s is 1 to 86400 seconds, not "):
                await client.lock("job", ttl_s=ttl_s).__aenter__()
