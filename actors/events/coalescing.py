"""What happens at once is handled at once: handlers are given the outcome of a moment, not each step of it.

What lives here: the moment (Serf's: it ends when nothing has come for a second, and after three seconds at the latest),
and what is left of what came within it. What does not: what watchers see, which is each step.

Of members: one that failed and came back within the moment has done nothing; an update is never swallowed. Of user
events whose sender allows it: the newest of each name.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from actors.events.member_events import MemberEvent

if TYPE_CHECKING:
    from actors.gossip.dispatches import UserEvent
    from actors.gossip.member import Member

QUIET_S: Final = 1.0
LONGEST_S: Final = 3.0
NAMES_MAX: Final = 512
PER_TIME_MAX: Final = 16


class Moment:
    """When what has been gathered is due."""

    def __init__(self) -> None:
        self._quiet_at = inf
        self._latest_at = inf

    @property
    def deadline(self) -> float:
        """When it ends; infinity when nothing has come."""
        return min(self._quiet_at, self._latest_at)

    def extend(self, now: float) -> None:
        """Something came."""
        self._quiet_at = now + QUIET_S
        if self._latest_at == inf:
            self._latest_at = now + LONGEST_S

    def end(self) -> None:
        """It is over."""
        self._quiet_at = self._latest_at = inf


class MemberCoalescer:
    """Gathers what happens to members."""

    def __init__(self) -> None:
        self.moment = Moment()
        self._said: dict[str, MemberEvent] = {}
        """What was last handed on of each member, updates aside."""
        self._now: dict[str, tuple[MemberEvent, Member]] = {}
        self._updated: set[str] = set()

    def add(self, now: float, event: MemberEvent, member: Member) -> None:
        """Something happens to a member."""
        self.moment.extend(now)
        if event is MemberEvent.UPDATE:
            self._updated.add(member.id)
            before = self._now.get(member.id)
            event = before[0] if before is not None else event
        self._now[member.id] = (event, member)

    def take(self) -> list[tuple[MemberEvent, list[Member]]]:
        """What the moment has come to, one entry a kind of event."""
        self.moment.end()
        by_event: dict[MemberEvent, list[Member]] = {}
        for member_id, (event, member) in self._now.items():
            outcome = self._outcome(member_id, event)
            if outcome is not None:
                by_event.setdefault(outcome, []).append(member)
        self._now.clear()
        self._updated.clear()
        return list(by_event.items())

    def _outcome(self, member_id: str, event: MemberEvent) -> MemberEvent | None:
        said = self._said.get(member_id)
        if event is MemberEvent.UPDATE:
            return event
        if event is said:
            is_update = event is MemberEvent.JOIN and member_id in self._updated
            return MemberEvent.UPDATE if is_update else None
        if event is MemberEvent.REAP:
            self._said.pop(member_id, None)
        else:
            self._said[member_id] = event
        return event


class UserCoalescer:
    """Gathers user events by name."""

    def __init__(self) -> None:
        self.moment = Moment()
        self._newest: dict[str, list[UserEvent]] = {}

    def add(self, now: float, event: UserEvent) -> bool:
        """Gather an event; False for one that finds no room and has to be handled by itself."""
        known = self._newest.get(event.name)
        if known is None and len(self._newest) >= NAMES_MAX:
            return False
        self.moment.extend(now)
        if known is None or event.ltime > known[0].ltime:
            self._newest[event.name] = [event]
        elif event.ltime == known[0].ltime:
            # Two members spoke without knowing of each other: neither is the newer.
            if len(known) >= PER_TIME_MAX:
                return False
            known.append(event)
        return True

    def take(self) -> list[UserEvent]:
        """The newest of each name."""
        self.moment.end()
        taken = [event for events in self._newest.values() for event in events]
        self._newest.clear()
        return taken
