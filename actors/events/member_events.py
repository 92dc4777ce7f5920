"""Serf's member events out of what gossip says about members.

What lives here: which event a change is. What does not: gossip's statuses, and who is told of the event.

A member that is only suspected, or that has announced that it leaves, is as it was: nothing has happened yet.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from actors.gossip.member import Status

if TYPE_CHECKING:
    from actors.gossip.member import Member


class MemberEvent(StrEnum):
    """What can happen to a member; Serf's words."""

    JOIN = "member-join"
    LEAVE = "member-leave"
    FAILED = "member-failed"
    UPDATE = "member-update"
    REAP = "member-reap"


_GONE = {Status.FAILED.value: MemberEvent.FAILED, Status.LEFT.value: MemberEvent.LEAVE}


class MemberEvents:
    """What was last said of each member."""

    def __init__(self) -> None:
        self._last: dict[str, MemberEvent] = {}
        self._details: dict[str, tuple[object, ...]] = {}

    def knows(self, member_id: str) -> bool:
        """Whether anything was heard of a member."""
        return member_id in self._details

    def change(self, member: Member, *, forgotten: bool) -> MemberEvent | None:
        """What has happened to a member, if anything has."""
        if forgotten:
            self._details.pop(member.id, None)
            return MemberEvent.REAP if self._last.pop(member.id, None) else None
        event = self._event(member)
        self._details[member.id] = _details(member)
        if event is not None and event is not MemberEvent.UPDATE:
            self._last[member.id] = event
        return event

    def _event(self, member: Member) -> MemberEvent | None:
        last = self._last.get(member.id)
        gone = _GONE.get(member.status)
        if gone is not None:
            return gone if gone is not last else None
        if last is not MemberEvent.JOIN:
            return MemberEvent.JOIN if member.status == Status.ALIVE else None
        return MemberEvent.UPDATE if self._details.get(member.id) != _details(member) else None


def _details(member: Member) -> tuple[object, ...]:
    return member.name, member.address, member.tags
