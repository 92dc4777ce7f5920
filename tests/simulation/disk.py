"""A disk without a disk: what raft.db would hold, and which writes are on their way to it.

The rules are raft.db's own (storage/journal_state.py); only SQL is replaced, by a dictionary.
tests/unit/raft/test_disk.py holds the two against each other.  A crash loses every write that is still on its way, or
keeps the first few of them: an fsync that was done, but not reported yet.  A write of which only a part got there is
none, as tests/unit/storage/test_crash.py shows of raft.db.

It stands in for RaftDb below the real persistence actor (persistence.py), and takes writes by hand for a stage
(tests/unit/raft/stage.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from math import inf
from typing import Final

from msgspec.structs import replace

from actors.raft.journal import RestoredLog, Write
from storage.errors import InvalidWriteError, SyncError, WriteError
from storage.journal_state import JournalState, fresh_state
from storage.log_table import Entry
from storage.raft_messages import HardState, RaftWrite, SnapshotSave
from storage.snapshot_table import SnapshotSource, Staging

NEVER_S: Final = -inf


class SimDisk:
    """One server's disk.  ``state``, ``rows`` and ``snapshot`` would survive the loss of power."""

    def __init__(self, server_id: str) -> None:
        self.state = fresh_state(server_id)
        self.rows: dict[int, Entry] = {}
        self.snapshot: SnapshotSave | None = None
        self.staged: list[bytes] = []
        self.source: SnapshotSource | None = None
        """Whose snapshot the staged chunks are of."""
        self.on_its_way: deque[Write] = deque()
        self.refuses_until = NEVER_S
        """Until then it takes no writes."""
        self.breaks_sync: bool | None = None
        """The next sync fails, and whether the write is on the disk all the same."""
        self._held: dict[int, list[bytes]] = {}
        """Chunks of snapshots that were replaced, for who still sends them; a crash loses them."""
        self._to_hold: set[int] = set()

    def write(self, write: RaftWrite, now: float) -> None:
        """Do a write as RaftDb does.  Raises WriteError with nothing of it done, and SyncError."""
        if now < self.refuses_until:
            raise WriteError("the simulated disk is full")
        if self.breaks_sync is not None:
            is_kept, self.breaks_sync = self.breaks_sync, None
            if is_kept:
                self._do(write)
            raise SyncError("the simulated disk fails to sync")
        self._do(write)

    def hold(self, indexes: Iterable[int]) -> None:
        """Keep snapshots at these indexes, and no others, when a newer one is put in force."""
        self._to_hold = set(indexes)
        self._held = {index: chunks for index, chunks in self._held.items() if index in self._to_hold}

    def submit(self, write: Write) -> None:
        """Take a write; it is done by ``complete``, in order."""
        if self.on_its_way and write.sequence != self.on_its_way[-1].sequence + 1:
            raise AssertionError(f"write {write.sequence} after write {self.on_its_way[-1].sequence}")
        self.on_its_way.append(write)

    def complete(self) -> int:
        """Do the oldest write; returns its sequence."""
        write = self.on_its_way.popleft()
        self._do(write)
        return write.sequence

    def crash(self, kept: int) -> None:
        """Lose the writes on their way but the first ``kept``."""
        for _ in range(min(kept, len(self.on_its_way))):
            self.complete()
        self.on_its_way.clear()
        self.reopen()

    def reopen(self) -> None:
        """The process that had it open is gone, and its successor opens it."""
        self._held.clear()
        self._to_hold.clear()

    def chunks(self, index: int) -> list[bytes]:
        """The chunks of the snapshot at an index; none when there is no such snapshot."""
        if self.snapshot is not None and self.snapshot.index == index:
            return self.snapshot.chunks
        return self._held.get(index, [])

    def load(self) -> RestoredLog:
        """What a restart finds."""
        state = self.state
        entries = [self.rows[index] for index in range(state.anchor_index + 1, state.last_index + 1)]
        return RestoredLog(
            HardState(state.term, state.voted_for),
            (state.anchor_index, state.anchor_term),
            state.commit_index,
            entries,
            self.snapshot,
            Staging(1, len(self.staged), sum(map(len, self.staged)), self.source) if self.source else Staging(),
        )

    def term_of(self, index: int) -> int | None:
        """The term of an entry that is kept; the anchor's included."""
        if index == self.state.anchor_index:
            return self.state.anchor_term
        return self.rows[index][2] if index in self.rows else None

    def holds(self, index: int, term: int | None) -> bool:
        """Whether this entry would survive, as a row or inside the snapshot."""
        return index <= self.state.anchor_index or self.term_of(index) == term

    def _do(self, write: Write | RaftWrite) -> None:
        state = self.state
        if write.hard_state is not None:
            state = state.voted(write.hard_state.term, write.hard_state.voted_for)
        if write.truncate_from is not None:
            state = state.truncated(write.truncate_from, self._term_in(state, write.truncate_from - 1))
            self._delete_from(write.truncate_from)
        if write.snapshot is not None:
            state = self._move_anchor(state, write.snapshot)
        snapshot = self._take_chunks(write)
        state = state.appended(write.append)
        self.rows.update((entry[1], entry) for entry in write.append)
        if write.snapshot is not None and self._term_in(state, write.snapshot.index) != write.snapshot.term:
            raise InvalidWriteError(f"the snapshot at {write.snapshot.index} does not belong to the log")
        self.state = state.committed(max(write.commit or 0, snapshot.index if snapshot else 0))
        self.snapshot = snapshot
        for index in [index for index in self.rows if index <= state.anchor_index]:
            del self.rows[index]

    def _take_chunks(self, write: Write | RaftWrite) -> SnapshotSave | None:
        """One of our own, then chunks of a leader's, then a leader's; each ends what was staged of no later index."""
        save, snapshot = write.snapshot, self.snapshot
        if save is not None and not save.received:
            snapshot = save
            if self.source is None or self.source.index <= save.index:
                self.staged, self.source = [], None
        for number, chunk in write.stage:
            if number == 0:
                self.staged, self.source = [], write.source
            if number != len(self.staged):
                raise InvalidWriteError(f"chunk {number} behind {len(self.staged)} chunks")
            self.staged.append(chunk)
        if save is not None and save.received:
            if save.staged != len(self.staged):
                raise InvalidWriteError(f"{save.staged} chunks named where {len(self.staged)} are kept")
            snapshot = replace(save, chunks=self.staged, staged=0, size=0, received=False)
            self.staged, self.source = [], None
        replaced = self.snapshot
        if replaced is not None and replaced is not snapshot and replaced.index in self._to_hold:
            self._held[replaced.index] = replaced.chunks
        return snapshot

    def _move_anchor(self, state: JournalState, save: SnapshotSave) -> JournalState:
        if save.keep_from > save.index or (save.discard_log and save.keep_from != save.index):
            raise InvalidWriteError(f"a log kept from {save.keep_from} beside a snapshot at {save.index}")
        if self.snapshot is not None and save.index < self.snapshot.index:
            raise InvalidWriteError(f"a snapshot at {save.index} after one at {self.snapshot.index}")
        if save.discard_log:
            self._delete_from(save.index + 1)
        if save.discard_log or save.keep_from > state.last_index:
            return state.emptied(save.keep_from, save.keep_from_term)
        if self._term_in(state, save.keep_from) != save.keep_from_term:
            raise InvalidWriteError(f"entry {save.keep_from} does not have term {save.keep_from_term}")
        return state.anchored(save.keep_from, save.keep_from_term)

    def _term_in(self, state: JournalState, index: int) -> int | None:
        if index == state.anchor_index:
            return state.anchor_term
        return self.rows[index][2] if index in self.rows else None

    def _delete_from(self, index: int) -> None:
        for gone in [row for row in self.rows if row >= index]:
            del self.rows[gone]
