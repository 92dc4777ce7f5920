"""The data directory of a server: one process at a time, two files that belong together.

Here: the directory itself, its lock, and what may be missing. Not here: what is in the files (raft_db.py, serf_db.py).

raft.db is made first and serf.db last, each under its name only when it is whole; both carry the server's id. So:
- neither file: a new server;
- raft.db alone and empty: the making was interrupted, it is finished with the same id;
- raft.db alone with content: serf.db is gone, and with it the identity that raft.db's votes were given under: refused;
- serf.db alone: refused once the server belonged to a cluster, because a server that forgot its votes and its entries
  can make the cluster lose acknowledged writes. Before that there was nothing to forget.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EDQUOT, ENOSPC, EROFS
from pathlib import Path

from msgspec.structs import replace

from storage.errors import CorruptFile, DataDirError, OtherAppError, StorageError
from storage.keyring_file import read_keyring, remove_keyring
from storage.raft_db import FILE_NAME as RAFT_DB
from storage.raft_db import RaftDb
from storage.serf_db import FILE_NAME as SERF_DB
from storage.serf_db import SerfDb, SerfState
from storage.sqlite_file import sync
from transport.ring import Ring

LOCK_FILE = "lock"
ID_BYTES = 8
"""Of a server's id. It is in every frame and more than once in most of gossip's, and 64 random bits meet no others."""

_WRITABLE_BY_NOBODY = frozenset({EROFS, ENOSPC, EDQUOT})
"""A disk that takes no write, whoever asks."""


class DataDir:
    """A data directory that belongs to this process. Opening its files again closes what was open of them."""

    def __init__(self, path: Path, lock: int) -> None:
        """Not called directly: see `open`."""
        self.path = path
        self._lock = lock
        self._raft: RaftDb | None = None
        self._serf: SerfDb | None = None

    @staticmethod
    def open(path: Path) -> DataDir:
        """Make the directory if needed, lock it, and check everything in it.

        Raises DataDirError (in use, not a directory, not writable) or StorageError (corrupt, disk full).
        """
        path = path.absolute()
        try:
            _make(path)
            lock = _take_lock(path)
        except OSError as error:
            reason = error.strerror or str(error)
            raise DataDirError(f"cannot use data directory {path}: {reason}; choose another with --data-dir") from error
        data_dir = DataDir(path, lock)
        try:
            data_dir._make_files()
            data_dir._check_content()
        except OSError as error:
            data_dir.close()
            raise DataDirError(f"cannot write to data directory {path}: {error.strerror or error}") from error
        except BaseException:
            data_dir.close()
            raise
        return data_dir

    @property
    def has_cluster(self) -> bool:
        """Whether this server ever belonged to a cluster: it then looks for that one and founds no other."""
        return bool(self._cluster_id)

    def identify(self, name: str, app: str = "") -> SerfState:
        """Count a start of the server under this name; returns who it is and whom it knew.

        Raises OtherAppError when what is here was made by the state machine of another app.
        """
        serf = self._serf or self.open_serf()
        if serf.app not in ("", app) and self.has_cluster:
            raise OtherAppError(
                f"data directory {self.path} holds what the app {serf.app} has made, and this server runs {app}: give "
                "the same --app as before, or another --data-dir"
            )
        serf.begin(name, app)
        return replace(serf.load(), cluster_id=self._cluster_id)

    @property
    def _cluster_id(self) -> str:
        # The two files are written one after the other, and a crash may have come between.
        raft, serf = self._raft or self.open_raft(), self._serf or self.open_serf()
        return serf.cluster_id or raft.cluster_id

    def sizes(self) -> dict[str, int]:
        """The bytes that each file takes with its write-ahead log."""
        found = dict.fromkeys((RAFT_DB, SERF_DB), 0)
        for file in found:
            for part in (self.path / file, self.path / f"{file}-wal"):
                with suppress(OSError):
                    found[file] += part.stat().st_size
        return found

    def keyring(self) -> Ring | None:
        """The keys that a rotation has left here, if any."""
        return read_keyring(self.path)

    def remove_keyring(self) -> None:
        """Forget them."""
        remove_keyring(self.path)

    def open_raft(self) -> RaftDb:
        """raft.db, freshly opened: what it says was read from the disk."""
        self._close_raft()
        self._raft = RaftDb(self.path / RAFT_DB)
        return self._raft

    def open_serf(self) -> SerfDb:
        """serf.db, freshly opened."""
        self._close_serf()
        self._serf = SerfDb(self.path / SERF_DB)
        return self._serf

    def close_files(self) -> None:
        """Close both files. A failure is no loss: what was acknowledged is on the disk already."""
        self._close_raft()
        self._close_serf()

    def close(self) -> None:
        """Close the files and let go of the directory."""
        self.close_files()
        os.close(self._lock)

    def _close_raft(self) -> None:
        raft, self._raft = self._raft, None
        if raft is not None:
            with suppress(StorageError):
                raft.close()

    def _close_serf(self) -> None:
        serf, self._serf = self._serf, None
        if serf is not None:
            with suppress(StorageError):
                serf.close()

    def _make_files(self) -> None:
        raft, serf = self.path / RAFT_DB, self.path / SERF_DB
        if serf.exists():
            if not raft.exists():
                self._replace_unused_raft(raft)
            return
        if not raft.exists():
            RaftDb.create(raft, secrets.token_hex(ID_BYTES))
        opened = self.open_raft()
        if not opened.is_fresh:
            raise CorruptFile(serf, "it is missing, and raft.db shows that this server has been part of a cluster")
        SerfDb.create(serf, opened.server_id)

    def _replace_unused_raft(self, raft: Path) -> None:
        serf = self.open_serf()
        if serf.cluster_id:
            raise CorruptFile(raft, f"it is missing, and serf.db says this server belongs to cluster {serf.cluster_id}")
        RaftDb.create(raft, serf.server_id)

    def _check_content(self) -> None:
        for fault in self.open_raft().faults():
            raise CorruptFile(self.path / RAFT_DB, fault)
        self.open_serf().load()
        for fault in why_not_together(self._raft or self.open_raft(), self._serf or self.open_serf()):
            raise CorruptFile(self.path / RAFT_DB, fault)


def why_not_together(raft: RaftDb, serf: SerfDb) -> Iterator[str]:
    """What speaks against the two files being of one server, as faults of raft.db."""
    if raft.server_id != serf.server_id:
        yield f"it belongs to server {raft.server_id} and serf.db to server {serf.server_id}"
    if raft.cluster_id and serf.cluster_id and raft.cluster_id != serf.cluster_id:
        yield f"it belongs to cluster {raft.cluster_id} and serf.db to {serf.cluster_id}"


def _make(path: Path) -> None:
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
        sync(folder.parent)
    if not path.is_dir():
        raise DataDirError(f"cannot use data directory {path}: it is a file; choose another with --data-dir")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the directory of a server that does not run. Raises DataDirError when it runs, or cannot be written to."""
    try:
        lock = _take_lock(path)
    except OSError as error:
        elsewhere = "copy it to where there is room to write, and do this to the copy"
        advice = elsewhere if error.errno in _WRITABLE_BY_NOBODY else "do this as the server's user"
        raise DataDirError(f"cannot lock {path}: {error.strerror}; {advice}") from error
    try:
        yield
    finally:
        os.close(lock)


def _take_lock(path: Path) -> int:
    """Lock the directory for this process; closing what is returned lets go. Raises DataDirError or OSError."""
    lock = os.open(path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(lock, 20, 0).decode(errors="replace").strip() or "unknown"
        os.close(lock)
        raise DataDirError(
            f"data directory {path} is in use by another server (pid {owner}): stop it first, or name another directory"
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock
