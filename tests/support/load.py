"""Load: many clients at once through the client library, which note what they were told.

What lives here: writing, reading and remembering, in a thread with an event loop of its own, so that a test can go on
breaking things meanwhile. What does not: whether it all comes out right in the end (verdict.py).

Each worker writes keys that nobody else writes: most of them once, with a value that exists once, and one again and
again. After an acknowledged write it may read it back, linearizably: the value must be there at once.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from quorate.client import Client
from tests.support.writing import Writing
from transport.client.errors import ClientError

WORKERS = 12
CLIENTS = 3
WRITE_TIMEOUT_S = 2.0
PAUSE_MAX_S = 0.02
REFUSED_PAUSE_S = 0.05
READ_SHARE = 0.2
AGAIN_SHARE = 0.2


class Load(Writing):
    """Runs from `with` to its end, or to `stop`. What it remembers may be read at any time.

    acknowledged: key to value, of writes that were acknowledged. unknown: key to the values of writes whose outcome
    nobody told. refused: key to values that were certainly not written. wrong: reads that were.
    """

    def __init__(self, addresses: Sequence[str], seed: int, *, key: Path | None = None, name: str = "w") -> None:
        super().__init__("load")
        self.acknowledged: dict[str, bytes] = {}
        self.unknown: dict[str, set[bytes]] = {}
        self.refused: dict[str, set[bytes]] = {}
        self.wrong: list[str] = []
        self.errors: Counter[str] = Counter()
        self.slowest_s = 0.0
        """How long the slowest write that was acknowledged has taken."""
        self.reads = 0
        self._addresses = list(addresses)
        self._seed = seed
        self._key = key
        self._name = name

    # --- in the thread ----------------------------------------------------------------------------------------------

    async def work(self) -> None:
        """Write and read."""
        shift = [self._addresses[number:] + self._addresses[:number] for number in range(len(self._addresses))]
        clients = [
            Client(*shift[number % len(shift)], key=self._key, timeout_s=WRITE_TIMEOUT_S) for number in range(CLIENTS)
        ]
        try:
            for client in clients:
                await client.connect()
            async with asyncio.TaskGroup() as workers:
                for number in range(WORKERS):
                    workers.create_task(self._worker(clients[number % CLIENTS], number))
        finally:
            for client in clients:
                await client.close()

    async def _worker(self, client: Client, worker: int) -> None:
        rng = random.Random(f"{self._seed}-{self._name}-{worker}")
        again = f"{self._name}/{worker}/again"
        count = 0
        while not self._stop.is_set():
            count += 1
            key = again if rng.random() < AGAIN_SHARE else f"{self._name}/{worker}/{count:06}"
            value = f"{self._name}-{worker}-{count}-{rng.getrandbits(64):016x}".encode()
            if await self._write(client, key, value):
                if rng.random() < READ_SHARE:
                    await self._read(client, key, value)
                await asyncio.sleep(rng.uniform(0.0, PAUSE_MAX_S))
            else:
                await asyncio.sleep(REFUSED_PAUSE_S)

    async def _write(self, client: Client, key: str, value: bytes) -> bool:
        begun = time.monotonic()
        try:
            await client.kv.put(key, value)
        except ClientError as error:
            self.errors[type(error).__name__] += 1
            kept = self.refused if error.certainly_not_applied else self.unknown
            kept.setdefault(key, set()).add(value)
            return False
        self.acknowledged[key] = value
        self.slowest_s = max(self.slowest_s, time.monotonic() - begun)
        self._written(begun)
        return True

    async def _read(self, client: Client, key: str, value: bytes) -> None:
        try:
            found = await client.kv.get(key)
        except ClientError as error:
            self.errors[f"read {type(error).__name__}"] += 1
            if not error.certainly_not_applied:
                self.wrong.append(f"{key}: a read has no outcome to be unknown: {error!r}")
            return
        self.reads += 1
        # An earlier write of unknown outcome may still have come after the acknowledged one.
        if found is None or found.value not in {value} | self.unknown.get(key, set()):
            self.wrong.append(f"{key} read as {found}, acknowledged as {value!r}")
