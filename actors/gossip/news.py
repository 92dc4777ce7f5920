"""What gossip tells the other actors of its server: who changed, and what was said.

What lives here: who is told what. What does not: what they make of it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from actors.events.messages import QueryDoneTold, QueryReplyTold, QueryStarted, QueryTold, UserEventTold
from actors.gossip.effects import EventHeard, QueryDone, QueryHeard, QueryReplied
from actors.gossip.member import Status
from actors.gossip.messages import MemberChanged

if TYPE_CHECKING:
    from actors.gossip.effects import Changed
    from actors.gossip.queries import Asked
    from actors.gossip.report import Report
    from actors.runtime.actor import Context

LISTENERS = ("raft", "reconciler", "gateway", "events", "keys")

_log = logging.getLogger("quorate.gossip")


class News:
    """The listeners of one incarnation of gossip. report: knows the names of members."""

    def __init__(self, context: Context, report: Report) -> None:
        self._listeners = [context.ref(name) for name in LISTENERS]
        self._events = context.ref("events")
        self._name_of = report.name_of

    def member(self, change: Changed) -> None:
        """A member changed."""
        member = change.member
        level = logging.WARNING if member.status == Status.FAILED and not change.forgotten else logging.INFO
        status = "forgotten" if change.forgotten else member.status
        is_said = change.reason in ("", f"{status} at {member.address}")
        why = "" if is_said else f" ({change.reason})"
        _log.log(level, "%s at %s is %s%s", member.name, member.address, status, why)
        news = MemberChanged(member, change.old_status, change.forgotten)
        for listener in self._listeners:
            listener.tell(news)

    def started(self, asked: Asked) -> None:
        """This server asks the members something."""
        expected = sorted(map(self._name_of, asked.expected))
        self._events.tell(QueryStarted(asked.query.id, asked.query.timeout_s, expected))

    def said(self, effect: EventHeard | QueryHeard | QueryReplied | QueryDone) -> None:
        """A user event or a query came, or what became of a query."""
        match effect:
            case EventHeard(event):
                self._events.tell(UserEventTold(event))
            case QueryHeard(query):
                self._events.tell(QueryTold(query, self._name_of(query.origin)))
            case QueryReplied(query_id, member_id, is_ack, payload, error):
                self._events.tell(QueryReplyTold(query_id, self._name_of(member_id), is_ack, payload, error))
            case QueryDone(query_id, missing):
                self._events.tell(QueryDoneTold(query_id, sorted(map(self._name_of, missing))))
