"""What a history tells of locks: leases, who held what, and what a guarded resource took, in its own order.

What lives here: the operations' meaning, and what makes one malformed. What does not: what has to hold of them
(lock_checker.py, lease_checker.py). The functions:

    grant     arguments: for how many milliseconds; result: the lease
    renew     arguments: lease; result: true, or false when it had ended
    revoke    arguments: lease; result: true, or false when it had ended
    acquire   key: the lock; result: the token
    release   key: the lock; arguments: token
    lost      key: the lock; arguments: token, of a holder that was told that it is one no more
    holder    key: the lock; result: the token of whoever holds it, None for nobody
    guarded   key: the resource; arguments: lock, token, the value that was read before, the value that is written;
              result: its place in the resource's order, None when the token was refused
    seen      key: the resource; arguments: place, token, value, as the resource itself says

A client has one lock at a time, on a lease that it was granted while it acquired it. What one token writes to a
resource it writes once, so that token and value tell whose write was seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from attrs import frozen

from tests.linearizability.history import History, HistoryError
from tests.linearizability.operation import Operation, Value

GRANT, RENEW, REVOKE = "grant", "renew", "revoke"
ACQUIRE, RELEASE, LOST, HOLDER = "acquire", "release", "lost", "holder"
GUARDED, SEEN = "guarded", "seen"

_ARGUMENTS: Final[dict[str, tuple[type, ...]]] = {
    GRANT: (int,),
    RENEW: (int,),
    REVOKE: (int,),
    ACQUIRE: (),
    RELEASE: (int,),
    LOST: (int,),
    HOLDER: (),
    GUARDED: (str, int, object, object),
    SEEN: (int, int, object),
}
LOCK_FUNCTIONS = frozenset(_ARGUMENTS)
_RESULTS: Final[dict[str, tuple[type, ...]]] = {
    GRANT: (int,),
    RENEW: (bool,),
    REVOKE: (bool,),
    ACQUIRE: (int,),
    HOLDER: (int, type(None)),
    GUARDED: (int, type(None)),
}


@frozen(eq=False)
class Guarded:
    """A write that takes effect only if its token is the present one's."""

    operation: Operation
    lock: str
    token: int
    before: Value
    value: Value

    @property
    def place(self) -> int | None:
        """Where the resource took it, as the writer was told; None when it was refused, or nobody knows."""
        result = self.operation.result if self.operation.is_definite else None
        return None if result is None else number(result)


@frozen(eq=False)
class Seen:
    """A write that the resource took."""

    operation: Operation
    place: int
    token: int
    value: Value


@frozen(eq=False)
class Testimony:
    """An operation that says that a token was the present one at some moment between its invocation and its return."""

    operation: Operation
    token: int


@frozen
class LockHistory:
    """The operations by function, each in the order of their numbers."""

    by_function: dict[str, list[Operation]]

    @classmethod
    def of(cls, history: History) -> LockHistory:
        """What the history tells of locks; the rest is left out. Raises HistoryError for what is malformed."""
        found: dict[str, list[Operation]] = {function: [] for function in LOCK_FUNCTIONS}
        for operation in sorted(history, key=lambda one: one.number):
            if operation.function in found:
                _check(operation)
                found[operation.function].append(operation)
        return cls(found)

    def definite(self, function: str) -> list[Operation]:
        """Those that were carried out."""
        return [operation for operation in self.by_function[function] if operation.is_definite]

    def locks(self) -> set[str]:
        """Every lock that somebody wanted."""
        return {operation.key for operation in self.by_function[ACQUIRE]}

    def resources(self) -> set[str]:
        """Every resource that somebody wrote to, or that took something."""
        return {operation.key for function in (GUARDED, SEEN) for operation in self.by_function[function]}

    def guarded(self) -> list[Guarded]:
        """Every write under a lock."""
        return [
            Guarded(operation, str(lock), number(token), before, value)
            for operation in self.by_function[GUARDED]
            for lock, token, before, value in (operation.arguments,)
        ]

    def seen(self, resource: str) -> list[Seen]:
        """What a resource took, in its own order."""
        found = [
            Seen(operation, number(place), number(token), value)
            for operation in self.by_function[SEEN]
            if operation.key == resource
            for place, token, value in (operation.arguments,)
        ]
        return sorted(found, key=lambda seen: seen.place)

    def testimonies(self, lock: str) -> list[Testimony]:
        """Who says that a token of this lock was the present one."""
        said = [one for function in (ACQUIRE, HOLDER) for one in self.definite(function) if one.key == lock]
        found = [Testimony(one, number(one.result)) for one in said if one.result is not None]
        took = [write for write in self.guarded() if write.lock == lock and write.place is not None]
        return found + [Testimony(write.operation, write.token) for write in took]

    def about(self, function: str, lease: int) -> list[Operation]:
        """The renewals of a lease, or its revocations, whatever came of them."""
        return [one for one in self.by_function[function] if one.arguments == (lease,)]

    def ends_of(self, lease: int) -> list[Operation]:
        """The operations after whose return a lease has certainly ended."""
        renewed = [one for one in self.about(RENEW, lease) if one.is_definite and not one.result]
        return renewed + [one for one in self.about(REVOKE, lease) if one.is_definite]

    def lease_of(self, acquired: Operation) -> int | None:
        """The lease that a lock hangs on: its client was granted it meanwhile."""
        granted = [
            one
            for one in self.definite(GRANT)
            if one.client == acquired.client
            and acquired.invoked_s <= one.invoked_s
            and one.returned_s <= acquired.returned_s
        ]
        return number(granted[-1].result) if granted else None


def number(value: Value) -> int:
    """A number that was checked before."""
    assert isinstance(value, int)
    return value


def _check(operation: Operation) -> None:
    asked = _ARGUMENTS[operation.function]
    if len(operation.arguments) != len(asked):
        raise _malformed(operation, f"{operation.function} has {len(asked)} arguments, not {len(operation.arguments)}")
    _check_types(operation, zip(operation.arguments, ((kind,) for kind in asked), strict=True))
    if operation.is_definite and operation.function in _RESULTS:
        _check_types(operation, [(operation.result, _RESULTS[operation.function])])


def _check_types(operation: Operation, values: Iterable[tuple[Value, tuple[type, ...]]]) -> None:
    for value, kinds in values:
        is_number = isinstance(value, bool) and bool not in kinds and object not in kinds
        if is_number or not isinstance(value, kinds):
            raise _malformed(operation, f"{value!r} makes no sense there")


def _malformed(operation: Operation, why: str) -> HistoryError:
    return HistoryError(f"operation #{operation.number}: {why}")
