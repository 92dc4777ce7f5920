"""Watches while servers die, stand still and are cut off: the checker finds every promise kept to every watcher."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.chaos.audience import Audience
from tests.chaos.judged import judged
from tests.chaos.story import Story, everything_at_once
from tests.support.cluster import Cluster

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]


def test_watchers_across_leader_kills(cluster: Cluster, seed: int, tmp_path: Path) -> None:
    """SIGKILL of the leader: through the library and by server-sent events, staying, breaking off and going on."""
    cluster.form(3)
    with Audience(cluster.servers, seed) as audience:
        story = Story(cluster, audience, random.Random(seed))
        for _ in story.rounds():
            leader = cluster.leader()
            leader.kill()
            story.recovered("leader killed")
            leader.start()
            cluster.agree()
        history = audience.told()
    cluster.agree()
    cluster.same_state()
    judged(history, tmp_path)


@pytest.mark.long
def test_watchers_across_pauses(cluster: Cluster, seed: int, tmp_path: Path) -> None:
    """SIGSTOP of any server, the leader more often than not: whoever listened there is told by another, or later."""
    cluster.form(3)
    with Audience(cluster.servers, seed) as audience:
        story = Story(cluster, audience, random.Random(seed))
        for _ in story.rounds():
            leader = cluster.leader()
            stopped = story.rng.choice([leader, *cluster.servers])
            stopped.pause()
            story.recovered(f"{'leader' if stopped is leader else 'follower'} stopped")
            story.load.more(story.rng.randint(10, 200))
            stopped.resume()
            cluster.agree()
        history = audience.told()
    cluster.same_state()
    judged(history, tmp_path)


@pytest.mark.long
def test_watchers_under_everything_at_once(cluster: Cluster, seed: int, tmp_path: Path) -> None:
    """Links cut, actors and servers killed, all at once too, leads handed over, logs cut off behind snapshots."""
    cluster.form(3)
    with Audience(cluster.servers, seed) as audience:
        everything_at_once(cluster, seed)
        history = audience.told()
    cluster.same_state()
    judged(history, tmp_path)
