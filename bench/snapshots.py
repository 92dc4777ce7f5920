"""What a million keys cost a running cluster: a snapshot made, one sent to a server that needs it, and a restart.

    python -m bench.snapshots [--keys 1000000] [--puts-per-s 200]

Four servers with a probe on each event loop (stalls.py), and puts at a steady rate all the time.  First a snapshot is
made on the leader and on a follower.  Then a follower that was down while the log was cut gets one; on the way it is
killed, and its link to the leader is cut.  Then a server that is new gets one, and a follower is killed and started
again.  Each part prints how long the loops stood still, and what the puts felt of it.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from pathlib import Path
from typing import Any

from attrs import define, field

from bench.loads import VALUE
from bench.machine import look
from bench.pulse import PUT_TIMEOUT_S, Pulse
from bench.usage import forget_peak_rss, peak_rss_mb
from bench.watched_cluster import WatchedCluster
from quorate import Client
from storage.kv_protocol import get
from transport.client.errors import ClientError

VOTERS = 3
SERVERS = 4
FILL_IN_FLIGHT = 2_048
SHARE_OVERWRITTEN = 0.2
"""Of the keys, while a follower is down: more than the tail that stays of the log."""
OPERATION_TIMEOUT_S = 300.0
QUIET_S = 10.0
KILLED_AT, CUT_AT, WHOLE = 0.25, 0.6, 2.0
"""Shares of the chunks."""
CUT_S = 5.0
HEAL_S = 0.5
LOOK_PERIOD_S = 0.05
LAG_MAX_ENTRIES = 20
"""A server that is not further behind has caught up."""
START_S = 3.0
"""A server that starts reads and checks its files, and nobody is served by its loop yet."""


def key(number: int) -> str:
    """The number-th key."""
    return f"key-{number:09}"


@define
class Part:
    """One part of the story, while it goes on."""

    title: str
    indexes: Sequence[int]
    began: float = field(factory=time.monotonic)
    heard_s_ago: float = 0.0
    """The longest that the leader had not heard the server in question, where nothing was broken on purpose."""


class Story:
    """The cluster and what is done to it."""

    def __init__(self, cluster: WatchedCluster, client: Client, keys: int, puts_per_s: float) -> None:
        self._cluster = cluster
        self._client = client
        self._keys = keys
        self._pulse = Pulse(client, puts_per_s, lambda number: key(number * 7_919 % keys))
        self._counts_from: dict[int, float] = {}
        """Since when a server that was broken on purpose is to be well again."""

    async def tell(self) -> None:
        """All of it."""
        leader = await self._cluster.settle(VOTERS, range(VOTERS))
        follower = next(index for index in range(VOTERS) if index != leader)
        began = time.monotonic()
        await self._fill(self._keys)
        print(f"{self._keys:,} keys were put in {time.monotonic() - began:.0f} s", flush=True)
        async with self._pulse.beating():
            await self._quiet()
            await self._make("a snapshot made by the leader", await self._leader())
            await self._make("a snapshot made by a follower", follower)
        self._cluster.kill(follower)
        await self._fill(round(self._keys * SHARE_OVERWRITTEN))
        for index in range(VOTERS):
            if index != follower:
                await self._cluster.ask(index, "raft.snapshot", OPERATION_TIMEOUT_S)
        async with self._pulse.beating():
            await self._send(f"a snapshot sent to server {follower}, which was down", follower, is_broken=True)
            await self._send(f"a snapshot sent to server {SERVERS - 1}, which is new", SERVERS - 1)
            await self._restart(follower)

    async def _leader(self) -> int:
        deadline = time.monotonic() + OPERATION_TIMEOUT_S
        while time.monotonic() < deadline:
            for index in range(VOTERS):
                status = await self._cluster.status(index) if self._cluster.runs(index) else None
                if status is not None and status["role"] == "leader":
                    return index
            await asyncio.sleep(LOOK_PERIOD_S)
        raise TimeoutError("nobody leads")

    async def _fill(self, keys: int) -> None:
        numbers = iter(range(keys))

        async def put_in_turn() -> None:
            for number in numbers:
                await self._client.kv.put(key(number), VALUE, timeout_s=PUT_TIMEOUT_S)

        await asyncio.gather(*(put_in_turn() for _ in range(FILL_IN_FLIGHT)))

    async def _quiet(self) -> None:
        part = self._begin("nothing but the puts", range(VOTERS))
        await asyncio.sleep(QUIET_S)
        self._end(part)

    async def _make(self, title: str, index: int) -> None:
        part = self._begin(title, [index])
        await self._cluster.ask(index, "raft.snapshot", OPERATION_TIMEOUT_S)
        self._end(part)

    async def _send(self, title: str, index: int, *, is_broken: bool = False) -> None:
        """Start a server that needs a snapshot, and wait until it has all; perhaps break it on the way."""
        leader = await self._leader()
        term = (await self._cluster.ask(leader))["term"]
        part = self._begin(title, [leader, index])
        self._start(index)
        if is_broken:
            await self._reach(part, index, KILLED_AT)
            await self._break("killed", index, self._kill_and_start)
            await self._reach(part, index, CUT_AT)
            await self._break("cut off", index, self._cut_and_heal)
        await self._reach(part, index, WHOLE)
        self._end(part)
        terms = (await self._cluster.ask(await self._leader()))["term"] - term
        print(f"  it was silent for {part.heard_s_ago:.2f} s at most; elections: {terms}", flush=True)

    async def _break(self, how: str, index: int, deed: Callable[[int], Awaitable[None]]) -> None:
        before = after = await self._transfer(index)
        began = time.monotonic()
        await deed(index)
        while after == before and before is not None:
            await asyncio.sleep(LOOK_PERIOD_S / 5)
            after = await self._transfer(index)
        if before is None or after is None:
            print(f"  {how} too late: the snapshot had arrived")
            return
        print(
            f"  {how} at {before['chunks']} of {before['chunks_total']} chunks, went on at {after['chunks']} "
            f"after {time.monotonic() - began:.1f} s",
            flush=True,
        )

    async def _kill_and_start(self, index: int) -> None:
        self._cluster.kill(index)
        self._start(index)

    async def _cut_and_heal(self, index: int) -> None:
        leader = await self._leader()
        await self._cluster.ask(leader, "fault.cut", address=self._cluster.addresses[index])
        await asyncio.sleep(CUT_S)
        await self._cluster.ask(leader, "fault.heal")
        self._counts_from[index] = time.monotonic() + HEAL_S

    def _start(self, index: int) -> None:
        self._counts_from[index] = self._cluster.start(index) + START_S

    async def _reach(self, part: Part, index: int, share: float) -> None:
        """Wait until so much of the snapshot has arrived; ``WHOLE``: until the server has caught up."""
        deadline = time.monotonic() + OPERATION_TIMEOUT_S
        while time.monotonic() < deadline:
            await asyncio.sleep(LOOK_PERIOD_S)
            row = await self._row(index)
            if row is None:
                continue
            transfer = row["snapshot"]
            if time.monotonic() > self._counts_from[index] and row["heard_s_ago"] is not None:
                part.heard_s_ago = max(part.heard_s_ago, row["heard_s_ago"])
            if transfer is not None and transfer["chunks"] >= share * transfer["chunks_total"]:
                return
            if transfer is None and await self._has_caught_up(index, row):
                return
        raise TimeoutError(f"server {index} has not caught up after {OPERATION_TIMEOUT_S:g} s")

    async def _has_caught_up(self, index: int, row: dict[str, Any]) -> bool:
        status = await self._cluster.status(index)
        return (
            status is not None
            and (row["lag"] or 0) <= LAG_MAX_ENTRIES
            and status["applied_index"] > status["snapshot_index"]
            and status["commit_index"] - status["applied_index"] <= LAG_MAX_ENTRIES
        )

    async def _row(self, index: int) -> dict[str, Any] | None:
        """What the leader knows of a server; the first one that runs hands the question on."""
        first = next(other for other in range(VOTERS) if other != index and self._cluster.runs(other))
        try:
            rows = await self._cluster.ask(first, "raft.peers")
        except ClientError:
            return None
        return next((row for row in rows if row["address"] == self._cluster.addresses[index]), None)

    async def _transfer(self, index: int) -> dict[str, Any] | None:
        row = await self._row(index)
        return row["snapshot"] if row else None

    async def _restart(self, index: int) -> None:
        self._cluster.kill(index)
        part = self._begin(f"server {index} killed, started again, and its first linearizable read", [index])
        self._start(index)
        await self._cluster.first_read(index, get(key(1)))
        self._end(part)

    def _begin(self, title: str, indexes: Sequence[int]) -> Part:
        for index in indexes:
            if self._cluster.runs(index):
                forget_peak_rss(self._cluster.pid(index))
        return Part(title, indexes)

    def _end(self, part: Part) -> None:
        until = time.monotonic()
        print(f"{part.title}: {until - part.began:.1f} s; {self._pulse.between(part.began, until)}")
        for index in part.indexes:
            since = max(part.began, self._counts_from.get(index, -inf))
            worst = max(self._cluster.stalls(index, since), key=lambda stall: stall.own_ms, default=None)
            said = f"{worst.own_ms:.0f} ms ({worst.describe()})" if worst else "under 15 ms"
            peak = peak_rss_mb(self._cluster.pid(index))
            print(f"  server {index}: longest stall {said}; peak memory {peak:.0f} MB", flush=True)
        paused_s = self._pulse.paused_s(part.began, until)
        if paused_s:
            print(f"  THIS PROCESS STOOD STILL for {paused_s:.1f} s meanwhile: the figures above mean nothing")


async def measure(folder: Path, keys: int, puts_per_s: float) -> None:
    """Start a cluster, tell the story, stop it."""
    cluster = WatchedCluster(folder, SERVERS)
    try:
        cluster.start(*range(VOTERS))
        async with Client(*cluster.addresses[:VOTERS], timeout_s=PUT_TIMEOUT_S) as client:
            await Story(cluster, client, keys, puts_per_s).tell()
    finally:
        cluster.stop()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--puts-per-s", type=float, default=200.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="quorate-snapshots-") as folder:
        machine = look(Path(folder))
        print(f"{machine.cores} cores, load {machine.load}, Python {machine.python}, commit {machine.commit}")
        asyncio.run(measure(Path(folder), options.keys, options.puts_per_s))


if __name__ == "__main__":
    main()
