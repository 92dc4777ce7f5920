"""Two processes fight for a lock while its holders are stopped: what the token guards never goes wrong.

Kyle Kingsbury's finding about etcd's locks (Jepsen, 2020) is that a paused holder goes on as if it held the lock.  It
does here too; its writes come to nothing, since their token is not the present one's.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.chaos.story import rounds_wanted
from tests.support.cluster import Cluster
from tests.support.command import ROOT
from tests.support.lock_worker import COUNTER, TTL_S
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

STOPS_A_ROUND = 2
STOP_S = (1.2 * TTL_S, 2.5 * TTL_S)


class Fighter:
    """One process, stopped and continued."""

    def __init__(self, cluster: Cluster, number: int, folder: Path, stack: ExitStack) -> None:
        self._out = folder / f"fighter-{number}.txt"
        err = stack.enter_context((folder / f"fighter-{number}.log").open("wb"))
        addresses = [server.address for server in cluster.servers]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.lock_worker", *addresses],
            stdout=stack.enter_context(self._out.open("wb")),
            stderr=err,
            cwd=ROOT,
        )
        stack.callback(self._kill)

    @property
    def increments(self) -> list[tuple[int, int]]:
        """(token, count) of what was acknowledged to it."""
        lines = self._out.read_text().splitlines(keepends=True)
        return [(int(token), int(count)) for token, count in (line.split() for line in lines if line.endswith("\n"))]

    def _kill(self) -> None:
        self.process.kill()
        self.process.wait()


def test_two_fight_for_a_lock(cluster: Cluster, seed: int, tmp_path: Path) -> None:
    """Whoever was told of an increment made it: each count once, and the tokens of later counts are never lower."""
    cluster.form(3)
    rng = random.Random(seed)
    with ExitStack() as stack:
        fighters = [Fighter(cluster, number, tmp_path, stack) for number in range(2)]
        for _ in range(STOPS_A_ROUND * rounds_wanted()):
            holder = stop_the_holder(fighters)
            time.sleep(rng.uniform(*STOP_S))
            wait_until("the other one gets the lock", partial(has_more_than, fighters, len(increments(fighters)) + 3))
            holder.process.send_signal(signal.SIGCONT)
        done = increments(fighters)

    counts = [count for count, _ in done]
    assert counts == sorted(set(counts)), "an increment was made twice"
    assert [token for _, token in done] == sorted(token for _, token in done)
    found = int(cluster.leader().get(COUNTER) or b"0")
    # The last one may have been made although nobody was told of it before the fighters were killed.
    unheard = found - len(counts)
    assert max(counts) <= found
    assert unheard <= len(set(range(1, found + 1)) - set(counts))
    print(f"{len(counts)} increments under {len({token for _, token in done})} holders; the counter is {found}")


def stop_the_holder(fighters: list[Fighter]) -> Fighter:
    """SIGSTOP whoever makes the next increment."""
    before = {fighter: len(fighter.increments) for fighter in fighters}
    holder = wait_until(
        "somebody counts", lambda: next((one for one in fighters if len(one.increments) > before[one]), None)
    )
    holder.process.send_signal(signal.SIGSTOP)
    return holder


def has_more_than(fighters: list[Fighter], count: int) -> bool:
    """Whether so many increments were made, and one more."""
    return len(increments(fighters)) > count


def increments(fighters: list[Fighter]) -> list[tuple[int, int]]:
    """(count, token) of all, by count."""
    return sorted((count, token) for fighter in fighters for token, count in fighter.increments)
