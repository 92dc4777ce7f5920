"""The log's table in raft.db: one row an entry, each with its checksum.

Here: SQL and the continuity of the rows. Not here: transactions (the caller's), the invariants that need the hard state
(raft_db.py). Rows up to the anchor are garbage: the anchor moves in one step when a snapshot is saved, and the rows
are deleted a few at a time with later writes, because deleting a long log at once would stop the server for as long.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from storage.checksum import data_checksum

Entry = tuple[bytes, int, int]
"""(data, index, term): the engine's own order, so that nothing is converted on the hot path."""

SCHEMA = (
    # data stands last: the other columns can then be read without walking the overflow pages of a large entry.
    "CREATE TABLE entries (idx INTEGER PRIMARY KEY, term INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL)",
)
