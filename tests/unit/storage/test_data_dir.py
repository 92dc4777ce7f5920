"""The data directory: one process at a time, two files that belong together, and a clear line for everything else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from storage.data_dir import ID_BYTES, DataDir
from storage.errors import CorruptFile, DataDirError, OtherAppError, StorageError
from storage.raft_db import RaftDb
from storage.serf_db import SerfDb, SerfWrite
from tests.unit.storage.journals import entries, turn

ROOT = Path(__file__).resolve().parents[3]


def used(path: Path, cluster_id: str = "c1") -> str:
    """Make a directory of a server that has been part of a cluster; returns its id."""
    data_dir = DataDir.open(path)
    me = data_dir.identify("one")
    data_dir.open_raft().write(turn(hard_state=1, cluster_id=cluster_id, append=entries(2, 5)))
    data_dir.open_serf().write(SerfWrite(cluster_id=cluster_id, incarnation=3))
    data_dir.close()
    return me.id


class TestIdentity:
    """A server is its id, made once; each start is counted."""

    def test_the_id_is_for_life_and_every_start_counts(self, tmp_path: Path) -> None:
        path = tmp_path / "deep" / "down"
        seen = []
        for name in ("one", "one", "renamed"):
            data_dir = DataDir.open(path)
            seen.append(data_dir.identify(name))
            data_dir.close()

        assert len({state.id for state in seen}) == 1
        assert len(seen[0].id) == 2 * ID_BYTES
        assert [state.boot for state in seen] == [1, 2, 3]
        assert [state.name for state in seen] == ["one", "one", "renamed"]

    def test_two_directories_are_two_servers(self, tmp_path: Path) -> None:
        assert used(tmp_path / "a") != used(tmp_path / "b")

    def test_nobody_else_can_read_it(self, tmp_path: Path) -> None:
        used(tmp_path / "d")

        assert (tmp_path / "d").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "d" / "raft.db").stat().st_mode & 0o777 == 0o600

    def test_the_cluster_is_known_once_either_file_names_it(self, tmp_path: Path) -> None:
        """A crash may come between the two writes, and a second cluster must not be founded then."""
        for name, in_raft in (("a", True), ("b", False)):
            data_dir = DataDir.open(tmp_path / name)
            assert not data_dir.has_cluster
            if in_raft:
                data_dir.open_raft().write(turn(cluster_id="c1"))
            else:
                data_dir.open_serf().write(SerfWrite(cluster_id="c1"))
            data_dir.close()
            again = DataDir.open(tmp_path / name)
            assert again.has_cluster
            assert again.identify("x").cluster_id == "c1"
            again.close()

    def test_another_app_is_refused_what_this_one_has_made(self, tmp_path: Path) -> None:
        """Its commands mean something else to another state machine; before there are any, nothing is lost."""
        data_dir = DataDir.open(tmp_path)
        data_dir.identify("x", "Carts")
        data_dir.identify("x", "Counter")
        data_dir.open_raft().write(turn(cluster_id="c1"))

        with pytest.raises(
            OtherAppError, match="holds what the app Counter has made, and this server runs Carts"
        ) as no:
            data_dir.identify("x", "Carts")
        assert no.value.exit_code == 2
        assert data_dir.identify("x", "Counter").boot == 3
        data_dir.close()


class TestOneProcess:
    """Two servers on one directory would vote twice."""

    def test_a_second_process_is_refused_with_the_pid_of_the_first(self, tmp_path: Path) -> None:
        data_dir = DataDir.open(tmp_path)
        program = "from pathlib import Path; from storage.data_dir import DataDir; DataDir.open(Path({!r}))"
        command = [sys.executable, "-c", program.format(str(tmp_path))]
        second = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
        data_dir.close()

        assert second.returncode == 1
        assert f"{tmp_path} is in use by another server (pid {os.getpid()})" in second.stderr.decode()

    def test_the_directory_is_free_again_afterwards(self, tmp_path: Path) -> None:
        for _ in range(2):
            DataDir.open(tmp_path).close()

    def test_a_refused_start_leaves_the_directory_free(self, tmp_path: Path) -> None:
        (tmp_path / "raft.db").write_bytes(b"garbage")
        for _ in range(2):
            with pytest.raises(CorruptFile):
                DataDir.open(tmp_path)

    def test_files_can_be_opened_again_without_being_closed(self, tmp_path: Path) -> None:
        """As after a crash of the persistence actor, whatever it left open."""
        data_dir = DataDir.open(tmp_path)
        data_dir.open_raft().write(turn(hard_state=1, append=entries(2, 5)))

        assert data_dir.open_raft().load().entries == entries(2, 5)
        data_dir.close()


class TestMissingFiles:
    """Never a silent fresh start: what could have been forgotten is not begun anew."""

    def test_without_raft_db_a_member_of_a_cluster_is_refused(self, tmp_path: Path) -> None:
        used(tmp_path)
        (tmp_path / "raft.db").unlink()

        with pytest.raises(CorruptFile, match=r"raft\.db .* missing, .* cluster c1.* away, .*--peer"):
            DataDir.open(tmp_path)
        assert not (tmp_path / "raft.db").exists()

    def test_without_raft_db_a_server_that_never_joined_goes_on_under_its_id(self, tmp_path: Path) -> None:
        data_dir = DataDir.open(tmp_path)
        before = data_dir.identify("one")
        data_dir.close()
        (tmp_path / "raft.db").unlink()

        again = DataDir.open(tmp_path)
        assert (again.identify("one").id, again.open_raft().server_id) == (before.id, before.id)
        again.close()

    def test_without_serf_db_a_used_raft_db_is_refused(self, tmp_path: Path) -> None:
        used(tmp_path)
        (tmp_path / "serf.db").unlink()

        with pytest.raises(CorruptFile, match=r"serf\.db is corrupt: it is missing"):
            DataDir.open(tmp_path)

    def test_an_interrupted_first_start_is_finished(self, tmp_path: Path) -> None:
        RaftDb.create(tmp_path / "raft.db", "server-1")
        (tmp_path / "serf.db.new").write_bytes(b"half of it")

        data_dir = DataDir.open(tmp_path)
        assert data_dir.identify("one").id == "server-1"
        data_dir.close()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "raft.db", "serf.db"]

    def test_the_files_of_two_servers_do_not_mix(self, tmp_path: Path) -> None:
        ids = used(tmp_path / "a"), used(tmp_path / "b")
        shutil.copy(tmp_path / "b" / "raft.db", tmp_path / "a" / "raft.db")

        with pytest.raises(CorruptFile, match=f"server {ids[1]} and serf.db to server {ids[0]}"):
            DataDir.open(tmp_path / "a")

    def test_the_files_of_two_clusters_do_not_mix(self, tmp_path: Path) -> None:
        used(tmp_path)
        serf = SerfDb(tmp_path / "serf.db")
        serf.write(SerfWrite(cluster_id="c2"))
        serf.close()

        with pytest.raises(CorruptFile, match=r"cluster c1 and serf\.db to c2"):
            DataDir.open(tmp_path)

    def test_a_damaged_entry_is_found_at_the_start(self, tmp_path: Path) -> None:
        """Not when an actor loads it: a start that cannot succeed fails with one line."""
        used(tmp_path)
        raft = RaftDb(tmp_path / "raft.db")
        raft._file.connection.execute("UPDATE entries SET data = x'00' WHERE idx = 4")
        raft.close()

        with pytest.raises(CorruptFile, match="log entry 4"):
            DataDir.open(tmp_path)


class TestUnusableDirectories:
    """One line each: what failed, why, what to try."""

    def test_a_file_in_its_place(self, tmp_path: Path) -> None:
        (tmp_path / "d").write_text("")

        with pytest.raises(DataDirError, match=r"d: it is a file; choose another with --data-dir"):
            DataDir.open(tmp_path / "d")

    def test_a_file_on_the_way_to_it(self, tmp_path: Path) -> None:
        (tmp_path / "d").write_text("")

        with pytest.raises(DataDirError, match="Not a directory; choose another with --data-dir"):
            DataDir.open(tmp_path / "d" / "e")

    def test_a_place_where_nothing_can_be_made(self) -> None:
        """Even for root."""
        with pytest.raises(DataDirError, match=r"cannot use data directory /proc/quorate: .*choose another"):
            DataDir.open(Path("/proc/quorate"))

    def test_a_directory_that_cannot_be_written(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refused(*_: object) -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", refused)
        with pytest.raises(DataDirError, match="Permission denied; choose another with --data-dir"):
            DataDir.open(tmp_path)

    def test_a_database_that_is_a_directory(self, tmp_path: Path) -> None:
        (tmp_path / "raft.db").mkdir()

        with pytest.raises(StorageError, match=r"raft\.db"):
            DataDir.open(tmp_path)
