"""Disks that refuse: a connection that fails as SQLite does, at the statement one chooses."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from storage.raft_db import RaftDb
from storage.serf_db import SerfDb

FULL = sqlite3.SQLITE_FULL
WRITE_FAILED = sqlite3.SQLITE_IOERR_WRITE
SYNC_FAILED = sqlite3.SQLITE_IOERR_FSYNC


class RefusingDisk:
    """Stands in front of a database's connection; statements pass until `refuse`."""

    def __init__(self, database: RaftDb | SerfDb) -> None:
        self._connection = database._file.connection
        self._code: int | None = None
        self.commits = 0
        """How many there were."""
        self.on_commit: Callable[[], None] = lambda: None
        database._file.connection = self  # type: ignore[assignment]

    def refuse(self, code: int | None) -> None:
        """Fail every commit with this code of SQLite's from now on; None: work again."""
        self._code = code

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """Run a statement, or fail."""
        if sql == "COMMIT" and self._code is not None:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = self._code
            raise error
        if sql == "COMMIT":
            self.commits += 1
            self.on_commit()
        return self._connection.execute(sql, *parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)
