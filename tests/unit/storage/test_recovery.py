"""A recovery on the disk: of sound, unused directories alone, with a copy of what was there before."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from storage.data_check import check_data_dir
from storage.data_dir import DataDir
from storage.errors import DataDirError
from storage.raft_db import RaftDb
from storage.recovery import UnsoundError, stopped_server
from storage.serf_db import KnownMember, SerfWrite
from tests.unit.storage.journals import entries, stored, turn

STAYS = KnownMember("id-2", "n2", "h2:1", "alive", 7)
GOES = KnownMember("id-3", "n3", "h3:1", "failed", 9)
ENTRY = b"the new configuration"
TERM = 1_000_002


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The data directory of a server that has stopped, with two other members."""
    path = tmp_path / "data"
    data_dir = DataDir.open(path)
    data_dir.identify("n1")
    data_dir.open_raft().write(turn(hard_state=2, cluster_id="c1", append=entries(2, 30), commit=25))
    data_dir.open_serf().write(SerfWrite(cluster_id="c1", upsert=[STAYS, GOES]))
    data_dir.close()
    return path


def recover(folder: Path, *others: KnownMember) -> Path:
    """Do it; returns where the copy is."""
    with stopped_server(folder) as stopped:
        copy = stopped.back_up("now")
        stopped.write("c2", TERM, ENTRY, list(others))
    return copy


def test_the_log_is_kept_with_one_more_entry(folder: Path) -> None:
    """In the new term, in which nobody has voted; the directory is sound, and another cluster's."""
    before = stored(folder)
    recover(folder)
    after = stored(folder)

    assert after.entries == [*before.entries, (ENTRY, 31, TERM)]
    assert (after.hard_state.term, after.hard_state.voted_for) == (TERM, None)
    assert (after.cluster_id, after.commit) == ("c2", before.commit)
    assert check_data_dir(folder).findings == []


def test_members_that_stay_are_found_where_they_are_now(folder: Path) -> None:
    """Those that were given up are forgotten; one that was never met is known from now on."""
    recover(
        folder, KnownMember("id-2", "n2", "elsewhere:1", "failed", 0), KnownMember("id-4", "n4", "h4:1", "failed", 0)
    )
    with stopped_server(folder) as stopped:
        found = {member.id: (member.address, member.incarnation) for member in stopped.serf.members}

    assert found == {"id-2": ("elsewhere:1", 7), "id-4": ("h4:1", 0)}
    assert stopped.serf.cluster_id == "c2"


def test_the_copy_undoes_it(folder: Path) -> None:
    """Both files as they were, also when only one of them had been written (a crash in between)."""
    before = stored(folder)
    with stopped_server(folder) as stopped:
        copy = stopped.back_up("now")
    raft = RaftDb(folder / "raft.db")
    raft.recover("c2", TERM, ENTRY)
    raft.close()
    assert check_data_dir(folder).findings, "two files of two clusters: no server starts with them"
    with pytest.raises(UnsoundError), stopped_server(folder):
        pass

    for file in copy.iterdir():
        shutil.copy(file, folder)

    assert check_data_dir(folder).findings == []
    assert stored(folder) == before


def test_a_directory_in_use_or_none_is_refused(folder: Path, tmp_path: Path) -> None:
    """While a server has it, nobody recovers it; and there has to be something to recover."""
    data_dir = DataDir.open(folder)
    with pytest.raises(DataDirError, match="in use"), stopped_server(folder):
        pass
    data_dir.close()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataDirError, match="no data directory"), stopped_server(tmp_path / "empty"):
        pass
    assert list((tmp_path / "empty").iterdir()) == []


def test_damage_is_refused(folder: Path) -> None:
    """What is not as it was written makes no cluster, and stays as it is."""
    raft = RaftDb(folder / "raft.db")
    raft._file.connection.execute("UPDATE entries SET data = x'00' WHERE idx = 7")
    raft.close()
    content = (folder / "raft.db").read_bytes()

    with pytest.raises(UnsoundError, match="log entry 7"), stopped_server(folder):
        pass

    assert (folder / "raft.db").read_bytes() == content
