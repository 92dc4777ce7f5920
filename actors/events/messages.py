"""What gossip and the events actor of one server say to each other, and what clients ask them by way of the gateway.

What lives here: frozen message classes, and nothing that acts. What travels between servers is in
actors/gossip/dispatches.py.
"""

from __future__ import annotations

from msgspec import Struct, field

from actors.gossip.dispatches import Query, UserEvent
from transport.wire import message

# --- asked of gossip --------------------------------------------------------------------------------------------------


@message("gossip.send_event", retry=False)
class SendEvent(Struct, frozen=True):
    """Tell all members (an ask, answered by Json {"ok": True, "ltime"} or {"ok": False, "reason"})."""

    name: str
    payload: bytes
    coalesce: bool


@message("gossip.send_query", retry=False)
class SendQuery(Struct, frozen=True):
    """Ask the members (an ask). timeout_s: 0 for the usual one. The fields are those of dispatches.Query.

    Answered by Json {"ok": True, "id", "timeout_s", "expected": [names]} or {"ok": False, "reason"}.
    """

    name: str
    payload: bytes
    timeout_s: float = 0.0
    nodes: list[str] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    ack: bool = True
    relays: int = 0


@message("gossip.answer_query", retry=False)
class AnswerQuery(Struct, frozen=True):
    """Answer a query that was heard. error: why there is no answer."""

    query: int
    payload: bytes
    error: str = ""


# --- told by gossip ---------------------------------------------------------------------------------------------------


@message("events.user", retry=False)
class UserEventTold(Struct, frozen=True):
    """A user event came to this server."""

    event: UserEvent


@message("events.query", retry=False)
class QueryTold(Struct, frozen=True):
    """A query came to this server, which is meant by it. origin: name of the member that asks."""

    query: Query
    origin: str


@message("events.query_started", retry=False)
class QueryStarted(Struct, frozen=True):
    """This server asks the members something. expected: names of those who are to acknowledge it."""

    query: int
    timeout_s: float
    expected: list[str]


@message("events.query_reply", retry=False)
class QueryReplyTold(Struct, frozen=True):
    """A member has a query of this server (is_ack) or an answer to it. error: why it has none."""

    query: int
    member: str
    is_ack: bool
    payload: bytes
    error: str


@message("events.query_done", retry=False)
class QueryDoneTold(Struct, frozen=True):
    """No more replies are waited for. missing: names of those who should have acknowledged the query."""

    query: int
    missing: list[str]


# --- asked by clients -------------------------------------------------------------------------------------------------


@message("events.watch", retry=False)
class WatchEvents(Struct, frozen=True):
    """What came after this cursor (an ask, answered by Json, see streams.Page)? It waits for something.

    recent: whether a reader without a cursor gets what is kept, or only what is to come.
    """

    cursor: str
    wait_s: float
    recent: bool = False


@message("events.follow_query", retry=False)
class FollowQuery(Struct, frozen=True):
    """The replies to a query of this server after this cursor (an ask, answered by Json {"entries", …, "done"}).

    It waits for something. Answered by {"ok": False, "reason"} for a query that is not known here.
    """

    query: int
    cursor: str
    wait_s: float


@message("events.status")
class EventsStatusRequest(Struct, frozen=True):
    """The event handlers of this server and how they are doing (an ask, answered by Json)."""
