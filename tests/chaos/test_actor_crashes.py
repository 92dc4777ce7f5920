"""Every actor crashed under load, in the leader and in a follower: it is started again, and nothing is lost."""

from __future__ import annotations

import pytest

from tests.chaos.story import Story, chaos
from tests.support.cluster import Cluster
from tests.support.server import Server
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]

ACTORS = ("persistence", "links", "gossip", "raft", "reconciler", "gateway", "http")
CRASHES_BORNE = 3


def restarted(server: Server, actor: str, before: int) -> None:
    """Wait until a later incarnation of an actor runs."""

    def runs() -> bool:
        row = server.actor(actor)
        return bool(row["incarnation"] > before and row["state"] == "running")

    wait_until(f"{actor} of {server} runs again", runs)


def crash(story: Story, server: Server, actor: str) -> None:
    """Crash one actor of a server, and wait until it and the cluster work again."""
    before = server.actor(actor)["incarnation"]
    server.crash(actor)
    restarted(server, actor, before)
    story.recovered(f"{actor} of {server} crashed")


@pytest.mark.long
def test_actors_are_killed_in_every_role(cluster: Cluster, seed: int) -> None:
    """`actors kill` of every actor of the leader and of a follower, in any order: no number of kills is too many."""
    with chaos(cluster, seed) as story:
        for _ in story.rounds():
            for role in ("leader", "follower"):
                for actor in story.rng.sample(ACTORS, len(ACTORS)):
                    server = cluster.leader() if role == "leader" else story.rng.choice(cluster.followers())
                    before = server.actor(actor)["incarnation"]
                    server.ask("actors.kill", {"target": f"{actor}@{before}"})
                    restarted(server, actor, before)
                    story.recovered(f"{actor} of {server} ({role}) killed")


@pytest.mark.parametrize("actors", [("persistence", "links", "gossip"), ("raft", "reconciler", "gateway")], ids=str)
def test_actors_crash(cluster: Cluster, seed: int, actors: tuple[str, ...]) -> None:
    """Each actor really fails, in the leader and in a follower: as many crashes as a supervisor puts up with."""
    with chaos(cluster, seed) as story:
        story.load.more(100)
        leader, follower = cluster.leader(), story.rng.choice(cluster.followers())
        assert len(actors) <= CRASHES_BORNE
        for actor in story.rng.sample(actors, len(actors)):
            crash(story, leader, actor)
            crash(story, follower, actor)
