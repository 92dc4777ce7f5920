"""Who can have made the state that an operation found: its servers.

What lives here: the servers of each operation, and which needs can still be met. What follows from an operation's
having one server alone is in zones.py. Sets of operations are integers, one bit an operation: they are compared and
hashed far more often than they are looked into.

A server makes the state, was invoked before the operation returned, and was not over before the invocation of another
operation that was itself over before the operation began and left another state behind.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Sequence
from itertools import accumulate
from math import inf
from operator import or_

from attrs import frozen

from tests.linearizability.models import ANY, NONE
from tests.linearizability.operation import Operation
from tests.linearizability.problem import Problem


@frozen
class Servers:
    """Who may serve an operation, as sets of bits: of the definite operations and of the open ones.

    initial: it may have found the first state of all.
    """

    definite: int
    open: int
    initial: bool

    @property
    def count(self) -> int:
        """How many there are."""
        return self.definite.bit_count() + self.open.bit_count() + self.initial


NOBODY = Servers(0, 0, initial=False)


class Needs:
    """What the operations of a problem need and make, and who serves whom. needs, makes: of the definite ones."""

    def __init__(self, problem: Problem) -> None:
        self._model = problem.model
        self._initial = problem.initial
        self.needs: list[Hashable] = [problem.model.needs(operation) for operation in problem.definite]
        self.makes: list[Hashable] = [problem.model.makes(operation) for operation in problem.definite]
        self._makers = _makers(problem.definite, self.makes)
        self._makers_open = _makers(problem.open, [problem.model.makes(operation) for operation in problem.open])
        self._after = _After(problem.definite, self._left_behind())
        self.servers = [self.servers_of(operation) for operation in problem.definite]
        self._needing: dict[Hashable, int] = {}
        for number, state in enumerate(self.needs):
            self._needing[state] = self._needing.get(state, 0) | 1 << number

    def servers_of(self, operation: Operation) -> Servers:
        """Who may serve it; nobody if it needs no state in particular."""
        state = self._model.needs(operation)
        if state is ANY:
            return NOBODY
        span = (operation.closes_s, self._after.latest(operation.invoked_s, state))
        return Servers(
            # What makes states that nobody can name may make this one.
            self._makers.get(state, NO_MAKERS).within(*span) | self._makers.get(ANY, NO_MAKERS).within(*span),
            self._makers_open.get(state, NO_MAKERS).within(*span) | self._makers_open.get(ANY, NO_MAKERS).within(*span),
            initial=state == self._initial and span[1] == -inf,
        )

    def is_lost(self, state: Hashable, done: int, used: int) -> bool:
        """Whether some operation not done needs the state, and none of its servers is left to make it again.

        done, used: the definite and the open operations that are behind.
        """
        left = self._needing.get(state, 0) & ~done
        while left:
            lowest = left & -left
            servers = self.servers[lowest.bit_length() - 1]
            if not servers.definite & ~done and not servers.open & ~used:
                return True
            if not servers.definite & done and not servers.open & used:
                break  # from here on, nothing that is behind was of use
            left ^= lowest
        return False

    def _left_behind(self) -> list[Hashable]:
        """The state after each definite operation, ANY where that is not known."""
        return [need if made is NONE else made for need, made in zip(self.needs, self.makes, strict=True)]


class _Makers:
    """The makers of one state, as bits of their numbers, to be asked by time."""

    def __init__(self, makers: Sequence[tuple[int, Operation]]) -> None:
        by_invocation = sorted((operation.invoked_s, 1 << number) for number, operation in makers)
        by_return = sorted((operation.closes_s, 1 << number) for number, operation in makers)
        self._invoked = [time for time, _ in by_invocation]
        self._returns = [time for time, _ in by_return]
        self._first: list[int] = [0, *accumulate((bit for _, bit in by_invocation), or_)]
        self._returned: list[int] = [0, *accumulate((bit for _, bit in by_return), or_)]

    def within(self, invoked_by_s: float, not_over_s: float) -> int:
        """Those invoked by the one time and not over before the other."""
        over = self._returned[bisect_left(self._returns, not_over_s)]
        return self._first[bisect_right(self._invoked, invoked_by_s)] & ~over


NO_MAKERS = _Makers(())


def _makers(operations: Sequence[Operation], states: Sequence[Hashable]) -> dict[Hashable, _Makers]:
    groups: dict[Hashable, list[tuple[int, Operation]]] = {}
    for number, (operation, state) in enumerate(zip(operations, states, strict=True)):
        groups.setdefault(state, []).append((number, operation))
    groups.pop(NONE, None)
    return {state: _Makers(group) for state, group in groups.items()}


class _After:
    """The operations by return, with the latest invocation up to each, and the latest that left another state."""

    def __init__(self, operations: Sequence[Operation], states: Sequence[Hashable]) -> None:
        self._returns: list[float] = []
        self._latest: list[tuple[float, Hashable, float]] = [(-inf, ANY, -inf)]
        for operation, state in sorted(zip(operations, states, strict=True), key=lambda known: known[0].closes_s):
            if state is not ANY:
                self._returns.append(operation.closes_s)
                self._latest.append(_later(self._latest[-1], operation.invoked_s, state))

    def latest(self, before_s: float, state: Hashable) -> float:
        """The latest invocation of those that returned before that time and left another state; -inf if none did."""
        invoked_s, left, other_s = self._latest[bisect_left(self._returns, before_s)]
        return other_s if left == state else invoked_s


def _later(latest: tuple[float, Hashable, float], invoked_s: float, state: Hashable) -> tuple[float, Hashable, float]:
    latest_s, left, other_s = latest
    if state == left:
        return max(latest_s, invoked_s), left, other_s
    return (invoked_s, state, latest_s) if invoked_s > latest_s else (latest_s, left, max(other_s, invoked_s))
