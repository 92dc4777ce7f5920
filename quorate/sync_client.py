"""The blocking client with the key-value store: what `from quorate import SyncClient` gives.

What lives here: the store's calls, without `await`.  What does not: what they mean and raise (key_value.py, whose code
runs here), and the connection (transport/client/sync_client.py).

The calls of `KeyValue` are coroutines that wait for their machine alone.  Over a client that blocks they never wait, so
each runs to its end in one step, without an event loop.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from quorate.key_value import KeyValue
from storage.kv_protocol import Answered, Compare, Found, Op, Page
from transport.client.stale import Stale
from transport.client.sync_client import SyncClient as TransportSyncClient
from transport.keys import ClusterKey, load

T = TypeVar("T")


class SyncClient(TransportSyncClient):
    """A blocking client of one server, for scripts and threads: `with SyncClient("127.0.0.1:7946") as client`.

    `kv` is the key-value store, `propose` and `read` are for other state machines.  It asks that one server and nothing
    twice: a write without an answer raises OutcomeUnknown, and may have been made.  `Client` finds the other servers
    and sends again.  One thread at a time may use it.
    """

    def __init__(self, address: str, *, key: ClusterKey | str | Path | None = None, timeout_s: float = 5.0) -> None:
        super().__init__(address, key=load(key) if isinstance(key, str | Path) else key, timeout_s=timeout_s)

    @cached_property
    def kv(self) -> SyncKeyValue:
        """The key-value store."""
        return SyncKeyValue(self)


class SyncKeyValue:
    """The key-value store, as `KeyValue` has it: the same names, values and errors."""

    def __init__(self, client: TransportSyncClient) -> None:
        self._kv = KeyValue(_Blocking(client))

    def put(
        self,
        key: str,
        value: bytes | str,
        *,
        revision: int | None = None,
        lease: int = 0,
        timeout_s: float | None = None,
    ) -> int:
        """Set a key; returns the revision of the change.  revision: only if that is the key's, else Conflict."""
        return _run(self._kv.put(key, value, revision=revision, lease=lease, timeout_s=timeout_s))

    def put_many(self, pairs: Mapping[str, bytes | str], *, timeout_s: float | None = None) -> int:
        """Set up to 128 keys at once, all or none; returns the one revision of the change."""
        return _run(self._kv.put_many(pairs, timeout_s=timeout_s))

    def txn(
        self,
        when: Sequence[Compare],
        then: Sequence[Op],
        otherwise: Sequence[Op] = (),
        *,
        timeout_s: float | None = None,
    ) -> Answered:
        """If every comparison holds do `then`, else `otherwise`: all or none of it, at one revision."""
        return _run(self._kv.txn(when, then, otherwise, timeout_s=timeout_s))

    def get(self, key: str, *, revision: int = 0, timeout_s: float | None = None) -> Found | None:
        """The key with its value and revision, or None when it does not exist.  revision: as of then."""
        return _run(self._kv.get(key, revision=revision, timeout_s=timeout_s))

    def get_stale(self, key: str, *, timeout_s: float | None = None) -> Stale[Found | None]:
        """The same from this server's own copy, at once and without a leader, with its age."""
        return _run(self._kv.get_stale(key, timeout_s=timeout_s))

    def delete(self, key: str, *, timeout_s: float | None = None) -> bool:
        """Remove a key; False when it did not exist."""
        return _run(self._kv.delete(key, timeout_s=timeout_s))

    def cas(self, key: str, old: bytes | str | None, new: bytes | str, *, timeout_s: float | None = None) -> bool:
        """Set a key to `new` if its value is `old` (None: if it does not exist); False when it is not."""
        return _run(self._kv.cas(key, old, new, timeout_s=timeout_s))

    def list(
        self,
        prefix: str = "",
        *,
        start: str = "",
        limit: int = 1_000,
        revision: int = 0,
        timeout_s: float | None = None,
    ) -> Page:
        """A page of the keys with a prefix, in order, from `start` on; its `next` is the next page's start."""
        return _run(self._kv.list(prefix, start=start, limit=limit, revision=revision, timeout_s=timeout_s))


class _Blocking:
    """A blocking client as what `KeyValue` talks to."""

    def __init__(self, client: TransportSyncClient) -> None:
        self._client = client

    async def propose(self, command: bytes, *, timeout_s: float | None = None) -> bytes:
        return self._client.propose(command, timeout_s=timeout_s)

    async def read(self, query: bytes, *, timeout_s: float | None = None) -> bytes:
        return self._client.read(query, timeout_s=timeout_s)

    async def read_stale(self, query: bytes, *, timeout_s: float | None = None) -> Stale[bytes]:
        return self._client.read_stale(query, timeout_s=timeout_s)


def _run(work: Coroutine[Any, None, T]) -> T:
    """What a coroutine that waits for nothing returns."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("a call over a blocking client has waited")
