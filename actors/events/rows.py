"""Events and replies in the form that watchers get: plain data with stable keys.

What lives here: the shape. What does not: how it looks on a screen (actors/views.py has that).
"""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import asdict

if TYPE_CHECKING:
    from actors.events.member_events import MemberEvent
    from actors.events.messages import QueryReplyTold, QueryTold
    from actors.gossip.dispatches import UserEvent
    from actors.gossip.member import Member
    from actors.reconciler.messages import Decided

Row = dict[str, Any]

RESTART: Final = "restart"


def seen_at(wall_s: float, row: Row) -> Row:
    """An event with the time at which this server saw it (UTC, RFC 3339). wall_s: the same, since the epoch."""
    return {"time": datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds"), **row}


def member_row(event: MemberEvent, member: Member) -> Row:
    """Something happened to a member."""
    return {"event": event.value, "member": asdict(member)}


def raft_row(told: Decided) -> Row:
    """The Raft configuration was changed, or was not although it should be; what the leader says, on its server."""
    member = {"id": told.id, "name": told.name, "address": told.address, "tags": {}}
    return {"event": f"raft-{told.what.replace('_', '-')}", "member": member, "reason": told.reason}


def restart_row() -> Row:
    """The stream begins anew: the first row of every incarnation of the actor but the first."""
    return {"event": RESTART, "reason": "the server began its events anew: some may have been lost"}


def user_row(event: UserEvent) -> Row:
    """A user event."""
    return {"event": "user", "name": event.name, "ltime": event.ltime, "coalesce": event.coalesce} | payload_of(
        event.payload
    )


def query_row(told: QueryTold) -> Row:
    """A query that this server is meant by."""
    query = told.query
    return {"event": "query", "name": query.name, "ltime": query.ltime, "from": told.origin} | payload_of(query.payload)


def reply_row(told: QueryReplyTold) -> Row:
    """A member's word on a query of this server."""
    if told.is_ack:
        return {"type": "ack", "from": told.member}
    return {"type": "answer", "from": told.member, "error": told.error} | payload_of(told.payload)


def payload_of(payload: bytes) -> Row:
    """A payload as JSON can hold it: `payload` for UTF-8 text, else `payload_base64`."""
    try:
        return {"payload": payload.decode()}
    except UnicodeDecodeError:
        return {"payload_base64": b64encode(payload).decode()}
