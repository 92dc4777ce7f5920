"""What is still to be told: members whose claim has changed, each sent a limited number of times.

What lives here: the queue and the choice of what goes along with a message. What does not: who is told (gossiper.py)
and when something counts as a change (beliefs.py).

The queue holds ids, not messages: what is sent is what is known when it is sent, so the newest word on a member always
replaces an older one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Iterable

    from actors.gossip.config import GossipConfig
    from actors.gossip.member import Claim
    from actors.gossip.roster import Roster


class Broadcasts:
    """The queue. Fewest sends first, then the newest (memberlist's order)."""

    def __init__(self, roster: Roster, config: GossipConfig) -> None:
        self._roster = roster
        self._config = config
        self._sends: dict[str, int] = {}
        # Ids by number of sends; a dict keeps the order in which they came.
        self._levels: dict[int, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._sends)

    @property
    def has_new(self) -> bool:
        """Whether something was told to few so far."""
        return self._config.has_new(self._levels, self._roster.live_count)

    def add(self, member_id: str) -> None:
        """The claim of this member changed: tell it, from the beginning if it was being told already."""
        self.drop(member_id)
        self._place(member_id, 0)

    def drop(self, member_id: str) -> None:
        """Tell no more of this member."""
        sends = self._sends.pop(member_id, None)
        if sends is not None:
            del self._levels[sends][member_id]

    def clear(self) -> None:
        """Tell nothing more of what is known so far."""
        self._sends.clear()
        self._levels.clear()

    def take(self, now: float, *, first: Iterable[str] = ()) -> list[Claim]:
        """What goes along with one message: claims about `first`, then the queue's head, within message_bytes."""
        wanted = {claim.id: claim for member_id in first if (claim := self._roster.get(member_id)) is not None}
        room = self._config.message_bytes - sum(claim.weight for claim in wanted.values())
        for member_id in self._head():
            claim = self._roster.get(member_id)
            # One claim always fits, or a large one would never be told.
            if claim is None or (wanted and claim.weight > room):
                continue
            room -= claim.weight
            wanted[member_id] = claim
            self._count(member_id)
        return [self.aged(claim, now) for claim in wanted.values()]

    def aged(self, claim: Claim, now: float) -> Claim:
        """A claim as it is sent: one about the dead says for how long they are known dead."""
        return claim if claim.is_live else replace(claim, age_s=int(self._roster.age_s(claim.id, now)))

    def _head(self) -> list[str]:
        """The first ids of the queue, more than fit into a message."""
        head: list[str] = []
        for sends in sorted(self._levels):
            for member_id in reversed(self._levels[sends]):
                head.append(member_id)
                # No claim weighs less than 32 bytes.
                if len(head) * 32 > self._config.message_bytes:
                    return head
        return head

    def _count(self, member_id: str) -> None:
        sends = self._sends[member_id] + 1
        self.drop(member_id)
        if sends < self._config.retransmit_limit(self._roster.live_count):
            self._place(member_id, sends)

    def _place(self, member_id: str, sends: int) -> None:
        self._sends[member_id] = sends
        self._levels.setdefault(sends, {})[member_id] = None
