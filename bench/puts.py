"""How fast a local cluster takes puts: three server processes, one client process, every put on disk on a majority.

    python bench/puts.py [--servers 3] [--in-flight 1,64,512] [--seconds 5] [--repeats 3] [--get]

Prints throughput, median and 99th percentile of the latency for each number of puts in flight, as the median over the
repeats, and the CPU and memory of each server.  Absolute figures move with the machine; compare ratios in one run.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.closed_loop import Call, closed_loop
from bench.loads import VALUE
from bench.ports import Ports
from bench.sample import summarise
from bench.usage import cpu_s, rss_mb
from commands.cluster_wait import look_with, wait_until_they_agree
from commands.local_cluster import PORT_STEP, LocalCluster, Settings
from quorate import Client

START_TIMEOUT_S = 30.0


async def measure(call: Call, in_flight: int, seconds: float) -> tuple[float, float, float]:
    """Keep ``in_flight`` calls going; returns calls a second, and p50 and p99 of the latency in milliseconds."""
    latencies_s, elapsed_s = await closed_loop(call, in_flight, seconds)
    sample = summarise(latencies_s, elapsed_s, batch=1, warm_up_calls=0)
    return sample.rate, sample.p50_ms, sample.p99_ms


def pids(cluster: LocalCluster) -> list[int]:
    """The servers' processes."""
    return [server.process.pid for server in cluster.servers if server.process is not None]


async def run(cluster: LocalCluster, options: argparse.Namespace) -> None:
    """Measure each load in turn, again and again, so that a slow moment of the machine hits all of them."""
    loads = [int(text) for text in options.in_flight.split(",")]
    results: dict[int, list[tuple[float, float, float]]] = {load: [] for load in loads}
    async with Client(*(server.address for server in cluster.servers)) as client:
        await client.kv.put("key-0", VALUE)
        call = (lambda n: client.kv.get("key-0")) if options.get else (lambda n: client.kv.put(f"key-{n}", VALUE))
        began, cpu = time.monotonic(), [cpu_s(pid) for pid in pids(cluster)]
        for _ in range(options.repeats):
            for load in loads:
                results[load].append(await measure(call, load, options.seconds))
        elapsed = time.monotonic() - began
    print(f"{'in flight':>9} {'per second':>11} {'p50 ms':>8} {'p99 ms':>8}")
    for load, rows in results.items():
        rate, p50, p99 = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"{load:>9} {rate:>11,.0f} {p50:>8.2f} {p99:>8.2f}")
    for server, pid, before in zip(cluster.servers, pids(cluster), cpu, strict=True):
        print(f"{server.name}: {(cpu_s(pid) - before) / elapsed:.0%} CPU, {rss_mb(pid):.0f} MB")
    before_idle, idle = [cpu_s(pid) for pid in pids(cluster)], 5.0
    await asyncio.sleep(idle)
    shares = [(cpu_s(pid) - before) / idle for pid, before in zip(pids(cluster), before_idle, strict=True)]
    print("idle: " + ", ".join(f"{share:.1%}" for share in shares) + " CPU")


def main() -> None:
    """Start a cluster, measure, stop it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--servers", type=int, default=3)
    parser.add_argument("--in-flight", default="1,64,512")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--get", action="store_true", help="linearizable gets instead of puts")
    options = parser.parse_args()
    offsets = [PORT_STEP * index + extra for index in range(options.servers) for extra in (0, 1)]
    with tempfile.TemporaryDirectory(prefix="quorate-bench-") as folder:
        cluster = LocalCluster(Path(folder))
        with cluster.locked(create=True):
            try:
                began = time.monotonic()
                cluster.up(options.servers, Settings(base_port=Ports().base(offsets)))
                wait_until_they_agree(cluster, look_with(None), options.servers, START_TIMEOUT_S)
                print(f"{options.servers} servers agree {time.monotonic() - began:.2f} s after the first was launched")
                asyncio.run(run(cluster, options))
            finally:
                cluster.down()


if __name__ == "__main__":
    main()
