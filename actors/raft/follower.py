"""The follower's side of the log: what of a leader's entries reaches the engine.

What lives here: the answer to Append (Raft §5.3) and to the leader's heartbeat.  The raw engine truncates whatever
follows prevLogIdx, matching and applied entries included, and steps back one entry a round trip after a divergence
(rows 1 and 5).  So the log is compared first, and the engine sees only what is new or in conflict.

Rules:
1. A matching prefix is cut off.  If nothing is new, nothing is written, and just that much is acknowledged.
2. Only another entry at the same index truncates, and never at or below the commit index: a leader whose log differs
   there breaks Raft, and gets no answer, since any answer would make it ask again at once.  By Raft entries of one
   index and term are the same; where servers have forgotten a term and led it again they are not: bytes are compared.
3. The commit index follows the leader's, but only as far as this term's leader's entries have been compared.
4. A mismatch is answered with the index before the first entry of the conflicting term, not below the commit index,
   and with the last one at which the logs can be equal: what lies behind it is not what the leader takes to be here.
5. A leader that would replace what is committed here is not heard out any more (divergence.py).
"""

import logging

from actors.raft.messages import Append, AppendReply, Heartbeat, HeartbeatReply, SnapshotChunk
from actors.raft.state import RaftState
from storage.log_table import Entry

_log = logging.getLogger("quorate.raft")


class Follower:
    """Takes a leader's frames of the current term; terms have been compared by the core."""

    def __init__(self, state: RaftState) -> None:
        self._state = state

    def on_append(self, leader: str, append: Append) -> None:
        """Compare, append what is new, answer."""
        state = self._state
        if leader in state.divergence.leaders:
            return
        if not _is_run(append):
            _log.warning("dropped an append of %s whose entries are not a run of indexes", leader)
            return
        end = append.prev_index + len(append.entries)
        if not self._matches(append):
            self._refuse(leader, append)
            return
        new = self._new_entries(append.entries)
        if new and not self._take(leader, append, new):
            return
        state.verified_index = max(state.verified_index, end)
        if state.divergence.why and state.verified_index >= state.engine.commit:
            state.divergence.end()
        state.engine.learn_commit(min(append.commit, state.verified_index))
        state.outbox.promise(leader, AppendReply(state.engine.term, append.sequence, True, end))

    def on_heartbeat(self, leader: str, heartbeat: Heartbeat) -> None:
        """The leader lives; learn its commit index as far as our log is known to be its log."""
        state = self._state
        if leader in state.divergence.leaders:
            return
        state.engine.learn_commit(min(heartbeat.commit, state.verified_index))
        state.freshness.heard(state.now, heartbeat.commit)
        if heartbeat.wants_reply:
            state.outbox.send(leader, HeartbeatReply(heartbeat.term, heartbeat.round, state.verified_index))

    def takes_snapshot(self, leader: str, chunk: SnapshotChunk) -> bool:
        """Whether a leader's snapshot is of the history that is committed here, as far as can be told."""
        state = self._state
        if leader in state.divergence.leaders:
            return False
        if chunk.index <= state.engine.commit and not state.journal.agrees(chunk.index, chunk.snapshot_term):
            self._defy(leader, chunk.term, chunk.index)
            return False
        return True

    def _matches(self, append: Append) -> bool:
        """Whether the entry before is the leader's."""
        return self._state.journal.agrees(append.prev_index, append.prev_term, append.prev_crc)

    def _new_entries(self, entries: list[Entry]) -> list[Entry]:
        journal = self._state.journal
        for position, entry in enumerate(entries):
            if not journal.contains(entry):
                return entries[position:]
        return []

    def _take(self, leader: str, append: Append, new: list[Entry]) -> bool:
        state = self._state
        first = new[0][1]
        if first <= state.engine.commit:
            self._defy(leader, append.term, first)
            return False
        fell_back = state.configurations.truncate_from(first)
        state.engine.receive(
            leader,
            {
                "type": "append_entries",
                "term": append.term,
                "commit_index": 0,
                "prevLogIdx": first - 1,
                "prevLogTerm": state.journal.term_at(first - 1),
                "entries": new,
            },
        )
        if not state.note_appended(first) and fell_back:
            state.reconfigured()
        return True

    def _refuse(self, leader: str, append: Append) -> None:
        state, at = self._state, append.prev_index
        if at <= state.engine.commit:
            self._defy(leader, append.term, at)
            return
        hint = end = state.journal.last_index
        if at <= end:
            hint, end = max(state.journal.first_index_of_term(at) - 1, state.engine.commit), at - 1
        state.outbox.promise(leader, AppendReply(state.engine.term, append.sequence, False, hint, end))

    def _defy(self, leader: str, term: int, index: int) -> None:
        """The leader's log is not what is committed here."""
        state = self._state
        name = state.configuration.name_of(leader)
        state.divergence.begin(
            leader,
            f"{name}, which leads term {term}, asks to replace committed entry {index}: this server's data directory, "
            "or that of others, was put back from an older copy. It answers no reads from its store: start it as a new "
            "server, with --peer and an empty --data-dir",
        )
        _log.critical("%s", state.divergence.why)


def _is_run(append: Append) -> bool:
    expected = append.prev_index
    term = append.prev_term
    for _, index, entry_term in append.entries:
        expected += 1
        if index != expected or not term <= entry_term <= append.term:
            return False
        term = entry_term
    return append.prev_index >= 0
