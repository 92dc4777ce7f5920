"""Leases and locks on real servers: one holder at a time, first come first served, whoever dies."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from quorate import Client, LeaseLost, Lock, NotFound, Put
from tests.support.cluster import Cluster
from tests.support.command import PROGRAM, environment
from tests.support.waiting import DEADLINE_S

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

TTL_S = 2.0


def addresses(cluster: Cluster) -> list[str]:
    """All servers."""
    return [server.address for server in cluster.servers]


def lease_of(lock: Lock) -> int:
    """The lease that a lock hangs on."""
    return int(lock.key.rpartition("/")[2], 16)


async def until(what: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something that a server knows."""
    for _ in range(1_200):
        if await what():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come about within a minute")


async def test_a_lock_is_held_by_one_and_passed_on_in_order(shared: Cluster) -> None:
    """Each waits for the one before; tokens rise; nobody is left in the queue."""
    order: list[int] = []
    held: list[int] = []
    tokens: list[int] = []

    async with Client(*addresses(shared)) as client, Client(*reversed(addresses(shared))) as other:

        async def worker(number: int) -> None:
            async with (client if number % 2 else other).lock("passed on", value=str(number)) as lock:
                held.append(number)
                assert held == [number]
                order.append(number)
                tokens.append(lock.token)
                holder = await client.holder("passed on")
                assert holder is not None
                assert (holder.value, holder.revision) == (str(number).encode(), lock.token)
                held.remove(number)

        workers = []
        for number in range(6):
            workers.append(asyncio.create_task(worker(number)))
            await until(lambda number=number: queued(client, "passed on", number, order))  # type: ignore[misc]
        await asyncio.gather(*workers)
        assert await client.holder("passed on") is None

    assert order == sorted(order)
    assert tokens == sorted(set(tokens))


async def queued(client: Client, name: str, number: int, order: list[int]) -> bool:
    """Whether a worker is in the queue, or has been."""
    page = await client.kv.list(f"lock/{name.replace(' ', '%20')}/")
    return number in order or any(item.value == str(number).encode() for item in page.items)


async def test_a_lease_that_nobody_renews_takes_its_keys_along(shared: Cluster) -> None:
    """Not before its time, and on every server; also while nobody writes anything."""
    async with Client(*addresses(shared)) as client:
        lease = await client.kv.grant(TTL_S)
        began = asyncio.get_running_loop().time()
        await client.kv.put("leased/key", "x", lease=lease)
        assert (await client.kv.lease(lease)).keys == 1

        async def is_gone() -> bool:
            return await client.kv.get("leased/key") is None

        await until(is_gone)
        assert asyncio.get_running_loop().time() - began >= TTL_S * 0.9
        with pytest.raises(NotFound):
            await client.kv.renew(lease)


async def test_a_lock_outlives_the_leader(cluster: Cluster) -> None:
    """The lease is kept alive across the election: the next leader renews it, and the lock is held all the time."""
    cluster.form(3)
    async with Client(*addresses(cluster), timeout_s=20) as client:
        async with client.lock("kept", ttl_s=4.0) as lock:
            await asyncio.to_thread(cluster.leader().kill)
            left_ms: list[int] = []

            async def is_renewed() -> bool:
                # By the log's time: each write that it carries takes some of it, and only a renewal gives it back.
                answer = await client.kv.txn([lock.guard()], [Put("guarded", b"mine")])
                assert answer.succeeded
                left_ms.append((await client.kv.lease(lease_of(lock))).left_ms)
                return left_ms[-1] > min(left_ms)

            await until(is_renewed)
            assert lock.is_held
        assert await client.holder("kept") is None


async def test_a_lock_that_is_taken_away_ends_the_work_under_it(shared: Cluster) -> None:
    """The body is cancelled, and what it was guarding is safe from it: the token does not fit any more."""
    async with Client(*addresses(shared)) as client:

        async def work() -> None:
            async with client.lock("taken", ttl_s=TTL_S) as lock:
                await client.kv.delete(lock.key)
                answer = await client.kv.txn([lock.guard()], [Put("guarded/taken", b"late")])
                assert not answer.succeeded
                await client.kv.revoke(lease_of(lock))
                await asyncio.Event().wait()

        with pytest.raises(LeaseLost):
            await work()
        assert await client.kv.get("guarded/taken") is None


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGTERM, 143, b""), (signal.SIGHUP, 129, b""), (signal.SIGINT, 130, b"interrupted\n")],
)
def test_a_command_does_not_outlive_the_lock_it_runs_under(
    shared: Cluster, number: signal.Signals, code: int, said: bytes
) -> None:
    """Whatever ends `lock` ends its command too, and the lock is free at once: nobody waits for a time to live."""
    one = shared.servers[0]
    command = [*PROGRAM, "lock", "ended", "--address", one.address, "--ttl", "600", "--"]
    work = ["sh", "-c", "echo at work; exec sleep 600"]
    with subprocess.Popen(
        [*command, *work], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), start_new_session=True
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"at work\n"
            if number is signal.SIGINT:
                # A terminal tells all that run in it.
                os.killpg(holder.pid, number)
            else:
                holder.send_signal(number)
            # To the end of what both may write to: the command's end, too.
            _, err = holder.communicate(timeout=DEADLINE_S)
            assert (holder.returncode, err) == (code, said)
            assert one.cli("kv", "list", "lock/ended/", "--format", "json").json["items"] == []
        finally:
            with suppress(ProcessLookupError):
                os.killpg(holder.pid, signal.SIGKILL)
