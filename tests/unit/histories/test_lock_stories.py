"""Stories of locks and leases that keep every promise, and for each promise stories that break it, told by hand."""

from __future__ import annotations

from enum import Enum

import pytest

from tests.histories.lock_checker import check_locks
from tests.histories.promises import LeasePromise, LockPromise
from tests.linearizability.history import History
from tests.unit.histories.locking import (
    acquire,
    during,
    failed,
    grant,
    guarded,
    holder,
    lost,
    release,
    renew,
    revoke,
    seen,
    tell,
    unknown,
)

KEPT = {
    "one after the other": tell(
        acquire(5), guarded(5, None, "1", 6), guarded(5, "1", "2", 7), release(5),
        acquire(8, "b"), guarded(8, "2", "3", 9, "b"), seen(6, 5, "1"), seen(7, 5, "2"), seen(9, 8, "3"),
    ),
    "a stopped holder that goes on, and is refused": tell(
        acquire(5), guarded(5, None, "1", 6), acquire(7, "b"), guarded(7, "1", "2", 8, "b"), guarded(5, "1", "3", None),
        lost(5), seen(6, 5, "1"), seen(8, 7, "2"),
    ),
    "a stopped one that learns late that it was the holder": tell(
        during((1, 9), acquire(5)), during((3, 4), acquire(7, "b")), during((10, 11), guarded(5, None, "1", None))
    ),
    "a write under way while the lock passes on": tell(
        during((1, 2), acquire(5)), during((3, 9), guarded(5, None, "1", 6)), during((4, 5), acquire(7, "b")),
        seen(6, 5, "1"),
    ),
    "unknown writes, taken or not": tell(
        acquire(5), unknown(guarded(5, None, "1", 6)), unknown(guarded(5, "1", "2", 7)), seen(6, 5, "1")
    ),
    "an unknown acquisition": tell(unknown(acquire(5)), acquire(6, "b"), holder(6)),
    "who asks is told of the present holder, or of nobody": tell(
        holder(None), acquire(5), holder(5), acquire(6, "b"), holder(6), holder(None)
    ),
    "a lease that ends when it was not renewed": tell(grant(1), renew(1), during((4.3, 4.4), renew(1, alive=False))),
    "a lease that somebody revoked": tell(grant(1), revoke(1), renew(1, alive=False), revoke(1, alive=False)),
    "a lease that may have been revoked": tell(grant(1), unknown(revoke(1)), renew(1, alive=False)),
    "a lock that hangs on a lease that was released": tell(
        during((1, 2), acquire(5)), during((1.1, 1.2), grant(1)), during((2.1, 2.2), revoke(1)), during((2.2, 2.5),
        acquire(6, "b")),
    ),
    "a lock whose holder was not heard for its time": tell(
        during((1, 2), acquire(5)), during((1.1, 1.2), grant(1)), during((2.1, 2.2), renew(1)),
        during((2.2, 4.2), acquire(6, "b")),
    ),
    "shown as holder after it took its lease for lost": tell(acquire(5), lost(5), holder(5)),
}  # fmt: skip

