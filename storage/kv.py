"""The key-value state machine: commands, queries, results and the store they work on.

Here: `KeyValueStore`, and the helpers with which a client makes commands and reads results. Not here: the bytes of a
snapshot (kv_snapshot.py), replication, sessions.

Every change gives the key a new *revision*, taken from one count for the whole store (etcd's mod_revision): 1 for the
first change ever, no number twice. A command is one change, however many keys it sets: they share its revision.
Revision 0 stands for "there is no such key". A command that changes nothing (a lost compare-and-set, a key that is not
there) leaves the count alone.

Nothing here raises for what is in a command: malformed bytes, an oversized value, a lost race are `Failed` results, the
same ones on every server.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from storage.kv_snapshot import REVISION_BYTES, read_snapshot, write_snapshot
from storage.sorted_map import SortedMap
from storage.state_machine import StateMachine

COMMAND_BYTES_MAX = 1 << 20
KEY_BYTES_MAX = 2 << 10
VALUE_BYTES_MAX = COMMAND_BYTES_MAX - (4 << 10)
"""Leaves room in a command for the longest key and the framing."""
TXN_OPS_MAX = 128
"""Operations in one transaction."""
LIST_LIMIT_MAX = 1000
LIST_BYTES_MAX = 1 << 20
"""A page ends once its keys and values pass this, so it is at most one pair longer."""

_UNDECODABLE = (ValueError, TypeError, OverflowError, RecursionError)

Code = Literal["bad_request", "too_large", "not_found", "conflict"]


class Put(msgspec.Struct, tag="put", array_like=True, frozen=True, gc=False):
    """Set a key, whatever it was."""

    key: str
    value: bytes


class Delete(msgspec.Struct, tag="delete", array_like=True, frozen=True, gc=False):
    """Remove a key that is there."""

    key: str


class Cas(msgspec.Struct, tag="cas", array_like=True, frozen=True, gc=False):
    """Set a key if its value is `old`; None: if there is no such key."""

    key: str
    old: bytes | None
    new: bytes


class PutIf(msgspec.Struct, tag="put_if", array_like=True, frozen=True, gc=False):
    """Set a key if its revision is this one; 0: if there is no such key."""

    key: str
    value: bytes
    revision: int


class DeleteIf(msgspec.Struct, tag="delete_if", array_like=True, frozen=True, gc=False):
    """Remove a key if its revision is this one."""

    key: str
    revision: int


class Txn(msgspec.Struct, tag="txn", array_like=True, frozen=True, gc=False, forbid_unknown_fields=True):
    """Do all of these at one revision, or none of them; 1 to TXN_OPS_MAX, each about another key.

    A field behind this one, such as what the operations depend on, is refused as long as nobody here heeds it.
    """

    then: list[Put]


class Get(msgspec.Struct, tag="get", array_like=True, frozen=True, gc=False):
    """Ask for a key."""

    key: str


class List(msgspec.Struct, tag="list", array_like=True, frozen=True, gc=False):
    """Ask for the keys with a prefix in order, from `start` on."""

    prefix: str
    start: str
    limit: int


class Changed(msgspec.Struct, tag="changed", array_like=True, frozen=True, gc=False):
    """The command did its work."""

    revision: int
    """Of the change."""


class Found(msgspec.Struct, tag="found", array_like=True, frozen=True, gc=False):
    """The key that was asked for."""

    key: str
    value: bytes
    revision: int
    """Of the key's last change."""


class Page(msgspec.Struct, tag="page", array_like=True, frozen=True):
    """Some of the keys that were asked for."""

    items: list[Found]
    next: str
    """The `start` of the page behind this one, "" when this is the last."""
    revision: int
    """Of the store's last change."""


class Failed(msgspec.Struct, tag="failed", array_like=True, frozen=True, gc=False):
    """Nothing was changed, and why."""

    code: Code
    message: str
    revision: int = 0
    """With "conflict": that of the key as it is, 0 when there is none."""


Command: TypeAlias = Put | Delete | Cas | PutIf | DeleteIf | Txn
Query: TypeAlias = Get | List
KvResult: TypeAlias = Changed | Found | Page | Failed

