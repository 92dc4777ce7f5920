"""serf.db: who this server is and whom it knew.

Here: the messages between the gossip side and the persistence actor, and `SerfDb`, which carries them out. Not here:
what gossip makes of it (actors/gossip), SQLite's settings and errors (sqlite_file.py).

Members that failed are kept too: a server that was alone when it stopped must still find the others.
"""

import sqlite3
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct, field
from msgspec.structs import astuple, replace

from storage.checksum import record_checksum
from storage.errors import CorruptFile
from storage.sqlite_file import SqliteFile, errors_of
from transport.wire import message

FILE_NAME = "serf.db"

_SCHEMA = (
    (
        "CREATE TABLE self (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL, name TEXT NOT NULL,"
        " boot INTEGER NOT NULL, incarnation INTEGER NOT NULL, clock INTEGER NOT NULL, cluster_id TEXT NOT NULL,"
        " has_left INTEGER NOT NULL, tags BLOB NOT NULL, given_tags BLOB NOT NULL, event_clock INTEGER NOT NULL,"
        " query_clock INTEGER NOT NULL, app TEXT NOT NULL, crc INTEGER NOT NULL)"
    ),
    (
        "CREATE TABLE members (id TEXT PRIMARY KEY, name TEXT NOT NULL, address TEXT NOT NULL, status TEXT NOT NULL,"
        " incarnation INTEGER NOT NULL, tags BLOB NOT NULL, crc INTEGER NOT NULL) WITHOUT ROWID"
    ),
)

T = TypeVar("T")

_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_decode_tags = msgspec.msgpack.Decoder(dict[str, str]).decode


class KnownMember(Struct, frozen=True):
    """A member as it was last seen."""

    id: str
    name: str
    address: str
    status: str
    incarnation: int
    tags: dict[str, str] = field(default_factory=dict)


class SerfState(Struct, frozen=True):
    """Everything serf.db holds."""

    id: str
    """Random and for life: the identity of this server, whatever its name and address."""
    name: str
    boot: int
    """How often the server was started."""
    incarnation: int
    """Gossip's: it must never go back, so it is written before it is used."""
    clock: int
    """Gossip's Lamport clock: no time above this one was ever used."""
    cluster_id: str
    left: bool
    """The server has left its cluster on purpose."""
    members: list[KnownMember] = field(default_factory=list)
    """Ordered by id."""
    tags: dict[str, str] = field(default_factory=dict)
    """This server's own, as others know them."""
    given_tags: dict[str, str] = field(default_factory=dict)
    """Those it was given at its last start."""
    event_clock: int = 0
    """The highest Lamport time of a user event that was heard."""
    query_clock: int = 0
    """The same of a query."""
    app: str = ""
    """What the state machine is called whose commands are in raft.db, "" before the first start."""


@message("serf.write", retry=False)
class SerfWrite(Struct, frozen=True):
    """What to change; None leaves a part as it is. An ask is answered by `SerfWritten` once it is on the disk."""

    incarnation: int | None = None
    clock: int | None = None
    cluster_id: str | None = None
    left: bool | None = None
    name: str | None = None
    tags: dict[str, str] | None = None
    given_tags: dict[str, str] | None = None
    event_clock: int | None = None
    query_clock: int | None = None
    upsert: list[KnownMember] = field(default_factory=list)
    """Members to add or replace, by id; done before `remove`."""
    remove: list[str] = field(default_factory=list)
    """Ids of members to forget."""


def merged(earlier: SerfWrite, later: SerfWrite) -> SerfWrite:
    """One write that does what the two do, one after the other."""
    members: dict[str, KnownMember | None] = {}
    for write in (earlier, later):
        members |= {member.id: member for member in write.upsert}
        members |= dict.fromkeys(write.remove)
    return SerfWrite(
        incarnation=_highest(later.incarnation, earlier.incarnation),
        clock=_highest(later.clock, earlier.clock),
        cluster_id=_or(later.cluster_id, earlier.cluster_id),
        left=_or(later.left, earlier.left),
        name=_or(later.name, earlier.name),
        tags=_or(later.tags, earlier.tags),
        given_tags=_or(later.given_tags, earlier.given_tags),
        event_clock=_highest(later.event_clock, earlier.event_clock),
        query_clock=_highest(later.query_clock, earlier.query_clock),
        upsert=[member for member in members.values() if member is not None],
        remove=[member_id for member_id, member in members.items() if member is None],
    )


def _highest(*numbers: int | None) -> int | None:
    return max((number for number in numbers if number is not None), default=None)


def _or(later: T | None, earlier: T | None) -> T | None:
    return earlier if later is None else later


@message("serf.written")
class SerfWritten(Struct, frozen=True):
    """The answer to an asked write: on the disk, or not yet for the reason in `error` (it goes with the next one)."""

    error: str = ""


@message("serf.load")
class SerfLoad(Struct, frozen=True):
    """Asks for everything serf.db holds (answer: `SerfLoaded`)."""


@message("serf.loaded")
class SerfLoaded(Struct, frozen=True):
    """Everything serf.db holds, each record checked."""

    state: SerfState


