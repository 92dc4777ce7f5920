"""Whether log and memory stay bounded: a local cluster under millions of puts, measured as it goes.

    python bench/growth.py [--puts 5000000] [--keys 1000000] [--servers 3] [--in-flight 2048] [--points 50] [--out NAME]

Prints a row for each part of the way: puts a second and their latency, and of every server the worst memory, raft.db,
its write-ahead log, log entries in memory, and the worst lag of an event loop.  With --out it writes NAME.csv and draws
NAME.svg (bench/growth_plot.py).  What is stored grows until every key was written once; nothing may grow after that.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.growth_points import Point, save
from bench.loads import VALUE
from bench.ports import Ports
from bench.sample import quantile
from bench.usage import rss_mb
from commands.cluster_wait import Look, wait_until_they_agree
from commands.local_cluster import PORT_STEP, LocalCluster, LocalServer, Settings
from quorate import Client

START_TIMEOUT_S = 30.0
LOOK_PERIOD_S = 0.5
PUT_TIMEOUT_S = 60.0
NOTHING = (0.0, 0.0, 0.0, 0, 0.0)


class Growth:
    """The load, and what the servers look like under it."""

    def __init__(self, cluster: LocalCluster, client: Client, keys: int) -> None:
        self._cluster = cluster
        self._client = client
        self._keys = keys
        self._done = 0
        self._took_s: list[float] = []
        self._worst = NOTHING

    async def run(self, puts: int, in_flight: int, points: int) -> list[Point]:
        """Do all puts; returns a point for each part of the way."""
        watch = asyncio.create_task(self._watch())
        found = []
        try:
            for number in range(1, points + 1):
                found.append(await self._part(puts * number // points, in_flight))
                print(_row(found[-1]), flush=True)
        finally:
            watch.cancel()
        return found

    async def _part(self, until: int, in_flight: int) -> Point:
        began, before = time.monotonic(), self._done
        numbers = iter(range(before, until))
        await asyncio.gather(*(self._put(numbers) for _ in range(in_flight)))
        elapsed_s = time.monotonic() - began
        await self._look()
        worst, self._worst = self._worst, NOTHING
        took_s, self._took_s = sorted(self._took_s), []
        p50_ms, p99_ms = quantile(took_s, 0.5) * 1000, quantile(took_s, 0.99) * 1000
        return Point(self._done, (self._done - before) / elapsed_s, p50_ms, p99_ms, *worst)

    async def _put(self, numbers: Any) -> None:
        for number in numbers:
            began = time.monotonic()
            await self._client.kv.put(f"key-{number % self._keys:09}", VALUE, timeout_s=PUT_TIMEOUT_S)
            self._took_s.append(time.monotonic() - began)
            self._done += 1

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_PERIOD_S)
            await self._look()

    async def _look(self) -> None:
        look = Look(None)
        said = await asyncio.gather(*(asyncio.to_thread(look, server) for server in self._cluster.servers))
        memory_mb = max(rss_mb(server.process.pid) for server in self._cluster.servers if server.process)
        raft_db_mb = max(self._size_mb(server, "raft.db") for server in self._cluster.servers)
        wal_mb = max(self._size_mb(server, "raft.db-wal") for server in self._cluster.servers)
        statuses = [status for status in said if status is not None]
        entries = max((status["log_entries"] for status in statuses), default=0)
        lag_ms = max((status["loop_lag_s"] * 1000 for status in statuses), default=0.0)
        before = self._worst
        self._worst = (
            max(before[0], memory_mb),
            max(before[1], raft_db_mb),
            max(before[2], wal_mb),
            max(before[3], entries),
            max(before[4], lag_ms),
        )

    def _size_mb(self, server: LocalServer, name: str) -> float:
        file = self._cluster.data_dir(server) / name
        return file.stat().st_size / 2**20 if file.exists() else 0.0


def _row(point: Point) -> str:
    return (
        f"{point.puts:>9,} {point.puts_per_s:>9,.0f} {point.p50_ms:>7,.0f} {point.p99_ms:>7,.0f} "
        f"{point.memory_mb:>9,.0f} {point.raft_db_mb:>10,.0f} {point.wal_mb:>6,.0f} {point.log_entries:>11,} "
        f"{point.loop_lag_ms:>11,.0f}"
    )


async def measure(cluster: LocalCluster, options: argparse.Namespace) -> list[Point]:
    """Load a cluster that runs."""
    print("     puts  puts a s  p50 ms  p99 ms memory MB raft.db MB WAL MB log entries loop lag ms")
    async with Client(*(server.address for server in cluster.servers)) as client:
        growth = Growth(cluster, client, options.keys)
        return await growth.run(options.puts, options.in_flight, options.points)


def main() -> None:
    """Start a cluster, load it, stop it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--puts", type=int, default=5_000_000)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--servers", type=int, default=3)
    parser.add_argument("--in-flight", type=int, default=2_048)
    parser.add_argument("--points", type=int, default=50)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    offsets = [PORT_STEP * index + extra for index in range(options.servers) for extra in (0, 1)]
    with tempfile.TemporaryDirectory(prefix="quorate-growth-") as folder:
        cluster = LocalCluster(Path(folder))
        with cluster.locked(create=True):
            try:
                cluster.up(options.servers, Settings(base_port=Ports().base(offsets)))
                wait_until_they_agree(cluster, Look(None), options.servers, START_TIMEOUT_S)
                points = asyncio.run(measure(cluster, options))
            finally:
                cluster.down()
    if options.out:
        save(points, options.out.with_suffix(".csv"))
        # Only the extra "bench" has what it needs.
        from bench.growth_plot import draw

        draw(points, options.out.with_suffix(".svg"))


if __name__ == "__main__":
    main()