BROKEN: dict[str, tuple[History, Enum, str]] = {
    "two hold it in turns": (
        tell(acquire(5), acquire(6, "b"), holder(5)),
        LockPromise.EXCLUSIVE,
        "a lower token after a higher one: #2 acquire 'lock' → 6 of b",
    ),
    "a token twice": (
        tell(during((1, 5), acquire(5)), during((2, 4), acquire(5, "b"))),
        LockPromise.RISING,
        "token 5 twice: #1 acquire 'lock' → 5 of a",
    ),
    "a later holder with a lower token": (
        tell(acquire(6), acquire(5, "b")),
        LockPromise.RISING,
        "a lower token after a higher one: #1 acquire 'lock' → 6 of a",
    ),
    "a stopped holder whose write is taken": (
        tell(
            acquire(5), acquire(6, "b"), guarded(6, None, "1", 7, "b"), guarded(5, "1", "2", 8), seen(7, 6, "1"),
            seen(8, 5, "2"),
        ),
        LockPromise.FENCED,
        "token 5 was let in after 6: #5 seen 'resource' 7 6 '1' of resource",
    ),
    "a stopped holder whose write is taken before the present one writes": (
        tell(acquire(5), acquire(6, "b"), guarded(5, None, "1", 7), seen(7, 5, "1")),
        LockPromise.FENCED,
        "a lower token after a higher one: #2 acquire 'lock' → 6 of b",
    ),
    "a stopped holder whose unknown write is taken": (
        tell(acquire(5), acquire(6, "b"), unknown(guarded(5, None, "1", 7)), seen(7, 5, "1")),
        LockPromise.FENCED,
        "a lower token after a higher one: #2 acquire 'lock' → 6 of b",
    ),
    "a write after the lock was lost": (
        tell(acquire(5), lost(5), guarded(5, None, "1", 6), seen(6, 5, "1")),
        LockPromise.OVER,
        "token 5 has an effect after it was over: #2 lost 'lock' 5 of a",
    ),
    "an unknown write after the lease had ended": (
        tell(
            during((1, 2), acquire(5)), during((1.1, 1.2), grant(1)), during((5, 6), renew(1, alive=False)),
            during((7, 8), unknown(guarded(5, None, "1", 6))), seen(6, 5, "1"),
        ),
        LockPromise.OVER,
        "token 5 has an effect after it was over: #3 renew 1 → False of a",
    ),
    "shown as holder after it was released": (
        tell(during((1, 2), acquire(5)), during((1.1, 1.2), grant(1)), during((3, 4), revoke(1)),
             during((5, 6), holder(5))),
        LockPromise.OVER,
        "token 5 has an effect after it was over: #3 revoke 1 → True of a",
    ),
    "an acknowledged write that is not there": (
        tell(acquire(5), guarded(5, None, "1", 6)),
        LockPromise.EFFECTIVE,
        "acknowledged at 6, and not there: #2 guarded 'resource' 'lock' 5 nothing '1' → 6 of a",
    ),
    "an acknowledged write that is somewhere else": (
        tell(acquire(5), guarded(5, None, "1", 6), seen(7, 5, "1")),
        LockPromise.EFFECTIVE,
        "acknowledged at 6, and there at 7: #2 guarded",
    ),
    "a refused write that is there": (
        tell(acquire(5), guarded(5, None, "1", None), seen(6, 5, "1")),
        LockPromise.EFFECTIVE,
        "refused, and there: #2 guarded",
    ),
    "a failed write that is there": (
        tell(acquire(5), failed(guarded(5, None, "1", None)), seen(6, 5, "1")),
        LockPromise.EFFECTIVE,
        "refused, and there: #2 guarded",
    ),
    "a write that nobody made": (
        tell(acquire(5), seen(6, 5, "1")),
        LockPromise.EFFECTIVE,
        "nobody wrote it: #2 seen 'resource' 6 5 '1' of resource",
    ),
    "a write that was made twice": (
        tell(acquire(5), guarded(5, None, "1", 6), seen(6, 5, "1"), seen(7, 5, "1")),
        LockPromise.EFFECTIVE,
        "one write was taken twice: #2 guarded",
    ),
    "a lost increment": (
        tell(acquire(5), guarded(5, None, "1", 6), unknown(guarded(5, None, "one", 7)), seen(6, 5, "1"),
             seen(7, 5, "one")),
        LockPromise.UNBROKEN,
        "a write to nothing replaced '1': #3 guarded 'resource' 'lock' 5 nothing 'one' (unknown) of a",
    ),
    "an order that real time forbids": (
        tell(acquire(5), guarded(5, None, "1", 7), guarded(5, "1", "2", 6), seen(7, 5, "1"), seen(6, 5, "2")),
        LockPromise.REAL_TIME,
        "a write took its place before one that was over when it began: #2 guarded",
    ),
    "a lease that ended before its time": (
        tell(grant(1), renew(1), during((3, 3.9), renew(1, alive=False))),
        LeasePromise.KEPT,
        "lease 1 of 2 s ended 1.900 s after it was heard: #2 renew 1 → True of a",
    ),
    "a lease that was never renewed and ended before its time": (
        tell(grant(1), during((2, 2.9), renew(1, alive=False))),
        LeasePromise.KEPT,
        "lease 1 of 2 s ended 1.900 s after it was heard: #1 grant 2000 → 1 of a",
    ),
    "a lock that passed on before its holder's time": (
        tell(
            during((1, 2), acquire(5)), during((1.1, 1.2), grant(1)), during((2.1, 2.2), renew(1)),
            during((2.2, 4.0), acquire(6, "b")),
        ),
        LeasePromise.KEPT,
        "lease 1 of 2 s ended 1.900 s after it was heard: #3 renew 1 → True of a",
    ),
    "a lease that comes again": (
        tell(grant(1), revoke(1), renew(1)),
        LeasePromise.FINAL,
        "lease 1 comes again: #2 revoke 1 → True of a",
    ),
    "one id for two leases": (
        tell(grant(1), grant(1, "b")),
        LeasePromise.DISTINCT,
        "lease 1 twice: #1 grant 2000 → 1 of a",
    ),
}  # fmt: skip


@pytest.mark.parametrize("story", KEPT)
def test_what_keeps_the_promises_is_accepted(story: str) -> None:
    """A holder that was stopped and does not know it breaks none."""
    assert list(map(str, check_locks(KEPT[story]))) == []


@pytest.mark.parametrize("story", BROKEN)
def test_what_breaks_a_promise_is_found_out(story: str) -> None:
    """The promise is named, with the events that break it, in one line."""
    history, promise, line = BROKEN[story]

    lines = [str(violation) for violation in check_locks(history) if violation.promise is promise]

    assert any(each.startswith(f"{promise.value}: {line}") for each in lines), lines
    assert all("\n" not in each for each in lines)


def test_every_promise_is_broken_by_a_story() -> None:
    """No promise is checked that nothing could break."""
    assert {promise for _, promise, _ in BROKEN.values()} == {*LockPromise, *LeasePromise}
