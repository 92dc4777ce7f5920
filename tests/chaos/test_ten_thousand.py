"""Ten thousand acknowledged writes over two killed leaders, and then everything killed at once."""

from __future__ import annotations

import pytest

from tests.chaos.story import chaos
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

WRITES = 10_000
KILLS = 2


def test_ten_thousand_writes_survive(cluster: Cluster, seed: int) -> None:
    """No acknowledged key is missing on any server, after two SIGKILLs of the leader and after one of everybody."""
    with chaos(cluster, seed) as story:
        for _ in range(KILLS):
            story.load.more(WRITES // (KILLS + 1))
            leader = cluster.leader()
            leader.kill()
            story.recovered("leader killed")
            leader.start()
            cluster.agree()
        story.load.more(WRITES - KILLS * (WRITES // (KILLS + 1)))
        for server in cluster.servers:
            server.kill()
        for server in cluster.servers:
            server.start()
        cluster.agree()
        story.recovered("all killed")
