"""The one row of raft.db that says where the journal stands, and what may become of it.

Here: the row, its checksum, and its transitions, which hold the invariants a journal can check alone (Raft, figures 2
and 3): the term never goes back, a vote is given once a term, entries are continuous and their terms do not fall, a
committed entry is never deleted, the cluster id never changes. A transition that would break one raises
InvalidWriteError: the caller's program is wrong, and stopping is better than keeping a broken promise on the disk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from storage.checksum import record_checksum
from storage.errors import CorruptFile, InvalidWriteError
from storage.log_table import Entry

SCHEMA = (
    (
        "CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), server_id TEXT NOT NULL, cluster_id TEXT NOT NULL"
        ", term INTEGER NOT NULL, voted_for TEXT, commit_index INTEGER NOT NULL, anchor_index INTEGER NOT NULL,"
        " anchor_term INTEGER NOT NULL, last_index INTEGER NOT NULL, last_term INTEGER NOT NULL, crc INTEGER NOT NULL)"
    ),
)


class JournalState(NamedTuple):
    """Hard state, cluster id, commit hint and both ends of the log: the row, field by field."""

    server_id: str
    cluster_id: str
    term: int
    voted_for: str | None
    commit_index: int
    """A hint: the true one may be higher, never lower."""
    anchor_index: int
    """The index before the first entry kept."""
    anchor_term: int
    last_index: int
    """Kept although the log's rows say it too: a log whose end vanished is found by it."""
    last_term: int

    def voted(self, term: int, voted_for: str | None) -> JournalState:
        """With this hard state."""
        if term < self.term:
            raise InvalidWriteError(f"term {term} after term {self.term}")
        if term == self.term and self.voted_for is not None and voted_for != self.voted_for:
            raise InvalidWriteError(f"a second vote in term {term}: {voted_for} after {self.voted_for}")
        return self._replace(term=term, voted_for=voted_for)

    def joined(self, cluster_id: str) -> JournalState:
        """As part of this cluster."""
        if self.cluster_id not in ("", cluster_id):
            raise InvalidWriteError(f"cluster {cluster_id} after cluster {self.cluster_id}")
        return self._replace(cluster_id=cluster_id)

    def recovered(self, cluster_id: str, term: int) -> JournalState:
        """As part of another cluster, by an operator's word alone, in a term in which nobody has voted."""
        if term <= self.term:
            raise InvalidWriteError(f"a recovery in term {term} after term {self.term}")
        return self._replace(cluster_id=cluster_id, term=term, voted_for=None)

    def truncated(self, index: int, term_before: int | None) -> JournalState:
        """Without the entries from `index` on; `term_before` is the term of the entry before it, None if none is."""
        if index <= self.commit_index:
            raise InvalidWriteError(f"deleting from entry {index} on, but {self.commit_index} is committed")
        if index > self.last_index or term_before is None:
            return self
        return self._replace(last_index=index - 1, last_term=term_before)

    def appended(self, entries: Sequence[Entry]) -> JournalState:
        """With these entries at the end."""
        expected, last_term = self.last_index, self.last_term
        for _, index, term in entries:
            expected += 1
            if index != expected:
                raise InvalidWriteError(f"entry {index} where {expected} is due")
            if term < last_term:
                raise InvalidWriteError(f"entry {index} of term {term} behind term {last_term}")
            last_term = term
        if last_term > self.term:
            raise InvalidWriteError(f"an entry of term {last_term} in term {self.term}")
        return self._replace(last_index=expected, last_term=last_term)

    def committed(self, index: int) -> JournalState:
        """With a commit index of at least this, as far as there are entries."""
        return self._replace(commit_index=max(self.commit_index, min(index, self.last_index)))

    def emptied(self, index: int, term: int) -> JournalState:
        """With an empty log that goes on behind this entry, which a leader's snapshot covers."""
        if index < self.commit_index:
            raise InvalidWriteError(f"a snapshot at {index} would replace entries up to {self.commit_index}")
        return self._anchored(self._replace(last_index=index, last_term=term), index, term)

    def anchored(self, index: int, term: int) -> JournalState:
        """Without the entries up to and with this one, which a snapshot covers."""
        if index < self.anchor_index:
            raise InvalidWriteError(f"an anchor at {index} after one at {self.anchor_index}")
        return self._anchored(self, index, term)

    def _anchored(self, state: JournalState, index: int, term: int) -> JournalState:
        if not 0 <= term <= state.term:
            raise InvalidWriteError(f"an anchor of term {term} in term {state.term}")
        return state._replace(anchor_index=index, anchor_term=term)


def fresh_state(server_id: str) -> JournalState:
    """The state of a journal nothing was written to: the engine's log begins with an entry 1 of term 0 of its own."""
    return JournalState(server_id, "", 0, None, 1, 1, 0, 1, 0)


def put_state(connection: sqlite3.Connection, state: JournalState) -> None:
    """Write the row."""
    connection.execute(
        "INSERT OR REPLACE INTO state VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*state, record_checksum(*state))
    )


def read_state(connection: sqlite3.Connection, path: Path) -> JournalState:
    """Read and check the row. Raises CorruptFile."""
    rows = connection.execute(
        "SELECT server_id, cluster_id, term, voted_for, commit_index, anchor_index, anchor_term, last_index, last_term,"
        " crc FROM state"
    ).fetchall()
    if len(rows) != 1:
        raise CorruptFile(path, "the row with the hard state (term and vote) is missing")
    (row,) = rows
    if record_checksum(*row[:-1]) != row[-1]:
        raise CorruptFile(path, "the row with the hard state (term and vote) does not match its checksum")
    return JournalState(*row[:-1])
