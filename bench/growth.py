"""Whether log and memory stay bounded: a local cluster under millions of puts, measured as it goes.

    python bench/growth.py [--puts 5000000] [--keys 100000] [--servers 3] [--in-flight 512] [--points 50] [--csv FILE]

Prints a row for each part of the way: puts a second, and of every server the worst memory, raft.db with its write-ahead
log, log entries in memory, and the worst lag of an event loop; then the curves.  What is stored grows until every key
was written once, and nothing may grow after that.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from attrs import asdict, fields, frozen

from bench.loads import VALUE
from bench.ports import Ports
from bench.usage import rss_mb
from commands.cluster_wait import look_with, wait_until_they_agree
from commands.local_cluster import PORT_STEP, LocalCluster, Settings
from quorate import Client

START_TIMEOUT_S = 30.0
LOOK_PERIOD_S = 0.5
PUT_TIMEOUT_S = 60.0
BAR = 50


@frozen
class Point:
    """How it stood after so many puts; the worst of all servers and of the time since the point before."""

    puts: int
    puts_per_s: float
    memory_mb: float
    raft_db_mb: float
    log_entries: int
    loop_lag_ms: float


class Growth:
    """The load, and what the servers look like under it."""

    def __init__(self, cluster: LocalCluster, client: Client, keys: int) -> None:
        self._cluster = cluster
        self._client = client
        self._keys = keys
        self._done = 0
        self._worst = (0.0, 0.0, 0, 0.0)

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
        await self._look()
        worst, self._worst = self._worst, (0.0, 0.0, 0, 0.0)
        return Point(self._done, (self._done - before) / (time.monotonic() - began), *worst)

    async def _put(self, numbers: Any) -> None:
        for number in numbers:
            await self._client.kv.put(f"key-{number % self._keys:09}", VALUE, timeout_s=PUT_TIMEOUT_S)
            self._done += 1

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_PERIOD_S)
            await self._look()

    async def _look(self) -> None:
        look = look_with(None)
        said = await asyncio.gather(*(asyncio.to_thread(look, server) for server in self._cluster.servers))
        memory_mb = max(rss_mb(server.process.pid) for server in self._cluster.servers if server.process)
        raft_db_mb = max(_size_mb(self._cluster.data_dir(server)) for server in self._cluster.servers)
        statuses = [status for status in said if status is not None]
        entries = max((status["log_entries"] for status in statuses), default=0)
        lag_ms = max((status["loop_lag_s"] * 1000 for status in statuses), default=0.0)
        now = (memory_mb, raft_db_mb, entries, lag_ms)
        before = self._worst
        self._worst = (max(before[0], now[0]), max(before[1], now[1]), max(before[2], now[2]), max(before[3], now[3]))


def _size_mb(data_dir: Path) -> float:
    return sum(file.stat().st_size for file in data_dir.glob("raft.db*")) / 1024 / 1024


def _row(point: Point) -> str:
    return (
        f"{point.puts:>9,} {point.puts_per_s:>9,.0f} {point.memory_mb:>9,.0f} {point.raft_db_mb:>10,.0f} "
        f"{point.log_entries:>11,} {point.loop_lag_ms:>11,.0f}"
    )


def curves(points: Sequence[Point]) -> str:
    """What must not grow for ever, one bar a point."""
    lines = []
    for name in ("memory_mb", "raft_db_mb", "log_entries"):
        most = max(getattr(point, name) for point in points)
        lines.append(f"\n{name}, up to {most:,.0f}")
        for point in points:
            lines.append(f"{point.puts:>9,} {'#' * round(BAR * getattr(point, name) / most)}")
    return "\n".join(lines)


def save(points: Sequence[Point], file: Path) -> None:
    """The points as CSV, for a plot."""
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, [column.name for column in fields(Point)])
        writer.writeheader()
        writer.writerows(asdict(point) for point in points)


async def measure(cluster: LocalCluster, options: argparse.Namespace) -> list[Point]:
    """Load a cluster that runs."""
    print("     puts  puts a s  memory MB raft.db MB log entries loop lag ms")
    async with Client(*(server.address for server in cluster.servers)) as client:
        growth = Growth(cluster, client, options.keys)
        return await growth.run(options.puts, options.in_flight, options.points)


def main() -> None:
    """Start a cluster, load it, stop it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--puts", type=int, default=5_000_000)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--servers", type=int, default=3)
    parser.add_argument("--in-flight", type=int, default=512)
    parser.add_argument("--points", type=int, default=50)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    offsets = [PORT_STEP * index + extra for index in range(options.servers) for extra in (0, 1)]
    with tempfile.TemporaryDirectory(prefix="quorate-growth-") as folder:
        cluster = LocalCluster(Path(folder))
        with cluster.locked(create=True):
            try:
                cluster.up(options.servers, Settings(base_port=Ports().base(offsets)))
                wait_until_they_agree(cluster, look_with(None), options.servers, START_TIMEOUT_S)
                points = asyncio.run(measure(cluster, options))
            finally:
                cluster.down()
    print(curves(points))
    if options.csv:
        save(points, options.csv)


if __name__ == "__main__":
    main()
