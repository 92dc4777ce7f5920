"""Writing a recovery into the data directory of a stopped server, with a copy of what was there before.

Here: the lock, the soundness of what is to be recovered, the copy, and the order of the writes. Not here: what a
recovery is (actors/raft/recovery.py).

raft.db is written first, in one transaction. A crash before serf.db leaves two files of two clusters, which no server
starts with: the copy is whole then, and the recovery is done again from it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen
from msgspec.structs import replace

from storage.data_check import check_files
from storage.data_dir import locked
from storage.errors import DataDirError, StorageError
from storage.raft_db import FILE_NAME as RAFT_DB
from storage.raft_db import RaftDb
from storage.raft_messages import RaftLoaded
from storage.serf_db import FILE_NAME as SERF_DB
from storage.serf_db import KnownMember, SerfDb, SerfState, SerfWrite
from storage.sqlite_file import sync

BACKUP_PREFIX = "before-recovery-"


class UnsoundError(StorageError):
    """What is to be recovered is damaged."""


@frozen
class Stopped:
    """The data directory of a stopped server, locked, and what it holds."""

    path: Path
    raft: RaftLoaded
    serf: SerfState

    def back_up(self, stamp: str) -> Path:
        """Copy both files into a folder beside them; returns it. Raises StorageError."""
        folder = self.path / f"{BACKUP_PREFIX}{stamp}"
        try:
            folder.mkdir(mode=0o700)
            for name in (RAFT_DB, SERF_DB):
                shutil.copy2(self.path / name, folder / name)
                with (folder / name).open("rb") as copy:
                    os.fsync(copy.fileno())
            sync(folder)
            sync(self.path)
        except OSError as error:
            raise StorageError(
                f"cannot make a copy in {folder}: {error.strerror or error}; nothing was changed"
            ) from error
        return folder

    def write(self, cluster_id: str, term: int, entry: bytes, others: list[KnownMember]) -> None:
        """Make it so. others: the servers that stay, beside this one; all further members are forgotten."""
        raft = RaftDb(self.path / RAFT_DB)
        try:
            raft.recover(cluster_id, term, entry)
        finally:
            raft.close()
        serf = SerfDb(self.path / SERF_DB)
        try:
            serf.write(self._remembered(cluster_id, others))
        finally:
            serf.close()

    def _remembered(self, cluster_id: str, others: list[KnownMember]) -> SerfWrite:
        known = {member.id: member for member in self.serf.members}
        kept = [replace(known[one.id], address=one.address) if one.id in known else one for one in others]
        gone = known.keys() - {one.id for one in others}
        return SerfWrite(cluster_id=cluster_id, left=False, upsert=kept, remove=sorted(gone))


@contextmanager
def stopped_server(path: Path) -> Iterator[Stopped]:
    """Lock the data directory of a server that does not run, and read it.

    Raises DataDirError when it is in use or none, UnsoundError when it is damaged, StorageError.
    """
    missing = [name for name in (RAFT_DB, SERF_DB) if not (path / name).exists()]
    if missing:
        raise DataDirError(f"{path} is no data directory of a server: it holds no {' and no '.join(missing)}")
    with locked(path):
        findings = check_files(path).findings
        if findings:
            raise UnsoundError(
                f"{path} is damaged ({findings[0].file}: {findings[0].what}): a cluster made of it would be too. "
                "Recover another server"
            )
        yield _read(path)


def _read(path: Path) -> Stopped:
    # Closing folds the write-ahead logs into the files, so that copies of these are whole.
    raft = RaftDb(path / RAFT_DB)
    try:
        loaded = raft.load()
    finally:
        raft.close()
    serf = SerfDb(path / SERF_DB)
    try:
        return Stopped(path, loaded, serf.load())
    finally:
        serf.close()
