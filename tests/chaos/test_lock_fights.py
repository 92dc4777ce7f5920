"""Two processes fight for a lock while holders are stopped and killed, and leaders too: no token lets an old holder in.

Kyle Kingsbury's finding about etcd's locks (Jepsen, 2020) is that a paused holder goes on as if it held the lock.  It
does here too; its writes come to nothing, since their token is not the present one's.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path

import pytest

from tests.chaos.bystander import Bystander
from tests.chaos.judged import HISTORY_FILE, judged
from tests.chaos.story import rounds_wanted
from tests.histories.__main__ import main
from tests.histories.journal import merged, read_journal
from tests.histories.promises import LockPromise
from tests.linearizability.history import History
from tests.linearizability.operation import Operation
from tests.support.cluster import Cluster
from tests.support.command import ROOT
from tests.support.lock_worker import COUNTER
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

STOPS_A_ROUND = 2
WHILE_STOPPED_MAX = 60
"""How many increments others make at most before a stopped holder goes on: some of their holds, or a part of one."""
KILLED_SHARE = 0.25


class Fighter:
    """One process, stopped and continued, or killed."""

    def __init__(self, cluster: Cluster, name: str, door: str, folder: Path, stack: ExitStack) -> None:
        self.name = name
        self._journal = folder / f"{name}.jsonl"
        addresses = [server.address for server in cluster.servers]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.lock_worker", name, door, *addresses],
            stdout=stack.enter_context(self._journal.open("wb")),
            stderr=stack.enter_context((folder / f"{name}.log").open("wb")),
            cwd=ROOT,
        )
        stack.callback(self.kill)

    def kill(self) -> None:
        """End it in the midst of what it does."""
        self.process.kill()
        self.process.wait()

    def journal(self) -> list[Operation]:
        """What it asked for and was told."""
        return read_journal(self._journal)


def test_two_fight_for_a_lock(cluster: Cluster, seed: int, tmp_path: Path) -> None:
    """The counter they guard never goes wrong; every second time the leader goes down while the holder is stopped."""
    judged(fight(cluster, random.Random(seed), tmp_path, "guarded"), tmp_path)


@pytest.mark.long
def test_a_counter_without_a_guard_is_found_out(cluster: Cluster, seed: int, tmp_path: Path) -> None:
    """The same fight about a counter that asks for no token: the checker sees what stopped holders do to it."""
    with pytest.raises(AssertionError, match=r"python -m tests\.histories ") as raised:
        judged(fight(cluster, random.Random(seed), tmp_path, "open"), tmp_path)

    broken = {line.partition(":")[0] for line in str(raised.value).splitlines()}
    assert broken >= {LockPromise.FENCED.value, LockPromise.OVER.value}
    assert main([str(tmp_path / HISTORY_FILE)]) == 1


def fight(cluster: Cluster, rng: random.Random, folder: Path, door: str) -> History:
    """Two that fight for a lock, as long as rounds are wanted; what everybody was told."""
    cluster.form(3)
    began = time.monotonic()
    with ExitStack() as stack:
        bystander = stack.enter_context(Bystander([server.address for server in cluster.servers]))
        everybody = [Fighter(cluster, f"fighter-{number}", door, folder, stack) for number in range(2)]
        for number in range(STOPS_A_ROUND * rounds_wanted()):
            holder = stop_the_holder(bystander, everybody)
            with leader_down(cluster, rng) if number % 2 else nullcontext():
                wait_until("another one gets the lock", partial(is_counted_by_others, bystander, holder))
                bystander.more(rng.randint(0, WHILE_STOPPED_MAX))
                if rng.random() < KILLED_SHARE:
                    holder.kill()
                    everybody.append(Fighter(cluster, f"fighter-{len(everybody)}", door, folder, stack))
                else:
                    holder.process.send_signal(signal.SIGCONT)
        for fighter in everybody:
            fighter.kill()
        cluster.agree()
        _, revision = cluster.same_state()[COUNTER]
        bystander.reached(revision)
    print(f"{len(bystander.seen)} increments of {len(everybody)} processes in {time.monotonic() - began:.0f} s")
    return merged(bystander.history(), *(fighter.journal() for fighter in everybody))


@contextmanager
def leader_down(cluster: Cluster, rng: random.Random) -> Iterator[None]:
    """Kill or stop the leader, and bring it back."""
    leader = cluster.leader()
    is_killed = rng.random() < 0.5
    if is_killed:
        leader.kill()
    else:
        leader.pause()
    yield
    if is_killed:
        leader.start()
    else:
        leader.resume()
    cluster.agree()


def stop_the_holder(bystander: Bystander, fighters: list[Fighter]) -> Fighter:
    """SIGSTOP whoever makes the next increment."""
    bystander.more(1)
    holder = next(one for one in fighters if is_by(bystander.seen[-1], one))
    holder.process.send_signal(signal.SIGSTOP)
    return holder


def is_by(value: str, fighter: Fighter) -> bool:
    """Whether a fighter wrote this value of the counter."""
    return value.split()[2].startswith(f"{fighter.name}.")


def is_counted_by_others(bystander: Bystander, holder: Fighter) -> bool:
    """Whether somebody else has made the last increment."""
    return not is_by(bystander.seen[-1], holder)
