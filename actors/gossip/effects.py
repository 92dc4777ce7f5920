"""What the gossip core wants done. The core touches nothing; gossip.py, or a simulator, carries these out in order."""

from msgspec import Struct

from actors.gossip.dispatches import Query, UserEvent
from actors.gossip.member import Claim, Member


class Send(Struct, frozen=True):
    """Tell the gossip actor of the server at `address`. It may get lost."""

    address: str
    message: object


class Changed(Struct, frozen=True):
    """A member's status, name, address or tags changed. old_status: "" for a new member; reason: for the log."""

    member: Member
    old_status: str
    reason: str
    forgotten: bool = False


class Remember(Struct, frozen=True):
    """Keep what is known of this member for the next start: an address to try first. It may be written late."""

    claim: Claim


class Forget(Struct, frozen=True):
    """Do not keep this member any more."""

    member_id: str


class KeepClock(Struct, frozen=True):
    """Write down soon that Lamport times up to and with `upto` may have been used."""

    upto: int


class KeepClocks(Struct, frozen=True):
    """Write down late that user events and queries up to these Lamport times were heard; 0 for no news."""

    events: int = 0
    queries: int = 0


class EventHeard(Struct, frozen=True):
    """A user event, heard for the first time."""

    event: UserEvent


class QueryHeard(Struct, frozen=True):
    """A query that this server is meant by and may answer."""

    query: Query


class QueryReplied(Struct, frozen=True):
    """A member has this server's query (is_ack) or an answer to it; error: why it has none after all."""

    query: int
    member_id: str
    is_ack: bool
    payload: bytes
    error: str


class QueryDone(Struct, frozen=True):
    """No more replies to this server's query are waited for. missing: ids of those who should have acknowledged it."""

    query: int
    missing: tuple[str, ...]


class Reserve(Struct, frozen=True):
    """Write down that incarnations up to and with `upto` may have been used, then call `Swim.reserved`."""

    upto: int


class Adopt(Struct, frozen=True):
    """This server, which had no cluster, belongs to this one from now on."""

    cluster_id: str


class Found(Struct, frozen=True):
    """This server, which had no cluster, founds this one, whose first voters are these members; see muster.py."""

    cluster_id: str
    members: tuple[Claim, ...]


class JoinDone(Struct, frozen=True):
    """One address that somebody asked to join has answered, or has not in time. reason: "" when it worked."""

    address: str
    reason: str


class LeaveDone(Struct, frozen=True):
    """Everybody has acknowledged a step of leaving, or time is up. Ids of members."""

    phase: str
    acknowledged: tuple[str, ...]
    missing: tuple[str, ...]


class Note(Struct, frozen=True):
    """A line for the log."""

    level: int
    """As in the logging module: 20 info, 30 warning."""
    text: str


class End(Struct, frozen=True):
    """This server cannot be a member as it is: end the process. reason: the line that says why, and what to do."""

    reason: str


Effect = (
    Send
    | Changed
    | Remember
    | Forget
    | KeepClock
    | KeepClocks
    | EventHeard
    | QueryHeard
    | QueryReplied
    | QueryDone
    | Reserve
    | Adopt
    | Found
    | JoinDone
    | LeaveDone
    | Note
    | End
)
