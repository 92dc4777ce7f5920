"""One SQLite file as Quorate uses it: made whole or not at all, checked on opening, written in durable transactions.

Settings, each for a reason:
- WAL and synchronous=FULL: a commit is one write and one fdatasync of the WAL, and it is on the disk when it returns.
- wal_autocheckpoint=500 pages: a checkpoint stops the event loop, the longer the more pages it moves. Where it was
  measured it computes for 1.5 ms, with 1000 pages for 2.4 (3.5 and 5 when entries are large), at the same throughput.
- secure_delete=OFF: some builds (Debian's) write zeros over what is deleted, and the log is deleted behind its snapshot
  as fast as it grows: each entry would be written twice more.
- locking_mode=EXCLUSIVE: no other process can hold the WAL back with a long read or write behind our back, and no
  shared memory file is needed.

Before each transaction the file is looked for where it was opened: what is written to one that somebody has removed or
replaced is gone with the process, and nobody else would notice before that. It costs 3 microseconds.

Opening ends with a full checkpoint: a process killed between writing a commit and syncing it leaves a transaction that
can be read back but is not on the disk, and what is read back must be true before anything is said.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from storage.errors import CorruptFile, FileGone, StorageError, SyncError, WriteError
from storage.wal_check import check_wal

FORMAT = 5
"""Version of the tables, kept as SQLite's user_version."""

_APPLICATION_ID = 0x51524154
_CHECKPOINT_PAGES = 500
# A WAL grown by one large transaction is cut back to this after its checkpoint.
_WAL_BYTES_KEPT = 64 << 20
_BUSY_TIMEOUT_S = 0.5
_PRIMARY = 0xFF
_MISUSE = (sqlite3.ProgrammingError, sqlite3.InterfaceError)
_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class SqliteFile:
    """An open database file. Not for use by several threads."""

    def __init__(self, path: Path, schema: Sequence[str]) -> None:
        """Open an existing file. Raises CorruptFile or StorageError."""
        self.path = path
        self._place = _place(path)
        check_wal(path)
        with errors_of(path):
            name = f"file:{quote(str(path))}?mode=rw"
            self.connection = sqlite3.connect(name, uri=True, isolation_level=None, timeout=_BUSY_TIMEOUT_S)
        try:
            with errors_of(path):
                self._configure()
                self._check(schema)
                self._checkpoint()
        except BaseException:
            self.abandon()
            raise

    @staticmethod
    def create(path: Path, schema: Sequence[str], fill: Callable[[sqlite3.Connection], None]) -> None:
        """Make a file with these tables and the rows `fill` adds: under its name once it is whole and on the disk."""
        draft = path.with_name(path.name + ".new")
        for left_over in (draft, draft.with_name(draft.name + "-wal"), draft.with_name(draft.name + "-journal")):
            left_over.unlink(missing_ok=True)
        with errors_of(path):
            connection = sqlite3.connect(draft, isolation_level=None)
            try:
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("BEGIN")
                connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {FORMAT}")
                for statement in schema:
                    connection.execute(statement)
                fill(connection)
                connection.execute("COMMIT")
                connection.execute("PRAGMA journal_mode = WAL")
            finally:
                connection.close()
        draft.chmod(0o600)
        sync(draft)
        draft.replace(path)
        sync(path.parent)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements of the block or none; on the disk when it ends.

        Raises WriteError when nothing was kept and the file can be used, SyncError when what was kept is unknown, and
        FileGone when the file is not where it was.
        """
        if _place(self.path) != self._place:
            raise _gone(self.path)
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            yield
            self.connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise explained(self.path, error) from error
        except BaseException:
            self._roll_back()
            raise

    def close(self) -> None:
        """Fold the WAL into the file and close. Raises StorageError when that fails; closed it is all the same."""
        try:
            with errors_of(self.path):
                self._checkpoint()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close whatever state it is in; for an error that is already on its way."""
        with suppress(sqlite3.Error):
            self.connection.close()

    def _configure(self) -> None:
        run = self.connection.execute
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("PRAGMA cell_size_check = ON")
        run("PRAGMA secure_delete = OFF")
        if run("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
            raise StorageError(f"{self.path} cannot be opened for writing: check its owner and permissions")
        run("PRAGMA synchronous = FULL")
        run(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        run(f"PRAGMA journal_size_limit = {_WAL_BYTES_KEPT}")

    def _check(self, schema: Sequence[str]) -> None:
        run = self.connection.execute
        if run("PRAGMA application_id").fetchone() != (_APPLICATION_ID,):
            raise CorruptFile(self.path, "it is not a database of Quorate")
        (version,) = run("PRAGMA user_version").fetchone()
        if version != FORMAT:
            raise StorageError(
                f"{self.path} has format {version}, and this release knows format {FORMAT}: use the release it is of"
            )
        tables = run("SELECT sql FROM sqlite_schema ORDER BY rowid").fetchall()
        if tables != [(statement,) for statement in schema]:
            raise CorruptFile(self.path, "its tables are not those it was made with")
        (verdict,) = run("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise CorruptFile(self.path, " ".join(str(verdict).split()))

    def _checkpoint(self) -> None:
        busy, _, _ = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise StorageError(f"{self.path} is in use by another program: close it there")

    def _roll_back(self) -> None:
        if self.connection.in_transaction:
            with errors_of(self.path):
                self.connection.execute("ROLLBACK")


@contextmanager
def errors_of(path: Path) -> Iterator[None]:
    """Turn SQLite's errors about a file into ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise explained(path, error) from error
    except UnicodeDecodeError as error:
        # Python's module decodes SQLite's message, which quotes the damaged schema.
        raise CorruptFile(path, "malformed database schema") from error


def explained(path: Path, error: sqlite3.Error) -> StorageError:
    """What an error of SQLite means for the user and for whoever waits for the write."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    if code is None:
        # Not SQLite but Python's module: misuse, or a column of text that is no UTF-8.
        return StorageError(f"{path}: {error}") if isinstance(error, _MISUSE) else CorruptFile(path, "garbled text")
    if code & _PRIMARY in _CORRUPT:
        return CorruptFile(path, str(error))
    if code == sqlite3.SQLITE_FULL:
        return WriteError(f"cannot write {path}: the disk is full; free some space")
    if code == sqlite3.SQLITE_IOERR_WRITE:
        return WriteError(f"cannot write {path}: the disk refused ({error}); check its quota and the kernel's log")
    if code & _PRIMARY == sqlite3.SQLITE_IOERR:
        return SyncError(f"cannot use {path} safely: I/O error ({error}); check the disk and the kernel's log")
    if code & _PRIMARY in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StorageError(f"{path} is in use by another program: close it there")
    return StorageError(f"cannot use {path}: {error}; check its owner and permissions")


def _place(path: Path) -> tuple[int, int]:
    """What tells a file from every other one. Raises FileGone when there is none."""
    try:
        found = os.stat(path)
    except OSError as error:
        raise _gone(path) from error
    return found.st_dev, found.st_ino


def _gone(path: Path) -> FileGone:
    return FileGone(
        f"{path} was removed or replaced while the server used it, and what it wrote since would be lost: put back "
        "what was there, or start the server with an empty --data-dir, as a new one"
    )


def sync(path: Path) -> None:
    """Put a file, or the names in a directory, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
