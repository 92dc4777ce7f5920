"""raft.db: what a server must never forget to keep Raft's promises.

Here: `RaftDb`, which carries writes out: each is one transaction, on the disk when `write` returns. Not here: what a
write may hold (raft_messages.py) and which ones are allowed (journal_state.py), when to write and what may be said
afterwards (actors/raft), SQL (log_table.py, snapshot_table.py), which chunks belong to which snapshot
(snapshot_store.py), SQLite's settings and errors (sqlite_file.py).
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from storage.errors import CorruptFile, InvalidWriteError
from storage.journal_state import SCHEMA as STATE_SCHEMA
from storage.journal_state import JournalState, fresh_state, put_state, read_state
from storage.log_table import SCHEMA as LOG_SCHEMA
from storage.log_table import Entry, LogTable
from storage.raft_messages import HardState, RaftLoaded, RaftWrite, SnapshotSave
from storage.snapshot_store import SnapshotStore
from storage.snapshot_table import SCHEMA as SNAPSHOT_SCHEMA
from storage.snapshot_table import SnapshotRow, Staging
from storage.sqlite_file import SqliteFile, errors_of

FILE_NAME = "raft.db"

_SCHEMA = (*STATE_SCHEMA, *LOG_SCHEMA, *SNAPSHOT_SCHEMA)


class RaftDb:
    """An open raft.db. Every method blocks until the disk has answered."""

    def __init__(self, path: Path) -> None:
        """Open an existing file and check its frame. Raises CorruptFile or StorageError."""
        self._path = path
        self._file = SqliteFile(path, _SCHEMA)
        self._log = LogTable(self._file.connection, path)
        try:
            with errors_of(path):
                self._state = read_state(self._file.connection, path)
                self._snapshots = SnapshotStore(self._file.connection, path)
                self._first_row = self._log.first_row(self._state.anchor_index + 1)
        except BaseException:
            self._file.abandon()
            raise

    @staticmethod
    def create(path: Path, server_id: str) -> None:
        """Make an empty raft.db that belongs to this server."""
        SqliteFile.create(path, _SCHEMA, lambda connection: put_state(connection, fresh_state(server_id)))

    @property
    def server_id(self) -> str:
        """The server the file was made for."""
        return self._state.server_id

    @property
    def cluster_id(self) -> str:
        """The cluster whose log the file holds, "" for none yet."""
        return self._state.cluster_id

    @property
    def is_fresh(self) -> bool:
        """Whether nothing was ever written."""
        return self._state == fresh_state(self.server_id)

    def load(self) -> RaftLoaded:
        """Everything the file holds but the snapshot's chunks. Raises CorruptFile when a record is not as written."""
        state = self._state
        with errors_of(self._path):
            anchor, last = (state.anchor_index, state.anchor_term), (state.last_index, state.last_term)
            entries = self._log.load(anchor, last)
        self._check_places(entries)
        snapshot = self._snapshots.present.in_force
        return RaftLoaded(
            hard_state=HardState(state.term, state.voted_for),
            cluster_id=state.cluster_id,
            anchor_index=state.anchor_index,
            anchor_term=state.anchor_term,
            entries=entries,
            commit=state.commit_index,
            snapshot=self._saved(snapshot) if snapshot else None,
            arriving=self._snapshots.present.received,
        )

    def faults(self) -> Iterator[str]:
        """Everything that is wrong with what the file holds; reads all of it, the snapshot's chunks too."""
        state = self._state
        anchor, last = (state.anchor_index, state.anchor_term), (state.last_index, state.last_term)
        with errors_of(self._path):
            try:
                self._check_places(self._log.load(anchor, last))
            except CorruptFile as error:
                yield from [fault for _, fault in self._log.scan(anchor, last) if fault] or [error.what]
            yield from filter(None, self._snapshots.scan())

    def chunk(self, index: int, number: int) -> bytes | None:
        """One chunk of the snapshot at `index`, None when there is no such one any more. Raises CorruptFile."""
        with errors_of(self._path):
            return self._snapshots.read(index, number)

    def hold(self, indexes: Iterable[int]) -> None:
        """Keep snapshots at these indexes, and no others, readable when a newer one is put in force."""
        self._snapshots.hold(indexes)

    def _check_places(self, entries: list[Entry]) -> None:
        """The records are sound one by one; now whether they fit together."""
        state, snapshot = self._state, self._snapshots.present.in_force
        if state.last_term > state.term:
            raise CorruptFile(self._path, f"the log has an entry of term {state.last_term} in term {state.term}")
        if snapshot is None:
            if state.anchor_index != fresh_state("").anchor_index:
                raise CorruptFile(self._path, f"the snapshot before log entry {state.anchor_index + 1} is missing")
            return
        position = snapshot.index - state.anchor_index - 1
        term = entries[position][2] if 0 <= position < len(entries) else state.anchor_term
        if position >= len(entries) or position < -1 or term != snapshot.term:
            raise CorruptFile(self._path, f"the snapshot at {snapshot.index} does not belong to the log")

    def _saved(self, row: SnapshotRow) -> SnapshotSave:
        return SnapshotSave(
            index=row.index,
            term=row.term,
            configuration=row.configuration,
            chunks=[],
            keep_from=self._state.anchor_index,
            keep_from_term=self._state.anchor_term,
            discard_log=False,
            staged=row.chunks,
            size=row.size,
        )

    def stage(self, number: int, chunk: bytes) -> None:
        """Keep a chunk of a snapshot that this server makes.

        Raises WriteError when it cannot be kept, or does not follow the chunk before it; the staging is off then.
        """
        snapshots = self._snapshots.present
        self._snapshots.adopt(replace(snapshots, made=Staging()))
        with self._transaction():
            snapshots = replace(snapshots, made=self._snapshots.stage(snapshots.made, number, chunk))
            self._snapshots.collect_garbage(snapshots)
        self._snapshots.adopt(snapshots)

    def write(self, write: RaftWrite) -> None:
        """One transaction, on the disk when this returns.

        Raises WriteError (nothing kept, the file can be used), SyncError (unknown what was kept: close and reopen) or
        InvalidWriteError (a program error, nothing kept).
        """
        save = write.snapshot
        with self._transaction():
            state = self._with_promises(write)
            if write.truncate_from is not None:
                state = self._truncate(state, write.truncate_from)
            if save is not None:
                state = self._move_anchor(state, save)
            snapshots = self._snapshots.write(save, write.stage, write.source)
            if write.append:
                state = state.appended(write.append)
                self._log.append(write.append)
            if save is not None and self._term_of(state, save.index) != save.term:
                raise InvalidWriteError(f"the snapshot at {save.index} does not belong to the log")
            in_force = snapshots.in_force
            state = state.committed(max(write.commit or 0, in_force.index if in_force else 0))
            put_state(self._file.connection, state)
            first_row = self._collect_rows(state, write.append)
            self._snapshots.collect_garbage(snapshots)
        self._state, self._first_row = state, first_row
        self._snapshots.adopt(snapshots)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with self._file.transaction():
                yield
        except BaseException:
            self._snapshots.undo()
            raise

    def recover(self, cluster_id: str, term: int, data: bytes) -> None:
        """Join another cluster with this log and one more entry, of a new term; raises as ``write``."""
        with self._transaction():
            state = self._state.recovered(cluster_id, term)
            entries = [(data, state.last_index + 1, term)]
            state = state.appended(entries)
            self._log.append(entries)
            put_state(self._file.connection, state)
        self._state = state

    def close(self) -> None:
        """Fold the WAL into the file and close. Raises StorageError when that fails; closed it is all the same."""
        self._file.close()

    def _with_promises(self, write: RaftWrite) -> JournalState:
        state = self._state
        if write.hard_state is not None:
            state = state.voted(write.hard_state.term, write.hard_state.voted_for)
        return state if write.cluster_id is None else state.joined(write.cluster_id)

    def _truncate(self, state: JournalState, index: int) -> JournalState:
        state = state.truncated(index, self._term_of(state, index - 1))
        self._log.delete_from(index)
        return state

    def _move_anchor(self, state: JournalState, save: SnapshotSave) -> JournalState:
        if save.keep_from > save.index or (save.discard_log and save.keep_from != save.index):
            raise InvalidWriteError(f"a log kept from {save.keep_from} beside a snapshot at {save.index}")
        before = self._snapshots.present.in_force
        if before is not None and save.index < before.index:
            raise InvalidWriteError(f"a snapshot at {save.index} after one at {before.index}")
        if save.discard_log:
            self._log.delete_from(save.index + 1)
        if save.discard_log or save.keep_from > state.last_index:
            return state.emptied(save.keep_from, save.keep_from_term)
        if self._term_of(state, save.keep_from) != save.keep_from_term:
            raise InvalidWriteError(f"entry {save.keep_from} does not have term {save.keep_from_term}")
        return state.anchored(save.keep_from, save.keep_from_term)

    def _collect_rows(self, state: JournalState, appended: list[Entry]) -> int:
        if self._first_row > state.anchor_index:
            return self._first_row
        return self._log.collect_garbage(self._first_row, state.anchor_index, appended)

    def _term_of(self, state: JournalState, index: int) -> int | None:
        return state.anchor_term if index == state.anchor_index else self._log.term_of(index)
