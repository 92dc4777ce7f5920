"""What the storage tests share: journals in files, and shorthand for what is written to them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from storage.errors import CorruptFile
from storage.log_table import Entry
from storage.raft_db import RaftDb
from storage.raft_messages import HardState, RaftLoaded, RaftWrite, SnapshotSave


def new_journal(folder: Path) -> RaftDb:
    """A fresh raft.db, open."""
    RaftDb.create(folder / "raft.db", "server-1")
    return RaftDb(folder / "raft.db")


@contextmanager
def journal(folder: Path) -> Iterator[RaftDb]:
    """The raft.db of a folder, made if need be."""
    db = RaftDb(folder / "raft.db") if (folder / "raft.db").exists() else new_journal(folder)
    try:
        yield db
    finally:
        db.close()


def content_of(db: RaftDb) -> RaftLoaded:
    """Everything in a raft.db, with the chunks of its snapshot, which a load leaves where they are."""
    for fault in db.faults():
        raise CorruptFile(Path("raft.db"), fault)
    found = db.load()
    if found.snapshot is None:
        return found
    chunks = [db.chunk(found.snapshot.index, number) or b"" for number in range(found.snapshot.staged)]
    assert found.snapshot.size == sum(map(len, chunks))
    return replace(found, snapshot=replace(found.snapshot, chunks=chunks, staged=0, size=0))


def stored(folder: Path) -> RaftLoaded:
    """What a raft.db says to somebody who opens it now."""
    with journal(folder) as db:
        return content_of(db)


def entries(first: int, last: int, term: int = 1, size: int = 30) -> list[Entry]:
    """Entries first to last of one term, each with bytes of its own."""
    return [((f"{index}@{term};".encode() * size)[:size], index, term) for index in range(first, last + 1)]


def turn(**changes: Any) -> RaftWrite:
    """A write with these changes; a term alone is a hard state without a vote."""
    if isinstance(changes.get("hard_state"), int):
        changes["hard_state"] = HardState(changes["hard_state"], None)
    return RaftWrite(incarnation=1, sequence=1, **changes)


def snapshot(index: int, term: int, keep_from: int, keep_from_term: int, **more: Any) -> SnapshotSave:
    """A snapshot with two chunks."""
    settings: dict[str, Any] = {"chunks": [b"state at %d;" % index * 20, b"more"], "discard_log": False} | more
    return SnapshotSave(index, term, b"voters", keep_from=keep_from, keep_from_term=keep_from_term, **settings)
