"""A closed loop of asyncio callers: each calls again as soon as it has its answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

Call = Callable[[int], Awaitable[Any]]
"""Does one thing on behalf of the caller with this number."""


async def closed_loop(call: Call, callers: int, seconds: float) -> tuple[list[float], float]:
    """Keep so many calls going; returns how long each took and how long all of it took, in seconds."""
    latencies_s: list[float] = []
    began = time.perf_counter()
    end = began + seconds

    async def caller(number: int) -> None:
        while (started := time.perf_counter()) < end:
            await call(number)
            latencies_s.append(time.perf_counter() - started)

    await asyncio.gather(*(caller(number) for number in range(callers)))
    return latencies_s, time.perf_counter() - began
