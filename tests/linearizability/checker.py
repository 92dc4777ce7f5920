"""The checker: is there one order of all operations that explains every result and respects real time?

What lives here: judging one key, judging a history key by key, and the budget. What does not: the search itself
(search.py), and why the answer is no (explain.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

from attrs import frozen

from tests.linearizability.history import History, HistoryError
from tests.linearizability.models import Model
from tests.linearizability.operation import Operation
from tests.linearizability.problem import Problem
from tests.linearizability.search import BudgetSpentError, Search

BUDGET_STEPS = 5_000_000
"""Some twenty seconds of search."""


class Answer(Enum):
    """What is known of a history."""

    YES = "linearizable"
    NO = "not linearizable"
    UNDECIDED = "undecided"


@frozen
class Judgement:
    """The answer for one key. order: the operations in an order that explains them, when the answer is YES."""

    key: str
    answer: Answer
    steps: int
    order: tuple[Operation, ...] = ()


@frozen
class Verdict:
    """The answer for a history, and for each of its keys."""

    judgements: tuple[Judgement, ...]

    @property
    def answer(self) -> Answer:
        """NO if it is for any key; else UNDECIDED if it is for any."""
        answers = {judgement.answer for judgement in self.judgements}
        return next((answer for answer in (Answer.NO, Answer.UNDECIDED) if answer in answers), Answer.YES)

    @property
    def steps(self) -> int:
        """How many times an operation was tried."""
        return sum(judgement.steps for judgement in self.judgements)

    def of(self, answer: Answer) -> list[str]:
        """The keys with this answer."""
        return [judgement.key for judgement in self.judgements if judgement.answer is answer]


def check(history: History, model: Model[Any], budget_steps: int = BUDGET_STEPS) -> Verdict:
    """Judge each key by itself. Raises HistoryError for an operation that the model does not know.

    budget_steps: for all keys together; what small keys do not need goes to the larger ones.
    """
    for operation in history:
        if fault := model.fault(operation):
            raise HistoryError(f"operation #{operation.number}: {fault}")
    parts = sorted(history.by_key().items(), key=lambda part: len(part[1]))
    judgements = []
    for count, (key, operations) in enumerate(parts):
        judgement = judge(operations, model, budget_steps // (len(parts) - count), key)
        budget_steps -= judgement.steps
        judgements.append(judgement)
    return Verdict(tuple(judgements))


def judge(operations: Sequence[Operation], model: Model[Any], budget_steps: int, key: str = "") -> Judgement:
    """Judge operations as those of one key."""
    search = Search(Problem.of(operations, model), budget_steps)
    try:
        order = search.order()
    except BudgetSpentError:
        return Judgement(key, Answer.UNDECIDED, search.steps)
    if order is None:
        return Judgement(key, Answer.NO, search.steps)
    originals = {operation.number: operation for operation in operations}
    return Judgement(key, Answer.YES, search.steps, tuple(originals[operation.number] for operation in order))
