"""Damage on the disk: whatever byte is wrong, a server says so or is not touched by it; it never goes on with less."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from storage.errors import CorruptFile, StorageError
from storage.raft_db import RaftDb
from storage.raft_messages import HardState, RaftLoaded
from storage.serf_db import KnownMember, SerfDb, SerfWrite
from storage.snapshot_table import SnapshotSource
from storage.sqlite_file import FORMAT
from tests.unit.storage.journals import content_of, entries, new_journal, snapshot, turn

FLIPS = 600


def fill(db: RaftDb) -> None:
    """A bit of everything: hard state, a snapshot of two chunks, entries in one page and in many, half a snapshot."""
    db.write(turn(hard_state=HardState(3, "server-2"), cluster_id="c1"))
    db.write(turn(append=entries(2, 14, term=2) + entries(15, 16, term=3, size=9000), commit=9))
    db.write(turn(snapshot=snapshot(8, 2, 6, 2)))
    db.write(turn(stage=[(0, b"of a leader" * 20), (1, b"more")], source=SnapshotSource("server-2", 30, 3, 9)))


def damaged(source: Path, copy: Path, name: str, at: int, mask: int) -> None:
    """Make `copy` a copy of `source` with one byte of one file changed."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(source, copy)
    content = bytearray((copy / name).read_bytes())
    content[at] ^= mask
    (copy / name).write_bytes(content)


def loaded(folder: Path) -> RaftLoaded | str:
    """What a start makes of a folder: what it loads, or "" when it refuses."""
    with suppress(StorageError), closing(RaftDb(folder / "raft.db")) as db:
        return content_of(db)
    return ""


