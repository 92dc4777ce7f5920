"""Servers whose event loop stands still for long, one or all at once: nobody is given up, and soon all is well again.

`make chaos` stops them for the 30 seconds of the promise, `make test` for a few; both are long enough for the others to
hold a silent server for failed.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence

import pytest

from tests.chaos.story import Story, chaos
from tests.support.cluster import Cluster
from tests.support.server import Server
from tests.support.waiting import pass_time

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

IS_LONG = "QUORATE_CHAOS_ROUNDS" in os.environ
STALL_S = 30.0 if IS_LONG else 4.0
WHOLE_MAX_S = 10.0
FAILED_LINE = re.compile(r"quorate\.gossip: (\S+) at \S+ is failed")
SIZES = (3, 5) if IS_LONG else (3,)


def stall(story: Story, stopped: Sequence[Server], what: str) -> None:
    """Stop servers for the time, let them go on, and wait until the cluster is whole."""
    cluster = story.cluster
    voters = {server.name for server in cluster.servers}
    others = [server for server in cluster.servers if server not in stopped]
    failed_before = _failed(cluster)
    for server in stopped:
        server.pause()
    pass_time(STALL_S)
    for other in others:
        assert set(other.status()["voters"]) == voters, f"{other} has other voters while {stopped} stand still"
        for server in stopped:
            other.wait_member(server, "failed")  # or the stall was too short to matter
    for server in stopped:
        server.resume()
    took_s = cluster.agree()
    print(f"{what} stopped for {STALL_S:g} s: whole again after {took_s:.2f} s")
    assert took_s < WHOLE_MAX_S
    # Whoever stood still together saw nobody fail: it was nobody else's silence.
    blamed = _failed(cluster) - failed_before
    assert set(blamed) == ({server.name for server in stopped} if others else set())
    for server in cluster.servers:
        assert set(server.status()["voters"]) == voters
        assert ": removing: " not in server.log_text()


def _failed(cluster: Cluster) -> Counter[str]:
    """How often each server was shown as failed by any."""
    return Counter(name for server in cluster.servers for name in FAILED_LINE.findall(server.log_text()))


@pytest.mark.long
@pytest.mark.parametrize("size", SIZES)
def test_stalls_cost_nobody_its_place(cluster: Cluster, seed: int, size: int) -> None:
    """SIGSTOP of the leader, of a follower and of all at once, under load: no vote is taken from anybody."""
    with chaos(cluster, seed, servers=size) as story:
        for _ in story.rounds():
            stall(story, [cluster.leader()], "the leader")
            if IS_LONG:
                stall(story, [story.rng.choice(cluster.followers())], "a follower")
            stall(story, cluster.servers, f"all {size}")
            story.recovered("all stopped")
