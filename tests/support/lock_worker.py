"""A process that fights for a lock and counts up under it: python -m tests.support.lock_worker ADDRESS...

Each line it prints is one increment that was acknowledged: the token and the count.  It reads, thinks for a moment and
writes, so that two that believe they hold the lock at once would lose an increment, if the token let them.
"""

from __future__ import annotations

import asyncio
import sys

from quorate import Client, ClientError, LeaseLost, Put

LOCK = "fight"
COUNTER = "fought/counter"
TTL_S = 1.0
THINK_S = 0.02
INCREMENTS_A_HOLD = 20


async def main(addresses: list[str]) -> None:
    """Fight until killed."""
    async with Client(*addresses, timeout_s=10.0) as client:
        while True:
            try:
                await hold(client)
            except (LeaseLost, ClientError) as error:
                print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)


async def hold(client: Client) -> None:
    """Take the lock and count up a few times."""
    async with client.lock(LOCK, ttl_s=TTL_S) as lock:
        for _ in range(INCREMENTS_A_HOLD):
            found = await client.kv.get(COUNTER)
            count = int(found.value) + 1 if found else 1
            await asyncio.sleep(THINK_S)
            answer = await client.kv.txn([lock.guard()], [Put(COUNTER, str(count).encode())])
            if not answer.succeeded:
                return
            print(lock.token, count, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
