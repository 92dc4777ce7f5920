"""What the zones alone find impossible: never what is possible, and all of it where values are written once."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings

from tests.linearizability.models import Register
from tests.linearizability.needs import Needs
from tests.linearizability.operation import Operation
from tests.linearizability.problem import Problem
from tests.linearizability.zones import ImpossibleError, Zones
from tests.unit.linearizability.brute_force import has_order
from tests.unit.linearizability.small import small_histories
from tests.unit.linearizability.stories import ok, tell, unknown

MANY = settings(max_examples=400)

IMPOSSIBLE = {
    "two rows that each began before the other was over": tell(
        ok("a", (0, 9), "write", "x"),
        ok("b", (0, 9), "write", "y"),
        ok("c", (1, 2), "read", gives="x"),
        ok("d", (3, 4), "read", gives="y"),
        ok("c", (5, 6), "read", gives="x"),
    ),
    "a value taken away twice": tell(
        ok("a", (0, 1), "write", "x"),
        ok("b", (2, 9), "cas", "x", "y", gives=True),
        ok("c", (2, 9), "cas", "x", "z", gives=True),
    ),
    "two values made out of each other": tell(
        ok("a", (0, 9), "cas", "x", "y", gives=True),
        ok("b", (0, 9), "cas", "y", "x", gives=True),
    ),
    "a row in the wrong order": tell(
        ok("a", (0, 5), "write", "x"),
        ok("b", (0, 9), "cas", "x", "y", gives=True),
        ok("c", (1, 2), "read", gives="y"),
        ok("d", (3, 4), "read", gives="x"),
    ),
    "an unknown compare-and-set that worked before it could": tell(
        unknown("a", (0, 1), "cas", "x", "y"),
        ok("b", (1, 2), "read", gives="y"),
        ok("c", (5, 6), "write", "x"),
    ),
    "an unknown compare-and-set of a value that nobody wrote": tell(
        unknown("a", (0, 1), "cas", "x", "y"),
        ok("b", (2, 3), "read", gives="y"),
    ),
    "a delete within a row": tell(
        ok("a", (0, 1), "write", "x"),
        ok("b", (2, 20), "delete", gives=True),
        ok("c", (3, 4), "read"),
        ok("d", (5, 6), "read", gives="x"),
    ),
    "a value that came back by a write that was over": tell(
        ok("a", (0, 1), "write", "x"),
        ok("a", (2, 3), "write", "y"),
        ok("b", (4, 5), "read", gives="x"),
        ok("a", (6, 7), "write", "x"),
    ),
}


def is_impossible(operations: Iterable[Operation]) -> bool:
    """Whether the zones alone show that there is no order."""
    problem = Problem.of(list(operations), Register())
    try:
        Zones(problem, Needs(problem))
    except ImpossibleError:
        return True
    return False


@pytest.mark.parametrize("story", IMPOSSIBLE)
def test_each_reason_is_found_without_a_search(story: str) -> None:
    """Where a search would have to try everything that goes on at the same time."""
    assert is_impossible(IMPOSSIBLE[story])


@MANY
@given(small_histories())
def test_what_is_possible_is_never_rejected(operations: list[Operation]) -> None:
    """The quick proof is a proof."""
    if is_impossible(operations):
        assert not has_order(operations, Register())


@MANY
@given(small_histories(functions=("read", "write"), once=True))
def test_reads_and_writes_of_values_written_once_are_decided(operations: list[Operation]) -> None:
    """Gibbons' and Korach's theorem."""
    assert is_impossible(operations) != has_order(operations, Register())


@MANY
@given(small_histories(functions=("read", "cas"), once=True))
def test_compare_and_sets_that_build_on_each_other_are_decided(operations: list[Operation]) -> None:
    """With those that succeeded or were lost to the client, and reads: the same, for a row of any length."""
    told = [operation for operation in operations if operation.result is not False]

    assert is_impossible(told) != has_order(told, Register())
