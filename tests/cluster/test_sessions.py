"""Exactly once with real processes: the leader is killed again and again over writes that are tried again."""

from __future__ import annotations

import asyncio
import os
import random

import pytest

from quorate import Client, SessionExpired
from storage.kv_protocol import Changed, cas, decode_result
from storage.sessions import SessionLimits
from tests.support.cluster import Cluster
from tests.support.waiting import wait_until
from transport.client.batches import SESSION_COMMANDS
from transport.client.session_protocol import NONCE_BYTES, SESSION_OPEN

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(240)]

SEED = 20_260_714
WORKERS = 24
ROUNDS = 4
BATCH_ROUNDS = 2
KEYS_IN_BATCH = 16
STEPS_BETWEEN = 150
SESSIONS_AT_ONCE = 256


class Counters:
    """Workers that each count up a key of their own by compare-and-set, from each number to the next.

    A step that is applied twice is seen at once: the second time the value is not the old one any more, so that the
    step would be answered with a conflict though it was made.
    """

    def __init__(self, client: Client) -> None:
        self.counts = [0] * WORKERS
        self.stop = asyncio.Event()
        self._client = client
        self._steps = 0
        self._waiting: list[tuple[int, asyncio.Event]] = []

    async def work(self, worker: int) -> None:
        """Count until told to stop; nothing may fail."""
        while not self.stop.is_set():
            await self.step(worker, self.counts[worker] + 1)
            self.counts[worker] += 1
            self._steps += 1
            for steps, event in self._waiting:
                if self._steps >= steps:
                    event.set()

    async def step(self, worker: int, number: int) -> None:
        """Count from the number before to this one."""
        key = f"counter/{worker}"
        old = str(number - 1).encode() if number > 1 else None
        result = decode_result(await self._client.propose(cas(key, old, str(number).encode()), timeout_s=60))
        assert isinstance(result, Changed), f"{key}, step {number}: {result}"

    async def more(self, steps: int) -> None:
        """Wait for so many more steps of all workers together."""
        event = asyncio.Event()
        self._waiting.append((self._steps + steps, event))
        await event.wait()


