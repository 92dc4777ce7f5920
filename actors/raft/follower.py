"""The follower's side of the log: what of a leader's entries reaches the engine.

What lives here: the answer to Append (Raft §5.3) and to the leader's heartbeat.  The raw engine truncates whatever
follows prevLogIdx, matching and applied entries included, and steps back one entry a round trip after a divergence
(rows 1 and 5).  So the log is compared first, and the engine sees only what is new or in conflict.

Rules:
1. A matching prefix is cut off.  If nothing is new, nothing is written, and just that much is acknowledged.
2. Only an entry of another term at the same index truncates, and never at or below the commit index: a leader whose log
   differs there breaks Raft, and gets no answer, since any answer would make it ask again at once.
3. The commit index follows the leader's, but only as far as this term's leader's entries have been compared.
4. A mismatch is answered with the index before the first entry of the conflicting term, not below the commit index,
   and with the last one at which the logs can be equal: what lies behind it is not what the leader takes to be here.
"""

import logging

from actors.raft.messages import Append, AppendReply, Heartbeat, HeartbeatReply
from actors.raft.state import RaftState
from storage.log_table import Entry

_log = logging.getLogger("quorate.raft")


class Follower:
    """Takes a leader's frames of the current term; terms have been compared by the core."""

    def __init__(self, state: RaftState) -> None:
        self._state = state
        self._defied_term = 0
        """The last term whose leader's log differs from what is committed here."""

    def on_append(self, leader: str, append: Append) -> None:
        """Compare, append what is new, answer."""
        state = self._state
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
        state.engine.learn_commit(min(append.commit, state.verified_index))
        state.outbox.promise(leader, AppendReply(state.engine.term, append.sequence, True, end))

    def on_heartbeat(self, leader: str, heartbeat: Heartbeat) -> None:
        """The leader lives; learn its commit index as far as our log is known to be its log."""
        state = self._state
        state.engine.learn_commit(min(heartbeat.commit, state.verified_index))
        state.freshness.heard(state.now, heartbeat.commit)
        if heartbeat.wants_reply:
            state.outbox.send(leader, HeartbeatReply(heartbeat.term, heartbeat.round, state.verified_index))

    def _matches(self, append: Append) -> bool:
        """Whether the entry before is the leader's; what the anchor covers is committed and matches."""
        journal = self._state.journal
        return append.prev_index < journal.anchor_index or journal.term_at(append.prev_index) == append.prev_term

    def _new_entries(self, entries: list[Entry]) -> list[Entry]:
        journal = self._state.journal
        for position, (_, index, term) in enumerate(entries):
            if index > journal.anchor_index and journal.term_at(index) != term:
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
        """Say once a term that the leader's log is not what is committed here."""
        if term > self._defied_term:
            self._defied_term = term
            commit = self._state.engine.commit
            _log.critical("%s asks to replace committed entry %d (commit index %d); refused", leader, index, commit)


def _is_run(append: Append) -> bool:
    expected = append.prev_index
    term = append.prev_term
    for _, index, entry_term in append.entries:
        expected += 1
        if index != expected or not term <= entry_term <= append.term:
            return False
        term = entry_term
    return append.prev_index >= 0
