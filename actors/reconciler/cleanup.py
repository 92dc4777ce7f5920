"""Dead servers: which are removed, in which order, and what forbids it.

What lives here: autopilot's pruning, one server a pass.  What does not: servers that left, and addresses and names that
passed to others (plan.py).

*Stale* servers are in the configuration and unknown to gossip and to Raft's heartbeats, *failed* ones have failed for
longer than ``--dead-server-timeout``.  Those without a vote go first, since nothing depends on them.  A voter is only
removed while a majority is up with it and without it, as long as ``--min-voters`` still vote then, and as long as one
of them is a minority: a cluster that loses its servers one by one must not follow them down to none (consul#5922).
"""

from math import inf

from actors.raft.messages import ServerView
from actors.reconciler.scene import Scene
from actors.reconciler.seats import Proposals

_HOUR_S = 3600.0


def cleanup(scene: Scene) -> Proposals:
    """The removal of a pass, as (change, server id, reason), and why dead servers are kept."""
    others = [server for server in scene.view.servers if not scene.is_local(server)]
    stale = [server for server in others if scene.is_stale(server)]
    failed = [server for server in others if _is_dead(scene, server)]
    for server in sorted(stale, key=_votes) + sorted(failed, key=_votes):
        refusal = _why_keep(scene, server)
        what = "gossip has not heard of it" if server in stale else f"failed for {_span(scene.policy.dead_s)}"
        yield None if refusal else scene.change("remove", server), server.id, refusal or f"removing: {what}"
    for server in others:
        if scene.failed_s(server) is not None:
            yield None, server.id, f"failed: kept{_until(scene)}, it is expected back"
        elif server.id not in scene.members:
            yield None, server.id, "kept, although gossip does not know it"


def _is_dead(scene: Scene, server: ServerView) -> bool:
    failed_s = scene.failed_s(server)
    return failed_s is not None and failed_s >= scene.policy.dead_s


def _votes(server: ServerView) -> bool:
    return server.voter


def _why_keep(scene: Scene, server: ServerView) -> str:
    voters = len(scene.voters)
    if not server.voter:
        return ""
    if voters - 1 < scene.policy.voters_min:
        return f"dead: kept, {voters} servers vote and fewer must not (--min-voters {scene.policy.voters_min})"
    if (voters - 1) // 2 < 1:
        return f"dead: kept, one of {voters} voters is no minority"
    return scene.why_not_without(server)


def _until(scene: Scene) -> str:
    dead_s = scene.policy.dead_s
    return "" if dead_s == inf else f" for {_span(dead_s)} (--dead-server-timeout)"


def _span(seconds: float) -> str:
    return f"{seconds / _HOUR_S:g} h" if seconds >= _HOUR_S else f"{seconds:g} s"
