"""The key-value store as a program sees it: its commands as calls, its results as values and errors.

What lives here: what can be asked of the store, and what is refused before it is sent.  What does not: who carries it
there (client.py and sync_client.py), and how commands and results are written (storage/kv_protocol.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar, cast

from quorate.errors import Compacted, Conflict
from quorate.watch import Asker, Watch
from storage.kv_faults import puts_fault
from storage.kv_protocol import (
    VALUE_BYTES_MAX,
    Answered,
    Changed,
    Compare,
    Failed,
    Found,
    KvResult,
    Leased,
    Op,
    Page,
    cas,
    decode_result,
    delete,
    get,
    grant,
    lease_of,
    list_keys,
    put,
    put_if,
    put_many,
    renew,
    revoke,
    txn,
)
from storage.leases import TTL_MAX_MS, TTL_MIN_MS
from storage.record import NUMBER_MAX
from transport.client.errors import BadRequest, ClientError, NotFound, RequestFailed, TooLarge
from transport.client.stale import Stale
from transport.limits import COMMAND_BYTES_MAX
from transport.text import counted, is_utf8, shortened

T = TypeVar("T")

_BYTES = (bytes, bytearray)


class Machine(Protocol):
    """Who takes commands and queries: a client, or a node in the same program."""

    async def propose(self, command: bytes, *, timeout_s: float | None = None) -> bytes:
        """Apply a command."""

    async def read(self, query: bytes, *, timeout_s: float | None = None) -> bytes:
        """Ask a query, linearizably."""

    async def read_stale(self, query: bytes, *, timeout_s: float | None = None) -> Stale[bytes]:
        """Ask one server's own copy."""


