"""Rows 16 and 17: snapshots that come from a leader, and the log around them."""

import zlib
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from actors.raft import snapshots
from actors.raft.core import RaftCore
from actors.raft.engine import Engine
from actors.raft.journal import FRESH_ANCHOR_INDEX, Journal
from actors.raft.messages import SnapshotChunk
from actors.raft.snapshots import SnapshotReceiver
from actors.raft.terms import Terms
from storage.log_table import Entry
from storage.raft_messages import HardState, SnapshotSave
from tests.simulation.mutations.table import Patch, Table

MUTATIONS = Table()


@MUTATIONS.row(16, story="raft/test_rows_snapshots.py::test_row_16_late_snapshot_cuts_nothing")
def an_old_snapshot_is_installed() -> Patch:
    """a late snapshot is installed over committed entries (the receiver has passed it only for a moment)"""
    original = SnapshotReceiver.on_chunk

    def on_chunk(self: SnapshotReceiver, leader: str, chunk: SnapshotChunk) -> SnapshotSave | None:
        if chunk.index > self._state.engine.commit:
            return original(self, leader, chunk)
        with patch.object(Engine, "commit", 0):
            return original(self, leader, chunk)

    return patch.object(SnapshotReceiver, "on_chunk", on_chunk)


@MUTATIONS.row(16, story="raft/test_rows_snapshots.py::test_row_16_matching_tail_stays")
def the_matching_tail_goes() -> Patch:
    """a snapshot takes the log behind it with it, acknowledged entries too (it is sent again)"""
    original = Journal.install_snapshot

    def install(self: Journal, snapshot: SnapshotSave) -> None:
        original(self, replace(snapshot, discard_log=True))

    return patch.object(Journal, "install_snapshot", install)


@MUTATIONS.row(16, seed=43)
def a_deposed_leaders_chunk_is_taken() -> Patch:
    """a chunk of an older term is taken like one of this term's"""
    return _terms_do_not_count_if(lambda chunk_term, term: chunk_term < term)


@MUTATIONS.row(16, story="raft/test_rows_snapshots.py::test_row_16_chunk_of_a_newer_term_is_heard_of_first")
def a_chunk_of_a_newer_term_moves_none() -> Patch:
    """a chunk is answered in a term that this server is not in (it is sent to those who have answered in its term)"""
    return _terms_do_not_count_if(lambda chunk_term, term: chunk_term > term)


def _terms_do_not_count_if(is_so: Callable[[int, int], bool]) -> Patch:
    original = RaftCore._on_snapshot_chunk

    def on_chunk(self: RaftCore, sender: str, chunk: SnapshotChunk) -> None:
        if not is_so(chunk.term, self.state.engine.term):
            original(self, sender, chunk)
            return
        with patch.object(Terms, "hear_leader", lambda self, sender, term: True):
            original(self, sender, chunk)

    return patch.object(RaftCore, "_on_snapshot_chunk", on_chunk)


@MUTATIONS.row(16, story="raft/test_rows_snapshots.py::test_row_16_broken_chunk_is_not_taken")
def a_broken_chunk_is_taken() -> Patch:
    """a chunk is taken whatever its checksum (the simulated network breaks none)"""
    return patch.object(snapshots, "_is_sound", lambda chunk: 0 <= chunk.offset < chunk.total)


@MUTATIONS.row(16, story="raft/test_rows_snapshots.py::test_row_16_broken_chunk_is_not_taken")
def a_chunk_outside_its_snapshot_is_taken() -> Patch:
    """a chunk is taken whatever its number and theirs (no sender of the simulation counts wrongly)"""
    return patch.object(snapshots, "_is_sound", lambda chunk: zlib.crc32(chunk.data) == chunk.crc)


@MUTATIONS.row(16, story="raft/test_rows_snapshots.py::test_row_16_tail_that_does_not_match_goes")
def a_tail_that_does_not_match_stays() -> Patch:
    """what of a log is behind a snapshot stays whether it matches or not (such logs are rare)"""
    original = Journal.install_snapshot

    def install(self: Journal, snapshot: SnapshotSave) -> None:
        has_it = self.term_at(snapshot.index) is not None
        original(self, replace(snapshot, discard_log=False) if has_it else snapshot)

    return patch.object(Journal, "install_snapshot", install)


@MUTATIONS.row(17)
def the_log_goes_before_the_snapshot_is_there() -> Patch:
    """the log is cut in memory, and no write holds the snapshot that covers what is gone"""
    original = Journal.save_snapshot

    def save(self: Journal, snapshot: SnapshotSave) -> None:
        founds = snapshot.index == self.anchor_index
        original(self, snapshot)
        if not founds:
            self._unsaved.snapshot = None

    return patch.object(Journal, "save_snapshot", save)


@MUTATIONS.row(17)
def a_restart_applies_the_tail_again() -> Patch:
    """what a snapshot covers of the log is applied once more on top of it"""
    original = RaftCore.__init__

    def begin(self: RaftCore, *arguments: Any) -> None:
        original(self, *arguments)
        self.applied_index = self.state.journal.anchor_index

    return patch.object(RaftCore, "__init__", begin)


@MUTATIONS.row(17)
def a_restart_discards_the_log_behind_a_snapshot() -> Patch:
    """only the snapshot is loaded, as the raw engine does with a dump"""
    original = Journal.__init__

    def begin(self: Journal, hard_state: HardState, anchor: tuple[int, int], entries: list[Entry], commit: int) -> None:
        original(self, hard_state, anchor, entries if anchor[0] == FRESH_ANCHOR_INDEX else [], commit)

    return patch.object(Journal, "__init__", begin)
