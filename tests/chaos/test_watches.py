"""Watches while servers die: each change is told once, in order, whole; none is missing."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import groupby
from operator import attrgetter

import pytest

from tests.chaos.story import chaos
from tests.support.cluster import Cluster
from tests.support.server import Server
from tests.support.watcher import Watcher

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]


def test_a_watcher_across_leader_kills(cluster: Cluster, seed: int) -> None:
    """It watches every key, so the revisions it is told of are all there are: one after the other, from the first."""
    with ExitStack() as stack:
        with chaos(cluster, seed) as story:
            watcher = stack.enter_context(Watcher([server.address for server in cluster.servers]))
            for _ in story.rounds():
                leader = cluster.leader()
                leader.kill()
                story.recovered("leader killed")
                leader.start()
                cluster.agree()
        last = latest(cluster.leader())
        watcher.reached(last)

    revisions = [revision for revision, _ in groupby(watcher.seen, key=attrgetter("revision"))]
    assert revisions == list(range(1, last + 1))
    assert len({(change.revision, change.key) for change in watcher.seen}) == len(watcher.seen)
    known = watcher.state()
    assert known.items() >= story.load.acknowledged.items()
    print(f"{len(watcher.seen)} changes, {last} revisions")


def latest(server: Server) -> int:
    """The store's revision."""
    page = server.cli("kv", "list", "", "--limit", "1", "--format", "json").json
    return int(page["revision"])