class Batches(Counters):
    """Workers that each set several keys of their own to the same number at once, and keep the revisions."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self.revisions: list[int] = []

    async def step(self, worker: int, number: int) -> None:
        """Set them all to this number."""
        pairs = {f"batch/{worker}/{key}": str(number) for key in range(KEYS_IN_BATCH)}
        self.revisions.append(await self._client.kv.put_many(pairs, timeout_s=60))


async def kill_leaders(cluster: Cluster, counters: Counters, rounds: int) -> None:
    """Have the workers count while one leader after the other is killed and started again."""
    rng = random.Random(SEED)
    async with asyncio.TaskGroup() as tasks:
        for worker in range(WORKERS):
            tasks.create_task(counters.work(worker))
        for _ in range(rounds):
            await counters.more(rng.randint(STEPS_BETWEEN, 2 * STEPS_BETWEEN))
            leader = await asyncio.to_thread(cluster.leader)
            await asyncio.to_thread(leader.kill)
            await counters.more(STEPS_BETWEEN)
            await asyncio.to_thread(leader.start)
            await asyncio.to_thread(cluster.agree)
        counters.stop.set()


@pytest.mark.long
async def test_no_step_is_lost_or_made_twice_while_leaders_are_killed(cluster: Cluster) -> None:
    """No caller hears of it: each write is tried again under its number and answered with its first result."""
    await asyncio.to_thread(cluster.form)
    async with Client(*(server.address for server in cluster.servers), timeout_s=30) as client:
        counters = Counters(client)
        await kill_leaders(cluster, counters, ROUNDS)

    state = await asyncio.to_thread(cluster.same_state)
    stored = [int(state[f"counter/{worker}"][0]) for worker in range(WORKERS)]
    assert stored == counters.counts, f"seed {SEED}"
    # Every step is one change of the store, and nothing else was changed.
    revision = max(revision for _, revision in state.values())
    assert revision == sum(counters.counts), f"seed {SEED}"


@pytest.mark.long
async def test_no_batch_is_lost_torn_or_made_twice_while_leaders_are_killed(cluster: Cluster) -> None:
    """put_many is one command: applied once, whole, at a revision that belongs to it alone."""
    await asyncio.to_thread(cluster.form)
    async with Client(*(server.address for server in cluster.servers), timeout_s=30) as client:
        batches = Batches(client)
        await kill_leaders(cluster, batches, BATCH_ROUNDS)

    state = await asyncio.to_thread(cluster.same_state)
    for worker, count in enumerate(batches.counts):
        found = {state[f"batch/{worker}/{key}"] for key in range(KEYS_IN_BATCH)}
        assert len(found) == 1, f"seed {SEED}: the keys of one batch differ: {found}"
        assert int(found.pop()[0]) == count, f"seed {SEED}"
    # Every batch is one change of the store, and nothing else was changed.
    assert sorted(batches.revisions) == list(range(1, sum(batches.counts) + 1)), f"seed {SEED}"


async def test_a_session_outlives_every_server_and_a_snapshot(cluster: Cluster) -> None:
    """Killed together and started again, from a snapshot and the log: the session of a client that waits goes on."""
    await asyncio.to_thread(cluster.form)
    async with Client(*(server.address for server in cluster.servers), timeout_s=60) as client:
        assert await client.kv.put("a", "1") == 1
        for server in cluster.servers:
            await asyncio.to_thread(server.ask, "raft.snapshot")
        for server in cluster.servers:
            await asyncio.to_thread(server.kill)
        waiting = asyncio.create_task(client.kv.put("b", "2"))
        for server in cluster.servers:
            await asyncio.to_thread(server.start)

        assert await waiting == 2
        session = client._asks.session
        assert session is not None
        assert session._id == b"\x00" * 7 + b"\x01" + session._id[8:], "the first and only one"


class Loyal(Client):
    """A client that never looks for other servers than the one it was given, however long that keeps quiet."""

    async def _learn_from(self, address: str) -> bool:
        return False

    @property
    def is_in_doubt(self) -> bool:
        """Whether it tries something again that may have been done."""
        flights = [ask for flight in self._asks._flights.values() for ask in flight.asks]
        return any(ask.doubt for ask in [*flights, *self._asks._queues[SESSION_COMMANDS]])


async def open_sessions(client: Client, count: int) -> None:
    """As so many clients do."""
    for start in range(0, count, SESSIONS_AT_ONCE):
        asks = range(min(SESSIONS_AT_ONCE, count - start))
        await asyncio.gather(*(client._ask(SESSION_OPEN, os.urandom(NONCE_BYTES), 30.0)[1] for _ in asks))


async def test_an_expired_session_is_replaced_unless_its_command_is_in_doubt(cluster: Cluster) -> None:
    """Thousands of other sessions later: a new command goes in a new session, and one tried again ends in words."""
    await asyncio.to_thread(cluster.form)
    follower, other = await asyncio.to_thread(cluster.followers)
    async with Loyal(follower.address, timeout_s=60) as client, Client(other.address) as crowd:
        assert await client.kv.put("a", "1") == 1
        await open_sessions(crowd, SessionLimits().sessions_max)
        assert await client.kv.put("a", "2") == 2, "nobody can tell: it had never been sent before"

        # It arrives at a server that stands still, and is sent again; by then its session is gone.
        follower.pause()
        waiting = asyncio.create_task(client.kv.put("a", "3"))
        await open_sessions(crowd, SessionLimits().sessions_max)
        await asyncio.to_thread(wait_until, "the first attempt is over", lambda: client.is_in_doubt)
        follower.resume()
        with pytest.raises(SessionExpired, match="may or may not be applied"):
            await waiting

        found = await crowd.kv.get("a")
        assert found is not None
        assert (found.value, found.revision) == (b"2", 2)
        assert await client.kv.put("a", "4") == 3, "the next one has a session again"
