"""Two processes fight for a lock while holders are stopped and killed, and leaders too: no token lets an old holder in.

Kyle Kingsbury's finding about etcd's locks (Jepsen, 2020) is that a paused holder goes on as if it held the lock.  It
does here too; its writes come to nothing, since their token is not the present one's.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from tests.chaos.fight import Fight
from tests.chaos.judged import HISTORY_FILE, judged
from tests.chaos.story import everything_at_once, rounds_wanted
from tests.histories.__main__ import main
from tests.histories.promises import LockPromise
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

STOPS_A_ROUND = 2
WHILE_STOPPED_MAX = 60
"""How many increments others make at most before a stopped holder goes on: some of their holds, or a part of one."""
KILLED_SHARE = 0.25


def test_two_fight_for_a_lock(cluster: Cluster, seed: int, tmp_path: Path) -> None:
    """The counter they guard never goes wrong; every second time the leader goes down while the holder is stopped."""
    cluster.form(3)
    with Fight(cluster, tmp_path) as fight:
        stop_holders(cluster, fight, random.Random(seed))
        history = fight.told()
    judged(history, tmp_path)


@pytest.mark.long
def test_a_counter_without_a_guard_is_found_out(cluster: Cluster, seed: int, tmp_path: Path) -> None:
    """The same fight about a counter that asks for no token: the checker sees what stopped holders do to it."""
    cluster.form(3)
    with Fight(cluster, tmp_path, "open") as fight:
        stop_holders(cluster, fight, random.Random(seed))
        history = fight.told()

    with pytest.raises(AssertionError, match=r"python -m tests\.histories ") as raised:
        judged(history, tmp_path)
    broken = {line.partition(":")[0] for line in str(raised.value).splitlines()}
    assert broken >= {LockPromise.FENCED.value, LockPromise.OVER.value}
    assert main([str(tmp_path / HISTORY_FILE)]) == 1


@pytest.mark.long
def test_a_fight_under_everything_at_once(cluster: Cluster, seed: int, tmp_path: Path) -> None:
    """Links cut, actors and servers killed, all at once too, leads handed over: no lease ends before its time."""
    cluster.form(3)
    with Fight(cluster, tmp_path) as fight:
        fight.bystander.more(1)
        everything_at_once(cluster, seed)
        fight.bystander.more(1)
        history = fight.told()
    judged(history, tmp_path)


def stop_holders(cluster: Cluster, fight: Fight, rng: random.Random) -> None:
    """As many as rounds are wanted, one after the other."""
    for number in range(STOPS_A_ROUND * rounds_wanted()):
        holder = fight.stop_the_holder()
        with leader_down(cluster, rng) if number % 2 else nullcontext():
            fight.passed_on(holder)
            fight.bystander.more(rng.randint(0, WHILE_STOPPED_MAX))
            if rng.random() < KILLED_SHARE:
                fight.replace(holder)
            else:
                holder.go_on()


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
