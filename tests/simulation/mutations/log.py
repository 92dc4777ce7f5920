"""Rows 1 to 6: what reaches the log, and what is taken for an answer."""

from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from actors.raft import core
from actors.raft.engine import Engine
from actors.raft.follower import Follower
from actors.raft.journal import Journal
from actors.raft.leader import Leader, Progress
from actors.raft.messages import Append, AppendReply, Heartbeat, HeartbeatReply
from actors.raft.terms import Terms
from storage.log_table import Entry
from tests.simulation.mutations.table import Patch, Table

MUTATIONS = Table()


@MUTATIONS.row(1, seed=16)
def append_replaces_what_matches() -> Patch:
    """entries that match are taken anew, and what follows them goes"""

    def new_entries(self: Follower, found: list[Entry]) -> list[Entry]:
        return [entry for entry in found if entry[1] > self._state.journal.anchor_index]

    return patch.object(Follower, "_new_entries", new_entries)


@MUTATIONS.row(1, seed=9)
def heartbeat_commits_unverified_entries() -> Patch:
    """a heartbeat's commit index is believed for entries that were never compared"""

    def on_heartbeat(self: Follower, leader: str, heartbeat: Heartbeat) -> None:
        state = self._state
        state.engine.learn_commit(min(heartbeat.commit, state.journal.last_index))
        state.outbox.send(leader, HeartbeatReply(heartbeat.term, heartbeat.round, state.verified_index))

    return patch.object(Follower, "on_heartbeat", on_heartbeat)


@MUTATIONS.row(2, seed=11)
def answer_of_any_term_counts() -> Patch:
    """an answer counts whatever term it is from, and a higher one is not adopted"""
    return patch.object(Terms, "is_answer_to_leader", lambda self, _: self._state.engine.is_leader)


@MUTATIONS.row(2, seed=11)
def higher_term_in_an_answer_is_ignored() -> Patch:
    """a leader that hears of a higher term leads on"""

    def is_answer(self: Terms, term: int) -> bool:
        return term == self._state.engine.term and self._state.engine.is_leader

    return patch.object(Terms, "is_answer_to_leader", is_answer)


@MUTATIONS.row(2)
def lower_term_is_not_told() -> Patch:
    """a frame of a lower term is dropped without an answer"""
    return patch.object(Terms, "answer_old", lambda self, sender, reply: None)


@MUTATIONS.row(3)
def acknowledgement_rewinds() -> Patch:
    """an acknowledgement sets nextIndex back, and what is in flight is sent again"""
    original = Engine.acknowledge

    def acknowledge(self: Engine, peer: str, match: int) -> None:
        original(self, peer, match)
        self.sent(peer, match)

    return patch.object(Engine, "acknowledge", acknowledge)


@MUTATIONS.row(4)
def every_mismatch_sends_again() -> Patch:
    """every message behind a gap asks for all of it again"""

    def void(self: Progress) -> None:
        self.in_flight.clear()
        self.in_flight_bytes = 0

    return patch.object(Progress, "void", void)


@MUTATIONS.row(5, seed=34)
def conflict_steps_back_one_entry() -> Patch:
    """a diverged follower names the entry before, not the first of the conflicting term"""
    return patch.object(Journal, "first_index_of_term", lambda self, index: index)


@MUTATIONS.row(6, story="raft/test_rows_log.py::test_row_06_entry_beyond_the_limit_is_refused")
def entry_of_any_size_is_taken() -> Patch:
    """there is no limit to an entry (simulated values are small)"""
    return patch.object(core, "check_size", lambda data: None)


@MUTATIONS.row(2, story="raft/test_rows_log.py::test_row_02_answer_of_an_older_term_does_not_count")
def answer_to_nothing_counts() -> Patch:
    """an answer counts whatever it answers (its sender never makes one up, and its term tells leaderships apart)"""
    original = Leader.on_reply

    def on_reply(self: Leader, peer: str, reply: AppendReply) -> None:
        progress: Any = self.progress.get(peer)
        if progress is not None:
            original(self, peer, replace(reply, sequence=min(reply.sequence, progress.sequence)))

    return patch.object(Leader, "on_reply", on_reply)


@MUTATIONS.row(1, story="raft/test_rows_log.py::test_row_01_committed_entry_is_never_truncated")
def committed_entry_is_replaced() -> Patch:
    """a leader that asks for it may replace what is committed (no leader of the simulation breaks Raft so)"""
    original = Follower._take

    def take(self: Follower, leader: str, append: Append, new: list[Entry]) -> bool:
        with patch.object(Engine, "commit", 0):
            return original(self, leader, append, new)

    return patch.object(Follower, "_take", take)
