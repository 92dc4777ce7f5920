"""The snapshots of a raft.db: the one in force, those in the making, and those that are still being read.

Here: which chunks belong to which, and what is garbage. Not here: SQL (snapshot_table.py), transactions, and what a
snapshot means for the log (raft_db.py).

Two may be in the making at the same time: one that this server makes, and one that its leader sends; a snapshot that is
put in force ends both, but for a leader's of a later index. What has arrived of a leader's outlives a restart, and its
transfer goes on where it was. One
that was in force stays readable for as long as it is held: whoever sends it to another server goes on where it was.

What a transaction does to the stagings is a value that the caller hands to `adopt` when it is done, so that nothing of
a transaction that was undone is left here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import astuple, replace

from storage.errors import InvalidWriteError, WriteError
from storage.raft_messages import Chunk, SnapshotSave
from storage.snapshot_table import SnapshotRow, SnapshotSource, SnapshotTable, Staging


class Snapshots(Struct, frozen=True):
    """What there is."""

    in_force: SnapshotRow | None
    made: Staging = field(default_factory=Staging)
    """By this server."""
    received: Staging = field(default_factory=Staging)
    """From its leader."""

    @property
    def series(self) -> set[int]:
        """Whose chunks are no garbage."""
        return {self.made.series, self.received.series, self.in_force.series if self.in_force else 0}


class SnapshotStore:
    """The snapshots of one file. The writing methods work inside the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        """Read what there is. Raises CorruptFile."""
        self._table = SnapshotTable(connection, path)
        self.present = Snapshots(self._table.describe(), received=self._table.arriving())
        # A snapshot may have no chunk at all (the first of a cluster), and its series is taken all the same.
        self._last_series = max(self._table.last_series(), *self.present.series)
        self._held: dict[int, SnapshotRow] = {}
        self._to_hold: set[int] = set()
        self._has_garbage = True

    # --- reading ----------------------------------------------------------------------------------------------------

    def scan(self) -> Iterator[str]:
        """What is wrong with each chunk of the snapshot in force and of an arriving one, "" for nothing."""
        if self.present.in_force is not None:
            yield from self._table.scan(self.present.in_force)
        series, chunks, size, source = astuple(self.present.received)
        if source is not None:
            yield from self._table.scan(SnapshotRow(series, source.index, source.term, b"", chunks, size))

    def read(self, index: int, number: int) -> bytes | None:
        """One chunk of the snapshot at `index`, checked; None when there is no such one any more."""
        row = self.present.in_force
        if row is None or row.index != index:
            row = self._held.get(index)
        return None if row is None or number >= row.chunks else self._table.read(row, number)

    def hold(self, indexes: Iterable[int]) -> None:
        """Keep snapshots at these indexes, and no others, when a newer one is put in force."""
        self._to_hold = set(indexes)
        self._held = {index: row for index, row in self._held.items() if index in self._to_hold}
        self._has_garbage = True

    # --- writing ----------------------------------------------------------------------------------------------------

    def stage(self, made: Staging, number: int, chunk: bytes) -> Staging:
        """Add a chunk; number 0 begins anew. Raises WriteError when it does not follow the one before it."""
        if number == 0:
            made = Staging(self._new_series())
        if not made.series or number != made.chunks:
            raise WriteError(f"chunk {number} of a snapshot does not follow the chunks staged before")
        self._table.put_chunk(made.series, number, chunk)
        return replace(made, chunks=number + 1, size=made.size + len(chunk))

    def write(self, save: SnapshotSave | None, stage: Sequence[Chunk], source: SnapshotSource | None) -> Snapshots:
        """Put one of our own in force, stage chunks of a leader's, put a leader's in force: what there is to do."""
        snapshots = self.present
        if save is not None and not save.received:
            snapshots = self._put_in_force(save, snapshots.made)
        for number, chunk in stage:
            received = self.stage(snapshots.received, number, chunk)
            if number == 0:
                received = replace(received, source=source)
            snapshots = replace(snapshots, received=received)
        if stage:
            self._table.put_arriving(snapshots.received)
        if save is not None and save.received:
            snapshots = self._put_in_force(save, snapshots.received)
        return snapshots

    def collect_garbage(self, snapshots: Snapshots) -> None:
        """Delete a few chunks that belong to nothing any more, if there may be any."""
        if self._has_garbage:
            # What the transaction replaces is kept until it is done: it may be one to hold.
            kept = snapshots.series | self.present.series | {row.series for row in self._held.values()}
            self._has_garbage = self._table.collect_garbage(kept)

    def adopt(self, snapshots: Snapshots) -> None:
        """The transaction that made this of them is done."""
        before, self.present = self.present, snapshots
        replaced = before.in_force
        if replaced is not None and replaced is not snapshots.in_force and replaced.index in self._to_hold:
            self._held[replaced.index] = replaced
        self._has_garbage |= not before.series <= snapshots.series

    def undo(self) -> None:
        """A transaction was undone: what it deleted is there again."""
        self._has_garbage = True

    def _put_in_force(self, save: SnapshotSave, staging: Staging) -> Snapshots:
        if save.staged == 0:
            staging = Staging(self._new_series())
            for number, chunk in enumerate(save.chunks):
                staging = self.stage(staging, number, chunk)
        elif save.chunks or not staging.series or save.staged != staging.chunks:
            raise InvalidWriteError(f"{save.staged} staged chunks named where {staging.chunks} are kept")
        row = SnapshotRow(staging.series, save.index, save.term, save.configuration, staging.chunks, staging.size)
        self._table.put_in_force(row)
        arriving = self.present.received
        if not save.received and arriving.source is not None and arriving.source.index > save.index:
            return Snapshots(row, received=arriving)
        self._table.put_arriving(Staging())
        return Snapshots(row)

    def _new_series(self) -> int:
        # Rises also when the transaction is undone: a series never mixes two snapshots.
        self._last_series += 1
        return self._last_series
