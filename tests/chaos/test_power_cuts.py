"""Every server killed at once, or a majority: what was acknowledged is on the disks."""

from __future__ import annotations

import pytest

from tests.chaos.story import chaos
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]


def test_all_servers_are_killed_at_once(cluster: Cluster, seed: int) -> None:
    """SIGKILL of all three within a moment, and the same command lines again: one cluster, nothing lost."""
    with chaos(cluster, seed) as story:
        for _ in story.rounds():
            for server in story.rng.sample(cluster.servers, 3):
                server.kill()
            for server in story.rng.sample(cluster.servers, 3):
                server.start()
            story.recovered("all killed and started again")
            cluster.agree()


def test_a_majority_is_killed(cluster: Cluster, seed: int) -> None:
    """Two of three die: the third serves nobody alone, and with one of them back the cluster does."""
    with chaos(cluster, seed) as story:
        for _ in story.rounds():
            first, second, alone = story.rng.sample(cluster.servers, 3)
            first.kill()
            second.kill()
            alone.wait_status("it knows that it has no quorum", lambda said: not said["quorum"])
            before = story.load.writes
            assert alone.status()["role"] != "leader"
            assert story.load.writes == before, "nothing is acknowledged without a majority"
            first.start()
            story.recovered("one of two started again")
            second.start()
            cluster.agree()
