"""What the gossip actor says and hears: between servers, and from the actors of its own server.

What lives here: frozen message classes, one wire kind each, and nothing that acts. All that travels between servers is
urgent: a probe that waits behind a snapshot would measure the snapshot.

Members are named by their id in every message. A name and an address may pass to another server; an id never does.
"""

from typing import Final, Literal

from msgspec import Struct, field

from actors.gossip.dispatches import Query, QueryRelay, QueryReply, UserEvent
from actors.gossip.member import Claim, Member
from transport.wire import message

# Why a join was refused; words on the wire.
OTHER_CLUSTER = "other_cluster"
OTHER_APP = "other_app"
NAME_TAKEN = "name_taken"
NOT_READY = "not_ready"
MYSELF = "myself"
ID_TAKEN = "id_taken"
UNSOUND = "unsound"

LeavePhase = Literal["leaving", "left", "stay"]

# --- between servers: probes, which are most of an idle cluster's traffic: array-like, for the shortest form ----------


@message("gossip.ping", urgent=True)
class Ping(Struct, frozen=True, array_like=True):
    """Are you there? target: the id that is meant; whoever else lives at the address now must not answer for it."""

    sequence: int
    target: str
    claims: list[Claim]


@message("gossip.ack", urgent=True)
class Ack(Struct, frozen=True, array_like=True):
    """`target` is there, said by itself or by a relay that has its answer."""

    sequence: int
    target: str
    claims: list[Claim]
    digest: int = 0
    """The answering server's, see Roster.digest; 0 when the answer comes from a relay."""
    coordinate: bytes = b""
    """Where the answering server is (coordinates.py); empty when the answer comes from a relay."""
    event_clock: int = 0
    """The highest Lamport time of a user event that the answering server has heard of; 0 from a relay."""


@message("gossip.nack", urgent=True)
class Nack(Struct, frozen=True, array_like=True):
    """A relay lives but had no answer from `target` in time: it is not the prober's own network that fails."""

    sequence: int
    target: str


@message("gossip.stranger", urgent=True)
class Stranger(Struct, frozen=True, array_like=True):
    """The server at this address is not `target`."""

    sequence: int
    target: str


@message("gossip.ping_request", urgent=True)
class PingRequest(Struct, frozen=True, array_like=True):
    """Probe `target` in my place and say within `wait_s` whether it answered."""

    sequence: int
    target: str
    address: str
    wait_s: float


# --- between servers: dissemination -----------------------------------------------------------------------------------


@message("gossip.gossip", urgent=True)
class Gossip(Struct, frozen=True):
    """What is new."""

    claims: list[Claim]
    events: list[UserEvent] = field(default_factory=list)
    queries: list[Query] = field(default_factory=list)


@message("gossip.compare", urgent=True)
class Compare(Struct, frozen=True, array_like=True):
    """Is this what you know too? Whoever knows anything else answers with a Sync of all of it, and asks for another.

    digest: see Roster.whole_digest.
    """

    digest: int


@message("gossip.sync", urgent=True)
class Sync(Struct, frozen=True):
    """A part of everything the sender knows. reply: the receiver is asked to answer with all that it knows.

    welcome: a further part of what a Joined began.
    """

    claims: list[Claim]
    reply: bool
    welcome: bool = False


@message("gossip.event_sync", urgent=True)
class EventSync(Struct, frozen=True):
    """Whether two members have heard the same user events, and those that one of them missed.

    step: 0 asks; 1 answers with the sender's events above the asker's floor, if their digest is another one; 2 brings
    what the answer lacked, or, to an asker that lacks nothing, a later time. digest: of the sender's events above its
    floor. event_clock, query_clock: Lamport times of the latest user event and query that the sender has heard of,
    perhaps in a run before this one.
    """

    step: int
    floor: int
    digest: int
    events: list[UserEvent]
    event_clock: int = 0
    query_clock: int = 0


@message("gossip.notice", urgent=True)
class Notice(Struct, frozen=True):
    """The sender's own claim on leaving, to be acknowledged."""

    sequence: int
    claim: Claim


@message("gossip.notice_ack", urgent=True)
class NoticeAck(Struct, frozen=True):
    """The notice was heard and will be passed on."""

    sequence: int


# --- between servers: joining -----------------------------------------------------------------------------------------


@message("gossip.join", urgent=True)
class Join(Struct, frozen=True):
    """Let me in, or let us meet again.

    cluster_id: "" for a server that has none yet. nonce: names the attempt. app: what the state machine is called.
    has_met: whether it has been among others of its cluster since it was started; then a split has parted us.
    """

    nonce: int
    cluster_id: str
    claim: Claim
    app: str = ""
    has_met: bool = False


@message("gossip.joined", urgent=True)
class Joined(Struct, frozen=True):
    """Welcome: the cluster, and all that the sender knows of it (more parts follow as Sync).

    event_clock, query_clock: Lamport times of the latest user event and query.
    """

    nonce: int
    cluster_id: str
    claims: list[Claim]
    event_clock: int = 0
    query_clock: int = 0


@message("gossip.join_refused", urgent=True)
class JoinRefused(Struct, frozen=True):
    """No. code: one of the words above; reason: the line for people; cluster_id: the refusing server's."""

    nonce: int
    cluster_id: str
    code: str
    reason: str


