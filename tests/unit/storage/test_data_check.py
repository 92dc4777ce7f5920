"""Looking at a data directory that no server uses: everything that is wrong with it is named."""

from __future__ import annotations

import os
from errno import EACCES, ENOSPC, EROFS
from pathlib import Path

import pytest

from storage import data_dir as data_dir_module
from storage.data_check import DataCheck, check_data_dir
from storage.data_dir import DataDir
from storage.errors import DataDirError
from storage.keyring_file import write_keyring
from storage.raft_db import RaftDb
from storage.serf_db import SerfWrite
from tests.unit.keyring.made import USING
from tests.unit.storage.journals import entries, snapshot, turn
from transport.ring import encode_ring


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The data directory of a server that has stopped."""
    path = tmp_path / "data"
    data_dir = DataDir.open(path)
    data_dir.identify("n1")
    raft = data_dir.open_raft()
    raft.write(turn(hard_state=2, cluster_id="c1", append=entries(2, 30), commit=25))
    raft.write(turn(snapshot=snapshot(20, 1, 10, 1)))
    data_dir.open_serf().write(SerfWrite(cluster_id="c1"))
    data_dir.close()
    return path


def change(folder: Path, *statements: str) -> None:
    """Change rows as no program of ours would."""
    db = RaftDb(folder / "raft.db")
    for statement in statements:
        db._file.connection.execute(statement)
    db.close()


def found(check: DataCheck) -> list[tuple[str, str]]:
    """The findings, shortly."""
    return [(finding.file, finding.what) for finding in check.findings]


def test_a_sound_directory_says_whose_it_is(folder: Path) -> None:
    """Nothing is found, nothing is changed, and the lock is let go."""
    before = (folder / "raft.db").read_bytes()

    check = check_data_dir(folder)

    assert found(check) == []
    assert check.server["name"] == "n1"
    assert (check.server["term"], check.server["log_entries"], check.server["snapshot_index"]) == (2, 20, 20)
    assert (folder / "raft.db").read_bytes() == before
    DataDir.open(folder).close()


def test_every_fault_is_named(folder: Path) -> None:
    """Not the first alone: who decides what to do wants to know how much is wrong."""
    change(
        folder,
        "UPDATE entries SET data = x'00' WHERE idx = 12",
        "DELETE FROM entries WHERE idx IN (15, 30)",
        "UPDATE chunks SET data = x'00' WHERE id & 1 = 0",
        "DELETE FROM chunks WHERE id & 1 = 1",
    )

    assert found(check_data_dir(folder)) == [
        ("raft.db", "log entry 12 does not match its checksum"),
        ("raft.db", "log entry 15 is missing (the next one is 16)"),
        ("raft.db", "the log ends at entry 29 (term 1) instead of 30"),
        ("raft.db", "chunk 0 of the snapshot at 20 does not match its checksum"),
        ("raft.db", "the snapshot at 20 has 1 of 2 chunks, 0 of 244 bytes"),
    ]


def test_a_snapshot_in_the_wrong_place_is_a_fault(folder: Path) -> None:
    """Each record is sound, and they do not fit together."""
    change(folder, "DELETE FROM snapshot")

    assert found(check_data_dir(folder)) == [("raft.db", "the snapshot before log entry 11 is missing")]


def test_the_other_file_is_checked_all_the_same(folder: Path) -> None:
    """One file is no database any more; what is wrong with the other is found too."""
    (folder / "raft.db").write_bytes(b"garbage " * 1000)
    content = bytearray((folder / "serf.db").read_bytes())
    content[content.index(b"n1")] ^= 1
    (folder / "serf.db").write_bytes(content)

    assert found(check_data_dir(folder)) == [
        ("raft.db", "file is not a database"),
        ("serf.db", "the row with the identity of the server does not match its checksum"),
    ]


def test_files_of_two_servers_are_a_fault(folder: Path, tmp_path: Path) -> None:
    """As a careless restore leaves them."""
    DataDir.open(tmp_path / "other").close()
    (tmp_path / "other" / "serf.db").replace(folder / "serf.db")

    ((file, what),) = found(check_data_dir(folder))
    assert file == "raft.db"
    assert "it belongs to server" in what


def test_a_file_that_is_missing_is_a_fault(folder: Path) -> None:
    """The identity is gone, or the votes are."""
    (folder / "serf.db").unlink()

    assert found(check_data_dir(folder)) == [("serf.db", "it is missing")]


def test_a_directory_in_use_is_not_touched(folder: Path) -> None:
    """A running server has it."""
    data_dir = DataDir.open(folder)
    with pytest.raises(DataDirError, match="in use by another server"):
        check_data_dir(folder)
    data_dir.close()


def test_another_directory_is_refused(tmp_path: Path) -> None:
    """And nothing is made in it."""
    with pytest.raises(DataDirError, match="is no data directory"):
        check_data_dir(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_keyring_is_found(folder: Path) -> None:
    """A server with one does not start; what a rotation has left whole is no finding."""
    write_keyring(folder, encode_ring(USING))
    assert found(check_data_dir(folder)) == []

    (folder / "keyring").write_bytes(encode_ring(USING)[:-9])
    ((file, what),) = found(check_data_dir(folder))
    assert file == "keyring"
    assert "is not a keyring" in what


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (EROFS, "copy it to where there is room to write, and do this to the copy"),
        (ENOSPC, "copy it to where there is room to write, and do this to the copy"),
        (EACCES, "do this as the server's user"),
    ],
)
def test_a_directory_that_cannot_be_locked(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int, advice: str
) -> None:
    """The way out is another user's only where another user could write."""

    def refuse(path: Path) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(data_dir_module, "_take_lock", refuse)

    with pytest.raises(DataDirError) as refused:
        check_data_dir(folder)
    assert str(refused.value) == f"cannot lock {folder}: {os.strerror(number)}; {advice}"
