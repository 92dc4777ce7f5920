"""Watchers for the checker: each notes every stream that it begins, and everything that the stream tells.

What lives here: watching through the client library and by server-sent events, with patience or without, and going on
where one was. What does not: what is written meanwhile (audience.py), and what has to hold (tests/histories).
"""

from __future__ import annotations

import asyncio
import json
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, AsyncExitStack
from typing import Any, Final

import aiohttp
from attrs import define, field, frozen

from quorate import Client, ClientError, Compacted
from tests.histories.watch_history import BOOKMARK, COMPACTED, UPDATE, WATCH
from tests.linearizability.operation import Value
from tests.linearizability.recorder import Pending, Recorder
from tests.support.server import Server

PATIENCE_S: Final = (0.5, 4.0)
"""How long those listen who do not stay."""
LOOK_BACK_MAX: Final = 200
"""How many revisions they go back who want to hear something again."""
CONNECT_TIMEOUT_S: Final = 1.0
SILENCE_MAX_S: Final = 3.0
"""So long a server may say nothing before somebody else is asked: one that is stopped does not hang up."""
TROUBLE_PAUSE_S: Final = 0.1


@frozen
class Range:
    """What is watched."""

    key: str
    is_prefix: bool


@define
class Watcher(ABC):
    """One client with one stream at a time. until: up to here it was told everything; its next stream goes on there."""

    name: str
    range: Range
    recorder: Recorder
    rng: random.Random
    until: int = 0
    heard: int = field(default=0, init=False)
    """The highest revision that it was told of."""
    streams: int = field(default=0, init=False)

    async def run(self) -> None:
        """Watch until it is cancelled."""
        while True:
            with self._begun():
                await self._listen()

    @abstractmethod
    async def _listen(self) -> None:
        """One stream, from its beginning after `until` to its end, whatever ends it."""

    def _begun(self) -> AbstractContextManager[Pending]:
        self.streams += 1
        return self.recorder.operation(self.name, self.range.key, WATCH, self.range.is_prefix, self.until)

    def _note(self, function: str, revision: int, *pairs: Value) -> None:
        with self.recorder.operation(self.name, self.range.key, function, revision, *pairs):
            self.until = revision
            self.heard = max(self.heard, revision)


@define
class LibraryWatcher(Watcher):
    """Through the client library. stays: whether it listens as long as it can; others break off and go on.

    looks_back: it goes on some revisions before where it was, and is told those again.
    """

    addresses: Sequence[str] = ()
    stays: bool = True
    looks_back: bool = False

    async def _listen(self) -> None:
        patience_s = None if self.stays else self.rng.uniform(*PATIENCE_S)
        async with AsyncExitStack() as stack:
            try:
                client = await stack.enter_async_context(Client(*self.rng.sample(self.addresses, len(self.addresses))))
            except ClientError:
                await asyncio.sleep(TROUBLE_PAUSE_S)
                return
            key, is_prefix = self.range.key, self.range.is_prefix
            watch = await client.kv.watch(key, prefix=is_prefix, after=self.until)
            try:
                async with asyncio.timeout(patience_s):
                    async for update in watch:
                        pairs = [(change.key, _text(change.value)) for change in update.changes]
                        self._note(UPDATE, update.revision, *(part for pair in pairs for part in pair))
            except TimeoutError:
                self._note(BOOKMARK, watch.revision)
            except Compacted as error:
                self._note(COMPACTED, error.revision)
            if self.looks_back:
                self.until = max(0, self.until - self.rng.randint(0, LOOK_BACK_MAX))


@define
class EventSource(Watcher):
    """By server-sent events as a browser would, which says where it was, but with a server after the other."""

    servers: Sequence[Server] = ()

    async def _listen(self) -> None:
        server = self.servers[(self.streams - 1) % len(self.servers)]
        query = {"prefix" if self.range.is_prefix else "key": self.range.key, "since": "0"}
        where = {"Last-Event-ID": str(self.until)} if self.until else {}
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=SILENCE_MAX_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(f"http://{server.http}/v1/watch", params=query, headers=where) as response,
            ):
                response.raise_for_status()
                async for name, data in _events(response.content):
                    pairs = [(row["key"], row.get("value")) for row in data.get("changes", ())]
                    self._note(name, data["revision"], *(part for pair in pairs for part in pair))
        except (aiohttp.ClientError, TimeoutError):
            await asyncio.sleep(TROUBLE_PAUSE_S)


async def _events(lines: aiohttp.StreamReader) -> AsyncIterator[tuple[str, Any]]:
    """The name and the data of each event that came whole."""
    fields: dict[str, str] = {}
    async for line in lines:
        text = line.decode().rstrip("\r\n")
        if text:
            name, _, content = text.partition(": ")
            fields[name] = content
        elif fields:
            data = json.loads(fields["data"])
            assert fields["id"] == str(data["revision"]), fields
            yield fields["event"], data
            fields = {}


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
