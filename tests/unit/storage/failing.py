"""A disk that fails at one statement of a transaction: SQLite's connection as every part of raft.db sees it."""

from __future__ import annotations

import sqlite3
from typing import Any

from storage.raft_db import RaftDb


class FailingDisk:
    """Stands in front of raft.db's connection, counts its statements, and fails the one that was chosen."""

    def __init__(self, database: RaftDb, fail_at: int | None = None, code: int = sqlite3.SQLITE_FULL) -> None:
        self._connection = database._file.connection
        self._fail_at = fail_at
        self._code = code
        self.statements = 0
        for owner, name in (
            (database._file, "connection"),
            (database._log, "_connection"),
            (database._snapshots._table, "_connection"),
        ):
            setattr(owner, name, self)

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """Run a statement, or fail."""
        if sql != "ROLLBACK":
            self._count(sql)
        return self._connection.execute(sql, *parameters)

    def executemany(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """Run a statement for each of many rows, or fail."""
        self._count(sql)
        return self._connection.executemany(sql, *parameters)

    def _count(self, sql: str) -> None:
        if not self._connection.in_transaction and not sql.startswith("BEGIN"):
            return
        self.statements += 1
        if self.statements == self._fail_at:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = self._code
            raise error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)
