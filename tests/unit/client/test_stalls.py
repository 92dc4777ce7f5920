"""Servers that keep quiet, as stopped processes do: what a client does not wait for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from quorate import Client
from tests.unit.client.servers import FakeServer
from tests.unit.client.test_client import Script, count, row, until


@asynccontextmanager
async def kept_waiting() -> AsyncIterator[tuple[FakeServer, FakeServer, Script, Script, Client, asyncio.Task[int]]]:
    """Two servers with their scripts, a client, and its write, which waits: the first leads and answers nothing."""
    served = Script()
    quiet = Script(lambda _: None, served.machine)
    with FakeServer(quiet) as one, FakeServer(served) as two:
        quiet.rows = served.rows = [row(one, "leader"), row(two, "follower")]
        async with Client(one.address, two.address, timeout_s=30) as client:
            await until(lambda: client._best() is client._links.get(one.address))
            write = asyncio.create_task(client.kv.put("a", "1"))
            await until(lambda: count(one, "write") == 1)
            yield one, two, quiet, served, client, write


async def test_a_leader_that_keeps_quiet_is_left_when_there_is_another() -> None:
    """A stopped process keeps its connections: the others tell who leads now, and its asks and later ones go there."""
    async with kept_waiting() as (one, two, _, served, client, first):
        served.rows = [row(one, "follower"), row(two, "leader")]
        await until(lambda: client._best() is client._links.get(two.address))

        assert sorted(await asyncio.gather(client.kv.put("b", "2"), first)) == [1, 2]


async def test_a_server_that_keeps_quiet_is_not_asked_who_leads() -> None:
    """While the others elect a leader they know none; to wait for the stopped one's word would only take time."""
    async with kept_waiting() as (one, two, _, served, client, first):
        served.rows = [row(one, "follower"), row(two, "follower")]
        await until(lambda: client._is_stalled(one.address))
        asked, looked = count(one, "members"), count(two, "members")
        await until(lambda: count(two, "members") >= looked + 3)

        assert count(one, "members") == asked
        served.rows = [row(one, "follower"), row(two, "leader")]
        assert await first == 1


async def test_what_a_server_owes_that_is_asked_no_more_is_not_forgotten() -> None:
    """The leader was cut off for a moment; a follower was asked meanwhile, and lost it on the way to the leader."""
    async with kept_waiting() as (one, two, lossy, served, client, first):
        lossy.rows = served.rows = [row(one, "follower"), row(two, "leader")]
        client._look_around.set()
        await until(lambda: client._best() is client._links.get(two.address))
        assert not client._is_stalled(one.address), "it has not owed the answer for long yet"

        async with asyncio.timeout(1.5):
            assert await first == 1