_encode = msgspec.msgpack.Encoder().encode
_decode_command = msgspec.msgpack.Decoder(Command).decode
_decode_query = msgspec.msgpack.Decoder(Query).decode
_decode_result: Callable[[bytes], KvResult] = msgspec.msgpack.Decoder(KvResult).decode


def put(key: str, value: bytes) -> bytes:
    """A command: set a key."""
    return _encode(Put(key, value))


def delete(key: str) -> bytes:
    """A command: remove a key; "not_found" when it is not there."""
    return _encode(Delete(key))


def cas(key: str, old: bytes | None, new: bytes) -> bytes:
    """A command: set a key if its value is `old` (None: if it is not there); else "conflict"."""
    return _encode(Cas(key, old, new))


def put_if(key: str, value: bytes, revision: int) -> bytes:
    """A command: set a key if its revision is this one (0: if it is not there); else "conflict"."""
    return _encode(PutIf(key, value, revision))


def delete_if(key: str, revision: int) -> bytes:
    """A command: remove a key if its revision is this one; else "conflict", or "not_found"."""
    return _encode(DeleteIf(key, revision))


def put_many(pairs: Mapping[str, bytes]) -> bytes:
    """A command: set 1 to TXN_OPS_MAX keys at one revision, or none of them."""
    return _encode(Txn([Put(key, value) for key, value in pairs.items()]))


def get(key: str) -> bytes:
    """A query: a key's value; "not_found" when it is not there."""
    return _encode(Get(key))


def list_keys(prefix: str = "", start: str = "", limit: int = LIST_LIMIT_MAX) -> bytes:
    """A query: the keys with a prefix in order, at most `limit` and not before `start` (a page's `next`)."""
    return _encode(List(prefix, start, limit))


def decode_result(result: bytes) -> KvResult:
    """The result of a command or query. Raises ValueError when the bytes are none."""
    return _decode_result(result)


def pairs_fault(pairs: Mapping[str, bytes]) -> Failed | None:
    """What the store would say to `put_many` of these, as far as it would refuse them."""
    return _count_fault(len(pairs)) or next(filter(None, map(_put_fault, pairs, pairs.values())), None)


