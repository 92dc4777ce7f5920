"""No space and I/O errors at every single statement of a server's writes, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from storage.errors import SyncError, WriteError
from storage.raft_db import RaftDb
from storage.raft_messages import RaftLoaded, SnapshotSave
from tests.unit.storage.disks import FULL, SYNC_FAILED, WRITE_FAILED
from tests.unit.storage.failing import FailingDisk
from tests.unit.storage.journals import content_of, entries, new_journal, snapshot, turn

Step = Callable[[RaftDb], None]

STEPS: list[Step] = [
    lambda db: db.write(turn(hard_state=1, cluster_id="c1")),
    lambda db: db.write(turn(append=entries(2, 40), commit=30)),
    lambda db: db.write(turn(truncate_from=36, hard_state=2, append=entries(36, 38, 2))),
    lambda db: db.write(turn(snapshot=snapshot(20, 1, 15, 1))),
    lambda db: db.write(turn(append=entries(39, 39, 2), stage=[(0, b"a" * 5000), (1, b"b" * 5000)])),
    lambda db: db.write(turn(stage=[(2, b"c")])),
    lambda db: db.write(turn(snapshot=SnapshotSave(50, 2, b"v", [], 50, 2, True, staged=3, received=True))),
    lambda db: db.write(turn(append=entries(51, 60, 2), commit=60)),
]


def reopened(db: RaftDb, folder: Path) -> RaftDb:
    """As the persistence actor's successor finds it."""
    db._file.abandon()
    return RaftDb(folder / "raft.db")


def stage_four(db: RaftDb) -> None:
    """Chunks of a snapshot of our own."""
    for number in range(4):
        db.stage(number, b"chunk")


def expected(folder: Path) -> RaftLoaded:
    """What is there when nothing fails."""
    folder.mkdir()
    db = new_journal(folder)
    for step in STEPS:
        step(db)
    content = content_of(db)
    db.close()
    return content


@pytest.mark.parametrize("code", [FULL, WRITE_FAILED], ids=["no space", "I/O error"])
def test_a_write_that_fails_anywhere_is_undone_and_succeeds_later(tmp_path: Path, code: int) -> None:
    """Nothing of it is kept, all before it is, and the same write again leads to the same content."""
    wanted = expected(tmp_path / "whole")
    for fail_at in count(1):
        folder = tmp_path / str(fail_at)
        folder.mkdir()
        db = new_journal(folder)
        disk = FailingDisk(db, fail_at, code)
        for step in STEPS:
            before = db.load()
            try:
                step(db)
            except WriteError:
                assert db.load() == before, f"statement {fail_at}"
                step(db)
        assert content_of(db) == wanted, f"statement {fail_at}"
        db.close()
        if disk.statements < fail_at:
            assert fail_at > 40, "there were many statements to fail"
            return


def test_a_sync_that_fails_leads_to_what_is_on_the_disk(tmp_path: Path) -> None:
    """Nobody knows what was kept, so the file is read again; a staging is lost, an acknowledged write is not."""
    for number, step in enumerate(STEPS[:5]):
        folder = tmp_path / str(number)
        folder.mkdir()
        db = new_journal(folder)
        for earlier in STEPS[:number]:
            earlier(db)
        before = content_of(db)
        disk = FailingDisk(db)
        step(db)
        commit = disk.statements
        after = content_of(db)
        db.close()

        folder = tmp_path / f"{number}-failing"
        folder.mkdir()
        db = new_journal(folder)
        for earlier in STEPS[:number]:
            earlier(db)
        FailingDisk(db, commit, SYNC_FAILED)
        with pytest.raises(SyncError, match="I/O error"):
            step(db)
        db = reopened(db, folder)
        assert content_of(db) in (before, after)
        db.close()


@pytest.mark.parametrize("code", [FULL, WRITE_FAILED], ids=["no space", "I/O error"])
def test_a_snapshot_of_our_own_that_fails_anywhere_is_given_up(tmp_path: Path, code: int) -> None:
    """The staging is off, the log goes on, and the next snapshot begins anew."""
    for fail_at in range(1, 10):
        folder = tmp_path / str(fail_at)
        folder.mkdir()
        db = new_journal(folder)
        db.write(turn(hard_state=1, append=entries(2, 9)))
        FailingDisk(db, fail_at, code)
        with pytest.raises(WriteError):
            stage_four(db)
        with pytest.raises(WriteError, match="does not follow"):
            db.stage(3, b"chunk")
        db.write(turn(append=entries(10, 10)))
        db.stage(0, b"all of it")
        db.write(turn(snapshot=SnapshotSave(8, 1, b"v", [], 8, 1, False, staged=1)))
        snapshot_kept = content_of(db).snapshot
        assert snapshot_kept is not None
        assert snapshot_kept.chunks == [b"all of it"]
        db.close()
