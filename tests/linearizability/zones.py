"""Rows of operations that nothing may come between, and what they say about the order: Gibbons' and Korach's zones.

What lives here: which operations must be ordered before which others, found in O(n log n). What does not: an order.

An operation that one other alone can have served came after that one and before the next change. So they stand in a
row that no other change may interrupt, and so do the rows that a compare-and-set links. A row has begun by the time
its first operation has returned, and is not over until its last one was invoked. So a row that has begun before another
one is over comes before that one. The history is impossible if within a row a later operation returned before an
earlier one was invoked; or if of two rows each has begun before the other is over. Where every state comes about once
and every result names the state, this decides (Gibbons, Korach: Testing shared memories, SIAM J. Comput. 26, 1997);
the compare-and-sets only make rows longer.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from math import inf
from operator import or_

from attrs import define, field, frozen

from tests.linearizability.models import ANY, NONE
from tests.linearizability.needs import Needs
from tests.linearizability.operation import Operation
from tests.linearizability.problem import Problem

INITIAL = 0
"""Stands for the number of the operation that made the first state."""


class ImpossibleError(Exception):
    """No order exists."""


@frozen
class Row:
    """Operations that nothing may come between. begun_s: the first return in it; over_s: the last invocation."""

    members: tuple[Operation, ...]
    begun_s: float
    over_s: float


@define
class _Served:
    """Whom an operation alone can have served: those that left the state as it was, and those that took it away."""

    readers: list[Operation] = field(factory=list)
    takers: list[Operation] = field(factory=list)


class Zones:
    """The rows of a problem. Raises ImpossibleError if they cannot be put in an order."""

    def __init__(self, problem: Problem, needs: Needs) -> None:
        self._problem = problem
        self._needs = needs
        self._served: dict[int, _Served] = {}
        self._follows: dict[int, int] = {}
        self._link()
        self._rows = sorted(self._all_rows(), key=lambda row: row.begun_s)
        self._begun = [row.begun_s for row in self._rows]
        self._check_overlaps()

    def before(self) -> dict[int, int]:
        """By an operation's number in the history: the definite operations that come before it, as a set of bits."""
        number_of = {operation.number: number for number, operation in enumerate(self._problem.definite)}
        members = [
            sum(1 << number_of[member.number] for member in row.members if member.is_definite) for row in self._rows
        ]
        first = [0, *accumulate(members, or_)]
        return {
            member.number: first[bisect_left(self._begun, row.over_s)] & ~own
            for row, own in zip(self._rows, members, strict=True)
            for member in row.members
        }

    # --- rows -------------------------------------------------------------------------------------------------------

    def _link(self) -> None:
        """Note who has one server alone. An open operation that is one was carried out, and was served itself."""
        todo = list(self._problem.definite)
        while todo:
            operation = todo.pop()
            servers = self._needs.servers_of(operation)
            if self._problem.model.needs(operation) is not ANY and not servers.count:
                raise ImpossibleError  # nothing made what it found
            if servers.count != 1:
                continue
            server = INITIAL
            if servers.definite:
                server = self._problem.definite[servers.definite.bit_length() - 1].number
            elif servers.open:
                forced = self._problem.open[servers.open.bit_length() - 1]
                server = forced.number
                if server not in self._served:
                    todo.append(forced)
            self._follows[operation.number] = server
            served = self._served.setdefault(server, _Served())
            is_reader = self._problem.model.makes(operation) is NONE
            (served.readers if is_reader else served.takers).append(operation)

    def _all_rows(self) -> Iterator[Row]:
        placed = 0
        if INITIAL in self._served:
            row = _row([[], *self._behind(INITIAL)], begun_s=-inf)
            placed += len(row.members)
            yield row
        for operation in (*self._problem.definite, *self._problem.open):
            is_forced = operation.number in self._served
            if operation.number not in self._follows and (is_forced or self._is_change(operation)):
                row = _row([[operation], *self._behind(operation.number)], begun_s=inf)
                placed += len(row.members) - 1
                yield row
        if placed < len(self._follows):
            raise ImpossibleError  # some serve each other in a circle

    def _is_change(self, operation: Operation) -> bool:
        return operation.is_definite and self._problem.model.makes(operation) not in (NONE, ANY)

    def _behind(self, number: int) -> Iterator[list[Operation]]:
        """The row behind an operation, as groups that come one after the other."""
        while served := self._served.get(number):
            yield served.readers
            yield served.takers
            if not served.takers:
                return
            if len(served.takers) > 1:
                raise ImpossibleError  # a state that came about once was taken away twice
            number = served.takers[0].number

    # --- order ------------------------------------------------------------------------------------------------------

    def _check_overlaps(self) -> None:
        """Look for two rows each of which has begun before the other is over."""
        # Of the first so many rows, the two that are over last.
        latest: list[list[Row]] = [[]]
        for row in self._rows:
            latest.append(sorted([*latest[-1], row], key=lambda row: row.over_s)[-2:])
        for row in self._rows:
            earlier = latest[bisect_left(self._begun, row.over_s)]
            if any(other.over_s > row.begun_s for other in earlier if other is not row):
                raise ImpossibleError


def _row(groups: list[list[Operation]], begun_s: float) -> Row:
    over_s = -inf
    for group in groups:
        for operation in group:
            if operation.closes_s < over_s:
                raise ImpossibleError
            begun_s = min(begun_s, operation.closes_s)
        over_s = max([over_s, *(operation.invoked_s for operation in group)])
    return Row(tuple(operation for group in groups for operation in group), begun_s, over_s)
