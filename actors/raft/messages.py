"""What the raft actor says and hears: between servers, and from the actors of its own server.

What lives here: frozen message classes, one wire kind each, and nothing that acts.  Kinds that start with ``raft.``
and carry a ``term`` travel between servers; the rest stay inside one.

Two lanes: votes, heartbeats and read confirmations are urgent; ``Append``, its answer and snapshots are bulk and keep
their order.  Nothing that is urgent may depend on what a bulk message brought along: that is why ``Heartbeat`` says
nothing about entries, and a follower trusts its commit index only as far as entries of this term's leader have been
verified.

Array-like are those that a write, a read, an election or an idle second needs: the names of fields would be most of
their bytes.
"""

from msgspec import Struct

from storage.log_table import Entry
from transport.wire import message

# --- between servers: elections -------------------------------------------------------------------------------------


@message("raft.vote_request", urgent=True)
class VoteRequest(Struct, frozen=True, array_like=True):
    """RequestVote (Raft §5.2), or with ``pre`` the question whether one would be granted (thesis §9.6).

    transfer: the leader asked this candidate to take over, which waives stickiness (thesis §3.10).
    """

    term: int
    last_index: int
    last_term: int
    pre: bool
    transfer: bool


@message("raft.vote_reply", urgent=True)
class VoteReply(Struct, frozen=True, array_like=True):
    """The answer to one VoteRequest: ``request_term`` is the term it asked for, ``term`` the voter's own."""

    term: int
    request_term: int
    pre: bool
    granted: bool


@message("raft.timeout_now", urgent=True)
class TimeoutNow(Struct, frozen=True):
    """The leader of ``term`` asks the receiver to stand for election at once (thesis §3.10)."""

    term: int


# --- between servers: the log ---------------------------------------------------------------------------------------


@message("raft.append")
class Append(Struct, frozen=True, array_like=True):
    """AppendEntries (Raft §5.3).  sequence: numbers the leader's appends to one peer within a term.

    prev_crc: the checksum of the entry before, as long as the peer has acknowledged nothing in this term; else 0.
    """

    term: int
    sequence: int
    prev_index: int
    prev_term: int
    commit: int
    entries: list[Entry]
    prev_crc: int = 0


@message("raft.append_reply")
class AppendReply(Struct, frozen=True, array_like=True):
    """The answer to one Append.

    match: on success, the highest index known to equal the leader's log and to be on disk here; on a mismatch, the
    index after which the leader should try next (conflict hint: the entry before the first of the conflicting term).
    end: on a mismatch, the last index up to which the log here can be the leader's: its own last one, or the one before
    the entry that differs.
    """

    term: int
    sequence: int
    success: bool
    match: int
    end: int = 0


@message("raft.heartbeat", urgent=True)
class Heartbeat(Struct, frozen=True, array_like=True):
    """The leader of ``term`` lives.  round: numbers the heartbeats of a term; a read waits for a round.

    wants_reply: whether the leader has a use for an answer.
    """

    term: int
    round: int
    commit: int
    wants_reply: bool = True


@message("raft.heartbeat_reply", urgent=True)
class HeartbeatReply(Struct, frozen=True, array_like=True):
    """A follower heard round ``round`` of ``term``.

    verified: up to here it knows, in this run and term, that its log is the leader's; after a restart less than it has
    acknowledged, and then the leader sends an append for it to compare.
    """

    term: int
    round: int
    verified: int


# --- between servers: reads and snapshots ---------------------------------------------------------------------------


@message("raft.read_index", urgent=True)
class ReadIndex(Struct, frozen=True, array_like=True):
    """A follower asks the leader for an index that is safe to read at (thesis §6.4)."""

    term: int
    request: int


@message("raft.read_index_reply", urgent=True)
class ReadIndexReply(Struct, frozen=True, array_like=True):
    """The index for ``request``; -1: the receiver is not the leader, or could not confirm that it is."""

    term: int
    request: int
    index: int


@message("raft.snapshot_chunk")
class SnapshotChunk(Struct, frozen=True):
    """One piece of a snapshot.  offset and total count chunks; crc is over this chunk (zlib.crc32)."""

    term: int
    index: int
    snapshot_term: int
    configuration: bytes
    offset: int
    total: int
    crc: int
    data: bytes


@message("raft.snapshot_reply")
class SnapshotReply(Struct, frozen=True):
    """How far the snapshot at ``index`` has arrived: the next chunk wanted; ``installed`` once it is on disk."""

    term: int
    index: int
    next_offset: int
    installed: bool


