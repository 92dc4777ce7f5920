"""The log in memory, and what of it is not on disk yet.

What lives here: the Journal that PySyncObj writes to, as plain lists, plus the book-keeping of *persist, then speak*
(row 22): which entries and hard state a write must carry, and up to where earlier writes have made the log durable.
What does not: SQLite (storage/raft_db.py); the raft actor carries a write there and brings the answer back.

Rules:
1. ``_log[0]`` is the *anchor*: the last entry that is no longer here.  Its index and term are known, its bytes are not.
   A fresh log's anchor is (1, 0), the same on every server, so logs of a new cluster match from the start.
2. A write is numbered.  It holds everything that changed since the last one, so that writes in order rebuild the log.
3. ``durable_index`` never exceeds what a finished write holds, and a truncation takes it back at once.
4. Positions (the engine's calls) count from the anchor; indexes are Raft's.
"""

import zlib
from collections import deque
from collections.abc import Iterable
from typing import Any, overload

import msgspec
from attrs import define, field
from pysyncobj.journal import Journal as EngineJournal

from actors.raft.entries import NO_OP
from storage.log_table import Entry
from storage.raft_messages import Chunk, HardState, RaftLoaded, SnapshotSave
from storage.snapshot_table import SnapshotSource, Staging

FRESH_ANCHOR_INDEX = 1


class Write(msgspec.Struct, frozen=True):
    """Everything that changed since the write before; None means unchanged."""

    sequence: int
    hard_state: HardState | None
    truncate_from: int | None
    append: list[Entry]
    commit: int | None
    snapshot: SnapshotSave | None
    stage: list[Chunk] = msgspec.field(default_factory=list)
    """Chunks of a leader's snapshot, as they arrived."""
    source: SnapshotSource | None = None
    """Whose they are, with the first."""


@define
class _Unsaved:
    """What the next write must carry."""

    hard_state: bool = False
    commit: bool = False
    truncate_from: int | None = None
    first_index: int | None = None
    snapshot: SnapshotSave | None = None
    stage: list[Chunk] = field(factory=list)
    source: SnapshotSource | None = None

    @property
    def anything(self) -> bool:
        # The commit index is a hint (a restart finds it again), so it never causes a write of its own.
        return (
            self.hard_state
            or self.truncate_from is not None
            or self.first_index is not None
            or self.snapshot is not None
            or bool(self.stage)
        )


@define
class _Issued:
    """A write that is under way: what is durable once it is done."""

    sequence: int
    last_index: int
    hard_state: bool


