"""A process that fights for a lock and counts up under it: python -m tests.support.lock_worker NAME DOOR ADDRESS...

DOOR says whether the counter is `guarded` by the token or `open` to everybody, which has to be found out.

It prints a journal (tests/histories/journal.py) of what it asked for and was told. It reads, thinks for a moment and
writes, so that two that believe they hold the lock at once would lose an increment, if the token let them. When a hold
is over it tries to count up once more, which must come to nothing.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from itertools import count

from quorate import Client, ClientError, KeyValue, LeaseLost, Lock, NotFound, Put
from tests.histories.journal import line_of
from tests.histories.lock_history import ACQUIRE, GRANT, GUARDED, LOST, RELEASE, RENEW, REVOKE
from tests.linearizability.recorder import Recorder

LOCK = "fight"
COUNTER = "fought/counter"
TTL_S = 1.0
THINK_S = 0.02
INCREMENTS_A_HOLD = 20


class RecordedKeyValue(KeyValue):
    """The store, with what happens to leases recorded. has_ended: whether the last lease is known to have ended."""

    def __init__(self, client: Client, recorder: Recorder, name: str) -> None:
        super().__init__(client)
        self._recorder = recorder
        self._name = name
        self.has_ended = False

    async def grant(self, ttl_s: float, *, timeout_s: float | None = None) -> int:
        """As the store's."""
        self.has_ended = False
        with self._recorder.operation(self._name, "", GRANT, round(ttl_s * 1000)) as operation:
            operation.result = lease = await super().grant(ttl_s, timeout_s=timeout_s)
        return lease

    async def renew(self, lease: int, *, timeout_s: float | None = None) -> None:
        """As the store's."""
        await self._record(RENEW, lease, super().renew(lease, timeout_s=timeout_s))

    async def revoke(self, lease: int, *, timeout_s: float | None = None) -> None:
        """As the store's."""
        await self._record(REVOKE, lease, super().revoke(lease, timeout_s=timeout_s))
        self.has_ended = True

    async def _record(self, function: str, lease: int, asked: Awaitable[None]) -> None:
        gone: NotFound | None = None
        with self._recorder.operation(self._name, "", function, lease) as operation:
            try:
                await asked
            except NotFound as error:
                gone = error
            operation.result = gone is None
        if gone:
            self.has_ended = True
            raise gone


class Fighter:
    """Holds the lock again and again."""

    def __init__(self, client: Client, name: str, *, is_guarded: bool) -> None:
        self._client = client
        self._name = name
        self._is_guarded = is_guarded
        self._recorder = Recorder(time.monotonic, noted=lambda operation: print(line_of(operation), flush=True))
        self._kv = RecordedKeyValue(client, self._recorder, name)
        self._numbers = count(1)

    async def fight(self) -> None:
        """Take the lock, count up a few times, and once more when that is over."""
        lock = Lock(self._kv, LOCK, ttl_s=TTL_S, value=self._name.encode())
        try:
            async with AsyncExitStack() as stack:
                with self._recorder.operation(self._name, LOCK, ACQUIRE) as acquired:
                    await stack.enter_async_context(lock)
                    acquired.result = lock.token
                await self._hold(lock)
                with self._recorder.operation(self._name, LOCK, RELEASE, lock.token):
                    await stack.aclose()
        except LeaseLost:
            with self._recorder.operation(self._name, LOCK, LOST, lock.token):
                pass
        if self._kv.has_ended:
            await self._increment(lock)

    async def _hold(self, lock: Lock) -> None:
        for _ in range(INCREMENTS_A_HOLD):
            if not await self._increment(lock):
                return

    async def _increment(self, lock: Lock) -> bool:
        """Whether the token was good for it."""
        found = await self._client.kv.get(COUNTER)
        before = found.value.decode() if found else None
        await asyncio.sleep(THINK_S)
        value = written(counted(before) + 1, lock.token, f"{self._name}.{next(self._numbers)}")
        with self._recorder.operation(self._name, COUNTER, GUARDED, LOCK, lock.token, before, value) as operation:
            when = [lock.guard()] if self._is_guarded else []
            answer = await self._client.kv.txn(when, [Put(COUNTER, value.encode())])
            operation.result = answer.revision if answer.succeeded else None
        return answer.succeeded


def written(number: int, token: int, who: str) -> str:
    """The counter with who wrote it, so that no two values are the same."""
    return f"{number} {token} {who}"


def counted(value: str | None) -> int:
    """The number of a counter's value."""
    return int(value.split()[0]) if value else 0


def token_of(value: str) -> int:
    """The token with which a counter's value was written."""
    return int(value.split()[1])


async def main(name: str, door: str, *addresses: str) -> None:
    """Fight until killed."""
    async with Client(*addresses, timeout_s=10.0) as client:
        fighter = Fighter(client, name, is_guarded=door == "guarded")
        while True:
            try:
                await fighter.fight()
            except ClientError as error:
                print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