class KeyValue:
    """The key-value store.  Values are bytes; `str` is taken as UTF-8.

    Every call raises a ClientError when it fails, TypeError for a key or value of another type, and ValueError for a
    number that no revision, lease or time can be.  A client sends a write again until its deadline, and makes it once;
    one that raises OutcomeUnknown may have been made.
    """

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    async def put(
        self,
        key: str,
        value: bytes | str,
        *,
        revision: int | None = None,
        lease: int = 0,
        timeout_s: float | None = None,
    ) -> int:
        """Set a key; returns the revision of the change.

        revision: only if that is the key's, 0 for a key that must not exist; else Conflict is raised.  lease: the key
        goes when this lease ends; NotFound when it has.  Both at once are a transaction's business.
        """
        check_text(key)
        raw = bytes_of(value)
        _check_numbers(revision=0 if revision is None else revision, lease=lease)
        if revision is not None and lease:
            raise BadRequest("a revision and a lease at once: use txn")
        command = put(key, raw, lease) if revision is None else put_if(key, raw, revision)
        return await self._change(command, timeout_s)

    async def put_many(self, pairs: Mapping[str, bytes | str], *, timeout_s: float | None = None) -> int:
        """Set 1 to TXN_OPS_MAX (128) keys at once, all or none of them; returns the one revision of the change.

        Together they are one command: BadRequest or TooLarge, with nothing sent, when a key, a value, their number or
        all of them together are beyond what the store takes.  The command may have COMMAND_BYTES_MAX (1 MiB): its
        keys, its values, and up to 16 bytes of framing a key.
        """
        if not isinstance(pairs, Mapping):
            raise TypeError(f"put_many takes a mapping of keys to values, not {type(pairs).__name__}")
        _check_texts(pairs.keys())
        raw = dict(zip(pairs, _all_raw(pairs.values()), strict=True))
        fault = puts_fault(raw.keys(), raw.values())
        if fault:
            raise _error(fault)
        command = put_many(raw)
        if len(command) > COMMAND_BYTES_MAX:
            raise TooLarge(
                f"{counted(len(raw), 'key')} of {len(command)} bytes together; the limit is {COMMAND_BYTES_MAX}"
            )
        return await self._change(command, timeout_s)

    async def txn(
        self,
        when: Sequence[Compare],
        then: Sequence[Op],
        otherwise: Sequence[Op] = (),
        *,
        timeout_s: float | None = None,
    ) -> Answered:
        """If every comparison holds do `then`, else `otherwise`: up to 128 operations, all or none, at one revision.

        `Compare("lock", "revision", "==", 0)` holds when there is no such key.  The operations are `Put(key, value)`,
        `Delete(key)` and `Get(key)`; the answer's `results` has one result for each that was done.
        """
        return _result(await self._machine.propose(txn(when, then, otherwise), timeout_s=timeout_s), Answered)

    async def get(self, key: str, *, revision: int = 0, timeout_s: float | None = None) -> Found | None:
        """The key with its value and revision, or None when it does not exist.

        revision: as of then.  Raises Compacted when that is too long ago.
        """
        check_text(key)
        _check_numbers(revision=revision)
        return _found(await self._machine.read(get(key, revision), timeout_s=timeout_s))

    async def get_stale(self, key: str, *, timeout_s: float | None = None) -> Stale[Found | None]:
        """The same from one server's own copy, at once and without a leader, with its age."""
        check_text(key)
        stale = await self._machine.read_stale(get(key), timeout_s=timeout_s)
        return Stale(_found(stale.answer), stale.age_s)

    async def delete(self, key: str, *, timeout_s: float | None = None) -> bool:
        """Remove a key; False when it did not exist."""
        check_text(key)
        try:
            await self._change(delete(key), timeout_s)
        except NotFound:
            return False
        return True

    async def cas(self, key: str, old: bytes | str | None, new: bytes | str, *, timeout_s: float | None = None) -> bool:
        """Set a key to `new` if its value is `old` (None: if it does not exist); False when it is not."""
        check_text(key)
        try:
            await self._change(cas(key, None if old is None else bytes_of(old), bytes_of(new)), timeout_s)
        except Conflict:
            return False
        return True

    async def list(
        self,
        prefix: str = "",
        *,
        start: str = "",
        limit: int = 1_000,
        revision: int = 0,
        timeout_s: float | None = None,
    ) -> Page:
        """A page of the keys with a prefix, in order, from `start` on; its `next` is the next page's start.

        revision: as of then; with that of the first page the pages are one picture.  Raises Compacted when that is too
        long ago.
        """
        query = _listing(prefix, start, limit, revision)
        return _result(await self._machine.read(query, timeout_s=timeout_s), Page)

    async def list_stale(
        self,
        prefix: str = "",
        *,
        start: str = "",
        limit: int = 1_000,
        timeout_s: float | None = None,
    ) -> Stale[Page]:
        """The same from one server's own copy, at once and without a leader, with its age."""
        stale = await self._machine.read_stale(_listing(prefix, start, limit), timeout_s=timeout_s)
        return Stale(_result(stale.answer, Page), stale.age_s)

    async def watch(self, key: str, *, prefix: bool = False, after: int | None = None) -> Watch:
        """What happens to a key, or to all keys with a prefix: `async for update in await kv.watch("lamp")`.

        Each update is all that one command changed of them, in order, each once, none missing, whichever servers die
        meanwhile.  after: the revision after which it begins, None for now.  To go on later, or from another program,
        begin after the `revision` of the watch.  Raises Compacted while it runs when it was so slow that some changes
        are not known any more: read the keys anew, and watch from the revision of that page.  Raises BadRequest at once
        for a revision that the store has not come to, as after a restore of an older one: read the keys anew, too.
        """
        check_text(key)
        if not isinstance(self._machine, Asker):
            raise TypeError("only a client can watch")
        _check_numbers(after=0 if after is None else after)
        if after:
            await self._check_reached(key, after)
        if after is None:
            after = (await self.list(key, limit=1)).revision
        return Watch(self._machine, key, is_prefix=prefix, after=after, result=_result)

    async def _check_reached(self, key: str, revision: int) -> None:
        """Raise BadRequest for a revision of the future.  A server may be behind; without a leader none can tell."""
        try:
            if revision > (await self.list_stale(key, limit=1)).answer.revision:
                await self.list(key, limit=1, revision=revision)
        except BadRequest:
            raise
        except ClientError:
            return  # the watch itself outlives what passes, and says what does not

    async def grant(self, ttl_s: float, *, timeout_s: float | None = None) -> int:
        """Begin a lease that ends after so long unless it is renewed; returns its id.  See also Client.lease."""
        if not TTL_MIN_MS <= ttl_s * 1000 <= TTL_MAX_MS:
            raise ValueError(f"ttl_s is {TTL_MIN_MS // 1000} to {TTL_MAX_MS // 1000} seconds, not {ttl_s!r}")
        command = grant(round(ttl_s * 1000))
        return _result(await self._machine.propose(command, timeout_s=timeout_s), Leased).lease

    async def renew(self, lease: int, *, timeout_s: float | None = None) -> None:
        """Let a lease begin anew.  Raises NotFound when it has ended."""
        _check_numbers(lease=lease)
        _result(await self._machine.propose(renew(lease), timeout_s=timeout_s), Leased)

    async def revoke(self, lease: int, *, timeout_s: float | None = None) -> None:
        """End a lease now, with its keys.  Raises NotFound when it has ended."""
        _check_numbers(lease=lease)
        await self._change(revoke(lease), timeout_s)

    async def lease(self, lease: int, *, timeout_s: float | None = None) -> Leased:
        """A lease as it is.  Raises NotFound when it has ended."""
        _check_numbers(lease=lease)
        return _result(await self._machine.read(lease_of(lease), timeout_s=timeout_s), Leased)

    async def _change(self, command: bytes, timeout_s: float | None) -> int:
        return _result(await self._machine.propose(command, timeout_s=timeout_s), Changed).revision


