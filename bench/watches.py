"""What thousands of watchers cost one server, and how long a put takes to reach them all: python -m bench.watches.

Watches of the client library, 100 to a connection, then server-sent events, one to a connection; all at the leader of
three servers.  Half of them watch one key, the others all keys with a prefix, and every put is for all of them.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

import aiohttp

from bench.ports import Ports
from bench.quorate_cluster import QuorateCluster
from bench.usage import rss_mb
from quorate import Client

CONNECTIONS: Final = 100
WATCHES_EACH: Final = 100
STREAMS: Final = 1_000
PUTS: Final = 5
KEY: Final = "watched/key"
HTTP_OFFSET: Final = 1
REACH_TIMEOUT_S: Final = 60.0


class Audience:
    """Counts who has been told of the latest put."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.told = 0
        self.all_told = asyncio.Event()

    def tell(self) -> None:
        """One more."""
        self.told += 1
        if self.told == self.size:
            self.all_told.set()

    async def reach(self, client: Client) -> float:
        """Seconds from a put until everybody has been told of it."""
        self.told = 0
        self.all_told.clear()
        began = time.perf_counter()
        await client.kv.put(KEY, b"x" * 100, timeout_s=REACH_TIMEOUT_S)
        async with asyncio.timeout(REACH_TIMEOUT_S):
            await self.all_told.wait()
        return time.perf_counter() - began


async def follow(client: Client, audience: Audience, after: int, *, is_prefix: bool) -> None:
    """One watch of the client library."""
    async for _ in await client.kv.watch("watched/" if is_prefix else KEY, prefix=is_prefix, after=after):
        audience.tell()


async def stream(session: aiohttp.ClientSession, url: str, audience: Audience) -> None:
    """One stream of server-sent events."""
    async with session.get(url) as response:
        async for line in response.content:
            if line == b"event: update\n":
                audience.tell()


async def watches(leader: str, pid: int, writer: Client) -> None:
    """Those of the client library."""
    after = await writer.kv.put(KEY, b"first")
    before_mb = rss_mb(pid)
    clients = [Client(leader, timeout_s=60.0) for _ in range(CONNECTIONS)]
    for client in clients:
        await client.connect()
    audience = Audience(CONNECTIONS * WATCHES_EACH)
    tasks = [
        asyncio.create_task(follow(client, audience, after, is_prefix=bool(number % 2)))
        for client in clients
        for number in range(WATCHES_EACH)
    ]
    reach = await reached(audience, writer)
    print(f"{audience.size} watches over {CONNECTIONS} connections: {rss_mb(pid) - before_mb:.0f} MB; {reach}")
    for task in tasks:
        task.cancel()
    for client in clients:
        await client.close()


async def streams(leader: str, pid: int, writer: Client) -> None:
    """Those of server-sent events."""
    host, _, port = leader.rpartition(":")
    url = f"http://{host}:{int(port) + HTTP_OFFSET}/v1/watch?prefix=watched/"
    before_mb = rss_mb(pid)
    audience = Audience(STREAMS)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None)) as session:
        tasks = [asyncio.create_task(stream(session, url, audience)) for _ in range(STREAMS)]
        reach = await reached(audience, writer)
        print(f"{STREAMS} streams of server-sent events: {rss_mb(pid) - before_mb:.0f} MB; {reach}")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def reached(audience: Audience, writer: Client) -> str:
    """How long a put takes to reach an audience that is just taking its seats."""
    await asyncio.sleep(5.0)
    reach_s = [await audience.reach(writer) for _ in range(PUTS)]
    return f"a put reaches all in {statistics.median(reach_s):.2f} s (median of {PUTS}, at most {max(reach_s):.2f})"


async def measure(leader: str, pid: int) -> None:
    """Both kinds, one after the other."""
    async with Client(leader) as writer:
        await watches(leader, pid, writer)
        await streams(leader, pid, writer)


def main() -> None:
    """Start the servers and measure."""
    with tempfile.TemporaryDirectory() as folder:
        cluster = QuorateCluster(Path(folder), Ports())
        try:
            cluster.start()
            leader = cluster.leader()
            asyncio.run(measure(cluster.addresses[leader], cluster.pids[leader]))
        finally:
            cluster.stop()


if __name__ == "__main__":
    main()
