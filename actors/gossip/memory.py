"""What gossip wants found again after a restart: gathered here, and turned into one write now and then.

What lives here: the members and the clocks of events to be written, and how stored members become claims. What does
not: the file (storage/serf_db.py), and incarnations and the members' clock, which are reserved (own.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.gossip.member import Claim, Intent, Liveness, Status
from storage.serf_db import KnownMember, SerfWrite

if TYPE_CHECKING:
    from collections.abc import Iterable

    from actors.gossip.effects import KeepClocks


class Memory:
    """Changes since the last write."""

    def __init__(self) -> None:
        self._members: dict[str, KnownMember | None] = {}
        self._events = 0
        self._queries = 0

    def __bool__(self) -> bool:
        return bool(self._members or self._events or self._queries)

    def remember(self, claim: Claim) -> None:
        """Keep a member as it is now."""
        self._members[claim.id] = KnownMember(
            claim.id, claim.name, claim.address, claim.status.value, claim.incarnation, claim.tags
        )

    def forget(self, member_id: str) -> None:
        """Keep it no more."""
        self._members[member_id] = None

    def keep_clocks(self, clocks: KeepClocks) -> None:
        """Keep the Lamport times of the latest user event and query."""
        self._events = max(self._events, clocks.events)
        self._queries = max(self._queries, clocks.queries)

    def take(self) -> SerfWrite:
        """All changes as one write; none are left."""
        write = SerfWrite(
            event_clock=self._events or None,
            query_clock=self._queries or None,
            upsert=[member for member in self._members.values() if member is not None],
            remove=[member_id for member_id, member in self._members.items() if member is None],
        )
        self._members = {}
        self._events = self._queries = 0
        return write


def claims_of(members: Iterable[KnownMember]) -> list[Claim]:
    """Stored members as claims. Their Lamport times are not kept, so whatever is heard of them now is later."""
    return [
        Claim(
            member.id,
            member.name,
            member.address,
            member.tags,
            member.incarnation,
            lamport=0,
            liveness=Liveness.DEAD if member.status == Status.FAILED else Liveness.ALIVE,
            intent=Intent.LEAVING if member.status == Status.LEAVING else Intent.JOIN,
        )
        for member in members
    ]
