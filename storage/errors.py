"""What can go wrong with the files of a server, each with the way out in its text.

Errors of the state machine's commands are not here: those are values in a reply (see storage/kv.py), because an
exception while applying a committed command would hit every server at once.
"""

from __future__ import annotations

from pathlib import Path

from transport.errors import QuorateError


class StorageError(QuorateError):
    """A file of the server cannot be read or written."""


class DataDirError(StorageError):
    """The data directory cannot be used: not writable, not a directory, or in use by another server."""


class OtherAppError(DataDirError):
    """The data directory holds what another state machine has made."""

    exit_code = 2


class CorruptFile(StorageError):  # noqa: N818 - the name says what the user has
    """A file does not hold what was written to it. It is never repaired or replaced silently."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(
            f"{path} is corrupt: {what}. Restore this server from another one: stop it, "
            f"move the directory {path.parent} away, and start it again with --peer HOST:PORT of a running server"
        )
        self.path = path
        self.what = what


class FileGone(StorageError):  # noqa: N818 - as above
    """A file was removed or replaced while it was open: what is in memory is all there is of it."""

    is_final = True


class WriteError(StorageError):
    """Nothing of the transaction was kept (disk full, quota); the database is as before and can be used."""


class SyncError(StorageError):
    """It is unknown whether the transaction is on the disk. Close, reopen and reload before saying anything."""


class InvalidWriteError(StorageError):
    """A program error: a write that would break the journal (a gap in the log, a second vote in a term)."""


class BadSnapshotError(StorageError):
    """The bytes given to a state machine are not a snapshot it made."""
