"""The book of leases: what leases there are by the log alone, held against what the stores do with them.

What lives here: until when each lasts by the log's time, the keys that go with it, and at what true time it ended.
What does not: whether that was too soon for who had renewed it (holding.py, tests/histories).

A key hangs on one lease from the moment it is made: holders of locks write theirs once.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field

from storage.kv_protocol import Changed, KvResult, Leased
from tests.simulation.invariants import Invariant, violated


@define
class _Kept:
    """A lease that lasts."""

    ttl_ms: int
    ends_ms: int
    keys: list[str] = field(factory=list)


@define
class LeaseBook:
    """Follows the log, entry by entry: its time, what was done, and then what has to be so.  now: the true time."""

    now: Callable[[], float] = lambda: 0.0
    time_ms: int = 0
    lasting: dict[int, _Kept] = field(factory=dict)
    ends: dict[int, float] = field(factory=dict)
    """By lease: when it ended by the true time, on the first server that knew, of those that nobody revoked."""
    _early: dict[int, int] = field(factory=dict)
    """By lease: when it was to end, of those that a store has ended in this entry although they were to last."""

    def advance(self, time_ms: int | None) -> None:
        """An entry begins; time_ms: the log's, if it has one."""
        self.time_ms = max(self.time_ms, time_ms or 0)

    def granted(self, answer: Leased) -> None:
        """A store has begun a lease."""
        if answer.lease in self.lasting:
            violated(Invariant.LEASES, f"lease {answer.lease} is granted a second time")
        self.lasting[answer.lease] = _Kept(answer.ttl_ms, self.time_ms + answer.ttl_ms)

    def renewed(self, lease: int, answer: KvResult) -> None:
        """A store was asked to let a lease begin anew."""
        kept = self.lasting.get(lease)
        if kept is not None:
            kept.ends_ms = self.time_ms + kept.ttl_ms
        expected = None if kept is None else Leased(lease, kept.ttl_ms, kept.ttl_ms, len(kept.keys))
        if expected != (answer if isinstance(answer, Leased) else None):
            violated(Invariant.LEASES, f"lease {lease} was {expected} when it was renewed, and {answer} was answered")

    def put(self, key: str, lease: int) -> None:
        """A key was made that hangs on a lease."""
        if lease not in self.lasting:
            violated(Invariant.LEASES, f"{key} was made with lease {lease}, which had ended")
        self.lasting[lease].keys.append(key)

    def ended(self, lease: int) -> list[str]:
        """A store has ended a lease; returns the keys that have to go with it."""
        kept = self.lasting.pop(lease)
        if kept.ends_ms > self.time_ms:
            self._early[lease] = kept.ends_ms
        else:
            self.ends[lease] = self.now()
        return kept.keys

    def revoked(self, lease: int, answer: KvResult) -> None:
        """A store was asked to end a lease, and has done so if there was one."""
        if isinstance(answer, Changed) != (self._early.pop(lease, None) is not None):
            violated(Invariant.LEASES, f"lease {lease} was to be revoked, and {answer} was answered")

    def settle(self) -> None:
        """An entry is over: no lease has ended before its time unless it was revoked, and none is overdue."""
        if self._early:
            violated(Invariant.LEASES, f"leases end at {self.time_ms}, which were to last until {self._early}")
        overdue = [lease for lease, kept in self.lasting.items() if kept.ends_ms <= self.time_ms]
        if overdue:
            violated(Invariant.LEASES, f"leases {overdue} have not ended, and the log says {self.time_ms}")