# --- inside one server ----------------------------------------------------------------------------------------------


@message("raft.propose", retry=False)
class Propose(Struct, frozen=True, array_like=True):
    """From the gateway: commands to replicate, each with the gateway's key for it."""

    batch: list[tuple[int, bytes]]


@message("raft.read")
class Read(Struct, frozen=True, array_like=True):
    """From the gateway: queries as (key, query, consistency); see transport/client/protocol.py."""

    batch: list[tuple[int, bytes, str]]


@message("raft.results")
class Results(Struct, frozen=True, array_like=True):
    """To the gateway: (key, code, result) of proposals and reads.

    code: ``ok``, or ``not_leader``, ``no_leader``, ``overloaded``, ``too_large``: certainly not applied; or
    ``outcome_unknown``; or, of a read, ``diverged``, and the result says how (actors/raft/divergence.py).
    applied: the index the answers reflect.  age_ms: how long ago that was all
    there was, as far as this server knows (actors/raft/freshness.py); AGE_UNKNOWN_MS if it never knew.
    """

    batch: list[tuple[int, str, bytes]]
    applied: int
    age_ms: int


@message("raft.follow")
class Follow(Struct, frozen=True):
    """From the gateway: say with one `Stirred` when entries behind this index are applied, also if they are already.

    It is said, too, when reads are not answered any more.
    """

    applied: int


@message("raft.stirred")
class Stirred(Struct, frozen=True):
    """To the gateway: everything up to this index is applied, and whoever reads is told what there is."""

    applied: int


@message("raft.leader", urgent=True)
class LeaderChanged(Struct, frozen=True):
    """To gateway and reconciler: who leads now ("" for nobody), and whether it is ready to serve.

    ready: it is this server, and an entry of its term is committed.
    """

    term: int
    leader: str
    address: str
    is_me: bool
    ready: bool


@message("raft.status", urgent=True)
class RaftStatusRequest(Struct, frozen=True):
    """Ask for this server's view of Raft; answered with ``Json``."""


@message("raft.view_request", urgent=True)
class ViewRequest(Struct, frozen=True):
    """From the reconciler: how does Raft stand?  Answered with RaftView."""


class ServerView(Struct, frozen=True):
    """One server of the configuration.  match_index and heard_s_ago: None where only the leader would know."""

    id: str
    name: str
    address: str
    voter: bool
    match_index: int | None
    heard_s_ago: float | None


@message("raft.view", urgent=True)
class RaftView(Struct, frozen=True):
    """The configuration in force and what a change of it depends on.

    configuration_index: of its entry; is_settled: that entry is committed, and so is one of this leader's term,
    and it knows who answers it: right after its election it takes everybody for heard.
    """

    local: str
    is_leader: bool
    is_settled: bool
    configuration_index: int
    commit_index: int
    servers: list[ServerView]


@message("raft.peer_gone", urgent=True)
class PeerGone(Struct, frozen=True):
    """From the links: the port at ``address`` refused a connection, so the process behind it is dead."""

    address: str


@message("raft.transfer", urgent=True)
class TransferLeadership(Struct, frozen=True):
    """Ask the leader to hand over to the server named ``target`` ("" picks the best); answered with ``Json``."""

    target: str = ""


@message("raft.take_snapshot")
class TakeSnapshot(Struct, frozen=True):
    """Ask for a snapshot now; answered with ``Json`` once it is on disk."""


@message("raft.found", urgent=True)
class FoundCluster(Struct, frozen=True):
    """From gossip: this server begins a cluster with others; answered with ``Json`` {"ok": bool}.

    configuration: the first one, encoded.  The same message again changes nothing.
    """

    cluster_id: str
    configuration: bytes


@message("raft.configure", urgent=True)
class Configure(Struct, frozen=True):
    """From the reconciler: one change of the configuration, if it is still the one of ``base_index``.

    kind: ``add_standby``, ``promote``, ``demote``, ``remove`` or ``update`` (new name or address, same id).
    Answered with ``Json`` {"ok": bool, "reason": str}.
    """

    kind: str
    base_index: int
    id: str
    name: str
    address: str


@message("raft.tick", urgent=True)
class Tick(Struct, frozen=True):
    """The raft actor's own timer."""


@message("raft.continue")
class Continue(Struct, frozen=True):
    """The raft actor's note to itself: there is more to do than one turn may take."""


@message("raft.retry_disk")
class RetryDisk(Struct, frozen=True):
    """The raft actor's timer while the disk refuses writes."""
