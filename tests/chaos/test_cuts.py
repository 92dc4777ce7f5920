"""Links that lose everything, both ways or one way, and are mended again, under load."""

from __future__ import annotations

import pytest

from tests.chaos.story import chaos
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]


def test_the_leader_is_cut_off(cluster: Cluster, seed: int) -> None:
    """A leader without a majority stops serving; the majority elects another; afterwards all are one cluster again."""
    with chaos(cluster, seed) as story:
        for _ in story.rounds():
            old = cluster.leader()
            others = [server for server in cluster.servers if server is not old]
            cluster.isolate(old)
            cluster.leader(others)
            old.wait_status("it steps down", lambda said: said["role"] != "leader")
            story.recovered("leader cut off")
            cluster.heal()
            cluster.agree()


def test_a_follower_is_cut_off(cluster: Cluster, seed: int) -> None:
    """A follower that heard nobody for a while deposes nobody when it hears them again: it asks before it votes."""
    with chaos(cluster, seed) as story:
        for _ in story.rounds():
            leader = cluster.leader()
            follower = story.rng.choice(cluster.followers())
            cluster.isolate(follower)
            term = leader.status()["term"]
            follower.wait_status("it misses its leader", lambda said: not said["leader"])
            story.load.more(100)
            cluster.heal()
            cluster.agree()
            assert leader.status()["term"] == term
            story.recovered("follower cut off and healed")


def test_links_are_cut_one_way(cluster: Cluster, seed: int) -> None:
    """What the leader sends to one server is lost, or what that server sends to it: the cluster serves on."""
    with chaos(cluster, seed) as story:
        for number in story.rounds():
            for sends_nothing in (True, False):
                leader = cluster.leader()
                follower = story.rng.choice(cluster.followers())
                one, other = (leader, follower) if sends_nothing else (follower, leader)
                cluster.cut(one, other, one_way=True)
                story.load.more(100)
                story.recovered(f"{one} unheard by {other}, round {number}")
                cluster.heal()
                cluster.agree()


@pytest.mark.long
def test_the_leader_hears_nobody(cluster: Cluster, seed: int) -> None:
    """A leader whom all hear and that hears none gets no majority's answer: it steps down, and another one leads."""
    with chaos(cluster, seed) as story:
        for _ in story.rounds():
            old = cluster.leader()
            others = [server for server in cluster.servers if server is not old]
            for other in others:
                cluster.cut(other, old, one_way=True)
            old.wait_status("it steps down", lambda said: said["role"] != "leader")
            cluster.leader(others)
            story.recovered("leader deaf")
            cluster.heal()
            cluster.agree()
