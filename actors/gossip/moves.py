"""A member that is alive is said to be at another address now: believed once its old address had time to object.

Mostly it has moved, and nobody is there any more to object. But where its data directory was copied, the original lives
and the copy is the mistake (twins.py). Were the copy believed at once, the leader would send it the log, and count what
it acknowledges as if the original had it. So the claim is held back, and shown to whoever lives at the old address: a
server that hears such a thing of itself says something newer, and the claim comes to nothing. One that is suspected or
has failed already may be elsewhere at once.

What lives here: the claims that are held back, and for how long. What does not: whose word counts (beliefs.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.gossip.deadlines import Deadlines
from actors.gossip.member import Status
from actors.gossip.messages import Gossip

if TYPE_CHECKING:
    from actors.gossip.member import Claim
    from actors.gossip.shared import Shared

MOVES_MAX: Final = 1_000
"""At once; beyond that they are believed."""


class Moves:
    """The claims that are held back, one a member."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._held: dict[str, Claim] = {}
        self._deadlines = Deadlines()

    def holds(self, now: float, known: Claim, claim: Claim) -> bool:
        """Whether a claim has to wait."""
        is_move = claim.address != known.address and claim.incarnation > known.incarnation
        if not is_move or known.status is not Status.ALIVE:
            return False
        held = self._held.get(claim.id)
        if held is None:
            if len(self._held) >= MOVES_MAX:
                return False
            self._deadlines.set(claim.id, now + self._shared.config.join_timeout_s)
        if held is None or claim.incarnation > held.incarnation:
            self._held[claim.id] = claim
            self._shared.send(known.address, Gossip([claim]))
        return True

    def next_deadline(self) -> float:
        """When `due` has something."""
        return self._deadlines.earliest()

    def due(self, now: float) -> list[Claim]:
        """Those that have waited long enough."""
        ids = self._deadlines.due(now)
        for member_id in ids:
            self._deadlines.drop(member_id)
        return [self._held.pop(member_id) for member_id in ids]

    def postpone(self, stall_s: float) -> None:
        """This server stood still for so long: an objection may be in its mailbox."""
        self._deadlines.postpone(stall_s)
