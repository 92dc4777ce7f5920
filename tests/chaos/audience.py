"""An audience: writers and those who watch them, all of it recorded for the checker of watches.

What lives here: who writes what, who watches, and the end, at which everybody has been told everything. What does not:
how one watches (watchers.py), what goes wrong meanwhile (the tests), and what has to hold (tests/histories).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from typing import Final

from quorate import Client, ClientError, Delete, Put
from tests.chaos.watchers import EventSource, LibraryWatcher, Range, Watcher
from tests.histories.watch_history import READ, WRITE
from tests.linearizability.history import History
from tests.linearizability.operation import Value
from tests.linearizability.recorder import Recorder
from tests.support.server import Server
from tests.support.waiting import wait_until
from tests.support.writing import Writing

AREAS: Final = ("a/", "b/")
KEYS: Final = tuple(f"{area}{number}" for area in AREAS for number in range(5))
"""Everybody's, so that each write bears on others'."""
CLIENTS, WRITERS_PER_CLIENT = 2, 3
WRITE_TIMEOUT_S: Final = 2.0
PAUSE_MAX_S: Final = 0.05
TROUBLE_PAUSE_S: Final = 0.05
KEYS_MAX: Final = 4
"""Of one command."""
REMOVED_SHARE: Final = 0.3
STOP_CHECK_S: Final = 0.05

EVERYTHING, AREA, KEY = Range("", is_prefix=True), Range(AREAS[0], is_prefix=True), Range(KEYS[-1], is_prefix=False)


class Audience(Writing):
    """Writes and watches from `with` to its end."""

    def __init__(self, servers: Sequence[Server], seed: int) -> None:
        super().__init__("audience")
        self.recorder = Recorder(time.monotonic)
        self._servers = servers
        self._seed = seed
        self._last_revision = 0
        """Of the last write of all; 0 as long as it was not made."""
        self.watchers: list[Watcher] = list(self._watchers())

    def told(self) -> History:
        """Let the writers end and everybody be told of the last write; what was recorded then."""
        self._stop.set()
        wait_until("the last write is made", lambda: self.is_broken or self._last_revision)
        for watcher in self.watchers:
            wait_until(f"{watcher.name} is told of the last write", partial(self._has_heard, watcher))
        self.stop()
        return self.recorder.history()

    def _has_heard(self, watcher: Watcher) -> bool:
        return self.is_broken or watcher.heard >= self._last_revision

    def _watchers(self) -> Iterator[Watcher]:
        addresses = [server.address for server in self._servers]

        def rng(name: str) -> random.Random:
            return random.Random(f"{self._seed}-{name}")

        def library(name: str, what: Range, *, stays: bool = True, looks_back: bool = False) -> Watcher:
            return LibraryWatcher(
                name, what, self.recorder, rng(name), addresses=addresses, stays=stays, looks_back=looks_back
            )

        yield library("witness", EVERYTHING)
        yield library("of-an-area", AREA)
        yield library("of-a-key", KEY)
        yield library("comes-and-goes", EVERYTHING, stays=False)
        yield library("looks-back", AREA, stays=False, looks_back=True)
        for name, what in (("events", EVERYTHING), ("events-of-an-area", AREA), ("events-of-a-key", KEY)):
            yield EventSource(name, what, self.recorder, rng(name), servers=self._servers)

    # --- in the thread ----------------------------------------------------------------------------------------------

    async def work(self) -> None:
        """Everybody at once; the writers end first."""
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(self._client(number)) for number in range(CLIENTS)]
            watching = [asyncio.create_task(watcher.run(), name=watcher.name) for watcher in self.watchers]
            async with asyncio.TaskGroup() as writers:
                for number in range(CLIENTS * WRITERS_PER_CLIENT):
                    writers.create_task(self._writer(clients[number % CLIENTS], f"writer-{number}"))
            self._last_revision = await self._last_write(clients[0])
            await self._read(clients[0])
            while any(not self._has_heard(watcher) for watcher in self.watchers):
                broken = [task for task in watching if task.done()]
                assert not broken, f"a watcher ended by itself: {broken}"
                await asyncio.sleep(STOP_CHECK_S)
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)

    def _client(self, number: int) -> Client:
        addresses = [server.address for server in self._servers]
        return Client(*addresses[number:], *addresses[:number], timeout_s=WRITE_TIMEOUT_S)

    async def _writer(self, client: Client, name: str) -> None:
        rng = random.Random(f"{self._seed}-{name}")
        count = 0
        while not self._stop.is_set():
            count += 1
            keys = rng.sample(KEYS, rng.choice((1, 1, rng.randint(2, KEYS_MAX))))
            value = f"{name}.{count}"
            changes: dict[str, str | None] = {key: None if rng.random() < REMOVED_SHARE else value for key in keys}
            if len(keys) > 1:
                changes[keys[0]] = value  # it tells whose write it is
            begun = time.monotonic()
            try:
                await self._write(client, name, changes)
            except ClientError:
                await asyncio.sleep(TROUBLE_PAUSE_S)
            else:
                self._written(begun)
            await asyncio.sleep(rng.uniform(0.0, PAUSE_MAX_S))

    async def _write(self, client: Client, name: str, changes: dict[str, str | None]) -> Value:
        pairs = [part for pair in changes.items() for part in pair]
        ops = [Delete(key) if value is None else Put(key, value.encode()) for key, value in changes.items()]
        with self.recorder.operation(name, "", WRITE, *pairs) as operation:
            answer = await client.kv.txn([], ops)
            # None for each key that was set, and whether it was there for each that was to be removed.
            operation.result = answer.revision if any(result is not False for result in answer.results) else None
        return operation.result

    async def _last_write(self, client: Client) -> int:
        """What all watchers are told of, however long it takes."""
        for count in range(1_000):
            with suppress(ClientError):
                revision = await self._write(client, "last", dict.fromkeys(KEYS, f"last.{count}"))
                assert isinstance(revision, int)
                return revision
            await asyncio.sleep(TROUBLE_PAUSE_S)
        raise AssertionError("the cluster takes no write any more")

    async def _read(self, client: Client) -> None:
        """The store as it is in the end: who was told of every change knows the same."""
        page = await client.kv.list(timeout_s=30.0)
        found = {item.key: item.value.decode() for item in page.items}
        for key in KEYS:
            with self.recorder.operation("reader", key, READ, page.revision) as operation:
                operation.result = found.get(key)
