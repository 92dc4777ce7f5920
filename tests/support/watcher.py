"""A watcher of everything: it notes each change it is told of, in a thread of its own, whatever breaks meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from quorate.client import Client
from storage.kv_protocol import Change
from tests.support.waiting import wait_until
from tests.support.worker import Worker

STOP_CHECK_S = 0.1


class Watcher(Worker):
    """Runs from `with` to its end. seen: the changes, in the order in which they were told."""

    def __init__(self, addresses: Sequence[str], prefix: str = "") -> None:
        super().__init__("watcher")
        self.seen: list[Change] = []
        self._addresses = list(addresses)
        self._prefix = prefix

    def reached(self, revision: int) -> None:
        """Wait until it was told of this revision."""
        wait_until(
            f"the watch reaches revision {revision}",
            lambda: self.is_broken or (bool(self.seen) and self.seen[-1].revision >= revision),
        )

    def state(self) -> dict[str, bytes]:
        """What somebody knows who was told of the changes and nothing else."""
        known: dict[str, bytes] = {}
        for change in self.seen:
            if change.value is None:
                del known[change.key]
            else:
                known[change.key] = change.value
        return known

    async def work(self) -> None:
        """Watch until it is told to stop."""
        watching = asyncio.create_task(self._watch())
        while not self._stop.is_set() and not watching.done():
            await asyncio.wait([watching], timeout=STOP_CHECK_S)
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching

    async def _watch(self) -> None:
        async with Client(*self._addresses) as client:
            async for update in await client.kv.watch(self._prefix, prefix=True, after=0):
                self.seen += update.changes
