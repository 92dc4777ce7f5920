"""Looking at a data directory that no server uses: everything that is wrong with it, not the first thing alone.

Here: what `check` finds. Not here: what a server does at its start, which stops at the first fault
(data_dir.py), and what a sound record is (raft_db.py, serf_db.py, sqlite_file.py, keyring_file.py).

The files are opened as a server opens them: what a crash left in a sound write-ahead log is folded into its file. One
with a damaged log is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from msgspec import Struct, field

from storage.data_dir import locked, why_not_together
from storage.errors import CorruptFile, DataDirError, StorageError
from storage.keyring_file import FILE_NAME as KEYRING
from storage.keyring_file import read_keyring
from storage.raft_db import FILE_NAME as RAFT_DB
from storage.raft_db import RaftDb
from storage.serf_db import FILE_NAME as SERF_DB
from storage.serf_db import SerfDb

Db = TypeVar("Db", RaftDb, SerfDb)


class Finding(Struct, frozen=True):
    """Something that is not as it was written."""

    file: str
    what: str


class DataCheck(Struct, frozen=True):
    """What was found out about a data directory."""

    findings: list[Finding] = field(default_factory=list)
    server: dict[str, object] = field(default_factory=dict)
    """Whose it is and what it holds, as far as that can be read."""


def check_data_dir(path: Path) -> DataCheck:
    """Check every record in a data directory, and that its files belong together.

    Raises DataDirError when it is in use or no data directory, StorageError when a file cannot be opened for a reason
    other than damage (another release's, no permission, a full disk).
    """
    present = [name for name in (RAFT_DB, SERF_DB) if (path / name).exists()]
    if not present:
        raise DataDirError(f"{path} is no data directory of a server: it holds neither {RAFT_DB} nor {SERF_DB}")
    with locked(path):
        return check_files(path)


def check_files(path: Path) -> DataCheck:
    """The same for a caller that has locked the directory."""
    result = DataCheck()
    try:
        read_keyring(path)
    except StorageError as error:
        result.findings.append(Finding(KEYRING, str(error)))
    raft = _opened(path / RAFT_DB, RaftDb, result)
    serf = _opened(path / SERF_DB, SerfDb, result)
    try:
        if raft is not None:
            _look(result, RAFT_DB, raft, _check_raft)
        if serf is not None:
            _look(result, SERF_DB, serf, _check_serf)
        if raft is not None and serf is not None:
            result.findings.extend(Finding(RAFT_DB, fault) for fault in why_not_together(raft, serf))
    finally:
        for db in (raft, serf):
            if db is not None:
                with suppress(StorageError):
                    db.close()
    return result


def _opened(path: Path, kind: Callable[[Path], Db], result: DataCheck) -> Db | None:
    if not path.exists():
        result.findings.append(Finding(path.name, "it is missing"))
        return None
    try:
        return kind(path)
    except CorruptFile as error:
        result.findings.append(Finding(error.path.name, error.what))
        return None


def _look(result: DataCheck, name: str, db: Db, check: Callable[[DataCheck, Db], None]) -> None:
    try:
        check(result, db)
    except CorruptFile as error:
        result.findings.append(Finding(name, error.what))


def _check_raft(result: DataCheck, raft: RaftDb) -> None:
    faults = list(raft.faults())
    result.findings.extend(Finding(RAFT_DB, fault) for fault in faults)
    result.server.update(id=raft.server_id, cluster_id=raft.cluster_id)
    if faults:
        return
    loaded = raft.load()
    result.server.update(
        term=loaded.hard_state.term,
        log_entries=len(loaded.entries),
        last_index=loaded.anchor_index + len(loaded.entries),
        snapshot_index=loaded.snapshot.index if loaded.snapshot else 0,
        snapshot_bytes=loaded.snapshot.size if loaded.snapshot else 0,
    )


def _check_serf(result: DataCheck, serf: SerfDb) -> None:
    state = serf.load()
    result.server.update(name=state.name, members=len(state.members))
