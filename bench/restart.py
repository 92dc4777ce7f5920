"""How long a server with a long log takes to start: from its launch to its first linearizable read.

    python -m bench.restart [--puts 200000] [--repeats 5]

Three servers with so many puts in the log and no snapshot of them.  One is killed and started again beside the others,
then all at once.  Prints the median and the longest of the repeats.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.loads import VALUE
from bench.watched_cluster import WatchedCluster
from quorate import Client
from storage.kv_protocol import get

SERVERS = 3
IN_FLIGHT = 512
PUT_TIMEOUT_S = 60.0


async def fill(cluster: WatchedCluster, puts: int) -> None:
    """Put so many values under as many keys."""
    numbers = iter(range(puts))
    async with Client(*cluster.addresses) as client:

        async def put_in_turn() -> None:
            for number in numbers:
                await client.kv.put(f"key-{number:09}", VALUE, timeout_s=PUT_TIMEOUT_S)

        await asyncio.gather(*(put_in_turn() for _ in range(IN_FLIGHT)))


async def restarted(cluster: WatchedCluster, indexes: Sequence[int]) -> float:
    """Kill servers and start them again; returns when the last of them answered a read."""
    for index in indexes:
        cluster.kill(index)
    began = cluster.start(*indexes)
    await asyncio.gather(*(cluster.first_read(index, get("key-000000001")) for index in indexes))
    return time.monotonic() - began


async def measure(folder: Path, puts: int, repeats: int) -> None:
    """Fill a cluster and start its servers again and again."""
    cluster = WatchedCluster(folder, SERVERS)
    try:
        cluster.start(*range(SERVERS))
        leader = await cluster.settle(SERVERS, range(SERVERS))
        await fill(cluster, puts)
        status = await cluster.ask(leader)
        print(f"{puts:,} puts in {status['log_entries']:,} entries, snapshot at index {status['snapshot_index']}")
        for what, indexes in (("one of three", [(leader + 1) % SERVERS]), ("all three", range(SERVERS))):
            took_s = []
            for _ in range(repeats):
                took_s.append(await restarted(cluster, indexes))
                await cluster.settle(SERVERS, range(SERVERS))
            print(f"{what}: median {statistics.median(took_s):.2f} s, at most {max(took_s):.2f} s", flush=True)
    finally:
        cluster.stop()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--puts", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="quorate-restart-") as folder:
        asyncio.run(measure(Path(folder), options.puts, options.repeats))


if __name__ == "__main__":
    main()
