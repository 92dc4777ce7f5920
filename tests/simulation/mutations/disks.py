"""Row 22: persist, then speak."""

from unittest.mock import PropertyMock, patch

from msgspec.structs import replace

from actors.persistence import PersistenceActor
from actors.raft.engine import Engine
from actors.raft.journal import Journal
from actors.raft.leader import Leader
from actors.runtime.actor import Sender
from storage.raft_messages import RaftWrite
from tests.simulation.mutations.table import Patch, Table

MUTATIONS = Table()


@MUTATIONS.row(22)
def promises_leave_before_the_write() -> Patch:
    """votes and acknowledgements leave before they are on disk"""
    return patch.object(Journal, "next_promise", PropertyMock(return_value=0))


@MUTATIONS.row(22)
def a_term_is_spoken_in_before_it_is_on_disk() -> Patch:
    """entries and heartbeats leave in a term that a crash would forget"""
    return patch.object(Journal, "hard_state_is_durable", PropertyMock(return_value=True))


@MUTATIONS.row(22, seed=1)
def a_leader_counts_what_its_disk_has_not() -> Patch:
    """a leader counts itself for entries that are on their way to its disk"""

    def count(self: Engine) -> None:
        self._SyncObj__newAppendEntriesTime = 1e12
        self.doTick(0.0)

    return patch.object(Engine, "count", count)


@MUTATIONS.row(22, seed=9)
def an_older_terms_entry_is_committed_by_counting() -> Patch:
    """what is durable is committed, although it is of an older term (Raft, figure 8)"""

    def count(self: Engine) -> None:
        before = self.commit
        self._SyncObj__newAppendEntriesTime = 1e12
        self.doTick(0.0)
        self._set_commit(max(before, min(self.commit, self._journal.durable_index)))

    return patch.object(Engine, "count", count)


@MUTATIONS.row(22, story="raft/test_rows_membership.py::test_change_waits_for_the_disk_and_goes")
def a_change_leaves_before_it_is_on_the_leaders_disk() -> Patch:
    """a change is sent before the leader's own disk has it (it takes a crash in that very moment)"""
    return patch.object(Leader, "_has_unsaved_change", PropertyMock(return_value=False))


@MUTATIONS.row(22, story="storage/test_persistence.py::test_only_the_incarnation_that_loaded_last_writes")
def a_dead_actors_write_is_done() -> Patch:
    """a write of an earlier incarnation of the raft actor is done (the writes are the same ones)"""
    original = PersistenceActor.write_raft

    def write(self: PersistenceActor, msg: RaftWrite, sender: Sender) -> None:
        original(self, replace(msg, incarnation=self._raft_incarnation), sender)

    return patch.object(PersistenceActor, "write_raft", write)
