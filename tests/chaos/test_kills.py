"""Servers that die without a word, under load."""

from __future__ import annotations

import pytest

from tests.chaos.story import chaos
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

FAILOVER_MAX_S = 10.0
"""The promise is 2 s (median); this is for a busy machine."""


def test_the_leader_is_killed(cluster: Cluster, seed: int) -> None:
    """SIGKILL of the leader: writes go on without it, nothing is lost, and it comes back with the same line."""
    with chaos(cluster, seed) as story:
        for _ in story.rounds():
            leader = cluster.leader()
            leader.kill()
            assert story.recovered("leader killed") < FAILOVER_MAX_S
            story.load.more(50)
            leader.start()
            cluster.agree()


@pytest.mark.long
def test_the_leader_is_killed_twice_in_a_row(cluster: Cluster, seed: int) -> None:
    """The successor dies too, as soon as the first victim is back: its copy has to be good for the majority."""
    with chaos(cluster, seed) as story:
        for _ in story.rounds():
            first = cluster.leader()
            first.kill()
            story.recovered("leader killed")
            first.start()
            cluster.agree()
            second = cluster.leader()
            second.kill()
            story.recovered("its successor killed")
            second.start()
            cluster.agree()


def test_a_follower_is_killed(cluster: Cluster, seed: int) -> None:
    """SIGKILL of a follower: nobody waits for it; it comes back and catches up."""
    with chaos(cluster, seed) as story:
        for _ in story.rounds():
            follower = story.rng.choice(cluster.followers())
            follower.kill()
            story.recovered("follower killed")
            story.load.more(100)
            follower.start()
            cluster.agree()


@pytest.mark.long
def test_a_joiner_comes_while_the_leader_dies(cluster: Cluster, seed: int) -> None:
    """A fourth server joins at the moment the leader is killed: it becomes a voter of the cluster all the same."""
    with chaos(cluster, seed) as story:
        for _ in story.rounds():
            leader = cluster.leader()
            joiner = cluster.add(join=story.rng.choice(cluster.followers()))
            joiner.start()
            if story.rng.random() < 0.5:
                joiner.wait_log("joined cluster")
            leader.kill()
            story.recovered("leader killed while a server joins")
            leader.start()
            cluster.agree()
            assert joiner.ask("leave", timeout_s=20.0)["left"]
            assert joiner.wait_exit() == 0
            cluster.servers.remove(joiner)
            cluster.agree()