class TestFlippedBytes:
    """Every record carries a checksum of itself and its place; SQLite's pages are checked on opening."""

    def test_in_the_file(self, tmp_path: Path, seed: int) -> None:
        source, copy = tmp_path / "source", tmp_path / "copy"
        source.mkdir()
        db = new_journal(source)
        fill(db)
        whole = content_of(db)
        db.close()
        rng = random.Random(seed)
        size = (source / "raft.db").stat().st_size
        refused = 0
        for _ in range(FLIPS):
            at, mask = rng.randrange(size), 1 << rng.randrange(8)
            damaged(source, copy, "raft.db", at, mask)
            found = loaded(copy)
            assert found in (whole, ""), f"byte {at}, mask {mask}: another state was loaded"
            refused += found == ""

        assert refused > FLIPS // 4, "most of the file is content"

    def test_in_the_write_ahead_log_a_crash_left(self, tmp_path: Path, seed: int) -> None:
        """SQLite drops what stands behind a damaged frame in silence; acknowledged transactions stand there."""
        source, copy = tmp_path / "source", tmp_path / "copy"
        source.mkdir()
        db = new_journal(source)
        fill(db)
        before_last = (source / "raft.db-wal").stat().st_size
        db.write(turn(append=entries(17, 17, term=3)))
        rng = random.Random(seed)
        for _ in range(FLIPS // 5):
            at, mask = rng.randrange(before_last), 1 << rng.randrange(8)
            damaged(source, copy, "raft.db-wal", at, mask)
            with pytest.raises(CorruptFile, match=r"raft\.db-wal is corrupt"):
                RaftDb(copy / "raft.db")
            with pytest.raises(CorruptFile):
                # The evidence is still there for the next start.
                RaftDb(copy / "raft.db")
        db.close()

    def test_in_serf_db(self, tmp_path: Path, seed: int) -> None:
        source, copy = tmp_path / "source", tmp_path / "copy"
        source.mkdir()
        SerfDb.create(source / "serf.db", "server-1")
        db = SerfDb(source / "serf.db")
        members = [KnownMember(f"id-{i}", f"name-{i}", f"10.0.0.{i}:7946", "alive", i, {"k": "v"}) for i in range(9)]
        db.write(SerfWrite(incarnation=4, clock=5, cluster_id="c1", upsert=members))
        whole = db.load()
        db.close()
        rng = random.Random(seed)
        for _ in range(FLIPS // 3):
            at, mask = rng.randrange((source / "serf.db").stat().st_size), 1 << rng.randrange(8)
            damaged(source, copy, "serf.db", at, mask)
            with suppress(StorageError), closing(SerfDb(copy / "serf.db")) as opened:
                assert opened.load() == whole, f"byte {at}, mask {mask}: another state was loaded"


def cut(path: Path) -> None:
    """Lose the second half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def lose_rows(sql: str) -> Callable[[RaftDb], None]:
    """Change rows as no program of ours would."""

    def change(db: RaftDb) -> None:
        db._file.connection.execute(sql)

    return change


DAMAGES: dict[str, tuple[Callable[[RaftDb], None], str]] = {
    "the end of the log": (lose_rows("DELETE FROM entries WHERE idx > 14"), "the log ends at entry 14"),
    "an entry": (lose_rows("DELETE FROM entries WHERE idx = 12"), "log entry 12 is missing"),
    "an entry in another's place": (
        lose_rows("UPDATE entries SET data = (SELECT data FROM entries WHERE idx = 11) WHERE idx = 12"),
        "log entry 12 does not match",
    ),
    "a term": (lose_rows("UPDATE entries SET term = 1 WHERE idx = 12"), "log entry 12 does not match"),
    "a type": (lose_rows("UPDATE entries SET data = 'text' WHERE idx = 12"), "log entry 12 does not have the type"),
    "a chunk": (lose_rows("DELETE FROM chunks WHERE id = 2 << 20"), "chunk 0 of the snapshot at 8 is missing"),
    "the last chunk": (lose_rows("DELETE FROM chunks WHERE id = (2 << 20) + 1"), "has 1 of 2 chunks"),
    "a chunk that arrived": (lose_rows("DELETE FROM chunks WHERE id = 3 << 20"), "chunk of the arriving .* is missing"),
    "what arrives": (lose_rows("UPDATE arriving SET leader = 'server-3'"), "the arriving snapshot does not match"),
    "the snapshot": (lose_rows("DELETE FROM snapshot"), "the snapshot before log entry 7 is missing"),
    "the hard state": (lose_rows("DELETE FROM state"), "the hard state .* is missing"),
    "the vote": (lose_rows("UPDATE state SET voted_for = NULL"), "the hard state .* does not match"),
    "a table": (lose_rows("DROP TABLE chunks"), "its tables are not those"),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_a_lost_record_is_named(tmp_path: Path, what: str) -> None:
    """Checksums find changed records; order, counts and the state row find those that are gone."""
    damage, complaint = DAMAGES[what]
    db = new_journal(tmp_path)
    fill(db)
    damage(db)
    db._file.close()

    with pytest.raises(CorruptFile, match=complaint) as caught:
        content_of(RaftDb(tmp_path / "raft.db"))
    assert "--peer" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"hello", b"\0" * 8192, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    """An empty raft.db is no fresh start: ours get their name only when they are whole."""
    (tmp_path / "raft.db").write_bytes(content)

    with pytest.raises(CorruptFile, match=r"raft\.db is corrupt: .*move the directory .* away"):
        RaftDb(tmp_path / "raft.db")


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    """As a full disk or a broken copy leaves it."""
    db = new_journal(tmp_path)
    fill(db)
    db.close()
    cut(tmp_path / "raft.db")

    with pytest.raises(CorruptFile):
        content_of(RaftDb(tmp_path / "raft.db"))


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    """serf.db under raft.db's name."""
    SerfDb.create(tmp_path / "raft.db", "server-1")

    with pytest.raises(CorruptFile, match="its tables are not those"):
        RaftDb(tmp_path / "raft.db")


def test_another_format_asks_for_the_release_it_is_of(tmp_path: Path) -> None:
    """Nothing is wrong with the file, so the way out is another one."""
    db = new_journal(tmp_path)
    db._file.connection.execute(f"PRAGMA user_version = {FORMAT + 1}")
    db.close()

    with pytest.raises(StorageError, match=rf"format {FORMAT + 1}, .* format {FORMAT}: use the release"):
        RaftDb(tmp_path / "raft.db")
