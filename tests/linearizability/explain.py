"""Why a history is not linearizable: the shortest beginning that is not, and the few operations in it that clash.

What lives here: making the history small. What does not: showing it (timeline.py).

The beginning is cut where the first operation returned that could not be ordered any more: what was under way then
counts as open. Of the operations in it most do not matter. One is left out by letting it float: it may take effect at
any time at all, or never. What still cannot be ordered then cannot be ordered whatever the others did, and no more is
left out once each of those that are left is needed (QuickXplain: Junker, AAAI 2004).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from math import inf
from typing import Any

from attrs import evolve, frozen

from tests.linearizability.checker import BUDGET_STEPS, Answer, Judgement, judge
from tests.linearizability.models import ANY, Model
from tests.linearizability.operation import Operation, Outcome, Value

POSSIBLE_MAX = 3
GUESSES_MAX = 12
FAILED_MAX = 12
QUESTION_STEPS_MAX = 200_000
"""What is not decided by then is taken for possible: one hard question must not use up the budget of all."""


@frozen
class Explanation:
    """What clashes. Times are as known at `until_s`: what had not returned by then is open.

    core: the operations that cannot be ordered, by invocation; leave out one and they can. culprit: the one of them
    whose return made the history impossible. possible: results it could have had instead, a few. floating: others that
    make what the core needs, and do not help at any time. failed: operations that certainly were not carried out, each
    of which would have explained it. beginning: how many operations had begun by then. is_smallest: False if a
    question stayed undecided, so that a shorter beginning or a smaller core may do.
    """

    key: str
    operations: int
    beginning: int
    until_s: float
    core: tuple[Operation, ...]
    culprit: Operation
    possible: tuple[Value, ...]
    floating: tuple[Operation, ...]
    failed: tuple[Operation, ...]
    is_smallest: bool


def explain(operations: Sequence[Operation], model: Model[Any], budget_steps: int = BUDGET_STEPS) -> Explanation | None:
    """Explain why the operations of one key cannot be ordered. None if they can, or if that stays undecided."""
    return _Inquiry(operations, model, budget_steps).explanation()


class _Inquiry:
    """The questions put to the checker, out of one budget. What stays undecided counts as possible."""

    def __init__(self, operations: Sequence[Operation], model: Model[Any], budget_steps: int) -> None:
        self._operations = operations
        self._model = model
        self._budget_steps = budget_steps
        self._is_sure = True

    def explanation(self) -> Explanation | None:
        judgement = judge(self._operations, self._model, self._budget_steps)
        self._budget_steps -= judgement.steps
        if judgement.answer is not Answer.NO:
            return None
        until_s = self._first_impossible()
        beginning = _until(self._operations, until_s)
        core = self._core(beginning)
        if not self._is_sure:
            core = self._proven(until_s, beginning, core)
        culprit = max((operation for operation in core if operation.is_definite), key=lambda last: last.closes_s)
        return Explanation(
            key=culprit.key,
            operations=len(self._operations),
            beginning=len(beginning),
            until_s=until_s,
            core=core,
            culprit=culprit,
            possible=tuple(islice(self._possible(beginning, culprit), POSSIBLE_MAX)),
            floating=self._floating(beginning, core),
            failed=tuple(self._missed(beginning, culprit)),
            is_smallest=self._is_sure,
        )

    def _judge(self, operations: Sequence[Operation]) -> Judgement:
        judgement = judge(operations, self._model, min(self._budget_steps, QUESTION_STEPS_MAX))
        self._budget_steps -= judgement.steps
        return judgement

    def _is_impossible(self, operations: Sequence[Operation]) -> bool:
        answer = self._judge(operations).answer
        self._is_sure = self._is_sure and answer is not Answer.UNDECIDED
        return answer is Answer.NO

    def _first_impossible(self) -> float:
        """The time of the first return that makes the history impossible: a longer beginning is no more possible."""
        returns = sorted({operation.closes_s for operation in self._operations} - {inf})
        low, high = 0, len(returns) - 1
        while low < high:
            middle = (low + high) // 2
            if self._is_impossible(_until(self._operations, returns[middle])):
                high = middle
            else:
                low = middle + 1
        return returns[high]

    def _core(self, beginning: Sequence[Operation]) -> tuple[Operation, ...]:
        """The smallest part: what returned last is kept first, since that is the easiest to follow."""
        by_return = sorted(beginning, key=lambda operation: (operation.is_definite, operation.closes_s), reverse=True)

        def is_enough(kept: Sequence[Operation]) -> bool:
            return self._is_impossible(_kept(beginning, kept))

        def needed(kept: list[Operation], is_new: bool, rest: list[Operation]) -> list[Operation]:
            if is_new and is_enough(kept):
                return []
            if len(rest) == 1:
                return rest
            late, early = rest[: len(rest) // 2], rest[len(rest) // 2 :]
            of_early = needed([*kept, *late], True, early)
            of_late = needed([*kept, *of_early], bool(of_early), late)
            return of_early + of_late

        core = needed([], False, by_return)
        return tuple(sorted(core, key=lambda operation: (operation.invoked_s, operation.closes_s)))

    def _proven(
        self, until_s: float, beginning: Sequence[Operation], core: tuple[Operation, ...]
    ) -> tuple[Operation, ...]:
        """The core again, after some questions stayed undecided: without what they left in it, and sure if nothing
        smaller will do. The questions are few now, and easy where the core is small.
        """
        before = max((operation.closes_s for operation in beginning if operation.closes_s < until_s), default=-inf)
        self._is_sure = self._judge(_until(self._operations, before)).answer is Answer.YES
        for operation in core:
            smaller = tuple(other for other in core if other is not operation)
            if self._is_impossible(_kept(beginning, smaller)):
                core = smaller
        return core

    def _possible(self, beginning: Sequence[Operation], culprit: Operation) -> Iterator[Value]:
        """Other results that the culprit could have had."""
        for result in islice(self._guesses(beginning, culprit), GUESSES_MAX):
            told = evolve(culprit, result=result)
            changed = [told if operation is culprit else operation for operation in beginning]
            if self._judge(changed).answer is Answer.YES:
                yield result

    def _guesses(self, beginning: Sequence[Operation], culprit: Operation) -> Iterator[Value]:
        """What it would have returned at the end of an order of the others, and after one or the other of them."""
        others = [operation for operation in beginning if operation is not culprit]
        states = [self._model.initial()]
        for operation in others:
            states.append(self._model.apply(states[-1], operation)[0])
        for operation in self._judge(others).order:
            states.append(self._model.apply(states[-1], operation)[0])
        results = (self._model.apply(state, culprit)[1] for state in reversed(states))
        return (result for result in dict.fromkeys(results) if result != culprit.result)

    def _floating(self, beginning: Sequence[Operation], core: Iterable[Operation]) -> tuple[Operation, ...]:
        numbers = {operation.number for operation in core}
        needed = {self._model.needs(operation) for operation in core} - {ANY, self._model.initial()}
        return tuple(
            operation
            for operation in beginning
            if operation.number not in numbers and self._model.makes(operation) in needed
        )

    def _missed(self, beginning: Sequence[Operation], culprit: Operation) -> Iterator[Operation]:
        """Failed operations that would explain everything if they had been carried out after all."""
        failed = [operation for operation in self._operations if operation.outcome is Outcome.FAILED]
        failed = [operation for operation in failed if operation.invoked_s <= culprit.returned_s]
        for operation in failed[-FAILED_MAX:]:
            if self._judge([*beginning, operation.opened()]).answer is Answer.YES:
                yield operation


def _kept(beginning: Iterable[Operation], kept: Iterable[Operation]) -> list[Operation]:
    """The beginning with all but a few of its operations floating."""
    numbers = {operation.number for operation in kept}
    return [operation if operation.number in numbers else operation.floating() for operation in beginning]


def _until(operations: Iterable[Operation], until_s: float) -> list[Operation]:
    """What was known at a time, failures left out: those are known to have done nothing."""
    return [
        operation if operation.closes_s <= until_s else operation.opened()
        for operation in operations
        if operation.invoked_s <= until_s and operation.outcome is not Outcome.FAILED
    ]
