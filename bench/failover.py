"""How long a cluster takes no write after its leader died or froze: Quorate and etcd in turns, in one run.

    python -m bench.failover [--runs 20] [--how kill,pause] [--seed 1] [--out docs]

A run ends the leader with SIGKILL, or stops it with SIGSTOP, and sends a write every 20 ms without waiting for those
before; the time from the signal to the first acknowledgement counts, and what was acknowledged has to be there when the
server is back.  Quorate's client knows all three servers and has to find out who leads now; etcd is asked on the two
servers that stay.  Prints a table, and writes failover.json and the README's table (failover_pages.py).
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import signal
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from bench.etcd_cluster import EtcdCluster, etcd_version
from bench.failover_clients import Store, connect
from bench.failover_pages import write
from bench.failover_report import FailoverResult, table
from bench.machine import look
from bench.needs import require
from bench.ports import Ports
from bench.quorate_cluster import QuorateCluster
from bench.system import running
from quorate import QuorateError

SEND_PERIOD_S = 0.02
GIVE_UP_S = 20.0
CALM_S = (0.1, 0.4)
"""From the last good write to the signal, drawn anew for each run: heartbeats have a phase."""

SIGNALS = {"kill": signal.SIGKILL, "pause": signal.SIGSTOP}

Cluster = QuorateCluster | EtcdCluster


class FailoverError(Exception):
    """A cluster did not come back, or lost what it had acknowledged."""


async def fail_over(cluster: Cluster, number: signal.Signals, calm_s: float) -> float:
    """Seconds from the signal until a write is acknowledged.  Raises FailoverError."""
    leader = cluster.leader()
    async with connect(cluster, leader) as store:
        await store.put("before")
        await asyncio.sleep(calm_s)
        if await asyncio.to_thread(_leader_now, cluster) != leader:
            # It has moved by itself, as etcd's may after a pause: to stop a follower would measure nothing.
            return await fail_over(cluster, number, calm_s)
        began = asyncio.get_running_loop().time()
        cluster.signal(leader, number)
        key, ended = await _first_write(store)
        if number == signal.SIGKILL:
            cluster.start()
        else:
            cluster.signal(leader, signal.SIGCONT)
            cluster.settle()
        if not await store.has(key):
            raise FailoverError(f"{cluster.name} acknowledged {key} and does not have it")
    return ended - began


def _leader_now(cluster: Cluster) -> int:
    cluster.settle()
    return cluster.leader()


async def _first_write(store: Store) -> tuple[str, float]:
    """The first of many writes that is acknowledged, and when."""
    loop = asyncio.get_running_loop()
    written: asyncio.Future[tuple[str, float]] = loop.create_future()

    async def attempt(key: str) -> None:
        try:
            await store.put(key)
        except (QuorateError, aiohttp.ClientError):
            return
        if not written.done():
            written.set_result((key, loop.time()))

    attempts = []
    try:
        for number in range(round(GIVE_UP_S / SEND_PERIOD_S)):
            attempts.append(asyncio.create_task(attempt(f"after-{number}")))
            await asyncio.wait([written], timeout=SEND_PERIOD_S)
            if written.done():
                return written.result()
        raise FailoverError(f"no write was acknowledged for {GIVE_UP_S:g} s")
    finally:
        for task in attempts:
            task.cancel()
        await asyncio.gather(*attempts, return_exceptions=True)


def measure_failovers(
    clusters: Sequence[Cluster], how: Sequence[str], runs: int, rng: random.Random
) -> dict[str, dict[str, list[float]]]:
    """Let every cluster fail over so often, in turns."""
    seconds: dict[str, dict[str, list[float]]] = {way: {cluster.name: [] for cluster in clusters} for way in how}
    for run, way, cluster in itertools.product(range(1, runs + 1), how, clusters):
        took = asyncio.run(fail_over(cluster, SIGNALS[way], rng.uniform(*CALM_S)))
        seconds[way][cluster.name].append(round(took, 4))
        print(f"{run}/{runs} {way} {cluster.name}: {took:.3f} s", file=sys.stderr, flush=True)
    return seconds


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--how", default=",".join(SIGNALS), help="kill, pause or both")
    parser.add_argument("--seed", type=int, default=1, help="of the moments at which the leader goes")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="the folder for the result")
    return parser.parse_args()


def main() -> None:
    """Start both, let their leaders go again and again, and write down what came out."""
    options = _options()
    require(["etcd"])
    began = datetime.now(UTC).isoformat(timespec="seconds")
    with tempfile.TemporaryDirectory(prefix="quorate-bench-") as name:
        folder, ports = Path(name), Ports()
        machine = look(folder)
        clusters: list[Cluster] = [QuorateCluster(folder / "quorate", ports), EtcdCluster(folder / "etcd", ports)]
        with running(clusters):
            rng = random.Random(options.seed)
            seconds = measure_failovers(clusters, options.how.split(","), options.runs, rng)
    result = FailoverResult(began, machine, etcd_version(), options.seed, seconds)
    print(table(result))
    write(result, options.out)


if __name__ == "__main__":
    main()
