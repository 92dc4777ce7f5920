"""Clusters that grow, shrink and are replaced server by server, under load, while servers are killed.

Beside the verdict on what was written (tests/support/verdict.py), a lookout holds at every moment that the voters that
run are a majority, and that nobody is shown as failed to whom nothing was done.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.chaos.story import Story, chaos
from tests.support.cluster import Cluster
from tests.support.lookout import Lookout
from tests.support.server import Server
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

LEAVE_TIMEOUT_S = 20.0
IS_LONG = "QUORATE_CHAOS_ROUNDS" in os.environ
ROUNDS = range(int(os.environ.get("QUORATE_CHAOS_ROUNDS", "1")))
"""Each with a cluster of its own: every server that joins has another port."""


class Changes:
    """A story in which servers come and go."""

    def __init__(self, story: Story, lookout: Lookout) -> None:
        self.story = story
        self.cluster = story.cluster
        self._lookout = lookout
        self._count = len(story.cluster.servers)

    @contextmanager
    def killing(self, *, spare: Server) -> Iterator[None]:
        """Another server is killed meanwhile, the leader rather than others, and then started again."""
        cluster, rng = self.cluster, self.story.rng
        leader = cluster.leader()
        others = [server for server in cluster.running if server is not spare]
        victim = leader if leader in others and rng.random() < 0.6 else rng.choice(others)
        with self._lookout.down(victim):
            victim.kill()
            yield
            self.story.recovered(f"{victim} killed")
            victim.start()
            cluster.agree()

    def grow(self) -> Server:
        """One more server joins, and becomes a voter though somebody is killed as it comes."""
        joiner = self.cluster.add(join=self.story.rng.choice(self.cluster.running), index=self._count)
        self._count += 1
        joiner.start()
        if self.story.rng.random() < 0.5:
            joiner.wait_log("joined cluster")
        with self.killing(spare=joiner):
            pass
        return joiner

    def shrink(self, leaver: Server) -> None:
        """A server leaves for good."""
        self.cluster.servers.remove(leaver)
        wait_until(f"{leaver} leaves", lambda: self._left(leaver))
        assert leaver.wait_exit() == 0
        self.cluster.agree()

    @staticmethod
    def _left(leaver: Server) -> bool:
        return bool(leaver.ask("leave", timeout_s=LEAVE_TIMEOUT_S)["left"])


@contextmanager
def changing(cluster: Cluster, seed: int) -> Iterator[Changes]:
    """Three servers under load and on the lookout; in the end everything is judged."""
    with chaos(cluster, seed) as story:
        with Lookout(cluster) as lookout:
            story.load.more(100)
            yield Changes(story, lookout)
            story.load.more(100)
        print(f"{lookout.sights} sights, voters: {sorted(lookout.voters)}")
        assert lookout.sights, "the lookout saw nothing"
        assert not lookout.false_failures
        assert not lookout.endangered


@pytest.mark.long
@pytest.mark.parametrize("_round", ROUNDS)
def test_three_become_five_become_three_others(cluster: Cluster, seed: int, _round: int) -> None:
    """3 → 5 → 3: two join while others are killed, two of the first three leave while others are killed. Then the last
    one of these is replaced too; for long, all three are once more, one by one.
    """
    with changing(cluster, seed) as changes:
        first, second, third = changes.story.rng.sample(cluster.servers, 3)
        changes.grow()
        changes.grow()
        for leaver in (first, second):
            with changes.killing(spare=leaver):
                changes.shrink(leaver)
        for old in cluster.servers[:] if IS_LONG else [third]:
            changes.grow()
            changes.shrink(old)
        assert not {first, second, third} & set(cluster.servers)
