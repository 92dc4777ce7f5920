"""raft.db: what a server must never forget to keep Raft's promises.

Here: the messages between the raft actor and the persistence actor, and `RaftDb`, which keeps the hard state in one
row, the log and the snapshot. A `RaftWrite` is one transaction, on the disk when `write` returns. Not here: when to
write and what may be said afterwards (actors/raft), SQL of the log and the snapshot (log_table.py, snapshot_table.py),
SQLite's settings and errors (sqlite_file.py).

The invariants of the Raft paper's figure 2 that a journal can check are checked on every write and on every load: the
term never goes back, a vote is given once a term, entries are continuous and their terms do not fall, a committed entry
is never deleted. A write that breaks one is a program error and changes nothing.
"""

from attrs import field, frozen

from storage.log_table import Entry
from transport.wire import message


@frozen
class HardState:
    """What has to survive before a vote or an acknowledgement leaves (Raft, figure 2: persistent state)."""

    term: int
    voted_for: str | None
    """Server id the vote of `term` went to."""


@frozen
class SnapshotSave:
    """A snapshot of the state machine, and from where on the log is kept."""

    index: int
    """Last entry the snapshot covers."""
    term: int
    configuration: bytes
    """The Raft configuration as of `index`, opaque here."""
    chunks: list[bytes]
    """The whole state, or empty when `staged` chunks were written before with `SnapshotStage`."""
    keep_from: int
    """Entries up to and with this index are deleted and it becomes the anchor: at most `index`, so that a tail of
    entries stays for slow followers."""
    keep_from_term: int
    discard_log: bool
    """The snapshot comes from a leader and the log does not hold its last entry: nothing of the log stays. `keep_from`
    is `index` then."""
    staged: int = 0
    """How many chunks were staged for this snapshot."""


@message("raft.stage", retry=False)
@frozen
class SnapshotStage:
    """One chunk of a snapshot in the making (an ask, answered by `SnapshotStaged`).

    Staged chunks are without effect until a `RaftWrite` names the snapshot with their number in `staged`. Staging chunk
    by chunk keeps a large snapshot from blocking the loop in one transaction. Number 0 drops an unfinished staging.
    """

    incarnation: int
    """Of the raft actor, as in `RaftWrite`."""
    number: int
    """Position of the chunk, from 0 without gaps."""
    chunk: bytes


@message("raft.staged")
@frozen
class SnapshotStaged:
    """The chunk is kept, or the staging is off for the reason in `error`."""

    error: str = ""


@message("raft.write", retry=False)
@frozen
class RaftWrite:
    """The journal operations of one turn of the raft actor: one transaction, done in the order of the fields.

    None (or an empty list) leaves a part as it is. Answered by `RaftWritten` once it is on the disk.
    """

    incarnation: int
    """Of the raft actor. Writes of an incarnation that is not the last one loaded are refused."""
    sequence: int
    """Rises with every write. After an error the writes behind it are refused too, until a write with the sequence of
    the failed one (or a lower one) comes: no later write may overtake it and leave a gap."""
    hard_state: HardState | None = None
    truncate_from: int | None = None
    """Entries with this index and above are deleted, before anything is appended."""
    append: list[Entry] = field(factory=list)
    commit: int | None = None
    """The commit index as a hint for the next start; never lowered, and cut to the last entry."""
    cluster_id: str | None = None
    snapshot: SnapshotSave | None = None


@message("raft.written", urgent=True)
@frozen
class RaftWritten:
    """The answer to a write: on the disk, or not done at all for the reason in `error`."""

    incarnation: int
    sequence: int
    error: str = ""


@message("raft.load")
@frozen
class RaftLoad:
    """Asks for everything raft.db holds (answer: `RaftLoaded`); from then on only this incarnation's writes count."""

    incarnation: int


@frozen
class LoadedSnapshot:
    """The last saved snapshot."""

    index: int
    term: int
    configuration: bytes
    chunks: list[bytes]


@message("raft.loaded")
@frozen
class RaftLoaded:
    """Everything raft.db holds, each record checked."""

    hard_state: HardState
    cluster_id: str
    """"" before the server belonged to a cluster."""
    anchor_index: int
    """The index before the first entry kept; 1 in a fresh journal (the engine's log starts with an entry of its own)."""
    anchor_term: int
    entries: list[Entry]
    """Continuous, from anchor_index + 1."""
    commit: int
    """At least the snapshot's index, at most the last entry."""
    snapshot: LoadedSnapshot | None
