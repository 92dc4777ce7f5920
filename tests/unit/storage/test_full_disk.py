"""Disks that refuse a write: what is said, and what is left."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from storage.errors import FileGone, StorageError, SyncError, WriteError
from storage.raft_db import RaftDb
from tests.unit.storage.disks import FULL, SYNC_FAILED, WRITE_FAILED, RefusingDisk
from tests.unit.storage.journals import content_of, entries, journal, new_journal, snapshot, stored, turn

ROOT = Path(__file__).resolve().parents[3]


def test_a_full_disk_keeps_nothing_of_a_write_and_all_before_it(tmp_path: Path) -> None:
    """The journal stays usable: the same write succeeds once there is room."""
    db = new_journal(tmp_path)
    db.write(turn(hard_state=1, append=entries(2, 9)))
    before = content_of(db)
    connection = db._file.connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 5}")
    large = turn(hard_state=2, append=entries(10, 40, term=2, size=5000), commit=20)

    with pytest.raises(WriteError, match=r"raft\.db: the disk is full; free some space"):
        db.write(large)
    assert content_of(db) == before
    db.write(turn(commit=5))

    connection.execute("PRAGMA max_page_count = 1000000")
    db.write(large)
    db.close()
    assert stored(tmp_path).entries == entries(2, 9) + entries(10, 40, term=2, size=5000)


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_file_that_was_removed_takes_nothing_more(tmp_path: Path, is_replaced: bool) -> None:
    """SQLite would go on writing to what has no name any more, and an acknowledgement would mean nothing."""
    db = new_journal(tmp_path)
    db.write(turn(hard_state=1, append=entries(2, 9)))
    (tmp_path / "raft.db").rename(tmp_path / "elsewhere")
    if is_replaced:
        shutil.copyfile(tmp_path / "elsewhere", tmp_path / "raft.db")

    with pytest.raises(FileGone, match=r"raft\.db was removed or replaced while the server used it"):
        db.write(turn(commit=5))


def test_a_snapshot_that_finds_no_room_leaves_the_old_one(tmp_path: Path) -> None:
    """In one piece and staged."""
    db = new_journal(tmp_path)
    db.write(turn(hard_state=1, append=entries(2, 9)))
    db.write(turn(snapshot=snapshot(5, 1, 5, 1)))
    before = content_of(db)
    connection = db._file.connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 3}")

    with pytest.raises(WriteError):
        db.write(turn(snapshot=snapshot(8, 1, 8, 1, chunks=[bytes(9000)] * 9)))
    with pytest.raises(WriteError):
        db.stage(0, bytes(90000))
    with pytest.raises(WriteError, match="chunk 1"):
        db.stage(1, b"small")
    assert content_of(db) == before

    connection.execute("PRAGMA max_page_count = 1000000")
    db.write(turn(snapshot=snapshot(8, 1, 8, 1)))
    db.close()
    assert stored(tmp_path).snapshot == snapshot(8, 1, 8, 1)


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        (FULL, WriteError, "the disk is full"),
        (WRITE_FAILED, WriteError, "check its quota"),
        (SYNC_FAILED, SyncError, "I/O error"),
    ],
)
def test_the_kind_of_failure_decides(tmp_path: Path, code: int, kind: type[StorageError], text: str) -> None:
    """After a refused write one goes on, after a failed sync one must reload."""
    with journal(tmp_path) as db:
        disk = RefusingDisk(db)
        disk.refuse(code)
        with pytest.raises(kind, match=text):
            db.write(turn(hard_state=1, append=entries(2, 9)))
        disk.refuse(None)

        assert content_of(db).entries == []


def test_a_file_another_program_holds_is_refused(tmp_path: Path) -> None:
    """No program can look at the file of a running server, and none can keep a server from writing later."""
    new_journal(tmp_path).close()
    holder = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('PRAGMA locking_mode = EXCLUSIVE'); "
        "c.execute('BEGIN IMMEDIATE'); print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", holder, str(tmp_path / "raft.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(StorageError, match="in use by another program"):
            RaftDb(tmp_path / "raft.db")
        other.communicate()

    assert stored(tmp_path).entries == []


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_lone_write_is_one_fdatasync_of_the_wal(tmp_path: Path) -> None:
    """An acknowledged write is on the disk, and costs no second sync."""
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from storage.raft_db import RaftDb\n"
        "from tests.unit.storage.journals import entries, new_journal, turn\n"
        "db = new_journal(Path(sys.argv[1]))\n"
        "db.write(turn(hard_state=1))\n"
        "for index in (2, 3):\n"
        "    os.write(1, b'begin')\n"
        "    db.write(turn(append=entries(index, index)))\n"
        "    os.write(1, b'end')\n"
    )
    trace = tmp_path / "trace"
    traced = ["strace", "-f", "-y", "-o", str(trace), "-e", "trace=write,fsync,fdatasync,sync_file_range"]
    command = [*traced, sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if "ptrace" in done.stderr.decode():
        pytest.skip("tracing is not allowed here")
    lines = [line.split(maxsplit=1)[1] for line in trace.read_text().splitlines()]
    begin = max(number for number, line in enumerate(lines) if '"begin"' in line)
    end = max(number for number, line in enumerate(lines) if '"end"' in line)

    (sync,) = lines[begin + 1 : end]
    assert sync.startswith("fdatasync(")
    assert "raft.db-wal" in sync
    assert sync.endswith("= 0")
