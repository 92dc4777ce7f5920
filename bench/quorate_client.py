"""Quorate's side of a load: its own asynchronous client, as a program would use it."""

from __future__ import annotations

import asyncio
import time

from bench.client_process import client_main
from bench.closed_loop import Call, closed_loop
from bench.loads import KEY, VALUE, WARM_UP_S, Kind, Load, batch_keys
from bench.sample import Sample, SampleError, summarise
from quorate import Client


def drive(addresses: list[str], load: Load, seconds: float) -> Sample:
    """Carry a load out."""
    return asyncio.run(_drive(addresses, load, seconds))


async def _drive(addresses: list[str], load: Load, seconds: float) -> Sample:
    async with Client(*addresses) as client:
        await client.kv.put(KEY, VALUE)
        call, start_cpu_s = _call(client, load), time.process_time()
        warm_up, _ = await closed_loop(call, load.callers, WARM_UP_S)
        latencies_s, elapsed_s = await closed_loop(call, load.callers, seconds)
    return summarise(latencies_s, elapsed_s, batch=load.batch, warm_up_calls=len(warm_up), start_cpu_s=start_cpu_s)


def _call(client: Client, load: Load) -> Call:
    if load.kind is Kind.GET:
        return lambda _: _get(client)
    if load.batch == 1:
        return lambda _: client.kv.put(KEY, VALUE)
    pairs = dict.fromkeys(batch_keys(load), VALUE)
    return lambda _: client.kv.put_many(pairs)


async def _get(client: Client) -> None:
    found = await client.kv.get(KEY)
    if found is None or found.value != VALUE:
        raise SampleError("a get did not find what was put")


if __name__ == "__main__":
    client_main(drive)
