"""Leases: keys that go when nobody says any more that they should stay.

What lives here: which leases there are, until when, and which keys hang on them.  What does not: the keys themselves
(kv.py), and what time it is: that is the log's (actors/raft/log_clock.py), so that a lease ends at the same entry on
every server.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

from attrs import define, field

LEASES_MAX = 65_536
TTL_MIN_MS = 1_000
"""Below this a leader's death alone would end a lease, or a pause of the garbage collector."""
TTL_MAX_MS = 24 * 3600 * 1000

LeaseRow = tuple[int, int, int, list[str]]
"""(id, ttl_ms, the log's time at which it ends, its keys)."""


@define
class Lease:
    """One lease.  ends_ms: by the log's time."""

    id: int
    ttl_ms: int
    ends_ms: int
    keys: dict[str, None] = field(factory=dict)


class Leases:
    """All leases of a store."""

    def __init__(self, last_id: int = 0, rows: Iterable[LeaseRow] = ()) -> None:
        self.last_id = last_id
        self._leases: dict[int, Lease] = {}
        self._of_key: dict[str, Lease] = {}
        self._ends: list[tuple[int, int]] = []
        """(when, id), with ends of before a renewal among them."""
        for lease_id, ttl_ms, ends_ms, keys in rows:
            self._add(Lease(lease_id, ttl_ms, ends_ms))
            for key in keys:
                self.attach(key, lease_id)

    def __len__(self) -> int:
        return len(self._leases)

    def get(self, lease_id: int) -> Lease | None:
        """A lease that has not ended."""
        return self._leases.get(lease_id)

    def grant(self, ttl_ms: int, now_ms: int) -> Lease:
        """A new lease; ids are never given twice."""
        self.last_id += 1
        return self._add(Lease(self.last_id, ttl_ms, now_ms + ttl_ms))

    def renew(self, lease: Lease, now_ms: int) -> None:
        """It begins anew."""
        lease.ends_ms = now_ms + lease.ttl_ms
        heapq.heappush(self._ends, (lease.ends_ms, lease.id))
        if len(self._ends) > 2 * len(self._leases) + 64:
            self._ends = [(one.ends_ms, one.id) for one in self._leases.values()]
            heapq.heapify(self._ends)

    def remove(self, lease: Lease) -> list[str]:
        """End a lease; returns the keys that go with it."""
        del self._leases[lease.id]
        for key in lease.keys:
            del self._of_key[key]
        return list(lease.keys)

    def attach(self, key: str, lease_id: int) -> None:
        """A key was written: it hangs on this lease from now on, on none when it is 0."""
        # As a rule it hangs on none before and after, and this is in the way of every put.
        if lease_id or key in self._of_key:
            self.detach(key)
            lease = self._leases.get(lease_id)
            if lease is not None:
                lease.keys[key] = None
                self._of_key[key] = lease

    def detach_all(self, keys: Iterable[str]) -> None:
        """Keys were written that hang on no lease from now on."""
        if self._of_key:
            for key in keys:
                self.detach(key)

    def detach(self, key: str) -> None:
        """A key was removed."""
        lease = self._of_key.pop(key, None)
        if lease is not None:
            del lease.keys[key]

    @property
    def next_end_ms(self) -> int | None:
        """When the next lease ends, None when there are none."""
        ends = self._ends
        while ends and not self._is_end(*ends[0]):
            heapq.heappop(ends)
        return ends[0][0] if ends else None

    def ended(self, now_ms: int) -> Iterator[Lease]:
        """The leases that have ended, in the order of their ends; whoever iterates removes each."""
        while (end := self.next_end_ms) is not None and end <= now_ms:
            yield self._leases[self._ends[0][1]]

    def rows(self) -> list[LeaseRow]:
        """Everything, for a snapshot."""
        return [(one.id, one.ttl_ms, one.ends_ms, list(one.keys)) for one in self._leases.values()]

    def _add(self, lease: Lease) -> Lease:
        self._leases[lease.id] = lease
        heapq.heappush(self._ends, (lease.ends_ms, lease.id))
        return lease

    def _is_end(self, ends_ms: int, lease_id: int) -> bool:
        lease = self._leases.get(lease_id)
        return lease is not None and lease.ends_ms == ends_ms
