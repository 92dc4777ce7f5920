"""What is said to and by the key-value store: commands, queries, results, and their limits.

What lives here: the messages as structs, and the helpers that make and read their bytes.  What does not: what they do
(kv.py), and what can be wrong with one (kv_faults.py).

Every change gives what it touches a new *revision*, taken from one count for the whole store (etcd's mod_revision): 1
for the first change ever, no number twice.  A command is one change, however many keys it touches: they share its
revision.  Revision 0 stands for "there is no such key".  A command that changes nothing (a lost compare-and-set, a key
that is not there) leaves the count alone.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from transport.limits import COMMAND_BYTES_MAX

KEY_BYTES_MAX = 2 << 10
VALUE_BYTES_MAX = COMMAND_BYTES_MAX - (4 << 10)
"""Leaves room in a command for the longest key and the framing."""
TXN_OPS_MAX = 128
"""Comparisons, and operations of either outcome, in one transaction."""
LIST_LIMIT_MAX = 1000
LIST_BYTES_MAX = 1 << 20
"""A page ends once its keys and values pass this, so it is at most one pair longer."""

UNDECODABLE = (ValueError, TypeError, OverflowError, RecursionError)

Code = Literal["bad_request", "too_large", "not_found", "conflict", "compacted"]
Test = Literal["==", "!=", "<", ">"]

# --- commands ---------------------------------------------------------------------------------------------------------


class Put(msgspec.Struct, tag="put", array_like=True, frozen=True, gc=False):
    """Set a key, whatever it was.  lease: the key goes when this lease ends; 0: it stays."""

    key: str
    value: bytes
    lease: int = 0


class PutMany(msgspec.Struct, tag="put_many", array_like=True, frozen=True, gc=False):
    """Set each of 1 to TXN_OPS_MAX keys to the value at its place, at one revision, or none of them.

    Columns instead of pairs: what is done to each key, from decoding on, is done to a whole column at once.
    """

    keys: list[str]
    values: list[bytes]


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


class Get(msgspec.Struct, tag="get", array_like=True, frozen=True, gc=False):
    """Ask for a key, as it was at a revision (0: as it is; in a transaction no other can be asked for)."""

    key: str
    revision: int = 0


class Compare(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Something that a transaction depends on.

    of: what of the key is compared with `operand`: its "revision" (0 when it is not there) or its "value" (bytes; a key
    that is not there has none, which differs from every value and is neither less nor more).
    """

    key: str
    of: Literal["value", "revision"]
    test: Test
    operand: bytes | int


Op: TypeAlias = Put | Delete | Get


class Txn(msgspec.Struct, tag="txn", array_like=True, frozen=True, gc=False, forbid_unknown_fields=True):
    """If every comparison holds, do `then`, else `otherwise`: in order, at one revision, all of it or nothing.

    At most TXN_OPS_MAX of each.  A key is written at most once by either; a Get sees what the operations before it did.
    """

    when: list[Compare]
    then: list[Op]
    otherwise: list[Op]


class Grant(msgspec.Struct, tag="grant", array_like=True, frozen=True, gc=False):
    """Begin a lease that ends after so long, unless it is renewed: TTL_MIN_MS to TTL_MAX_MS of the log's time."""

    ttl_ms: int


class Renew(msgspec.Struct, tag="renew", array_like=True, frozen=True, gc=False):
    """Let a lease begin anew."""

    lease: int


class Revoke(msgspec.Struct, tag="revoke", array_like=True, frozen=True, gc=False):
    """End a lease now, with its keys."""

    lease: int


# --- queries ----------------------------------------------------------------------------------------------------------


class List(msgspec.Struct, tag="list", array_like=True, frozen=True, gc=False):
    """Ask for the keys with a prefix in order, from `start` on, as they were at a revision (0: as they are)."""

    prefix: str
    start: str
    limit: int
    revision: int = 0


class Watch(msgspec.Struct, tag="watch", array_like=True, frozen=True, gc=False):
    """Ask what was changed after a revision: of one key, or of all keys with a prefix."""

    key: str
    is_prefix: bool
    after: int


class LeaseOf(msgspec.Struct, tag="lease", array_like=True, frozen=True, gc=False):
    """Ask for a lease."""

    lease: int


# --- results ----------------------------------------------------------------------------------------------------------


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


class Leased(msgspec.Struct, tag="leased", array_like=True, frozen=True):
    """A lease as it is.  left_ms: until it ends, by the log's time; keys: how many hang on it."""

    lease: int
    ttl_ms: int
    left_ms: int
    keys: int


