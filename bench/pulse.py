"""Puts at a steady rate, whatever becomes of those before: every put that falls into a stall shows what it costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from attrs import frozen

from bench.loads import VALUE
from bench.sample import quantile
from quorate import Client
from transport.client.errors import ClientError

PUT_TIMEOUT_S = 20.0
PAUSE_S = 0.3


@frozen
class Latencies:
    """Of puts, in milliseconds."""

    puts: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    failed: int

    def __str__(self) -> str:
        failed = f", {self.failed} FAILED" if self.failed else ""
        return f"puts p50 {self.p50_ms:.1f}, p99 {self.p99_ms:.1f}, max {self.max_ms:.1f} ms of {self.puts:,}{failed}"


class Pulse:
    """`key(n)` is the key of the n-th put."""

    def __init__(self, client: Client, per_s: float, key: Callable[[int], str]) -> None:
        self._client = client
        self._per_s = per_s
        self._key = key
        self._took_s: list[tuple[float, float]] = []
        """When each put began, and how long it took."""
        self._failed_at: list[float] = []
        self._paused: list[tuple[float, float]] = []
        """When this process went on after it had stood still, and for how long."""

    @asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Put until the block ends."""
        task = asyncio.create_task(self._beat())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    def between(self, since: float, until: float) -> Latencies:
        """Of the puts that began between two times of the monotonic clock."""
        found = sorted(took_s * 1000 for began, took_s in self._took_s if since <= began <= until) or [float("nan")]
        failed = sum(since <= began <= until for began in self._failed_at)
        return Latencies(len(found), quantile(found, 0.5), quantile(found, 0.99), found[-1], failed)

    def paused_s(self, since: float, until: float) -> float:
        """How long this process, which does next to nothing, stood still: the machine was not ours."""
        return sum(paused_s for at, paused_s in self._paused if since <= at <= until)

    async def _beat(self) -> None:
        began, number = time.monotonic(), 0
        async with asyncio.TaskGroup() as group:
            while True:
                group.create_task(self._put(number))
                number += 1
                due = began + number / self._per_s
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                late_s = time.monotonic() - due
                if late_s > PAUSE_S:
                    # They are not made up for: a burst is another load.
                    self._paused.append((time.monotonic(), late_s))
                    began += late_s

    async def _put(self, number: int) -> None:
        began = time.monotonic()
        try:
            await self._client.kv.put(self._key(number), VALUE, timeout_s=PUT_TIMEOUT_S)
        except ClientError:
            self._failed_at.append(began)
        else:
            self._took_s.append((began, time.monotonic() - began))
