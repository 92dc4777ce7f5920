"""Who votes: at most ``--max-voters`` servers, and standbys in the place of voters that are lost.

What lives here: promotions and demotions, one a pass, never both (autopilot's reconcile).  What does not: who is fit to
vote (scene.py) and who is removed (cleanup.py).

1. Too many vote: one is demoted, one that is not up before others.
2. A voter is lost and a standby is fit to take its vote: if the number of voters is odd, or there is no room for one
   more, the lost one is demoted first.  An odd cluster survives no less without it, and with one voter more and one of
   them dead it would need another answer for everything.  With an even number the standby only makes it odd.
3. While an odd cluster has a voter that has failed, but not for long enough to be lost, a standby that would be one
   more waits: it may have to be one instead.
4. Else a standby that is fit to vote does, while there is room.

A demoted server keeps its log, and comes back as a standby.
"""

from collections.abc import Iterable

from actors.raft.messages import Configure, ServerView
from actors.reconciler.scene import Scene

Proposals = Iterable[tuple[Configure | None, str, str]]


def seats(scene: Scene) -> Proposals:
    """The promotion or demotion of a pass, as (change, server id, reason), and why each server votes or does not."""
    voters_max = scene.policy.voters_max
    voters = scene.voters
    if len(voters) > voters_max:
        yield from _surplus(scene, voters)
    yield from _standbys(scene, voters)
    for voter in voters:
        yield None, voter.id, "voter"


def _surplus(scene: Scene, voters: list[ServerView]) -> Proposals:
    others = [voter for voter in voters if not scene.is_local(voter)]
    if others:
        one = min(others, key=lambda voter: (scene.is_up(voter), voter.match_index or 0, voter.id))
        why = f"demoting: {len(voters)} servers vote (--max-voters {scene.policy.voters_max})"
        yield _demotion(scene, one, why)


def _standbys(scene: Scene, voters: list[ServerView]) -> Proposals:
    standbys = [server for server in scene.view.servers if not server.voter]
    obstacles = {standby.id: scene.why_not_vote(standby) for standby in standbys}
    fit = [standby for standby in standbys if not obstacles[standby.id]]
    is_full = len(voters) >= scene.policy.voters_max
    is_tight = is_full or len(voters) % 2 == 1
    lost = [voter for voter in voters if scene.is_lost(voter)]
    failed = [voter for voter in voters if scene.failed_s(voter) is not None]
    if fit and len(voters) <= scene.policy.voters_max:
        first = fit[0]
        if lost and is_tight:
            yield _demotion(scene, lost[0], f"demoting: it has failed, and {first.name} can take its vote")
        elif failed and is_tight:
            yield None, first.id, f"waiting: takes the vote of {failed[0].name} if that does not come back"
        elif not is_full:
            refusal = scene.why_not_with(first)
            promotion = None if refusal else scene.change("promote", first)
            yield promotion, first.id, refusal or "promoting: healthy and stable"
    for standby in standbys:
        if not scene.is_there(standby):
            continue  # what becomes of it is said elsewhere
        if is_full:
            yield None, standby.id, f"standby: there are {len(voters)} voters (--max-voters {scene.policy.voters_max})"
        else:
            yield None, standby.id, obstacles[standby.id] or "waiting: others are promoted or demoted first"


def _demotion(scene: Scene, voter: ServerView, why: str) -> tuple[Configure | None, str, str]:
    refusal = scene.why_not_without(voter)
    return None if refusal else scene.change("demote", voter), voter.id, refusal or why
