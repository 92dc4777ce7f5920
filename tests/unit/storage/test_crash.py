"""Crashes: a process killed in the middle, and what a power failure leaves of a write that was not done."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from storage.raft_db import RaftDb
from storage.raft_messages import RaftLoaded
from tests.unit.storage.journals import content_of, entries, new_journal, snapshot, stored, turn

ROOT = Path(__file__).resolve().parents[3]
FRAME = 24 + 4096
HEADER = 32


@pytest.mark.parametrize("round_", range(3))
def test_every_acknowledged_write_survives_kill_9(tmp_path: Path, seed: int, round_: int) -> None:
    """Persist, then speak: whatever the writer has said is in the file, whenever it is killed."""
    rng = random.Random(f"{seed}-{round_}")
    new_journal(tmp_path).close()
    for _ in range(3):
        acknowledged = killed_writer(tmp_path, rng.randrange(5, 150), rng.getrandbits(32))
        loaded = stored(tmp_path)
        last = loaded.anchor_index + len(loaded.entries)
        assert last >= acknowledged
        for data, index, term in loaded.entries:
            assert [(data, index, term)] == entries(index, index, term, len(data)), f"entry {index}"
        if loaded.snapshot is not None:
            assert loaded.snapshot.chunks == [b"%d" % loaded.snapshot.index] * 5
        assert (loaded.hard_state.term, loaded.hard_state.voted_for) == (1, "me")


def killed_writer(folder: Path, acknowledgements: int, seed: int) -> int:
    """Let a process write until it has said so many acknowledgements, kill it, and return the last index it said."""
    command = [sys.executable, "-m", "tests.unit.storage.busy_writer", str(folder / "raft.db"), str(seed)]
    said = b""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        for _ in range(acknowledgements):
            said = writer.stdout.readline()
        writer.kill()
        rest = writer.stdout.read().splitlines(keepends=True)
    whole = [line for line in [said, *rest] if line.endswith(b"\n")]
    return int(whole[-1].split()[0])


class TestTornWrites:
    """A power failure: of what was not synced, any part may be missing. What was synced stays."""

    @pytest.fixture
    def history(self, tmp_path: Path) -> list[tuple[int, RaftLoaded]]:
        """States of a journal, each with the length of the WAL that holds it; the files are left as in a crash."""
        source = tmp_path / "source"
        source.mkdir()
        db = new_journal(source)
        states = []
        for write in (
            turn(hard_state=1, append=entries(2, 3)),
            turn(append=entries(4, 4)),
            turn(append=entries(5, 6, size=9000)),
            turn(hard_state=2, truncate_from=6, append=entries(6, 8, term=2)),
            turn(snapshot=snapshot(5, 1, 3, 1)),
            turn(append=entries(9, 10, term=2, size=5000)),
        ):
            db.write(write)
            states.append(((source / "raft.db-wal").stat().st_size, content_of(db)))
        shutil.copytree(source, tmp_path / "crashed")
        db.close()
        return states

    def test_a_torn_end_falls_back_to_the_last_whole_write(
        self, tmp_path: Path, history: list[tuple[int, RaftLoaded]]
    ) -> None:
        """Wherever the log of SQLite ends, the journal is as after the last write that is whole in it."""
        whole = (tmp_path / "crashed" / "raft.db-wal").read_bytes()
        for length in range(history[0][0], len(whole), 1021):
            found = self.after(tmp_path, whole[:length])
            assert found == [state for size, state in history if size <= length][-1]

    def test_lost_pages_of_the_last_write_undo_it_whole(
        self, tmp_path: Path, history: list[tuple[int, RaftLoaded]]
    ) -> None:
        """The disk may write the pages of an unsynced transaction in any order."""
        whole = (tmp_path / "crashed" / "raft.db-wal").read_bytes()
        begin = history[-2][0]
        assert len(whole) - begin >= 3 * FRAME
        for at in range(begin, len(whole), FRAME):
            found = self.after(tmp_path, whole[:at] + bytes(FRAME) + whole[at + FRAME :])
            assert found == history[-2][1]

    def test_garbage_behind_the_end_is_ignored(self, tmp_path: Path, history: list[tuple[int, RaftLoaded]]) -> None:
        """A file system may grow a file before it fills it."""
        whole = (tmp_path / "crashed" / "raft.db-wal").read_bytes()
        for tail in (bytes(3 * FRAME), b"\xa5" * 5000, b"\0"):
            assert self.after(tmp_path, whole + tail) == history[-1][1]

    def test_frames_from_before_a_restart_of_the_log_are_ignored(self, tmp_path: Path) -> None:
        """SQLite begins its log anew after a checkpoint and leaves the old frames behind the new ones."""
        db = new_journal(tmp_path)
        db.write(turn(hard_state=1, append=entries(2, 400, size=3000)))
        db._file.connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        db.write(turn(append=entries(401, 401)))
        expected = content_of(db)
        crashed = tmp_path / "crashed"
        crashed.mkdir()
        for name in ("raft.db", "raft.db-wal"):
            shutil.copy(tmp_path / name, crashed / name)
        db.close()

        assert (crashed / "raft.db-wal").stat().st_size > HEADER + 300 * FRAME
        assert stored(crashed) == expected

    def after(self, tmp_path: Path, wal: bytes) -> RaftLoaded:
        """What a start finds when the crash has left this much of the WAL."""
        copy = tmp_path / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(tmp_path / "crashed", copy)
        (copy / "raft.db-wal").write_bytes(wal)
        return stored(copy)


def test_what_is_read_back_after_a_crash_is_on_the_disk(tmp_path: Path) -> None:
    """A killed process may leave a commit that was written and not synced: opening puts it into the synced file."""
    db = new_journal(tmp_path)
    db.write(turn(hard_state=1, append=entries(2, 9)))
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for name in ("raft.db", "raft.db-wal"):
        shutil.copy(tmp_path / name, crashed / name)
    db.close()

    reopened = RaftDb(crashed / "raft.db")
    assert (crashed / "raft.db-wal").stat().st_size == 0
    assert reopened.load().entries == entries(2, 9)
    reopened.close()
