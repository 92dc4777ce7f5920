"""Leaving so that everybody knows: each live member is told directly, again and again, until it has acknowledged.

What lives here: one announcement and who has yet to acknowledge it, and whom an operator means by a name when a member
is to be declared left. What does not: what leaving means for Raft
(actors/node.py orders the steps) and how the news goes on from there (gossip, as any other).
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from actors.gossip.effects import LeaveDone
from actors.gossip.member import Intent, Status
from actors.gossip.messages import Notice

if TYPE_CHECKING:
    from actors.gossip.member import Claim
    from actors.gossip.messages import LeavePhase
    from actors.gossip.own import Own
    from actors.gossip.roster import Roster
    from actors.gossip.shared import Shared

# In a large cluster these many random members are told directly, and the rest by gossip.
TOLD_MAX = 64
_INTENTS = {"leaving": Intent.LEAVING, "left": Intent.LEFT, "stay": Intent.JOIN}


class ForceLeaveError(LookupError):
    """An operator named a member that is not there, or not one that can be declared left; the text says so."""


class Farewell:
    """The announcement under way, if there is one."""

    def __init__(self, shared: Shared, own: Own) -> None:
        self._shared = shared
        self._own = own
        self._phase: LeavePhase | None = None
        self._sequence = 0
        self._missing: set[str] = set()
        self._acknowledged: list[str] = []
        self._until = inf
        self._again_at = inf

    def begin(self, now: float, phase: LeavePhase) -> None:
        """Announce a step. One that is still under way ends with what it has reached."""
        self._end()
        self._own.announce(now, _INTENTS[phase])
        told = self._shared.roster.choose(TOLD_MAX, lambda claim: claim.is_live)
        self._phase = phase
        self._sequence = self._shared.sequence()
        self._missing = {claim.id for claim in told}
        self._until = now + self._shared.config.leave_timeout_s
        self._tell(now)
        self._end_if_done()

    def acked(self, sequence: int, member_id: str) -> None:
        """A member has heard it."""
        if self._phase is not None and sequence == self._sequence and member_id in self._missing:
            self._missing.discard(member_id)
            self._acknowledged.append(member_id)
            self._end_if_done()

    def next_deadline(self) -> float:
        """When `tick` has something to do."""
        return min(self._until, self._again_at)

    def tick(self, now: float) -> None:
        """Tell the missing again, or stop waiting for them."""
        if now >= self._until:
            self._end()
        elif now >= self._again_at:
            self._tell(now)
            self._end_if_done()

    def postpone(self, stall_s: float) -> None:
        """This server stood still for so long."""
        self._until += stall_s
        self._again_at += stall_s

    def _tell(self, now: float) -> None:
        self._again_at = now + self._shared.config.gossip_interval_s
        for claim in self._awaited():
            self._shared.send(claim.address, Notice(self._sequence, self._own.claim))

    def _awaited(self) -> list[Claim]:
        """Those who have yet to acknowledge it; whoever has died or left meanwhile will not."""
        missing = (self._shared.roster.get(member_id) for member_id in sorted(self._missing))
        return [claim for claim in missing if claim is not None and claim.is_live]

    def _end_if_done(self) -> None:
        if not self._awaited():
            self._end()

    def _end(self) -> None:
        if self._phase is None:
            return
        self._shared.out.append(LeaveDone(self._phase, tuple(self._acknowledged), tuple(sorted(self._missing))))
        self._phase = None
        self._missing = set()
        self._acknowledged = []
        self._until = self._again_at = inf


def to_force(roster: Roster, name: str, *, prune: bool) -> Claim:
    """The member meant by a name or an id: failed ones come first, for it is they who cannot leave by themselves.

    One that lives would object, and Raft would lose a voter and take it in again meanwhile. Raises ForceLeaveError.
    """
    found = [claim for claim in roster.named(name) if claim.id != roster.own_id]
    exact = [claim for claim in found if claim.id == name]
    failed = [claim for claim in found if claim.status is Status.FAILED]
    live = [claim for claim in found if claim.is_live]
    choice = exact or failed or live or found[:1]
    if not choice and name in (roster.own.name, roster.own_id):
        raise ForceLeaveError(f"{name} is this server itself: it leaves with 'leave'")
    if not choice:
        raise ForceLeaveError(f"no member is named {name}: 'members' lists them")
    if len(choice) > 1:
        ids = ", ".join(claim.id for claim in choice)
        raise ForceLeaveError(f"{len(choice)} members are named {name}: give the id of one of them ({ids})")
    member = choice[0]
    if member.status is Status.ALIVE:
        raise ForceLeaveError(
            f"{member.name} is alive and would object: run 'leave' on it (--address {member.address}), or stop it first"
        )
    if member.status is Status.SUSPECT or (member.status is Status.LEAVING and prune):
        raise ForceLeaveError(
            f"{member.name} is {member.status.value}: try again when that is settled, in some seconds"
        )
    return member