class _Self(Struct, frozen=True):
    """The one row about this server."""

    id: str
    name: str
    boot: int
    incarnation: int
    clock: int
    cluster_id: str
    has_left: int
    tags: bytes
    given_tags: bytes
    event_clock: int
    query_clock: int
    app: str


class SerfDb:
    """An open serf.db. Every method blocks until the disk has answered."""

    def __init__(self, path: Path) -> None:
        """Open an existing file. Raises CorruptFile or StorageError."""
        self._path = path
        self._file = SqliteFile(path, _SCHEMA)
        try:
            with errors_of(path):
                self._self = self._read_self()
        except BaseException:
            self._file.abandon()
            raise

    @staticmethod
    def create(path: Path, server_id: str) -> None:
        """Make a serf.db that knows nobody."""
        fresh = _Self(server_id, "", 0, 0, 0, "", 0, _encode({}), _encode({}), 0, 0, "")
        SqliteFile.create(path, _SCHEMA, lambda connection: _put_self(connection, fresh))

    @property
    def server_id(self) -> str:
        """The id of this server."""
        return self._self.id

    @property
    def cluster_id(self) -> str:
        """The cluster this server belongs to, "" for none yet."""
        return self._self.cluster_id

    @property
    def app(self) -> str:
        """What its state machine is called, "" before the first start."""
        return self._self.app

    def begin(self, name: str, app: str) -> None:
        """Count a start of the server, under this name and with this state machine."""
        self._commit(replace(self._self, boot=self._self.boot + 1, name=name, app=app), [], [])

    def load(self) -> SerfState:
        """Everything the file holds. Raises CorruptFile when any record is not what was written."""
        me = self._self
        with errors_of(self._path):
            members = self._read_members()
        return SerfState(
            me.id,
            me.name,
            me.boot,
            me.incarnation,
            me.clock,
            me.cluster_id,
            bool(me.has_left),
            members,
            _decode_tags(me.tags),
            _decode_tags(me.given_tags),
            me.event_clock,
            me.query_clock,
            me.app,
        )

    def write(self, write: SerfWrite) -> None:
        """One transaction, on the disk when this returns.

        The incarnation and the clock never go back. Raises WriteError (nothing kept) or SyncError (close and reopen).
        """
        me = self._self
        self._commit(
            _Self(
                id=me.id,
                name=me.name if write.name is None else write.name,
                boot=me.boot,
                incarnation=max(me.incarnation, write.incarnation or 0),
                clock=max(me.clock, write.clock or 0),
                cluster_id=me.cluster_id if write.cluster_id is None else write.cluster_id,
                has_left=me.has_left if write.left is None else int(write.left),
                tags=me.tags if write.tags is None else _encode(write.tags),
                given_tags=me.given_tags if write.given_tags is None else _encode(write.given_tags),
                event_clock=max(me.event_clock, write.event_clock or 0),
                query_clock=max(me.query_clock, write.query_clock or 0),
                app=me.app,
            ),
            write.upsert,
            write.remove,
        )

    def close(self) -> None:
        """Fold the WAL into the file and close. Raises StorageError when that fails; closed it is all the same."""
        self._file.close()

    def _commit(self, me: _Self, upsert: list[KnownMember], remove: list[str]) -> None:
        with self._file.transaction():
            if me != self._self:
                _put_self(self._file.connection, me)
            self._file.connection.executemany(
                "INSERT OR REPLACE INTO members VALUES (?, ?, ?, ?, ?, ?, ?)",
                [_member_row(member) for member in upsert],
            )
            self._file.connection.executemany("DELETE FROM members WHERE id = ?", [(gone,) for gone in remove])
        self._self = me

    def _read_self(self) -> _Self:
        rows = self._file.connection.execute(
            "SELECT id, name, boot, incarnation, clock, cluster_id, has_left, tags, given_tags, event_clock,"
            " query_clock, app, crc FROM self"
        ).fetchall()
        if len(rows) != 1:
            raise CorruptFile(self._path, "the row with the identity of the server is missing")
        (row,) = rows
        if record_checksum(*row[:-1]) != row[-1]:
            raise CorruptFile(self._path, "the row with the identity of the server does not match its checksum")
        return _Self(*row[:-1])

    def _read_members(self) -> list[KnownMember]:
        members = []
        for row in self._file.connection.execute("SELECT * FROM members ORDER BY id").fetchall():
            if record_checksum(*row[:-1]) != row[-1]:
                raise CorruptFile(self._path, f"the row of member {row[1]!r} does not match its checksum")
            member_id, name, address, status, incarnation, tags, _ = row
            members.append(KnownMember(member_id, name, address, status, incarnation, _decode_tags(tags)))
        return members


def _put_self(connection: sqlite3.Connection, me: _Self) -> None:
    fields = astuple(me)
    connection.execute(
        "INSERT OR REPLACE INTO self VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*fields, record_checksum(*fields)),
    )


def _member_row(member: KnownMember) -> tuple[str | int | bytes, ...]:
    fields = (member.id, member.name, member.address, member.status, member.incarnation, _encode(member.tags))
    return (*fields, record_checksum(*fields))