class Answered(msgspec.Struct, tag="answered", array_like=True, frozen=True):
    """What a transaction did."""

    succeeded: bool
    """Whether every comparison held."""
    revision: int
    """The store's: that of the change, if there was one."""
    results: list[Found | bool | None]
    """One for each operation that was done: None for a put, whether it was there for a delete, the key or None."""


class Page(msgspec.Struct, tag="page", array_like=True, frozen=True):
    """Some of the keys that were asked for."""

    items: list[Found]
    next: str
    """The `start` of the page behind this one, "" when this is the last."""
    revision: int
    """At which they were so: the one asked for, else that of the store's last change."""


class Change(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One key of a change.  value: None when it was removed."""

    key: str
    value: bytes | None
    revision: int


class Changes(msgspec.Struct, tag="changes", array_like=True, frozen=True):
    """What was changed, in order; those of one revision are never torn apart."""

    changes: list[Change]
    revision: int
    """Nothing up to here is missing: the next question asks for what came after it."""


class Failed(msgspec.Struct, tag="failed", array_like=True, frozen=True, gc=False):
    """Nothing was changed, and why."""

    code: Code
    message: str
    revision: int = 0
    """With "conflict": that of the key as it is, 0 when there is none.  With "compacted": the oldest that is known."""


Command: TypeAlias = Put | PutMany | Delete | Cas | PutIf | DeleteIf | Txn | Grant | Renew | Revoke
Query: TypeAlias = Get | List | Watch | LeaseOf
KvResult: TypeAlias = Changed | Found | Leased | Answered | Page | Changes | Failed

encode = msgspec.msgpack.Encoder().encode
decode_command = msgspec.msgpack.Decoder(Command).decode
decode_query = msgspec.msgpack.Decoder(Query).decode
_decode_result: Callable[[bytes], KvResult] = msgspec.msgpack.Decoder(KvResult).decode


def put(key: str, value: bytes, lease: int = 0) -> bytes:
    """A command: set a key; "not_found" when there is no such lease."""
    return encode(Put(key, value, lease))


def delete(key: str) -> bytes:
    """A command: remove a key; "not_found" when it is not there."""
    return encode(Delete(key))


def cas(key: str, old: bytes | None, new: bytes) -> bytes:
    """A command: set a key if its value is `old` (None: if it is not there); else "conflict"."""
    return encode(Cas(key, old, new))


def put_if(key: str, value: bytes, revision: int) -> bytes:
    """A command: set a key if its revision is this one (0: if it is not there); else "conflict"."""
    return encode(PutIf(key, value, revision))


def delete_if(key: str, revision: int) -> bytes:
    """A command: remove a key if its revision is this one; else "conflict", or "not_found"."""
    return encode(DeleteIf(key, revision))


def put_many(pairs: Mapping[str, bytes]) -> bytes:
    """A command: set 1 to TXN_OPS_MAX keys at one revision, or none of them."""
    return encode(PutMany(list(pairs), list(pairs.values())))


def txn(when: Sequence[Compare], then: Sequence[Op], otherwise: Sequence[Op] = ()) -> bytes:
    """A command: do `then` if every comparison holds, else `otherwise`, all of it at one revision."""
    return encode(Txn(list(when), list(then), list(otherwise)))


def grant(ttl_ms: int) -> bytes:
    """A command: begin a lease."""
    return encode(Grant(ttl_ms))


def renew(lease: int) -> bytes:
    """A command: let a lease begin anew; "not_found" when it has ended."""
    return encode(Renew(lease))


def revoke(lease: int) -> bytes:
    """A command: end a lease with its keys; "not_found" when it has ended."""
    return encode(Revoke(lease))


def lease_of(lease: int) -> bytes:
    """A query: a lease as it is; "not_found" when it has ended."""
    return encode(LeaseOf(lease))


def get(key: str, revision: int = 0) -> bytes:
    """A query: a key's value, as it was at a revision; "not_found" when it was not there, "compacted"."""
    return encode(Get(key, revision))


def list_keys(prefix: str = "", start: str = "", limit: int = LIST_LIMIT_MAX, revision: int = 0) -> bytes:
    """A query: the keys with a prefix in order, at most `limit` and not before `start` (a page's `next`)."""
    return encode(List(prefix, start, limit, revision))


def watch(key: str, after: int, *, is_prefix: bool = False) -> bytes:
    """A query: what was changed after a revision; "compacted" when not all of that is known any more."""
    return encode(Watch(key, is_prefix, after))


def decode_result(result: bytes) -> KvResult:
    """The result of a command or query. Raises ValueError when the bytes are none."""
    return _decode_result(result)
