"""The checker of leases: does each last for its time from every renewal on, and is its end final?

What lives here: the promises of leases, and of the locks that hang on them, held against a history. What does not: what
the operations mean (lock_history.py), and who may do what under a lock (lock_checker.py).

A renewal begins the lease anew at some moment after its invocation, so whoever sees the lease ended before its time has
passed since then has seen too much, by whichever clock it is counted.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.histories.lock_history import ACQUIRE, GRANT, RENEW, REVOKE, LockHistory, number
from tests.histories.promises import LeasePromise
from tests.histories.violation import Violation
from tests.linearizability.operation import Operation, Outcome

GRAIN_S = 0.01
"""Leases last for whole milliseconds of a clock that is read in milliseconds."""


def check_leases(known: LockHistory) -> Iterator[Violation]:
    """Every broken promise."""
    leases: dict[int, Operation] = {}
    for granted in known.definite(GRANT):
        lease = number(granted.result)
        if lease in leases:
            yield Violation(LeasePromise.DISTINCT, f"lease {lease} twice", (leases[lease], granted))
        leases[lease] = granted
    for lease, granted in leases.items():
        renewed = [one for one in known.about(RENEW, lease) if one.is_definite and one.result]
        ends = known.ends_of(lease)
        for end in ends:
            for again in renewed:
                if end.returned_s < again.invoked_s:
                    yield Violation(LeasePromise.FINAL, f"lease {lease} comes again", (end, again))
        seen = [end for end in ends if end.function == RENEW]
        yield from _early(known, lease, [granted, *renewed], seen)
    yield from _followed(known, leases)


def _followed(known: LockHistory, leases: dict[int, Operation]) -> Iterator[Violation]:
    """Nobody gets a lock as long as the lease of the one before lasts."""
    for lock in known.locks():
        acquired = [one for one in known.definite(ACQUIRE) if one.key == lock]
        for earlier in acquired:
            lease = known.lease_of(earlier)
            later = [one for one in acquired if number(one.result) > number(earlier.result)]
            if lease in leases and later:
                first = min(later, key=lambda one: one.returned_s)
                renewed = [one for one in known.about(RENEW, lease) if one.is_definite and one.result]
                yield from _early(known, lease, [leases[lease], *renewed], [first])


def _early(known: LockHistory, lease: int, alive: list[Operation], ends: list[Operation]) -> Iterator[Violation]:
    """Who has seen the end of a lease before its time had passed since it was last heard, though nobody revoked it."""
    ttl_s = number(alive[0].arguments[0]) / 1000
    for end in ends:
        is_revoked = any(
            one.outcome is not Outcome.FAILED and one.invoked_s <= end.returned_s for one in known.about(REVOKE, lease)
        )
        heard = [one for one in alive if one.invoked_s <= end.returned_s < one.invoked_s + ttl_s - GRAIN_S]
        if heard and not is_revoked:
            what = f"lease {lease} of {ttl_s:g} s ended {end.returned_s - heard[-1].invoked_s:.3f} s after it was heard"
            yield Violation(LeasePromise.KEPT, what, (heard[-1], end))