class KeyValueStore(StateMachine):
    """The store. A stored record is the revision in 8 bytes, then the value: one object, unseen by the collector."""

    def __init__(self) -> None:
        self._revision = 0
        self._records = SortedMap()
        self._handlers: dict[type, Callable[[Any], KvResult]] = {
            Put: self._put,
            Delete: self._delete,
            Cas: self._cas,
            PutIf: self._put_if,
            DeleteIf: self._delete_if,
            Txn: self._txn,
            Get: self._get,
            List: self._list,
        }

    def __len__(self) -> int:
        return len(self._records)

    @property
    def revision(self) -> int:
        """How many changes there were."""
        return self._revision

    def apply(self, command: bytes) -> bytes:
        """The result of a command, encoded."""
        return self._answer(_decode_command, command)

    def read(self, query: bytes) -> bytes:
        """The result of a query, encoded."""
        return self._answer(_decode_query, query)

    def snapshot(self) -> Iterable[bytes]:
        """All keys, values and revisions as of now."""
        return write_snapshot(self._revision, len(self._records), self._records.freeze())

    def restore(self, chunks: Iterable[bytes]) -> None:
        """Replace everything. Raises BadSnapshotError."""
        self._revision, self._records = read_snapshot(chunks)

    def _answer(self, decode: Callable[[bytes], Command | Query], data: bytes) -> bytes:
        try:
            request = decode(data)
        except _UNDECODABLE as error:
            return _encode(Failed("bad_request", f"not a command of the key-value store: {error}"))
        return _encode(self._handlers[type(request)](request))

    def _put(self, command: Put) -> KvResult:
        return _put_fault(command.key, command.value) or self._set(command.key, command.value)

    def _delete(self, command: Delete) -> KvResult:
        return self._remove(command.key) if self._revision_of(command.key) else _not_found(command.key)

    def _cas(self, command: Cas) -> KvResult:
        fault = _put_fault(command.key, command.new)
        if fault:
            return fault
        record = self._records.get(command.key)
        if (None if record is None else record[REVISION_BYTES:]) != command.old:
            wanted = "it exists already" if command.old is None else "its value is another one"
            return self._conflict(command.key, wanted if record else "it does not exist")
        return self._set(command.key, command.new)

    def _put_if(self, command: PutIf) -> KvResult:
        fault = _put_fault(command.key, command.value)
        if fault:
            return fault
        revision = self._revision_of(command.key)
        if revision != command.revision:
            return self._conflict(command.key, f"its revision is {revision}, not {command.revision}")
        return self._set(command.key, command.value)

    def _delete_if(self, command: DeleteIf) -> KvResult:
        revision = self._revision_of(command.key)
        if not revision:
            return _not_found(command.key)
        if revision != command.revision:
            return self._conflict(command.key, f"its revision is {revision}, not {command.revision}")
        return self._remove(command.key)

    def _txn(self, command: Txn) -> KvResult:
        fault = _txn_fault(command.then)
        if fault:
            return fault
        self._revision += 1
        revision = self._revision.to_bytes(REVISION_BYTES, "big")
        for one in command.then:
            self._records.put(one.key, revision + one.value)
        return Changed(self._revision)

    def _get(self, query: Get) -> KvResult:
        record = self._records.get(query.key)
        return _not_found(query.key) if record is None else _found(query.key, record)

    def _list(self, query: List) -> KvResult:
        if query.limit < 1:
            return Failed("bad_request", f"a page of {query.limit} keys; ask for 1 to {LIST_LIMIT_MAX}")
        items: list[Found] = []
        size, following = 0, ""
        for key, record in self._records.pairs_from(max(query.prefix, query.start)):
            if not key.startswith(query.prefix):
                break
            if len(items) >= min(query.limit, LIST_LIMIT_MAX) or size >= LIST_BYTES_MAX:
                following = key
                break
            items.append(_found(key, record))
            size += len(key) + len(record)
        return Page(items, following, self._revision)

    def _revision_of(self, key: str) -> int:
        record = self._records.get(key)
        return 0 if record is None else int.from_bytes(record[:REVISION_BYTES], "big")

    def _set(self, key: str, value: bytes) -> KvResult:
        self._revision += 1
        self._records.put(key, self._revision.to_bytes(REVISION_BYTES, "big") + value)
        return Changed(self._revision)

    def _remove(self, key: str) -> KvResult:
        self._records.delete(key)
        self._revision += 1
        return Changed(self._revision)

    def _conflict(self, key: str, why: str) -> KvResult:
        return Failed("conflict", f"key {_shown(key)} was not changed: {why}", self._revision_of(key))


def _put_fault(key: str, value: bytes) -> Failed | None:
    if not key:
        return Failed("bad_request", "a key must not be empty")
    # A character takes up to four bytes: only a key that might be too long is encoded.
    if len(key) * 4 > KEY_BYTES_MAX and len(key.encode()) > KEY_BYTES_MAX:
        return Failed("too_large", f"a key of {len(key.encode())} bytes; the limit is {KEY_BYTES_MAX}")
    if len(value) > VALUE_BYTES_MAX:
        return Failed("too_large", f"a value of {len(value)} bytes; the limit is {VALUE_BYTES_MAX}")
    return None


def _txn_fault(puts: list[Put]) -> Failed | None:
    fault = _count_fault(len(puts))
    if fault:
        return fault
    keys = set()
    for one in puts:
        fault = _put_fault(one.key, one.value)
        if fault:
            return fault
        keys.add(one.key)
    if len(keys) < len(puts):
        return Failed("bad_request", "a key is there twice; one command sets a key once")
    return None


def _count_fault(count: int) -> Failed | None:
    if 1 <= count <= TXN_OPS_MAX:
        return None
    return Failed("too_large" if count else "bad_request", f"{count} keys at once; the limit is 1 to {TXN_OPS_MAX}")


def _found(key: str, record: bytes) -> Found:
    return Found(key, record[REVISION_BYTES:], int.from_bytes(record[:REVISION_BYTES], "big"))


def _not_found(key: str) -> Failed:
    return Failed("not_found", f"key {_shown(key)} does not exist")


def _shown(key: str) -> str:
    return repr(key if len(key) <= 64 else key[:61] + "...")
