"""What the gossip core wants done. The core touches nothing; gossip.py, or a simulator, carries these out in order."""

from attrs import frozen

from actors.gossip.dispatches import Query, UserEvent
from actors.gossip.member import Claim, Member


@frozen
class Send:
    """Tell the gossip actor of the server at `address`. It may get lost."""

    address: str
    message: object


@frozen
class Changed:
    """A member's status, name, address or tags changed. old_status: "" for a new member; reason: for the log."""

    member: Member
    old_status: str
    reason: str
    forgotten: bool = False


@frozen
class Remember:
    """Keep what is known of this member for the next start: an address to try first. It may be written late."""

    claim: Claim


@frozen
class Forget:
    """Do not keep this member any more."""

    member_id: str


@frozen
class KeepClock:
    """Write down soon that Lamport times up to and with `upto` may have been used."""

    upto: int


@frozen
class KeepClocks:
    """Write down late that user events and queries up to these Lamport times were heard; 0 for no news."""

    events: int = 0
    queries: int = 0


@frozen
class EventHeard:
    """A user event, heard for the first time."""

    event: UserEvent


@frozen
class QueryHeard:
    """A query that this server is meant by and may answer."""

    query: Query


@frozen
class QueryReplied:
    """A member has this server's query (is_ack) or an answer to it; error: why it has none after all."""

    query: int
    member_id: str
    is_ack: bool
    payload: bytes
    error: str


@frozen
class QueryDone:
    """No more replies to this server's query are waited for. missing: ids of those who should have acknowledged it."""

    query: int
    missing: tuple[str, ...]


@frozen
class Reserve:
    """Write down that incarnations up to and with `upto` may have been used, then call `Swim.reserved`."""

    upto: int


@frozen
class Adopt:
    """This server, which had no cluster, belongs to this one from now on."""

    cluster_id: str


@frozen
class Found:
    """This server, which had no cluster, founds this one, whose first voters are these members; see muster.py."""

    cluster_id: str
    members: tuple[Claim, ...]


@frozen
class JoinDone:
    """One address that somebody asked to join has answered, or has not in time. reason: "" when it worked."""

    address: str
    reason: str


@frozen
class LeaveDone:
    """Everybody has acknowledged a step of leaving, or time is up. Ids of members."""

    phase: str
    acknowledged: tuple[str, ...]
    missing: tuple[str, ...]


@frozen
class Note:
    """A line for the log."""

    level: int
    """As in the logging module: 20 info, 30 warning."""
    text: str


@frozen
class End:
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
