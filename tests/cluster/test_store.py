"""The key-value store through every server: forwarding, consistency, and the commands a user types."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import pytest

from quorate import Client, TooLarge
from storage.kv_protocol import TXN_OPS_MAX, VALUE_BYTES_MAX
from tests.support.cluster import Cluster
from transport.client import attested as client_attested
from transport.client.attestation import Word, is_confirmed

AGE_MAX_S = 5.0
"""Far more than a heartbeat: this is for a busy machine."""

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]


def test_any_server_takes_writes_and_linearizable_reads(shared: Cluster) -> None:
    """A write through each server is read through each other at once: followers forward, and reads are linearizable."""
    for writer in shared.servers:
        key = f"forwarded/{writer}"
        put = writer.cli("kv", "put", key, f"by {writer}", "--format", "json")
        assert put.code == 0, put
        for reader in shared.servers:
            got = reader.cli("kv", "get", key, "--format", "json").json
            assert got == {"key": key, "value": f"by {writer}", "revision": put.json["revision"]}


def test_a_lone_reader_confirms_its_reads_itself(shared: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """The words of the leader and of a follower are enough, and what is read is what was written last."""
    weighed: list[bool] = []

    def weigh(leader: Word, words: Sequence[Word]) -> bool:
        weighed.append(is_confirmed(leader, words))
        return weighed[-1]

    monkeypatch.setattr(client_attested, "is_confirmed", weigh)

    async def write_and_read() -> None:
        async with Client(shared.servers[0].address) as reader, Client(shared.servers[1].address) as writer:
            for number in range(200):
                value = b"%d" % number
                await writer.kv.put("lone", value)
                found = await reader.kv.get("lone")
                assert found is not None
                assert found.value == value

    asyncio.run(write_and_read())
    assert weighed.count(True) > 50, "the others went the common way, while the client did not know the servers yet"


def test_stale_reads_are_local(shared: Cluster) -> None:
    """A stale read needs no round; what was acknowledged arrives on every server soon."""
    shared.servers[0].put("stale/key", "value")
    shared.same_state()
    for server in shared.servers:
        assert server.cli("kv", "get", "stale/key", "--consistency", "stale").out == "value"
        got = server.cli("kv", "get", "stale/key", "--consistency", "stale", "--format", "json").json
        assert 0 <= got["age_s"] < AGE_MAX_S


def test_a_users_commands(shared: Cluster) -> None:
    """put, get, cas, list, delete, with their exit codes; data on stdout, talk on stderr."""
    server, other = shared.followers()
    assert server.cli("kv", "put", "user/a", "1").code == 0
    assert server.cli("kv", "put", "user/b", "-", stdin=b"from \xff stdin").code == 0
    assert other.cli("kv", "get", "user/b", "--format", "json").json["value_base64"]
    assert server.cli("kv", "cas", "user/a", "1", "2").code == 0
    lost = other.cli("kv", "cas", "user/a", "1", "3")
    assert lost.code == 1
    assert lost.error
    assert other.cli("kv", "cas", "user/new", "--absent", "x").code == 0
    assert other.cli("kv", "cas", "user/new", "--absent", "y").code == 1
    listed = server.cli("kv", "list", "user/", "--format", "json").json
    assert [item["key"] for item in listed["items"]] == ["user/a", "user/b", "user/new"]
    page = server.cli("kv", "list", "user/", "--limit", "2", "--format", "json").json
    assert page["next"] == "user/new"
    assert server.cli("kv", "delete", "user/a").code == 0
    missing = other.cli("kv", "get", "user/a")
    assert (missing.code, missing.out) == (1, "")
    assert "user/a" in missing.error
    assert other.cli("kv", "delete", "user/a").code == 1


def test_a_users_transaction(shared: Cluster) -> None:
    """Whoever finds the key missing takes it; the other one is told what is there, and the exit code says who lost."""
    server, other = shared.followers()
    take = {
        "when": [{"key": "txn/lock", "revision": 0}],
        "then": [{"op": "put", "key": "txn/lock", "value": "me"}, {"op": "put", "key": "txn/since", "value": "now"}],
        "otherwise": [{"op": "get", "key": "txn/lock"}],
    }
    won = server.cli("kv", "txn", "-", "--format", "json", stdin=json.dumps(take).encode())
    lost = other.cli("kv", "txn", "-", "--format", "json", stdin=json.dumps(take).encode())

    assert (won.code, won.json["succeeded"], won.json["results"]) == (0, True, [None, None])
    assert (lost.code, lost.json["succeeded"]) == (1, False)
    assert lost.json["results"] == [{"key": "txn/lock", "value": "me", "revision": won.json["revision"]}]
    misspelt = other.cli("kv", "txn", "-", stdin=b'{"wen": [], "then": []}')
    assert (misspelt.code, "wen" in misspelt.err) == (2, True)


def test_a_user_reads_the_past(shared: Cluster) -> None:
    """A key and a listing as they were at a revision, through any server."""
    server, other = shared.followers()
    first = server.cli("kv", "put", "past/a", "1", "--format", "json").json["revision"]
    server.cli("kv", "put", "past/b", "2")
    server.cli("kv", "put", "past/a", "3")

    assert other.cli("kv", "get", "past/a", "--revision", str(first)).out == "1"
    listed = other.cli("kv", "list", "past/", "--revision", str(first), "--format", "json").json
    assert [(item["key"], item["value"]) for item in listed["items"]] == [("past/a", "1")]
    future = other.cli("kv", "get", "past/a", "--revision", "1000000000")
    assert future.code == 1
    assert "not reached" in future.error


def test_an_oversized_value_is_refused(shared: Cluster) -> None:
    """The largest value is stored; one byte more is one clear line on the command line, and changes nothing."""
    server = shared.followers()[0]
    assert server.cli("kv", "put", "large/ok", "-", stdin=b"x" * VALUE_BYTES_MAX).code == 0
    for reader in shared.servers:
        assert len(reader.get("large/ok") or b"") == VALUE_BYTES_MAX

    refused = server.cli("kv", "put", "large/no", "-", stdin=b"x" * (VALUE_BYTES_MAX + 1))

    assert refused.code == 2
    assert str(VALUE_BYTES_MAX) in refused.err
    assert server.get("large/no") is None
    long_key = server.cli("kv", "put", "k" * 5_000, "v")
    assert long_key.code == 2
    assert "5000 bytes: at most 2048" in long_key.err
    server.delete("large/ok")


async def test_many_keys_at_once_through_any_server(shared: Cluster) -> None:
    """One revision for all of them on every server, up to as many and as large as fit; one more is refused, whole."""
    for writer in shared.servers:
        keys = [f"many/{number}" for number in range(TXN_OPS_MAX)]
        value = writer.address.encode() * 300
        async with Client(writer.address) as client:
            revision = await client.kv.put_many(dict.fromkeys(keys, value))
            with pytest.raises(TooLarge, match="129 keys at once; the limit is 1 to 128"):
                await client.kv.put_many(dict.fromkeys([*keys, "many/more"], "torn"))
        for reader in shared.servers:
            async with Client(reader.address) as client:
                page = await client.kv.list("many/", limit=TXN_OPS_MAX + 1)
            assert [item.key for item in page.items] == sorted(keys)
            assert {(item.value, item.revision) for item in page.items} == {(value, revision)}


async def test_the_client_library_finds_the_leader(shared: Cluster) -> None:
    """A client that knows one follower writes, reads and lists through whoever leads."""
    follower = shared.followers()[0]
    async with Client(follower.address) as client:
        assert await client.kv.put("library/a", "1") > 0
        found = await client.kv.get("library/a")
        assert found is not None
        assert found.value == b"1"
        assert await client.kv.cas("library/a", "1", "2")
        assert not await client.kv.cas("library/a", "1", "3")
        assert [item.key for item in (await client.kv.list("library/")).items] == ["library/a"]
        assert await client.kv.delete("library/a")
        assert await client.kv.get("library/a") is None
        assert {row["name"] for row in await client.members()} == {"s0", "s1", "s2"}
