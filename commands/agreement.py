"""When the servers of a local cluster agree, and what is still missing: a pure look at what each of them says.

What lives here: the judgement. What does not: asking the servers and waiting (commands/cluster.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from transport.text import counted

Views = Sequence[Mapping[str, Any] | None]
"""What each server answered to `status`, None for one that did not answer."""


def missing(statuses: Views, voters: int) -> str:
    """What keeps the servers from agreeing, in words for a progress line; "" when they agree.

    They agree when every one answers, all name the same cluster, leader and term, each sees all as alive members,
    each counts `voters` voters, and each has come to the end of its start.
    """
    count = len(statuses)
    answers = [status for status in statuses if status is not None]
    if len(answers) < count:
        return f"{len(answers)} of {counted(count, 'server')} answer"
    clusters = {status["cluster_id"]: status["node"] for status in reversed(answers)}
    if len(clusters) > 1:
        return _why_apart(clusters)
    leaders = {(status["leader"], status["term"]) for status in answers}
    if any(not leader for leader, _ in leaders):
        return "no leader yet"
    if len(leaders) > 1:
        return "the servers do not name the same leader yet"
    alive = min(status["members"].get("alive", 0) for status in answers)
    if alive < count:
        return f"{alive} of {counted(count, 'member')} alive"
    voting = min(len(status["voters"]) for status in answers)
    if voting < voters:
        return f"{voting} of {counted(voters, 'voter')}"
    started = sum(not status["starting"] for status in answers)
    return "" if started == count else f"{started} of {counted(count, 'server')} have come to the end of their start"


def _why_apart(clusters: Mapping[str, str]) -> str:
    """clusters: the id of each, and who is of it; "" is none yet."""
    several = sorted((name, cluster) for cluster, name in clusters.items() if cluster)
    if len(several) < 2:
        return "the servers have not joined one cluster yet"
    named = " and ".join(f"{name} is of cluster {cluster}" for name, cluster in several[:2])
    return (
        f"{named}, which never merge: was a folder emptied? Without its data server 0 begins a cluster of its own; "
        "'cluster kill' it, empty its folder again, and let it join once by 'start' with --peer of another"
    )
