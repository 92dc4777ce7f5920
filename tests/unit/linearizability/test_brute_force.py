"""The checker against the definition, on histories small enough to try every order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tests.linearizability import search
from tests.linearizability.checker import Answer, judge
from tests.linearizability.models import Model, Register
from tests.linearizability.operation import Operation
from tests.linearizability.problem import Problem
from tests.linearizability.search import Search
from tests.unit.linearizability.brute_force import explains, has_order, keeps_real_time
from tests.unit.linearizability.small import small_histories

BUDGET_STEPS = 1_000_000
MANY = settings(max_examples=400)


class Plain(Register):
    """A register that gives the search no hints."""

    needs = Model.needs
    makes = Model.makes
    simplify = Model.simplify


@MANY
@given(small_histories())
def test_the_answer_is_that_of_brute_force(operations: list[Operation]) -> None:
    """Zones, search and simplification together say what trying every order says."""
    judgement = judge(operations, Register(), BUDGET_STEPS)

    assert (judgement.answer is Answer.YES) == has_order(operations, Register())


@MANY
@given(small_histories())
def test_the_order_given_is_one(operations: list[Operation]) -> None:
    """It explains every result, respects real time, and leaves nothing out that happened."""
    judgement = judge(operations, Register(), BUDGET_STEPS)
    if judgement.answer is Answer.YES:
        assert explains(judgement.order, Register())
        assert keeps_real_time(judgement.order)
        assert {operation for operation in operations if operation.is_definite} <= set(judgement.order)


@MANY
@given(small_histories())
def test_the_search_alone_knows_too(operations: list[Operation]) -> None:
    """Without the zones, and without any hint, the answer is the same."""
    for model in (Register(), Plain()):
        found = Search(Problem.of(operations, model), BUDGET_STEPS).order()
        assert (found is not None) == has_order(operations, Register())


def test_taking_turns_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that starts anew every few steps still ends, and with the right answer."""
    monkeypatch.setattr(search, "TURN_STEPS", 5)

    @MANY
    @given(small_histories())
    def holds(operations: list[Operation]) -> None:
        found = Search(Problem.of(operations, Register()), BUDGET_STEPS).order()
        assert (found is not None) == has_order(operations, Register())

    holds()
