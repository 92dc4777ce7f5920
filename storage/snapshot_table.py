"""The snapshot's tables in raft.db: one row that describes it, its chunks, and one row that says whose the chunks are
that a leader has sent so far.

Here: SQL and the checks of the rows. Not here: transactions (the caller's) and what the snapshot means for the log
(raft_db.py). The id of a chunk is (series << 20) + its number; every snapshot is written under a new series, so that a
snapshot in the making never mixes with the one in force, which is the series the describing row names. Chunks of other
series are garbage and are deleted a few at a time, as deleting a large snapshot at once would stop the server for long.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from msgspec import Struct
from msgspec.structs import astuple

from storage.checksum import data_checksum, record_checksum
from storage.errors import CorruptFile, InvalidWriteError

SCHEMA = (
    (
        "CREATE TABLE snapshot (one INTEGER PRIMARY KEY CHECK (one = 1), series INTEGER NOT NULL, idx INTEGER NOT NULL,"
        " term INTEGER NOT NULL, configuration BLOB NOT NULL, chunks INTEGER NOT NULL, size INTEGER NOT NULL,"
        " crc INTEGER NOT NULL)"
    ),
    "CREATE TABLE chunks (id INTEGER PRIMARY KEY, crc INTEGER NOT NULL, data BLOB NOT NULL)",
    (
        "CREATE TABLE arriving (one INTEGER PRIMARY KEY CHECK (one = 1), series INTEGER NOT NULL,"
        " leader TEXT NOT NULL, idx INTEGER NOT NULL, term INTEGER NOT NULL, chunks INTEGER NOT NULL,"
        " arrived INTEGER NOT NULL, size INTEGER NOT NULL, crc INTEGER NOT NULL)"
    ),
)

CHUNKS_MAX = 1 << 20
_SERIES_SHIFT = 20
_GARBAGE_CHUNKS = 4


class SnapshotRow(Struct, frozen=True):
    """What the describing row says."""

    series: int
    index: int
    term: int
    configuration: bytes
    chunks: int
    size: int
    """Bytes of all chunks."""


class SnapshotSource(Struct, frozen=True):
    """Which snapshot of which server: two servers cut the same state into other chunks, so those of two never mix."""

    leader: str
    """Id of the server that sends it."""
    index: int
    term: int
    """Of the entry at `index`."""
    chunks: int
    """How many it has in all."""


class Staging(Struct, frozen=True):
    """Chunks of a snapshot that is not whole yet."""

    series: int = 0
    """0: there is no such snapshot."""
    chunks: int = 0
    size: int = 0
    source: SnapshotSource | None = None
    """Of one that a leader sends."""


class SnapshotTable:
    """The rows of the snapshot. The writing methods work inside the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def describe(self) -> SnapshotRow | None:
        """The snapshot in force, None when there is none. Raises CorruptFile when its row is damaged."""
        found = self._connection.execute(
            "SELECT series, idx, term, configuration, chunks, size, crc FROM snapshot"
        ).fetchone()
        if found is None:
            return None
        if record_checksum(*found[:-1]) != found[-1]:
            raise CorruptFile(self._path, "the description of the snapshot does not match its checksum")
        return SnapshotRow(*found[:-1])

    def put_chunk(self, series: int, number: int, chunk: bytes) -> None:
        """Keep one chunk of a series."""
        if number >= CHUNKS_MAX:
            raise InvalidWriteError(f"a snapshot has at most {CHUNKS_MAX} chunks")
        place = (series << _SERIES_SHIFT) + number
        self._connection.execute(
            "INSERT INTO chunks (id, crc, data) VALUES (?, ?, ?)", (place, data_checksum(place, 0, chunk), chunk)
        )

    def put_in_force(self, row: SnapshotRow) -> None:
        """Make a series whose chunks are all there the snapshot in force."""
        fields = (row.series, row.index, row.term, row.configuration, row.chunks, row.size)
        self._connection.execute(
            "INSERT OR REPLACE INTO snapshot (one, series, idx, term, configuration, chunks, size, crc) "
            "VALUES (1, ?, ?, ?, ?, ?, ?, ?)",
            (*fields, record_checksum(*fields)),
        )

    def put_arriving(self, staging: Staging) -> None:
        """Say what has arrived, and of whom; without a source nothing has that a restart could go on with."""
        source = staging.source
        if source is None:
            self._connection.execute("DELETE FROM arriving")
            return
        fields = (staging.series, *astuple(source), staging.chunks, staging.size)
        self._connection.execute(
            "INSERT OR REPLACE INTO arriving (one, series, leader, idx, term, chunks, arrived, size, crc)"
            " VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*fields, record_checksum(*fields)),
        )

    def arriving(self) -> Staging:
        """What has arrived of a leader's snapshot. Raises CorruptFile when its row is damaged or a chunk is missing."""
        found = self._connection.execute(
            "SELECT series, leader, idx, term, chunks, arrived, size, crc FROM arriving"
        ).fetchone()
        if found is None:
            return Staging()
        if record_checksum(*found[:-1]) != found[-1]:
            raise CorruptFile(self._path, "the description of the arriving snapshot does not match its checksum")
        series, *source, chunks, size, _ = found
        low = series << _SERIES_SHIFT
        # The length of a blob is in its row's head: the chunks themselves are not read.
        there = self._connection.execute(
            "SELECT max(id), count(*), sum(length(data)) FROM chunks WHERE id >= ? AND id < ?", (low, low + CHUNKS_MAX)
        ).fetchone()
        if there != (low + chunks - 1, chunks, size):
            raise CorruptFile(self._path, "a chunk of the arriving snapshot is missing, or is not as long as it was")
        return Staging(series, chunks, size, SnapshotSource(*source))

    def last_series(self) -> int:
        """The highest series there is a chunk of, garbage included; 0 when there is none."""
        row = self._connection.execute("SELECT max(id) FROM chunks").fetchone()
        return 0 if row[0] is None else int(row[0]) >> _SERIES_SHIFT

    def collect_garbage(self, kept: set[int]) -> bool:
        """Delete a few chunks of other series; returns whether there may be more."""
        garbage = self._garbage_series(kept)
        if garbage is None:
            return False
        low, high = garbage << _SERIES_SHIFT, (garbage + 1) << _SERIES_SHIFT
        self._connection.execute(
            "DELETE FROM chunks WHERE id IN (SELECT id FROM chunks WHERE id >= ? AND id < ? LIMIT ?)",
            (low, high, _GARBAGE_CHUNKS),
        )
        return True

    def _garbage_series(self, kept: set[int]) -> int | None:
        # One index look-up a series: the table is never walked.
        place = 0
        while True:
            row = self._connection.execute("SELECT min(id) FROM chunks WHERE id >= ?", (place,)).fetchone()
            if row[0] is None:
                return None
            series = int(row[0]) >> _SERIES_SHIFT
            if series not in kept:
                return series
            place = (series + 1) << _SERIES_SHIFT

    def read(self, row: SnapshotRow, number: int) -> bytes:
        """One chunk of a snapshot. Raises CorruptFile at a fault."""
        place = (row.series << _SERIES_SHIFT) + number
        found = self._connection.execute("SELECT id, crc, data FROM chunks WHERE id = ?", (place,)).fetchone()
        if found is None:
            raise CorruptFile(self._path, f"chunk {number} of the snapshot at {row.index} is missing")
        chunk, fault = _checked(row, number, found)
        if fault:
            raise CorruptFile(self._path, fault)
        return chunk

    def scan(self, row: SnapshotRow) -> Iterator[str]:
        """What is wrong with each chunk of a snapshot ("" for nothing), then with all of them."""
        low = row.series << _SERIES_SHIFT
        span = (low, low + CHUNKS_MAX)
        count = size = 0
        with closing(
            self._connection.execute("SELECT id, crc, data FROM chunks WHERE id >= ? AND id < ? ORDER BY id", span)
        ) as rows:
            for found in rows:
                chunk, fault = _checked(row, found[0] - low, found)
                if not fault and found[0] != low + count:
                    fault = f"chunk {count} of the snapshot at {row.index} is missing"
                count += 1
                size += len(chunk)
                yield fault
        if (count, size) != (row.chunks, row.size):
            yield f"the snapshot at {row.index} has {count} of {row.chunks} chunks, {size} of {row.size} bytes"


def _checked(row: SnapshotRow, number: int, found: tuple[int, int, object]) -> tuple[bytes, str]:
    """The bytes of a chunk, and what is wrong with it."""
    place, crc, data = found
    if not isinstance(data, bytes) or data_checksum(place, 0, data) != crc:
        return b"", f"chunk {number} of the snapshot at {row.index} does not match its checksum"
    return data, ""
