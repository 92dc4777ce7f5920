"""The checker of locks: is there one holder at a time, and does the token keep every other one from doing harm?

What lives here: the promises of a lock and of what it guards, each held against a history. What does not: what the
operations mean (lock_history.py), and for how long a lease lasts (lease_checker.py).

That a holder was stopped and goes on as if it held the lock breaks no promise: no service can prevent that (Kleppmann,
"How to do distributed locking", 2016). That one of its writes takes effect then does.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from tests.histories.lease_checker import check_leases
from tests.histories.lock_history import ACQUIRE, GUARDED, HOLDER, LOST, Guarded, LockHistory, Seen, Testimony, number
from tests.histories.promises import LockPromise
from tests.histories.real_time import disorder
from tests.histories.violation import Violation
from tests.linearizability.history import History
from tests.linearizability.models import shown
from tests.linearizability.operation import Operation, Outcome

_BY_LATER = {ACQUIRE: LockPromise.RISING, GUARDED: LockPromise.FENCED, HOLDER: LockPromise.EXCLUSIVE}


def check_locks(history: History) -> list[Violation]:
    """Every broken promise. Raises HistoryError for what is malformed."""
    known = LockHistory.of(history)
    found = list(check_leases(known))
    for lock in sorted(known.locks()):
        found += [*_tokens(known, lock), *_holders(known, lock), *_over(known, lock)]
    for resource in sorted(known.resources()):
        seen = known.seen(resource)
        written = [write for write in known.guarded() if write.operation.key == resource]
        found += [*_order(seen), *_effects(seen, written), *_chain(seen, written)]
        placed = [(write.operation, write.place) for write in written if write.place is not None]
        for earlier, later in disorder(placed, placed):
            what = "a write took its place before one that was over when it began"
            found.append(Violation(LockPromise.REAL_TIME, what, (earlier, later)))
    return found


def _tokens(known: LockHistory, lock: str) -> Iterator[Violation]:
    """No token twice."""
    got: dict[int, Operation] = {}
    for acquired in known.definite(ACQUIRE):
        if acquired.key == lock:
            token = number(acquired.result)
            if token in got:
                yield Violation(LockPromise.RISING, f"token {token} twice", (got[token], acquired))
            got[token] = acquired


def _holders(known: LockHistory, lock: str) -> Iterator[Violation]:
    """The present token never goes back: who has been followed by a higher one was the last to have a lower one."""
    testimonies = known.testimonies(lock)
    said = [(testimony.operation, testimony.token) for testimony in testimonies]
    late = [(effect.operation, effect.token) for effect in _effects_unheard(known, lock)]
    for earlier, later in disorder(said, [*said, *late], may_be_equal=True):
        yield Violation(_BY_LATER[later.function], "a lower token after a higher one", (earlier, later))


def _effects_unheard(known: LockHistory, lock: str) -> list[Testimony]:
    """Writes that the resource took, and whose writers were not told so."""
    taken = {(resource, one.token, one.value) for resource in known.resources() for one in known.seen(resource)}
    return [
        Testimony(write.operation, write.token)
        for write in known.guarded()
        if write.lock == lock and write.place is None and (write.operation.key, write.token, write.value) in taken
    ]


def _over(known: LockHistory, lock: str) -> Iterator[Violation]:
    """After a lock is over, by whatever its holder was told, its token has no effect and nobody sees it."""
    ends: dict[int, list[Operation]] = {}
    for acquired in known.definite(ACQUIRE):
        if acquired.key == lock:
            lease = known.lease_of(acquired)
            ends[number(acquired.result)] = [] if lease is None else known.ends_of(lease)
    for lost in known.definite(LOST):
        if lost.key == lock:
            ends.setdefault(number(lost.arguments[0]), []).append(lost)
    for effect in [*known.testimonies(lock), *_effects_unheard(known, lock)]:
        if effect.operation.function == ACQUIRE:
            continue
        over = [
            end
            for end in ends.get(effect.token, ())
            if end.returned_s < effect.operation.invoked_s
            # Who takes its lock for lost by its own clock may still be shown as its holder.
            and (end.function != LOST or effect.operation.function == GUARDED)
        ]
        if over:
            what = f"token {effect.token} has an effect after it was over"
            yield Violation(LockPromise.OVER, what, (over[0], effect.operation))


def _order(seen: list[Seen]) -> Iterator[Violation]:
    """In the resource's order tokens never fall."""
    for before, after in pairwise(seen):
        if after.token < before.token:
            what = f"token {after.token} was let in after {before.token}"
            yield Violation(LockPromise.FENCED, what, (before.operation, after.operation))


def _effects(seen: list[Seen], written: list[Guarded]) -> Iterator[Violation]:
    """What the resource took is what was written, once, where the writer was told."""
    writes = {(write.token, write.value): write for write in written}
    taken: dict[Guarded, Seen] = {}
    for one in seen:
        write = writes.get((one.token, one.value))
        if write is None:
            yield Violation(LockPromise.EFFECTIVE, "nobody wrote it", (one.operation,))
        elif write in taken:
            what = "one write was taken twice"
            yield Violation(LockPromise.EFFECTIVE, what, (write.operation, taken[write].operation, one.operation))
        else:
            taken[write] = one
    for write in written:
        took = taken.get(write)
        if write.place is not None and (took is None or took.place != write.place):
            what = f"acknowledged at {write.place}, and {'not there' if took is None else f'there at {took.place}'}"
            yield Violation(LockPromise.EFFECTIVE, what, (write.operation, *([took.operation] if took else ())))
        elif write.place is None and took and write.operation.outcome is not Outcome.UNKNOWN:
            yield Violation(LockPromise.EFFECTIVE, "refused, and there", (write.operation, took.operation))


def _chain(seen: list[Seen], written: list[Guarded]) -> Iterator[Violation]:
    """Each value was made from the one before it."""
    writes = {(write.token, write.value): write for write in written}
    value = None
    for one in seen:
        write = writes.get((one.token, one.value))
        if write is not None and write.before != value:
            what = f"a write to {shown(write.before)} replaced {shown(value)}"
            yield Violation(LockPromise.UNBROKEN, what, (write.operation, one.operation))
        value = one.value
