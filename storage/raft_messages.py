"""What the raft actor and the persistence actor say to each other about raft.db.

Here: the messages, and the values in them. A `RaftWrite` is one transaction. Not here: when to write and what may be
said afterwards (actors/raft), and how a write is done (raft_db.py).
"""

from __future__ import annotations

from msgspec import Struct, field
from msgspec.structs import replace

from storage.log_table import Entry
from storage.snapshot_table import SnapshotSource, Staging
from transport.wire import message

Chunk = tuple[int, bytes]
"""A chunk of a snapshot with its number, from 0 without gaps."""


class HardState(Struct, frozen=True):
    """What has to survive before a vote or an acknowledgement leaves (Raft, figure 2: persistent state)."""

    term: int
    voted_for: str | None
    """Server id the vote of `term` went to."""


class SnapshotSave(Struct, frozen=True):
    """A snapshot of the state machine, and from where on the log is kept."""

    index: int
    """Last entry the snapshot covers."""
    term: int
    configuration: bytes
    """The Raft configuration as of `index`, opaque here."""
    chunks: list[bytes]
    """The whole state, or empty when its chunks lie in raft.db already."""
    keep_from: int
    """Entries up to and with this index are deleted and it becomes the anchor: at most `index`, less to leave a tail
    of entries for slow followers. Where it lies behind the last entry written, `append` goes on from it."""
    keep_from_term: int
    discard_log: bool
    """The snapshot comes from a leader and the log does not hold its last entry: nothing of the log stays, and
    `keep_from` is `index`."""
    staged: int = 0
    """How many chunks lie in raft.db. Of one to save: they were staged, by `RaftWrite.stage` when it was `received`,
    else by `SnapshotStage`. Of a loaded one: they are read one by one with `SnapshotRead`."""
    received: bool = False
    """The snapshot is a leader's."""
    size: int = 0
    """Bytes of the staged chunks."""

    @property
    def total(self) -> int:
        """How many chunks it has."""
        return len(self.chunks) or self.staged

    def without_chunks(self) -> SnapshotSave:
        """The same, its chunks in raft.db."""
        if not self.chunks:
            return self
        return replace(self, chunks=[], staged=len(self.chunks), size=sum(map(len, self.chunks)))


@message("raft.stage", retry=False)
class SnapshotStage(Struct, frozen=True):
    """One chunk of a snapshot that this server makes (an ask, answered by `SnapshotStaged`).

    Staged chunks are without effect until a `RaftWrite` names the snapshot with their number in `staged`. Staging chunk
    by chunk keeps a large snapshot from blocking the loop in one transaction. Number 0 drops an unfinished staging. A
    snapshot that is put in force, whosever, ends it.
    """

    incarnation: int
    """Of the raft actor, as in `RaftWrite`."""
    number: int
    """Position of the chunk, from 0 without gaps."""
    chunk: bytes


@message("raft.staged")
class SnapshotStaged(Struct, frozen=True):
    """The chunk is kept, or the staging is off for the reason in `error`."""

    error: str = ""


@message("raft.read_snapshot")
class SnapshotRead(Struct, frozen=True):
    """Asks for one chunk of the snapshot at `index` (answer: `SnapshotPiece`)."""

    index: int
    number: int


@message("raft.snapshot_piece")
class SnapshotPiece(Struct, frozen=True):
    """The chunk, or None: there is no such snapshot any more."""

    data: bytes | None


@message("raft.hold_snapshots", retry=False)
class SnapshotHold(Struct, frozen=True):
    """Snapshots at these indexes stay readable when a newer one is put in force, until the next such message."""

    incarnation: int
    indexes: list[int]


@message("raft.write", retry=False)
class RaftWrite(Struct, frozen=True, array_like=True):
    """The journal operations of one turn of the raft actor: one transaction.

    Done in this order: hard state, cluster id, truncation, a snapshot of one's own, staging, a leader's snapshot,
    append, commit. None (or an empty list) leaves a part as it is. Answered by `RaftWritten` once it is on the disk.
    """

    incarnation: int
    """Of the raft actor. Writes of an incarnation that is not the last one loaded are refused."""
    sequence: int
    """Rises with every write, from 1. After an error the writes behind it are refused too, until the failed one comes
    again: no later write may overtake it and leave a gap. A write that is done already is only acknowledged again."""
    hard_state: HardState | None = None
    truncate_from: int | None = None
    """Entries with this index and above are deleted, before anything is appended."""
    append: list[Entry] = field(default_factory=list)
    commit: int | None = None
    """The commit index as a hint for the next start; never lowered, and cut to the last entry."""
    cluster_id: str | None = None
    snapshot: SnapshotSave | None = None
    stage: list[Chunk] = field(default_factory=list)
    """Chunks of a leader's snapshot as they arrive; number 0 drops what was staged of another one."""
    source: SnapshotSource | None = None
    """With chunk 0: whose snapshot it is. What has arrived of it is then found again by a restart."""


@message("raft.written", urgent=True)
class RaftWritten(Struct, frozen=True, array_like=True):
    """The answer to a write: on the disk, or not done at all for the reason in `error`."""

    incarnation: int
    sequence: int
    error: str = ""


@message("raft.load")
class RaftLoad(Struct, frozen=True):
    """Asks for everything raft.db holds (answer: `RaftLoaded`); from then on only this incarnation's writes count."""

    incarnation: int


@message("raft.loaded")
class RaftLoaded(Struct, frozen=True):
    """Everything raft.db holds, each record checked."""

    hard_state: HardState
    cluster_id: str
    """"" before the server belonged to a cluster."""
    anchor_index: int
    """The index before the first entry kept; 1 in a fresh journal: the engine's log starts with an entry of its own."""
    anchor_term: int
    entries: list[Entry]
    """Continuous, from anchor_index + 1."""
    commit: int
    """At least the snapshot's index, at most the last entry."""
    snapshot: SnapshotSave | None
    """The last saved one, its chunks left in raft.db; its `keep_from` is the anchor."""
    arriving: Staging = field(default_factory=Staging)
    """What has arrived of a leader's snapshot."""