def _listing(prefix: str, start: str, limit: int, revision: int = 0) -> bytes:
    check_text(prefix)
    check_text(start)
    _check_numbers(limit=limit, revision=revision)
    return list_keys(prefix, start, limit, revision)


def _found(encoded: bytes) -> Found | None:
    try:
        return _result(encoded, Found)
    except NotFound:
        return None


def check_text(key: str) -> None:
    """Look at a key.  Raises TypeError or BadRequest for what can be none."""
    if not isinstance(key, str):
        raise TypeError(f"a key is str, not {type(key).__name__}")
    if not is_utf8(key):
        raise BadRequest(f"a key is UTF-8 text, and {shortened(key)} is not")


def _check_numbers(**numbers: int) -> None:
    for name, number in numbers.items():
        if not isinstance(number, int):
            raise TypeError(f"{name} is int, not {type(number).__name__}")
        if number < 0:
            raise ValueError(f"{name} is 0 or more, not negative")
        if number > NUMBER_MAX:
            raise ValueError(f"{name} is at most 2**63 - 1, and this is more")


def _check_texts(keys: Collection[str]) -> None:
    # As a rule nothing is wrong, and all of them together say so sooner than each.
    if not (set(map(type, keys)) == {str} and "".join(keys).isascii()):
        for key in keys:
            check_text(key)


def _all_raw(values: Collection[bytes | str]) -> Iterable[bytes]:
    return cast("Collection[bytes]", values) if set(map(type, values)) == {bytes} else map(bytes_of, values)


def bytes_of(value: bytes | str) -> bytes:
    """A value as it is stored.  Raises TypeError, BadRequest or TooLarge for what can be none."""
    if isinstance(value, str):
        if not is_utf8(value):
            raise BadRequest("a value of str is sent as UTF-8, and this one cannot be: give bytes")
        value = value.encode()
    elif not isinstance(value, _BYTES):
        raise TypeError(f"a value is bytes or str, not {type(value).__name__}")
    if len(value) > VALUE_BYTES_MAX:
        raise TooLarge(f"a value of {len(value)} bytes; the limit is {VALUE_BYTES_MAX}")
    return value


def _result(encoded: bytes, kind: type[T]) -> T:
    try:
        result: KvResult = decode_result(encoded)
    except ValueError:
        raise RequestFailed("the cluster has another state machine than the key-value store") from None
    if isinstance(result, Failed):
        raise _error(result)
    assert isinstance(result, kind), "the store answers a command or query with its own kind of result"
    return result


def _error(failed: Failed) -> ClientError:
    if failed.code == "conflict":
        return Conflict(failed.message, failed.revision)
    if failed.code == "compacted":
        return Compacted(failed.message, failed.revision)
    return {"not_found": NotFound, "too_large": TooLarge}.get(failed.code, BadRequest)(failed.message)
