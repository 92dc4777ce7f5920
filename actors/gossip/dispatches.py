"""User events and queries as they travel, and their limits.

What lives here: the two things that a member can tell all others besides itself, the messages about them between
servers, and which limit one breaks. What does not: what becomes of them (user_events.py, queries.py), and what the
actors of one server say about them (actors/events/messages.py).

As in Serf, each kind has a Lamport clock of its own: what one member has heard before it speaks has an earlier time.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from msgspec import Struct

from actors.gossip.member import COUNTER_MAX, ID_CHARS_MAX, NAME_CHARS_MAX
from actors.gossip.pattern import PatternError, compiled
from transport.wire import message

EVENT_BYTES_MAX: Final = 512
"""A user event's name and payload; Serf's default."""
QUERY_BYTES_MAX: Final = 1024
"""A query's name, payload and filters; Serf's default."""
ANSWER_BYTES_MAX: Final = 1024
"""One member's answer to a query; Serf's default."""
QUERY_TIMEOUT_S_MAX: Final = 600.0
RELAYS_MAX: Final = 8
FILTERS_MAX: Final = 64

INTERNAL: Final = "_quorate_"
"""What begins so is asked and answered by Quorate itself."""
PING: Final = "_quorate_ping"
"""A query that every member acknowledges, and that no handler hears of."""


class UserEvent(Struct, frozen=True, array_like=True):
    """Something a user told all members. Equal ones are one."""

    ltime: int
    name: str
    payload: bytes
    coalesce: bool = False
    """Of several of one name within a moment only the newest matters."""

    @property
    def weight(self) -> int:
        """About how many bytes this is on the wire."""
        return len(self.name.encode()) + len(self.payload) + 16

    @property
    def digest(self) -> int:
        """A number that differs when the event does."""
        text = f"{self.ltime} {self.name} ".encode() + self.payload
        return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")


class Query(Struct, frozen=True, array_like=True):
    """A question to all members that its filters let through."""

    ltime: int
    id: int
    """Random: two members may ask at one Lamport time."""
    origin: str
    """Id of the member that asks; the answers go to it."""
    name: str
    payload: bytes
    timeout_s: float
    """How long the origin waits for answers."""
    nodes: tuple[str, ...] = ()
    """Only members of these names or ids; empty: of any."""
    tags: dict[str, str] = {}
    """Only members whose tags match these patterns."""
    ack: bool = True
    """Whether each member that is meant says at once that it has the question."""
    relays: int = 0
    """How many other members carry a second copy of each answer: for networks that lose some."""

    @property
    def weight(self) -> int:
        """About how many bytes this is on the wire."""
        texts = (self.name, *self.nodes, *self.tags, *self.tags.values())
        return sum(len(text.encode()) + 2 for text in texts) + len(self.payload) + 64


@message("gossip.query_reply", urgent=True)
class QueryReply(Struct, frozen=True):
    """A member has the question (is_ack) or an answer to it.

    answering: of an ack: an answer is to follow. error: why there is no answer although one was to follow.
    """

    query: int
    responder: str
    is_ack: bool
    answering: bool = False
    payload: bytes = b""
    error: str = ""


@message("gossip.query_relay", urgent=True)
class QueryRelay(Struct, frozen=True):
    """Hand this on to the member with the id `target`."""

    target: str
    reply: QueryReply


def _nobody(_name: str) -> bool:
    return False


class Dispatching(Struct, frozen=True, kw_only=True):
    """What a run of gossip needs to know of user events and queries.

    event_clock, query_clock: up to these Lamport times earlier runs have heard all. replay: a newcomer wants the events
    that were before it. answers: whether somebody here answers queries of a name.
    """

    event_clock: int = 0
    query_clock: int = 0
    replay: bool = False
    answers: Callable[[str], bool] = _nobody


NOTHING_BEFORE: Final = Dispatching()
"""A first run that answers no queries."""


def event_fault(event: UserEvent) -> str:
    """Which limit an event breaks, or ""."""
    size = len(event.name.encode(errors="replace")) + len(event.payload)
    if size > EVENT_BYTES_MAX:
        return f"its name and payload have {size} bytes: at most {EVENT_BYTES_MAX} are allowed"
    return _name_fault(event.name) or _time_fault(event.ltime)


def query_fault(query: Query) -> str:
    """Which limit a query breaks, or ""."""
    if not 0 < query.timeout_s <= QUERY_TIMEOUT_S_MAX:
        return f"its timeout is {query.timeout_s:g} s: it has to lie between 0 and {QUERY_TIMEOUT_S_MAX:g}"
    if len(query.nodes) > FILTERS_MAX or len(query.tags) > FILTERS_MAX:
        return f"it has more than {FILTERS_MAX} filters of a kind"
    if not 0 <= query.relays <= RELAYS_MAX:
        return f"its relay factor is {query.relays}: it has to lie between 0 and {RELAYS_MAX}"
    texts = (query.name, *query.nodes, *query.tags, *query.tags.values())
    size = sum(len(text.encode(errors="replace")) for text in texts) + len(query.payload)
    if size > QUERY_BYTES_MAX:
        return f"its name, payload and filters have {size} bytes: at most {QUERY_BYTES_MAX} are allowed"
    if not (0 < len(query.origin) <= ID_CHARS_MAX and 0 <= query.id <= COUNTER_MAX):
        return "its origin or id is out of range"
    return _name_fault(query.name) or _time_fault(query.ltime) or _pattern_fault(query)


def reply_fault(reply: QueryReply) -> str:
    """Which limit a reply breaks, or ""."""
    is_short = len(reply.payload) <= ANSWER_BYTES_MAX and len(reply.error) <= ANSWER_BYTES_MAX
    return "" if is_short and len(reply.responder) <= ID_CHARS_MAX else "it is too long"


def _name_fault(name: str) -> str:
    if not 0 < len(name) <= NAME_CHARS_MAX:
        return f"its name has {len(name)} characters: 1 to {NAME_CHARS_MAX} are allowed"
    # It is shown on terminals and handed to commands as an environment variable.
    return "" if name.isprintable() else "its name has characters that cannot be printed"


def _time_fault(ltime: int) -> str:
    return "" if 0 <= ltime <= COUNTER_MAX else "its Lamport time is out of range"


def _pattern_fault(query: Query) -> str:
    try:
        for pattern in query.tags.values():
            compiled(pattern)
    except PatternError as error:
        return str(error)
    return ""
