"""Servers that stand still and come back, under load: a stopped process is the worst kind of slow."""

from __future__ import annotations

import pytest

from tests.chaos.story import chaos
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]


def test_the_leader_is_stopped_and_comes_back(cluster: Cluster, seed: int) -> None:
    """SIGSTOP of the leader: another one takes over, and the old one serves nobody from the past when it goes on."""
    with chaos(cluster, seed) as story:
        for _ in story.rounds():
            old = cluster.leader()
            others = [server for server in cluster.servers if server is not old]
            term = old.status()["term"]
            old.pause()
            story.recovered("leader stopped")
            new = cluster.leader(others)
            assert new.status()["term"] > term
            others[0].put("while-stopped", f"by {new} in place of {old}")
            story.load.more(story.rng.randint(10, 200))
            old.resume()
            # Its very first answers count: a leader that slept must not answer from what it had.
            assert old.get("while-stopped") == f"by {new} in place of {old}".encode()
            cluster.agree()
            others[0].delete("while-stopped")


def test_a_follower_is_stopped_and_comes_back(cluster: Cluster, seed: int) -> None:
    """SIGSTOP of a follower until the others hold it for failed: no new term, and it catches up when it goes on."""
    with chaos(cluster, seed) as story:
        for _ in story.rounds():
            leader = cluster.leader()
            term = leader.status()["term"]
            follower = story.rng.choice(cluster.followers())
            follower.pause()
            story.recovered("follower stopped")
            leader.wait_member(follower, "suspect", "failed")
            follower.resume()
            cluster.agree()
            assert leader.status()["term"] == term, "a follower that comes back deposes nobody"
