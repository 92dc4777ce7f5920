"""The checker against the definition, on histories small enough to try every order."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tests.linearizability import search
from tests.linearizability.checker import Answer, judge
from tests.linearizability.models import Model, Register
from tests.linearizability.needs import Needs
from tests.linearizability.operation import Operation
from tests.linearizability.problem import Problem
from tests.linearizability.search import Search
from tests.linearizability.zones import ImpossibleError, Zones
from tests.unit.linearizability.brute_force import explains, has_order, keeps_real_time
from tests.unit.linearizability.small import small_histories

BUDGET_STEPS = 1_000_000
MANY = settings(max_examples=400)


class Plain(Register):
    """A register that gives the search no hints."""

    needs = Model.needs
    makes = Model.makes
    simplify = Model.simplify


def is_impossible(operations: list[Operation]) -> bool:
    """Whether the zones alone show that there is no order."""
    problem = Problem.of(operations, Register())
    try:
        Zones(problem, Needs(problem))
    except ImpossibleError:
        return True
    return False


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


@MANY
@given(small_histories())
def test_zones_never_reject_what_is_possible(operations: list[Operation]) -> None:
    """The quick proof is a proof."""
    if is_impossible(operations):
        assert not has_order(operations, Register())


@MANY
@given(small_histories(functions=("read", "write"), once=True))
def test_zones_decide_reads_and_writes_of_values_written_once(operations: list[Operation]) -> None:
    """Gibbons' and Korach's theorem."""
    assert is_impossible(operations) != has_order(operations, Register())


@MANY
@given(small_histories(functions=("read", "cas"), once=True))
def test_zones_link_what_compare_and_sets_link(operations: list[Operation]) -> None:
    """With those that succeeded or were lost to the client, and reads: the same, for a row of any length."""
    told = [operation for operation in operations if operation.result is not False]

    assert is_impossible(told) != has_order(told, Register())
