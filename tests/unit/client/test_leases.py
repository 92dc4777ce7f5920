"""One Lock or Lease is one holder: it is not entered twice at a time, and as good as new after it was left or lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import cast

import pytest

from quorate import KeyValue, Lease, LeaseLost, Lock, NotFound
from quorate.watch import Update
from storage.kv_protocol import Answered, Found, Page, Put

TTL_S = 0.3


class Leases:
    """A store of leases and of the keys that were put with them, as one client sees it."""

    def __init__(self) -> None:
        self.granted = 0
        self.alive: set[int] = set()
        self.keys: dict[str, Found] = {}
        self.lists = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()
        self.ends = asyncio.Event()
        self.ends.set()

    async def grant(self, ttl_s: float) -> int:
        """The next number, once the gate is open."""
        assert ttl_s == TTL_S
        await self.gate.wait()
        self.granted += 1
        self.alive.add(self.granted)
        return self.granted

    async def renew(self, lease: int, *, timeout_s: float) -> None:
        """NotFound when it has ended."""
        assert timeout_s > 0
        if lease not in self.alive:
            raise NotFound("no such lease")

    async def revoke(self, lease: int, *, timeout_s: float) -> None:
        """With its keys, once that is let through."""
        assert timeout_s > 0
        await self.ends.wait()
        self.alive.discard(lease)
        self.keys = {key: found for key, found in self.keys.items() if int(key.rpartition("/")[2], 16) != lease}

    async def txn(self, _when: list[object], then: list[Put]) -> Answered:
        """The puts; their revision is that of the lease."""
        for put in then:
            self.keys[put.key] = Found(put.key, put.value, self.granted)
        return Answered(True, self.granted, [])

    async def list(self, prefix: str, *, limit: int) -> Page:
        """All of them."""
        assert limit
        self.lists.set()
        found = [one for key, one in self.keys.items() if key.startswith(prefix)]
        return Page(found, "", self.granted)

    async def watch(self, key: str, *, after: int) -> AsyncIterator[Update]:
        """Nothing ever comes of it."""
        assert key
        assert after

        async def updates() -> AsyncIterator[Update]:
            await asyncio.Event().wait()
            yield Update(after, ())

        return updates()


def lock_of(store: Leases) -> Lock:
    """A lock over the store."""
    return Lock(cast(KeyValue, store), "shared", ttl_s=TTL_S, value=b"")


async def lose(store: Leases, held: Lock | Lease) -> None:
    """Hold it until the store has ended its lease, the first."""
    async with held:
        await store.revoke(1, timeout_s=TTL_S)
        await asyncio.Event().wait()


async def test_a_lock_that_is_held_is_not_entered_by_another_task() -> None:
    """Used as an asyncio.Lock is, it would let all of them in with one token: it says what to do instead."""
    store = Leases()
    lock = lock_of(store)

    async def other() -> None:
        async with lock:
            raise AssertionError("two are in it")

    async with lock:
        key, token = lock.key, lock.token
        for _ in range(2):
            with pytest.raises(RuntimeError, match=r"entered already.*make one Lock.*client\.lock\(") as refused:
                await asyncio.create_task(other())
            assert "\n" not in str(refused.value)
        assert (lock.key, lock.token, lock.is_held) == (key, token, True)
        assert store.granted == 1
    assert not store.alive


async def test_a_lock_that_is_waited_for_is_not_entered_either() -> None:
    """Before it has its lease, too; and whoever gives up leaves it free to enter."""
    store = Leases()
    store.gate.clear()
    lock = lock_of(store)
    first = asyncio.create_task(lock.__aenter__())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="entered already"):
        await lock.__aenter__()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    store.gate.set()
    async with lock:
        assert lock.is_held
    assert not store.alive


async def test_a_lock_that_was_lost_can_be_taken_again() -> None:
    """`while True: try: async with lock: ... except LeaseLost: continue`: the second round is like the first."""
    store = Leases()
    lock = lock_of(store)
    with pytest.raises(LeaseLost, match="lease 1 has ended"):
        await lose(store, lock)
    async with lock:
        assert (lock.is_held, lock.token) == (True, 2)
        assert store.alive == {2}
    assert not store.alive


async def test_a_lease_keeps_the_same_two_rules() -> None:
    """As the lock that hangs on it."""
    store = Leases()
    lease = Lease(cast(KeyValue, store), TTL_S)
    with pytest.raises(LeaseLost, match="lease 1 has ended"):
        await lose(store, lease)
    async with lease:
        with pytest.raises(RuntimeError, match="entered already"):
            await lease.__aenter__()
        assert (lease.id, lease.is_held) == (2, True)
    assert not store.alive


async def test_a_lock_is_held_by_none_who_waits_for_it() -> None:
    """The lease of who waits is good, and the lock is another's: also for an object that had it before."""
    store = Leases()
    waits = lock_of(store)
    assert [waits.is_held] == [False]
    async with waits:
        assert [waits.is_held] == [True]
    async with lock_of(store) as held:
        store.lists.clear()
        waiting = asyncio.create_task(waits.__aenter__())
        await store.lists.wait()
        assert (waits.is_held, held.is_held) == (False, True)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert not store.alive


async def test_what_is_being_left_is_held_no_more() -> None:
    """From the first moment on: whether the server has it ended yet is not known, and the time to live is not over."""
    store = Leases()
    for made in (lock_of(store), Lease(cast(KeyValue, store), TTL_S)):
        await made.__aenter__()
        seen = [made.is_held]
        store.ends.clear()
        leaving = asyncio.create_task(made.__aexit__(None, None, None))
        await asyncio.sleep(0)
        seen.append(made.is_held)
        store.ends.set()
        await leaving
        assert [*seen, made.is_held] == [True, False, False]
    assert not store.alive
