"""The log's table in raft.db: one row an entry, each with its checksum.

Here: SQL and the checks of the rows. Not here: transactions (the caller's) and the invariants that need the hard state
(raft_db.py). Rows up to the anchor are garbage: the anchor moves in one step when a snapshot is saved, and the rows are
deleted a few at a time with later writes, because deleting a long log at once would stop the server for as long.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from storage.checksum import data_checksum
from storage.errors import CorruptFile

Entry = tuple[bytes, int, int]
"""(data, index, term): the engine's own order, so that nothing is converted on the hot path."""

SCHEMA = (
    # data stands last: the other columns can then be read without walking the overflow pages of a large entry.
    "CREATE TABLE entries (idx INTEGER PRIMARY KEY, term INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL)",
)

_GARBAGE_ROWS_MIN = 32
_GARBAGE_BYTES = 1 << 20
"""Deleting a large row walks all of its pages: so many bytes are deleted at once, and more only for larger writes."""


class LogTable:
    """The rows of the log. Every method but `load` works inside the caller's transaction."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def append(self, entries: Sequence[Entry]) -> None:
        """Add rows; the caller has checked that they follow the last one."""
        self._connection.executemany(
            "INSERT INTO entries (idx, term, crc, data) VALUES (?, ?, ?, ?)",
            [(index, term, data_checksum(index, term, data), data) for data, index, term in entries],
        )

    def delete_from(self, index: int) -> None:
        """Delete this entry and all behind it."""
        self._connection.execute("DELETE FROM entries WHERE idx >= ?", (index,))

    def term_of(self, index: int) -> int | None:
        """The term of an entry, None when there is no such row."""
        row = self._connection.execute("SELECT term FROM entries WHERE idx = ?", (index,)).fetchone()
        return None if row is None else int(row[0])

    def first_row(self, default: int) -> int:
        """The lowest index there is a row of, garbage included; `default` when there is none."""
        row = self._connection.execute("SELECT min(idx) FROM entries").fetchone()
        return default if row[0] is None else int(row[0])

    def collect_garbage(self, first_row: int, anchor_index: int, appended: Sequence[Entry]) -> int:
        """Delete some rows up to the anchor, faster than the log grows; returns where the rest begins."""
        count = len(appended)
        end = min(first_row + max(_GARBAGE_ROWS_MIN, count + count // 4), anchor_index + 1)
        size_max = max(_GARBAGE_BYTES, sum(len(data) for data, _, _ in appended) * 5 // 4)
        # The length of a blob stands in its row's head: the blob itself is not read for it.
        rows = self._connection.execute("SELECT idx, length(data) FROM entries WHERE idx < ? ORDER BY idx", (end,))
        size = 0
        for index, length in rows.fetchall():
            size += length
            if size > size_max and index > first_row:
                end = index
                break
        self._connection.execute("DELETE FROM entries WHERE idx < ?", (end,))
        return end

    def load(self, anchor: tuple[int, int], last: tuple[int, int]) -> list[Entry]:
        """The entries between the anchor and the last one (both as index, term). Raises CorruptFile at a fault."""
        entries: list[Entry] = []
        # A server that starts has a log of hundreds of thousands of entries to read, and is waited for.
        add = entries.append
        index, term = anchor
        with closing(self._rows_behind(index)) as rows:
            for row in rows:
                data, number, new_term, crc = row
                if (
                    number != index + 1
                    or type(data) is not bytes
                    or type(new_term) is not int
                    or new_term < term
                    or data_checksum(number, new_term, data) != crc
                ):
                    raise CorruptFile(self._path, _fault(row, index, term))
                index, term = number, new_term
                add((data, number, new_term))
        if (index, term) != last:
            raise CorruptFile(self._path, _early_end(index, term, last))
        return entries

    def scan(self, anchor: tuple[int, int], last: tuple[int, int]) -> Iterator[tuple[Entry | None, str]]:
        """Every row behind the anchor with what is wrong with it ("" for nothing), then perhaps a fault alone."""
        index, term = anchor
        with closing(self._rows_behind(index)) as rows:
            for row in rows:
                fault = _fault(row, index, term)
                index = row[1]
                term = term if fault else row[2]
                yield row[:3], fault
        if (index, term) != last:
            yield None, _early_end(index, term, last)

    def _rows_behind(self, index: int) -> sqlite3.Cursor:
        """To be closed also when a check fails: a connection with an open cursor never lets go of the file."""
        return self._connection.execute("SELECT data, idx, term, crc FROM entries WHERE idx > ? ORDER BY idx", (index,))


def _early_end(index: int, term: int, last: tuple[int, int]) -> str:
    return f"the log ends at entry {index} (term {term}) instead of {last[0]}"


def _fault(row: tuple[object, int, object, int], before: int, term_before: int) -> str:
    """What is wrong with a row behind this index and term."""
    data, index, term, crc = row
    if index != before + 1:
        return f"log entry {before + 1} is missing (the next one is {index})"
    if not isinstance(data, bytes) or not isinstance(term, int):
        return f"log entry {index} does not have the type it was written with"
    if data_checksum(index, term, data) != crc:
        return f"log entry {index} does not match its checksum"
    if term < term_before:
        return f"log entry {index} has term {term}, the one before it {term_before}"
    return ""
