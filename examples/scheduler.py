"""A job scheduler with one leader: a lock says who leads, and its token keeps a leader of the past from doing harm.

    python examples/scheduler.py                                  # the demonstration: servers, schedulers and faults
    python examples/scheduler.py work NAME HOST:PORT [HOST:PORT]  # one scheduler, for a cluster that runs

The demonstration stops the leader (SIGSTOP) in the midst of a job and kills a server.  Another scheduler takes over.
When the first goes on it still believes that it leads: what it writes is refused, for it writes with `lock.guard()`.
"""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from examples.three_servers import PATIENCE_S, quorate_servers, start_process, until
from quorate import Client, Compare, LeaseLost, Put

JOBS = 12
JOB_S = 0.1
LOCK = "scheduler"
LOCK_TTL_S = 1.0
WAITING = b"waiting"


async def work(name: str, addresses: list[str]) -> None:
    """Be a scheduler: wait for the lead, and run the jobs that wait for as long as it lasts."""
    async with Client(*addresses, timeout_s=PATIENCE_S) as client:
        while True:
            with suppress(LeaseLost):
                async with client.lock(LOCK, ttl_s=LOCK_TTL_S, value=name) as lock:
                    say(f"{name} leads, with token {lock.token}")
                    await lead(client, name, lock.token, lock.guard())
            say(f"{name} leads no more")


async def lead(client: Client, name: str, token: int, guard: Compare) -> None:
    """Run job after job; each is done at the same time as it is noted that it was, or not at all."""
    while True:
        page = await client.kv.list("job/")
        job = next((item.key for item in page.items if item.value == WAITING), None)
        await asyncio.sleep(JOB_S)  # the work itself
        if job is None:
            continue
        answer = await client.kv.txn(
            [guard, Compare(job, "value", "==", WAITING)], [Put(job, f"done by {name} with token {token}".encode())]
        )
        if not answer.succeeded:
            say(f"{name} was refused to finish {job}: token {token} is of the past")
            return


def say(line: str) -> None:
    """At once, since this process may be stopped at any moment."""
    print(line, flush=True)


async def done(client: Client) -> list[str]:
    """What has become of the jobs that are done."""
    return [item.value.decode() for item in (await client.kv.list("job/")).items if item.value != WAITING]


async def has_done(client: Client, count: int) -> bool:
    """Whether so many jobs are done."""
    return len(await done(client)) >= count


async def has_said(log: Path, line: str) -> bool:
    """Whether a scheduler has said something."""
    return line in (await asyncio.to_thread(log.read_text, "utf-8")).splitlines()


async def demonstrate() -> None:
    """Two schedulers, of which the leader is stopped half way, and three servers, of which one is killed."""
    with ExitStack() as stack:
        servers = stack.enter_context(quorate_servers())
        log = Path(stack.enter_context(TemporaryDirectory(prefix="quorate-example-"))) / "schedulers.log"
        async with Client(*servers.addresses, timeout_s=PATIENCE_S) as client:
            await client.kv.put_many({f"job/{number:02}": WAITING for number in range(JOBS)}, timeout_s=PATIENCE_S)
            schedulers = {name: scheduler(stack, name, servers.addresses, log) for name in ("ann", "bob")}

            await until(partial(has_done, client, JOBS // 3))
            holder = await client.holder(LOCK)
            assert holder is not None, "a job was done, so somebody leads"
            first = holder.value.decode()
            schedulers[first].send_signal(signal.SIGSTOP)
            servers.kill(0)

            await until(partial(has_done, client, JOBS))
            schedulers[first].send_signal(signal.SIGCONT)
            await until(partial(has_said, log, f"{first} leads no more"))
            outcomes = await done(client)
        print(log.read_text("utf-8"), end="")
        print(f"{first} was stopped at its work, and server 0 was killed; {JOBS} jobs were done, each once:")
        for outcome in dict.fromkeys(outcomes):
            print(f"{outcomes.count(outcome):4} {outcome}")
        assert len(set(outcomes)) == 2


def scheduler(stack: ExitStack, name: str, addresses: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start one as a process of its own, that ends with the demonstration."""
    process = start_process(__file__, "work", name, *addresses, log=log)
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        asyncio.run(work(sys.argv[2], sys.argv[3:]))
    else:
        asyncio.run(demonstrate())