class Journal(EngineJournal):
    """The engine's journal over a list, with numbered writes."""

    def __init__(self, hard_state: HardState, anchor: tuple[int, int], entries: Iterable[Entry], commit: int) -> None:
        """What a server found on its disk; all of it is durable."""
        self._log: list[Entry] = [(NO_OP, *anchor), *entries]
        self._term = hard_state.term
        self._voted_for = hard_state.voted_for
        self._commit = max(commit, anchor[0])
        self._unsaved = _Unsaved()
        self._issued: deque[_Issued] = deque()
        self.written_sequence = 0
        self.issued_sequence = 0
        self.durable_index = self.last_index

    # --- reading --------------------------------------------------------------------------------------------------

    @property
    def anchor_index(self) -> int:
        """The index that the entries here follow."""
        return self._log[0][1]

    @property
    def anchor_term(self) -> int:
        """The term of the anchor."""
        return self._log[0][2]

    @property
    def last_index(self) -> int:
        """The index of the last entry."""
        return self._log[-1][1]

    @property
    def last_term(self) -> int:
        """The term of the last entry."""
        return self._log[-1][2]

    def term_at(self, index: int) -> int | None:
        """The term of an entry, the anchor's included; None outside the log."""
        position = index - self._log[0][1]
        return self._log[position][2] if 0 <= position < len(self._log) else None

    def checksum_at(self, index: int) -> int:
        """Of an entry's bytes; 0 for one that is not here."""
        position = index - self.anchor_index
        return zlib.crc32(self._log[position][0]) if 0 < position < len(self._log) else 0

    def agrees(self, index: int, term: int, crc: int = 0) -> bool:
        """Whether a log with an entry of this term at this index can be ours up to there, as far as ours still says.

        Behind the anchor it says that terms never fall along a log.  crc: the entry's checksum, 0 if that is not known.
        """
        if index < self.anchor_index:
            return term <= self.anchor_term
        return self.term_at(index) == term and (not crc or self.checksum_at(index) in (0, crc))

    def contains(self, entry: Entry) -> bool:
        """Whether this very entry is in our log, as far as ours still says."""
        data, index, term = entry
        if not self.agrees(index, term):
            return False
        return index <= self.anchor_index or self._log[index - self.anchor_index][0] == data

    def entries(self, first: int, last: int) -> list[Entry]:
        """Entries first..last, both included; only those after the anchor."""
        base = self._log[0][1]
        return self._log[max(first - base, 1) : max(last - base + 1, 1)]

    def run(self, first: int, bytes_max: int) -> list[Entry]:
        """Entries from ``first`` on, up to and with the one that reaches so many bytes."""
        begin = end = first - self.anchor_index
        while end < len(self._log) and bytes_max > 0:
            bytes_max -= len(self._log[end][0])
            end += 1
        return self._log[begin:end]

    def before_tail(self, index: int, entries_max: int, bytes_max: int) -> int:
        """The index before a tail that ends with ``index``: at most so many entries and bytes, and nothing dropped."""
        first = max(index - entries_max, self.anchor_index)
        for data, at, _ in reversed(self.entries(first + 1, index)):
            bytes_max -= len(data)
            if bytes_max < 0:
                return at
        return first

    def first_index_of_term(self, index: int) -> int:
        """The first index after the anchor whose entry has the term of the one at ``index`` (conflict hint, row 5)."""
        term = self.term_at(index)
        first = index
        while first - 1 > self.anchor_index and self.term_at(first - 1) == term:
            first -= 1
        return first

    # --- what the engine calls ------------------------------------------------------------------------------------

    def add(self, command: bytes, idx: int, term: int) -> None:
        if idx != self.last_index + 1:
            raise AssertionError(f"the log ends at {self.last_index}, and entry {idx} was to follow it")
        self._log.append((command, idx, term))
        if self._unsaved.first_index is None:
            self._unsaved.first_index = idx

    def deleteEntriesFrom(self, entryFrom: int) -> None:
        index = self.anchor_index + entryFrom
        if index > self.last_index:
            return
        del self._log[entryFrom:]
        unsaved = self._unsaved
        unsaved.truncate_from = index if unsaved.truncate_from is None else min(unsaved.truncate_from, index)
        if unsaved.first_index is not None and unsaved.first_index >= index:
            unsaved.first_index = None
        self.durable_index = min(self.durable_index, index - 1)
        for issued in self._issued:
            issued.last_index = min(issued.last_index, index - 1)

    def deleteEntriesTo(self, entryTo: int) -> None:
        raise AssertionError("the engine never compacts the log; see save_snapshot")

    def clear(self) -> None:
        raise AssertionError("the engine never clears the log; see install_snapshot")

    @overload
    def __getitem__(self, item: int) -> Entry: ...
    @overload
    def __getitem__(self, item: slice) -> list[Entry]: ...
    def __getitem__(self, item: Any) -> Any:
        return self._log[item]

    def __len__(self) -> int:
        return len(self._log)

    def _destroy(self) -> None:
        return None

    def setRaftCommitIndex(self, raftCommitIndex: int) -> None:
        if raftCommitIndex != self._commit:
            self._commit = raftCommitIndex
            self._unsaved.commit = True

    def getRaftCommitIndex(self) -> int:
        return min(self._commit, self.last_index)

    def setCurrentTerm(self, term: int, votedForNodeId: str | None) -> None:
        if (term, votedForNodeId) != (self._term, self._voted_for):
            self._term = term
            self._voted_for = votedForNodeId
            self._unsaved.hard_state = True

    def getCurrentTerm(self) -> int:
        return self._term

    def getVotedForNodeId(self) -> str | None:
        return self._voted_for

    # --- what the guard changes ---------------------------------------------------------------------------------------

    def fill_no_op(self, data: bytes) -> None:
        """Let the no-op that the engine has just appended say something; nobody has seen it yet."""
        no_op, index, term = self._log[-1]
        if no_op != NO_OP or self._unsaved.first_index is None:
            raise AssertionError(f"entry {index} is no fresh no-op")
        self._log[-1] = (data, index, term)

    # --- snapshots ------------------------------------------------------------------------------------------------

    def save_snapshot(self, snapshot: SnapshotSave) -> None:
        """Keep a snapshot of our own and drop the entries up to its ``keep_from``, in one write."""
        self._unsaved.snapshot = snapshot
        self._drop_to(snapshot.keep_from)

    def stage(self, number: int, chunk: bytes, source: SnapshotSource) -> None:
        """Keep a chunk of a leader's snapshot; number 0 begins one."""
        if number == 0:
            self._unsaved.stage.clear()
            self._unsaved.source = source
        self._unsaved.stage.append((number, chunk))

    def unstage(self) -> None:
        """A snapshot of our own has ended the staging of a leader's (storage/snapshot_store.py)."""
        self._unsaved.stage.clear()

    def install_snapshot(self, snapshot: SnapshotSave) -> None:
        """Take a leader's snapshot: a tail that matches it stays, anything else goes (Raft §7)."""
        if snapshot.discard_log:
            self._log = [(NO_OP, snapshot.index, snapshot.term)]
            self._unsaved.first_index = None
            self._unsaved.truncate_from = None
            self.durable_index = 0
            for issued in self._issued:
                issued.last_index = 0
        else:
            self._drop_to(snapshot.index)
        self._unsaved.snapshot = snapshot
        self._commit = max(self._commit, snapshot.index)

    def _drop_to(self, index: int) -> None:
        term = self.term_at(index)
        if term is None:
            raise AssertionError(f"no entry {index} to compact the log to")
        # What of it was not saved yet need not be: the write says that the log goes on behind this index.
        self._log[: index - self.anchor_index + 1] = [(NO_OP, index, term)]

    # --- writes ---------------------------------------------------------------------------------------------------

    @property
    def hard_state_is_durable(self) -> bool:
        """Whether a restart would find today's term and vote."""
        return not self._unsaved.hard_state and not any(issued.hard_state for issued in self._issued)

    @property
    def next_promise(self) -> int:
        """The write after which everything that is true now is on disk."""
        return self.issued_sequence + 1 if self._unsaved.anything else self.issued_sequence

    def take_write(self) -> Write | None:
        """The next write, or None when nothing needs one."""
        unsaved = self._unsaved
        if not unsaved.anything:
            return None
        self._unsaved = _Unsaved()
        self.issued_sequence += 1
        self._issued.append(_Issued(self.issued_sequence, self.last_index, unsaved.hard_state))
        first = unsaved.first_index
        return Write(
            sequence=self.issued_sequence,
            hard_state=HardState(self._term, self._voted_for) if unsaved.hard_state else None,
            truncate_from=unsaved.truncate_from,
            append=[] if first is None else self.entries(first, self.last_index),
            commit=self._commit if unsaved.commit else None,
            snapshot=unsaved.snapshot,
            stage=unsaved.stage,
            source=unsaved.source,
        )

    def written(self, sequence: int) -> None:
        """Write ``sequence``, and with it every one before, is on disk."""
        while self._issued and self._issued[0].sequence <= sequence:
            issued = self._issued.popleft()
            self.written_sequence = issued.sequence
            self.durable_index = max(self.durable_index, issued.last_index)


@define
class RestoredLog:
    """What a restart found, as the core takes it."""

    hard_state: HardState
    anchor: tuple[int, int]
    commit: int
    entries: list[Entry] = field(factory=list)
    snapshot: SnapshotSave | None = None
    arriving: Staging = field(factory=Staging)
    """What has arrived of a leader's snapshot."""

    @classmethod
    def of(cls, loaded: RaftLoaded) -> "RestoredLog":
        """From what raft.db holds."""
        anchor = loaded.anchor_index, loaded.anchor_term
        return cls(loaded.hard_state, anchor, loaded.commit, loaded.entries, loaded.snapshot, loaded.arriving)
