"""The client of a Quorate cluster, with its key-value store: what `from quorate import Client` gives.

What lives here: what a program gets from one client.  What does not: the store's calls (key_value.py), leases and locks
(lease.py, lock.py), and servers, connections and retries; those are the transport's, which knows commands as bytes
alone.
"""

from __future__ import annotations

from functools import cached_property

from quorate.key_value import KeyValue, bytes_of, check_text
from quorate.lease import Lease
from quorate.lock import Lock, holder_of
from storage.kv_protocol import Found
from transport.client.client import Client as TransportClient


class Client(TransportClient):
    """A client of one cluster: `kv` is its key-value store, `propose` and `read` are for other state machines."""

    @cached_property
    def kv(self) -> KeyValue:
        """The key-value store."""
        return KeyValue(self)

    def lease(self, ttl_s: float = 10.0) -> Lease:
        """A lease that is kept alive: `async with client.lease() as lease: await kv.put(key, "", lease=lease.id)`."""
        return Lease(self.kv, ttl_s)

    def lock(self, name: str, *, ttl_s: float = 10.0, value: bytes | str = b"") -> Lock:
        """A lock that one holds at a time, first come, first served: `async with client.lock("job") as lock: ...`.

        ttl_s: for how long a holder is waited for that is heard no more.  value: what others see of the holder, so that
        this is an election too: `client.holder("job")`.  Whatever the lock protects should check `lock.token`, or be in
        a transaction with `lock.guard()`: a holder that was stopped does not know that it is one no more.
        """
        check_text(name)
        return Lock(self.kv, name, ttl_s=ttl_s, value=bytes_of(value))

    async def holder(self, name: str) -> Found | None:
        """Who holds a lock: its `value`, and the token as `revision`; None for nobody."""
        return await holder_of(self.kv, name)