@message("gossip.muster", urgent=True)
class Muster(Struct, frozen=True):
    """Between servers that start a cluster together (muster.py).

    expect: how many servers the sender expects; 0: it was started to join. ready: the cluster it is ready to found, or
    "". asked: the address that the question was sent to, in its answer too. app: what the state machine is called.
    """

    expect: int
    claim: Claim
    ready: str
    asked: str
    is_answer: bool
    app: str = ""


# --- between servers: names ------------------------------------------------------------------------------------------


@message("gossip.name_ask", urgent=True)
class NameAsk(Struct, frozen=True):
    """Whom do you know under this name? The sender bears it, and so does another."""

    sequence: int
    name: str


@message("gossip.name_answer", urgent=True)
class NameAnswer(Struct, frozen=True):
    """The id of the server that was first seen alive under it and still is; "" for nobody."""

    sequence: int
    holder: str


@message("gossip.twin", urgent=True)
class Twin(Struct, frozen=True):
    """The sender has the id of the receiver, and has been running for so long: the younger of the two ends."""

    ran_s: float
    is_answer: bool = False


BETWEEN_SERVERS: Final[tuple[type, ...]] = (
    Ping, Ack, Nack, Stranger, PingRequest, Gossip, Notice, NoticeAck, Sync, Compare, Join, Joined, JoinRefused, Muster,
    NameAsk, NameAnswer, Twin, EventSync, QueryReply, QueryRelay,
)  # fmt: skip
"""All that servers say to each other; each has one part of the core that hears it."""

# --- inside a server: questions and their answers ---------------------------------------------------------------------


@message("gossip.members")
class MembersRequest(Struct, frozen=True):
    """Who is there (an ask, answered by MembersView)? why: a name or an id whose trail is wanted too."""

    why: str = ""


class TrailEntry(Struct, frozen=True):
    """One step of how a member came to its status."""

    age_s: float
    event: str
    by: str
    """Name of the member that did or said it."""
    detail: str


@message("gossip.members_view")
class MembersView(Struct, frozen=True):
    """All members by name, this server included, and the trails that were asked for, oldest entry first."""

    members: list[Member]
    local: str
    """Id of this server."""
    why: dict[str, list[TrailEntry]] = field(default_factory=dict)
    """Id to trail."""
    pruned: list[Member] = field(default_factory=list)
    """Those that `force-leave --prune` had forgotten not long ago: no members, but Raft may still count them."""


@message("gossip.status", urgent=True)
class GossipStatusRequest(Struct, frozen=True):
    """How gossip is doing (an ask, answered by Json): health score, join state, counters."""


@message("gossip.rtt")
class RttRequest(Struct, frozen=True):
    """How far are two members apart (an ask)? By name or id; to: "" for this server.

    Answered by Json {"ok": True, "from", "to", "rtt_ms"}, or {"ok": False, "reason"}.
    """

    start: str
    to: str = ""


@message("gossip.rtts")
class RttsRequest(Struct, frozen=True):
    """How far are the others from this server (an ask, answered by Json {id: ms}, of those whose place is known)?"""


@message("gossip.change_tags")
class ChangeTags(Struct, frozen=True):
    """Set some of this server's own tags and remove others (an ask): all of it or nothing, and to disk first.

    Answered by Json {"ok": True, "name", "tags", "incarnation"}, or {"ok": False, "reason"}.
    """

    put: dict[str, str]
    remove: list[str]


@message("gossip.join_peers")
class JoinPeers(Struct, frozen=True):
    """Join the servers at these addresses (an ask).

    Answered by Json {"ok": whether any was joined, "reason", "joined": [addresses], "failed": {address: reason}}.
    """

    peers: list[str]


@message("gossip.leave")
class LeaveRequest(Struct, frozen=True):
    """Announce a leave (an ask, answered by Json {"ok": True, "phase", "acknowledged", "missing"}, lists of names).

    leaving: this server is about to leave. left: it is gone from here on, and gossip goes quiet. stay: it stays after
    all. Answered when all live members have acknowledged, or after leave_timeout_s.
    """

    phase: LeavePhase


@message("gossip.force_leave")
class ForceLeave(Struct, frozen=True):
    """Declare a failed member left (an ask). name: or its id. prune: have everybody forget it, or one that has left.

    Answered by Json {"ok": True, "id", "name", "status"}, or {"ok": False, "reason"}: one that lives would object.
    """

    name: str
    prune: bool = False


# --- inside a server: evidence and news -------------------------------------------------------------------------------


@message("gossip.suspect_dead", urgent=True)
class SuspectDead(Struct, frozen=True):
    """The links have evidence that the process at `address` is gone; reason: "connection refused"."""

    address: str
    reason: str


@message("gossip.no_link")
class NoLink(Struct, frozen=True):
    """The links have none to `address`, and why, for people: no evidence against anybody."""

    address: str
    reason: str


@message("gossip.member_changed", urgent=True)
class MemberChanged(Struct, frozen=True):
    """A member joined or its status, name, address or tags changed. old_status: "" for a new one.

    forgotten: the member was reaped; it is in no view any more.
    """

    member: Member
    old_status: str
    forgotten: bool = False
