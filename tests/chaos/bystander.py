"""A bystander of a fight for a lock: it notes who holds the lock, and what the guarded counter takes, in its own order.

What lives here: looking on. What does not: those who fight (tests/support/lock_worker.py), and what has to hold
(tests/histories).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from quorate import Client, ClientError
from tests.histories.lock_history import HOLDER, SEEN
from tests.linearizability.history import History
from tests.linearizability.recorder import Recorder
from tests.support.lock_worker import COUNTER, LOCK, token_of
from tests.support.waiting import wait_until
from tests.support.worker import Worker

LOOK_S: Final = 0.05
"""Between two looks at the holder."""
STOP_CHECK_S: Final = 0.05


class Bystander(Worker):
    """Looks on from `with` to its end. seen: the counter's values, in its own order; revision: of the last one."""

    def __init__(self, addresses: Sequence[str]) -> None:
        super().__init__("bystander")
        self.seen: list[str] = []
        self.revision = 0
        self._addresses = list(addresses)
        self._recorder = Recorder(time.monotonic)

    def more(self, count: int) -> None:
        """Wait until the counter has taken so many more values."""
        goal = len(self.seen) + count
        wait_until(f"{count} more increments", lambda: self.is_broken or len(self.seen) >= goal)

    def reached(self, revision: int) -> None:
        """Wait until it has seen this value of the counter."""
        wait_until(f"the counter's revision {revision} is seen", lambda: self.is_broken or self.revision >= revision)

    def history(self) -> History:
        """What it noted."""
        return self._recorder.history()

    async def work(self) -> None:
        """Look on until it is told to stop."""
        async with Client(*self._addresses) as client:
            tasks = [asyncio.create_task(self._watch(client)), asyncio.create_task(self._ask(client))]
            while not self._stop.is_set() and not any(task.done() for task in tasks):
                await asyncio.wait(tasks, timeout=STOP_CHECK_S, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            for ended in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(ended, Exception):
                    raise ended

    async def _watch(self, client: Client) -> None:
        async for update in await client.kv.watch(COUNTER, after=0):
            (change,) = update.changes
            assert change.value is not None, "nobody removes the counter"
            value = change.value.decode()
            with self._recorder.operation("counter", COUNTER, SEEN, change.revision, token_of(value), value):
                self.seen.append(value)
                self.revision = change.revision

    async def _ask(self, client: Client) -> None:
        while True:
            try:
                with self._recorder.operation("bystander", LOCK, HOLDER) as operation:
                    holder = await client.holder(LOCK)
                    operation.result = holder.revision if holder else None
            except ClientError:
                pass  # nobody leads, for a moment
            await asyncio.sleep(LOOK_S)
