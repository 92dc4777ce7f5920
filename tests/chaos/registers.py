"""Clients of registers: many at once through every door, each operation recorded for the checker.

What lives here: what is asked, in a thread with an event loop of its own, so that a nemesis can go on meanwhile. What
does not: the doors (doors.py), the recorder and the checker (tests/linearizability).

A few keys are everybody's, so that all operations there bear on each other. Some more are written once: what was
acknowledged has to be there in the end, whatever came after.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack

from attrs import frozen

from quorate.client import Client
from tests.chaos.batches import read_batch, write_batch
from tests.chaos.doors import ANSWER_TIMEOUT_S, Consistency, Door, HttpDoor, InDoubtError, LibraryDoor, NotDoneError
from tests.linearizability.recorder import Recorder
from tests.support.server import Server
from tests.support.worker import Worker
from transport.client.errors import ClientError

KEYS = tuple(f"register/{number}" for number in range(5))
ONCE = "once/"
SESSION_CLIENTS, PLAIN_CLIENTS = 2, 1
WORKERS_PER_CLIENT = 4
HTTP_WORKERS, HTTP_READERS = 2, 2
"""For each server. A server that is cut off holds up whoever writes through it; somebody has to go on reading there."""

CAS_SHARE, ONCE_SHARE = 0.5, 0.1
"""Of what changes something."""

TROUBLE_PAUSE_S = 0.1

Read = Callable[[random.Random], Awaitable[None]]
Change = Callable[[str, random.Random], Awaitable[None]]
"""With a value that nobody else writes."""


@frozen
class Habit:
    """What a worker does. pause_max_s: between two operations."""

    read_share: float
    pause_max_s: float


MIXED, READER = Habit(0.5, 0.1), Habit(1.0, 0.1)
EAGER = Habit(0.3, 0.03)
"""In a session: what is under way there when a leader dies is tried again, so there has to be something."""


class Clients(Worker):
    """At work from `with` to its end."""

    def __init__(
        self, servers: Sequence[Server], seed: int, recorder: Recorder, reads: Consistency = "linearizable"
    ) -> None:
        super().__init__("clients")
        self._servers = servers
        self._seed = seed
        self._recorder = recorder
        self._reads = reads

    async def work(self) -> None:
        """Everybody at once."""
        addresses = [server.address for server in self._servers]
        async with AsyncExitStack() as stack:
            doors: dict[str, tuple[Door, Habit]] = {}
            clients = []
            for number in range(SESSION_CLIENTS + PLAIN_CLIENTS):
                has_session = number < SESSION_CLIENTS
                client = Client(*addresses, timeout_s=ANSWER_TIMEOUT_S, exactly_once=has_session)
                clients.append(await stack.enter_async_context(client))
                kind, habit = ("session", EAGER) if has_session else ("plain", MIXED)
                for worker in range(WORKERS_PER_CLIENT):
                    doors[f"{kind}{number}.{worker}"] = LibraryDoor(client, self._reads), habit
            threads = stack.enter_context(ThreadPoolExecutor((HTTP_WORKERS + HTTP_READERS) * len(self._servers)))
            for server in self._servers:
                for worker in range(HTTP_WORKERS + HTTP_READERS):
                    habit = MIXED if worker < HTTP_WORKERS else READER
                    doors[f"http-{server}.{worker}"] = HttpDoor(server.http, threads, self._reads), habit
            async with asyncio.TaskGroup() as workers:
                for number, client in enumerate(clients):
                    workers.create_task(self._with_batches(f"batches{number}", client))
                for name, (door, habit) in doors.items():
                    workers.create_task(self._at(name, door, habit))

    async def _at(self, name: str, door: Door, habit: Habit) -> None:
        """A worker at a door, with one register at a time."""
        await self._worker(
            name,
            habit,
            lambda rng: self._read(name, door, rng.choice(KEYS)),
            lambda value, rng: self._change(name, door, value, rng),
        )

    async def _with_batches(self, name: str, client: Client) -> None:
        """A worker with the registers of the batch, all at a time."""
        await self._worker(
            name,
            MIXED,
            lambda _: read_batch(name, client, self._recorder, self._reads),
            lambda value, _: write_batch(name, client, self._recorder, value),
        )

    async def _worker(self, name: str, habit: Habit, read: Read, change: Change) -> None:
        rng = random.Random(f"{self._seed}-{name}")
        count = 0
        while not self._stop.is_set():
            count += 1
            try:
                if rng.random() < habit.read_share:
                    await read(rng)
                else:
                    await change(f"{name}-{count}", rng)
            except (ClientError, NotDoneError, InDoubtError):
                await asyncio.sleep(TROUBLE_PAUSE_S)
            await asyncio.sleep(rng.uniform(0.0, habit.pause_max_s))

    async def _change(self, name: str, door: Door, value: str, rng: random.Random) -> None:
        key, choice = rng.choice(KEYS), rng.random()
        if choice < CAS_SHARE:
            # What was read a moment ago is mostly still there. One that was made and is tried again must not have lost.
            await self._read(name, door, key)
            await self._cas(name, door, key, value)
        else:
            await self._write(name, door, ONCE + value if choice > 1 - ONCE_SHARE else key, value)

    async def _read(self, name: str, door: Door, key: str) -> None:
        with self._recorder.operation(name, key, "read") as operation:
            operation.result = await door.read(key)

    async def _cas(self, name: str, door: Door, key: str, value: str) -> None:
        with self._recorder.operation(name, key, "cas", door.seen(key), value) as operation:
            operation.result = await door.cas(key, value)

    async def _write(self, name: str, door: Door, key: str, value: str) -> None:
        with self._recorder.operation(name, key, "write", value):
            await door.write(key, value)
