"""raft.db as Raft needs it: what was written is there again, and what would break a promise is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from storage.errors import InvalidWriteError, WriteError
from storage.raft_db import RaftDb
from storage.raft_messages import HardState, RaftWrite, SnapshotSave
from storage.snapshot_table import SnapshotSource, Staging
from tests.unit.storage.journals import content_of, entries, journal, new_journal, snapshot, stored, turn
from transport.wire import decode_body, encode_body


class TestWhatIsKept:
    """Raft, figure 2: the persistent state outlives the process."""

    def test_a_fresh_journal_begins_behind_the_engines_own_entry(self, tmp_path: Path) -> None:
        with journal(tmp_path) as db:
            loaded = content_of(db)

        assert (loaded.hard_state, loaded.cluster_id) == (HardState(0, None), "")
        assert (loaded.anchor_index, loaded.anchor_term, loaded.entries, loaded.commit) == (1, 0, [], 1)
        assert loaded.snapshot is None

    def test_one_write_carries_everything_a_turn_changed(self, tmp_path: Path) -> None:
        with journal(tmp_path) as db:
            db.write(turn(hard_state=HardState(3, "b"), cluster_id="c1", append=entries(2, 9, term=3), commit=5))
            seen = content_of(db)

        assert stored(tmp_path) == seen
        assert (seen.hard_state, seen.cluster_id, seen.commit) == (HardState(3, "b"), "c1", 5)
        assert seen.entries == entries(2, 9, term=3)

    def test_a_conflicting_tail_is_replaced(self, tmp_path: Path) -> None:
        with journal(tmp_path) as db:
            db.write(turn(hard_state=1, append=entries(2, 9)))
            db.write(turn(hard_state=2, truncate_from=5, append=entries(5, 6, term=2)))

        assert stored(tmp_path).entries == entries(2, 4) + entries(5, 6, term=2)

    def test_the_commit_hint_never_exceeds_the_log_and_never_goes_back(self, tmp_path: Path) -> None:
        with journal(tmp_path) as db:
            db.write(turn(hard_state=1, append=entries(2, 4), commit=99))
            assert content_of(db).commit == 4
            db.write(turn(commit=2))

        assert stored(tmp_path).commit == 4

    def test_a_large_and_an_empty_entry_come_back_byte_for_byte(self, tmp_path: Path) -> None:
        written = [(b"", 2, 1), (bytes(range(256)) * 4096, 3, 1), (b"\0", 4, 1)]
        with journal(tmp_path) as db:
            db.write(turn(hard_state=1, append=written))

        assert stored(tmp_path).entries == written


class TestSnapshots:
    """Raft §7: a snapshot and the log it shortens change together."""

    def test_a_tail_stays_behind_the_snapshot_for_slow_followers(self, tmp_path: Path) -> None:
        saved = snapshot(8, 1, keep_from=5, keep_from_term=1)
        with journal(tmp_path) as db:
            db.write(turn(hard_state=1, append=entries(2, 9)))
            db.write(turn(snapshot=saved))

        loaded = stored(tmp_path)
        assert loaded.snapshot == saved
        assert (loaded.anchor_index, loaded.anchor_term, loaded.entries) == (5, 1, entries(6, 9))
        assert loaded.commit == 8

    def test_a_leaders_snapshot_replaces_a_log_that_does_not_match(self, tmp_path: Path) -> None:
        with journal(tmp_path) as db:
            db.write(turn(hard_state=1, append=entries(2, 30)))
            db.write(turn(hard_state=4, snapshot=snapshot(20, 3, 20, 3, discard_log=True), append=entries(21, 22, 4)))

        loaded = stored(tmp_path)
        assert (loaded.anchor_index, loaded.anchor_term, loaded.entries) == (20, 3, entries(21, 22, 4))

    def test_a_matching_tail_survives_a_leaders_snapshot(self, tmp_path: Path) -> None:
        with journal(tmp_path) as db:
            db.write(turn(hard_state=1, append=entries(2, 30)))
            db.write(turn(snapshot=snapshot(20, 1, 20, 1)))

        assert stored(tmp_path).entries == entries(21, 30)

    def test_a_snapshot_may_cover_entries_that_were_never_written(self, tmp_path: Path) -> None:
        """Entries committed by the others can be applied and snapshotted before the own disk has them."""
        with journal(tmp_path) as db:
            db.write(turn(hard_state=1, append=entries(2, 4)))
            db.write(turn(snapshot=snapshot(8, 1, keep_from=7, keep_from_term=1), append=entries(8, 9)))

        loaded = stored(tmp_path)
        assert (loaded.anchor_index, loaded.entries) == (7, entries(8, 9))

    def test_a_snapshot_staged_chunk_by_chunk_is_as_good_as_one_in_one_piece(self, tmp_path: Path) -> None:
        chunks = [bytes([number]) * 1000 for number in range(20)]
        with journal(tmp_path) as db:
            db.write(turn(hard_state=1, append=entries(2, 9)))
            for number, chunk in enumerate(chunks):
                db.stage(number, chunk)
                db.write(turn(append=entries(10 + number, 10 + number)))
            assert content_of(db).snapshot is None
            db.write(turn(snapshot=snapshot(8, 1, 8, 1, chunks=[], staged=20)))

        assert stored(tmp_path).snapshot == snapshot(8, 1, 8, 1, chunks=chunks)

    def test_a_staging_that_begins_anew_forgets_the_one_before(self, tmp_path: Path) -> None:
        with journal(tmp_path) as db:
            db.write(turn(hard_state=1, append=entries(2, 9)))
            for chunk in (b"old 0", b"old 1", b"old 2"):
                db.stage(int(chunk[-1:]), chunk)
            db.stage(0, b"new 0")
            db.stage(1, b"new 1")
            db.write(turn(snapshot=snapshot(8, 1, 8, 1, chunks=[], staged=2)))

        assert stored(tmp_path).snapshot == snapshot(8, 1, 8, 1, chunks=[b"new 0", b"new 1"])

    def test_a_staging_that_a_restart_interrupted_has_no_effect(self, tmp_path: Path) -> None:
        with journal(tmp_path) as db:
            db.write(turn(hard_state=1, append=entries(2, 9)))
            db.stage(0, b"half")
        with journal(tmp_path) as db, pytest.raises(WriteError):
            db.stage(1, b"other half")

        assert stored(tmp_path).snapshot is None

    def test_what_has_arrived_of_a_leaders_snapshot_is_found_again(self, tmp_path: Path) -> None:
        """Its transfer goes on after a restart, and ends as if there had been none."""
        source = SnapshotSource("leader", 20, 2, 3)
        with journal(tmp_path) as db:
            db.write(turn(hard_state=2, stage=[(0, b"a" * 9000), (1, b"b")], source=source))
        with journal(tmp_path) as db:
            arriving = db.load().arriving
            assert (arriving.chunks, arriving.size, arriving.source) == (2, 9001, source)
            whole = snapshot(20, 2, 20, 2, chunks=[], staged=3, received=True, discard_log=True)
            db.write(turn(stage=[(2, b"c")], snapshot=whole))
            assert db.load().arriving == Staging()

        assert stored(tmp_path).snapshot == snapshot(20, 2, 20, 2, chunks=[b"a" * 9000, b"b", b"c"])

    @pytest.mark.parametrize(("own", "left"), [(15, 1), (20, 0), (25, 0)])
    def test_a_leaders_snapshot_goes_on_arriving_behind_an_older_one(self, tmp_path: Path, own: int, left: int) -> None:
        """One that this server makes meanwhile ends the transfer only if it holds as much."""
        source = SnapshotSource("leader", 20, 2, 2)
        with journal(tmp_path) as db:
            db.write(turn(hard_state=2, append=entries(2, 30), stage=[(0, b"a" * 9000)], source=source))
            db.write(turn(snapshot=snapshot(own, 1, own, 1, chunks=[b"own"])))
            assert db.load().arriving.chunks == left
        with journal(tmp_path) as db:
            assert db.load().arriving.chunks == left
            if left:
                whole = snapshot(20, 2, 20, 2, chunks=[], staged=2, received=True, discard_log=True)
                db.write(turn(stage=[(1, b"b")], snapshot=whole))
                assert content_of(db).snapshot == snapshot(20, 2, 20, 2, chunks=[b"a" * 9000, b"b"])

    def test_a_chunk_out_of_order_ends_the_staging(self, tmp_path: Path) -> None:
        with journal(tmp_path) as db:
            db.stage(0, b"0")
            with pytest.raises(WriteError, match="chunk 2"):
                db.stage(2, b"2")
            with pytest.raises(WriteError, match="chunk 1"):
                db.stage(1, b"1")

    def test_what_a_snapshot_made_superfluous_is_deleted_little_by_little(self, tmp_path: Path) -> None:
        """No write deletes a whole log or snapshot, yet in the end the file holds only what is needed."""
        with journal(tmp_path) as db:
            db.write(turn(hard_state=1, append=entries(2, 999)))
            db.write(turn(snapshot=snapshot(900, 1, 900, 1, chunks=[b"1"] * 50)))
            db.write(turn(snapshot=snapshot(950, 1, 950, 1, chunks=[b"2"] * 5)))
            for index in range(1000, 1100):
                db.write(turn(append=entries(index, index)))
            db.write(turn(snapshot=snapshot(1090, 1, 1090, 1)))
            kept = content_of(db)
            for _ in range(20):
                db.write(turn(commit=1095))
            connection = db._file.connection
            rows = connection.execute("SELECT count(*), min(idx) FROM entries").fetchone()
            chunks = connection.execute("SELECT count(*) FROM chunks").fetchone()

        assert rows == (9, 1091)
        assert chunks == (2,)
        assert stored(tmp_path) == replace(kept, commit=1095)

    def test_deleting_costs_no_second_write(self, tmp_path: Path) -> None:
        """SQLite would write zeros over every page, where it is built like that: as much as the entries themselves."""
        wal = tmp_path / "raft.db-wal"
        with journal(tmp_path) as db:
            db.write(turn(hard_state=1, append=entries(2, 9, size=100_000)))
        with journal(tmp_path) as db:
            assert wal.stat().st_size == 0
            db.write(turn(snapshot=snapshot(9, 1, 9, 1)))

            assert db._file.connection.execute("SELECT count(*) FROM entries").fetchone() == (0,)
            assert wal.stat().st_size < 100_000

    def test_large_entries_are_deleted_a_few_at_a_time(self, tmp_path: Path) -> None:
        """Deleting one walks all of its pages: 32 of a megabyte would stop the server for long."""
        with journal(tmp_path) as db:

            def left() -> int:
                return int(db._file.connection.execute("SELECT count(*) FROM entries WHERE idx <= 40").fetchone()[0])

            db.write(turn(hard_state=1, append=entries(2, 40, size=1 << 20)))
            db.write(turn(snapshot=snapshot(40, 1, 40, 1, chunks=[b"1"])))
            counts = [left()]
            for index in range(41, 51):
                db.write(turn(append=entries(index, index)))
                counts.append(left())
            for index in range(51, 61):
                db.write(turn(append=entries(index, index, size=1 << 20)))
            last = left()

        assert counts == list(range(38, 27, -1)), "a megabyte at once"
        assert last <= 18, "not slower than the log grows"


BASE = [
    turn(hard_state=HardState(5, "me"), cluster_id="c1", append=entries(2, 9, term=4), commit=6),
    turn(snapshot=snapshot(5, 4, keep_from=3, keep_from_term=4)),
]

BROKEN = {
    "a gap": turn(append=entries(11, 11, term=5)),
    "an entry twice": turn(append=entries(9, 9, term=5)),
    "a gap inside": turn(append=entries(10, 10, term=5) + entries(12, 12, term=5)),
    "terms that fall": turn(append=entries(10, 10, term=3)),
    "an entry of a term to come": turn(append=entries(10, 10, term=6)),
    "a lower term": turn(hard_state=HardState(4, None)),
    "a second vote in a term": turn(hard_state=HardState(5, "other")),
    "a vote taken back": turn(hard_state=HardState(5, None)),
    "another cluster": turn(cluster_id="c2"),
    "a committed entry deleted": turn(truncate_from=6),
    "an older snapshot": turn(snapshot=snapshot(4, 4, 3, 4)),
    "an anchor that goes back": turn(snapshot=snapshot(6, 4, 2, 4)),
    "an anchor behind its snapshot": turn(snapshot=snapshot(6, 4, 7, 4)),
    "an anchor of another term": turn(snapshot=snapshot(6, 4, 6, 3)),
    "an anchor of a term to come": turn(snapshot=snapshot(20, 6, 20, 6, discard_log=True)),
    "a snapshot of another term": turn(snapshot=snapshot(6, 3, 3, 4)),
    "a snapshot behind the log": turn(snapshot=snapshot(12, 4, 3, 4)),
    "a snapshot that loses committed entries": turn(snapshot=snapshot(5, 4, 5, 4, discard_log=True)),
    "a replaced log that does not begin at its snapshot": turn(snapshot=snapshot(20, 5, 19, 5, discard_log=True)),
    "staged chunks that are not there": turn(snapshot=snapshot(6, 4, 6, 4, chunks=[], staged=3)),
}


@pytest.mark.parametrize("why", BROKEN)
def test_a_write_that_breaks_an_invariant_changes_nothing(tmp_path: Path, why: str) -> None:
    """A bug above must not become a broken promise on the disk: it is refused whole, good parts included."""
    db = new_journal(tmp_path)
    for write in BASE:
        db.write(write)
    before = content_of(db)

    with pytest.raises(InvalidWriteError):
        db.write(replace(BROKEN[why], commit=9))

    assert content_of(db) == before
    db.write(turn(hard_state=6, append=entries(10, 12, term=6)))
    db.close()
    assert stored(tmp_path).entries == entries(4, 9, term=4) + entries(10, 12, term=6)


def test_a_vote_may_be_given_again(tmp_path: Path) -> None:
    """A repeated vote request gets the same answer, and the write of it is no second vote."""
    with journal(tmp_path) as db:
        db.write(turn(hard_state=HardState(5, None)))
        db.write(turn(hard_state=HardState(5, "b")))
        db.write(turn(hard_state=HardState(5, "b")))

        assert content_of(db).hard_state == HardState(5, "b")


def test_the_messages_survive_the_mailbox() -> None:
    """Every part of a write comes out of the codec as it went in; entries stay tuples, as the engine compares them."""
    write = RaftWrite(
        incarnation=2,
        sequence=7,
        hard_state=HardState(3, None),
        truncate_from=4,
        append=entries(4, 5, 3),
        commit=2,
        cluster_id="c",
        snapshot=SnapshotSave(3, 2, b"v", [b"x"], 2, 1, False),
    )

    assert decode_body("raft.write", encode_body(write)) == write


def test_the_file_knows_its_server(tmp_path: Path) -> None:
    """raft.db and serf.db of different servers must not be mixed up."""
    RaftDb.create(tmp_path / "raft.db", "server-7")
    with journal(tmp_path) as db:
        assert db.server_id == "server-7"
        assert db.is_fresh
        db.write(turn(hard_state=1))
        assert not db.is_fresh


def test_a_snapshot_without_a_state_takes_its_place(tmp_path: Path) -> None:
    """A cluster begins with one; chunks staged after a restart, and left there by a crash, are not taken for its."""
    db = new_journal(tmp_path)
    db.write(turn(hard_state=1, append=entries(2, 5)))
    db.write(turn(snapshot=snapshot(3, 1, 3, 1, chunks=[])))
    db.close()
    db = RaftDb(tmp_path / "raft.db")
    db.stage(0, b"half a snapshot")
    db.close()

    assert stored(tmp_path).snapshot == snapshot(3, 1, 3, 1, chunks=[])
