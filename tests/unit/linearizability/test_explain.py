"""A failure is explained by the shortest beginning and the fewest operations that cannot be ordered."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import pytest
from hypothesis import given, settings

from tests.linearizability.checker import Answer, judge
from tests.linearizability.explain import Explanation, explain
from tests.linearizability.history import History
from tests.linearizability.models import Register
from tests.linearizability.operation import Operation, Outcome, Value
from tests.linearizability.timeline import render
from tests.unit.linearizability.brute_force import has_order
from tests.unit.linearizability.registers import Mix, lived, stale_reads
from tests.unit.linearizability.small import small_histories
from tests.unit.linearizability.stories import altered, failed, ok, tell, unknown
from tests.unit.linearizability.test_stories import IMPOSSIBLE

BUDGET_STEPS = 1_000_000


def explained(history: History, budget_steps: int = BUDGET_STEPS) -> Explanation:
    """The explanation of a history of one key that has one."""
    explanation = explain(history.operations, Register(), budget_steps)
    assert explanation is not None
    return explanation


def beginning(operations: Sequence[Operation], until_s: float, *, is_over: bool) -> list[Operation]:
    """What was known at that time, or just before it."""
    return [
        operation if operation.closes_s < until_s or (is_over and operation.closes_s == until_s) else operation.opened()
        for operation in operations
        if operation.outcome is not Outcome.FAILED and operation.invoked_s <= until_s
    ]


def with_floating(operations: Sequence[Operation], kept: Collection[int]) -> list[Operation]:
    """All but the ones with these numbers free of real time."""
    return [operation if operation.number in kept else operation.floating() for operation in operations]


@settings(max_examples=300)
@given(small_histories())
def test_an_explanation_is_true_and_small(operations: list[Operation]) -> None:
    """By brute force: its beginning is the shortest, its core cannot be ordered, and any part of the core can be."""
    explanation = explain(operations, Register(), BUDGET_STEPS)
    assert (explanation is None) == has_order(operations, Register())
    if explanation:
        known = beginning(operations, explanation.until_s, is_over=True)
        core = {operation.number for operation in explanation.core}
        assert not has_order(known, Register())
        assert has_order(beginning(operations, explanation.until_s, is_over=False), Register())
        assert not has_order(with_floating(known, core), Register())
        for number in core:
            assert has_order(with_floating(known, core - {number}), Register())
        assert explanation.culprit.returned_s == explanation.until_s


def test_one_stale_read_among_2000_operations_is_explained_by_a_few(seed: int) -> None:
    """Who wrote or saw the value, who wrote or saw another one since, and who read it again."""
    history = lived(Mix(operations=2_000, clients=50, lost=20, failed=20), seed)
    stale = stale_reads(history)
    read, value = stale[seed % len(stale)]

    explanation = explained(altered(history, {read.number: value}), 5 * BUDGET_STEPS)

    assert len(explanation.core) <= 4
    assert explanation.is_smallest, "that nothing smaller will do is proven, whatever stayed undecided on the way"
    assert (
        judge(
            with_floating(
                beginning(altered(history, {read.number: value}).operations, explanation.until_s, is_over=True),
                {operation.number for operation in explanation.core},
            ),
            Register(),
            BUDGET_STEPS,
        ).answer
        is Answer.NO
    )


@pytest.mark.parametrize(
    ("story", "core", "culprit", "possible"),
    [
        ("a stale read", [1, 2, 3], 3, ("y",)),
        ("a value that nobody wrote", [2], 2, ("x",)),
        ("an acknowledged write lost", [1, 2], 2, ("x",)),
        ("a lost update", [2, 3], 3, (1,)),
        ("a compare-and-set that succeeded twice", [2, 3], 2, (False,)),
        ("a compare-and-set that lost against nothing", [1, 2], 2, (True,)),
        ("an unknown write seen, then unseen", [1, 3, 4], 4, ("y",)),
        ("an unknown write that happened twice", [2, 3, 4], 4, ("y",)),
        ("an unknown write before it was asked for", [1], 1, (None,)),
        ("a failed write seen", [2], 2, (None,)),
    ],
)
def test_a_story_is_explained_by_its_point(
    story: str, core: list[int], culprit: int, possible: tuple[Value, ...]
) -> None:
    """What cannot be ordered, who is to blame, and what would have been right."""
    explanation = explained(IMPOSSIBLE[story])

    assert [operation.number for operation in explanation.core] == core
    assert explanation.culprit.number == culprit
    assert explanation.possible == possible


def test_what_failed_and_was_seen_is_named() -> None:
    """It was certainly not carried out, and yet that would explain it all."""
    history = tell(
        failed("a", (0, 1), "write", "w"),
        failed("b", (0, 1), "write", "x"),
        ok("c", (2, 3), "read", gives="x"),
    )

    explanation = explained(history)

    assert [operation.number for operation in explanation.failed] == [2]
    assert "possible if it had been carried out, but it failed: #2 write 'x' of b" in render(explanation, Register())


def test_an_explanation_reads_like_a_story() -> None:
    """One line a client, in the order of time, and the sentence that says what is impossible."""
    history = tell(
        ok("a", (0, 1), "write", "x"),
        unknown("b", (2, 3), "write", "y"),
        ok("c", (4, 5), "read", gives="y"),
        ok("d", (4.5, 6), "read", gives="y"),
        ok("b", (7, 8), "read", gives="x"),
        ok("b", (9, 10), "read", gives="x"),
    )

    assert render(explained(history), Register()).splitlines() == [
        "key 'k' is no register: of its 6 operations, 3 cannot be ordered, whenever the others took effect",
        "",
        "  a  ├ #1 write 'x' ─┤",
        "  d                    ├ #4 read → 'y' ─┤",
        "  b                                       ├ #5 read → 'x' ─┤  ✗",
        "",
        "  #1 write 'x' of a: invoked 0.000000 s, returned 1.000000 s",
        "  #4 read → 'y' of d: invoked 4.500000 s, returned 6.000000 s",
        "  #5 read → 'x' of b: invoked 7.000000 s, returned 8.000000 s",
        "",
        "impossible: #5 read → 'x' of b, after 4 others had begun",
        "possible here: 'y'",
        "in real time: #1 was over before #4 began; #4 was over before #5 began",
        "of no help at any time: #2 write 'y' of b: invoked 2.000000 s, open",
    ]


def test_what_overlaps_is_drawn_overlapping() -> None:
    """Invocations and returns stand in their order, and what one client has open goes on beside what it does next."""
    history = tell(
        ok("a", (0, 9), "write", "x"),
        ok("b", (1, 2), "cas", "x", "y", gives=True),
        ok("b", (3, 4), "cas", "x", "y", gives=True),
    )

    drawn = render(explained(history), Register()).splitlines()

    assert drawn[2:4] == [
        "  b  ├ #2 cas 'x' 'y' → True ─┤ ├ #3 cas 'x' 'y' → True ─┤  ✗",
        "",
    ]


def few_values() -> History:
    """A history in which a value may come from any of many writes, with a few reads that cannot be."""
    history = lived(Mix(operations=300, clients=10, values=3, pause_s=3.0), 5)
    reads = [operation.number for operation in history if operation.function == "read"]
    return altered(history, dict.fromkeys(reads[40:60], 1))


def test_what_is_too_much_to_draw_is_listed() -> None:
    """Where values come back, many operations matter for being over alone."""
    explanation = explained(few_values())
    text = render(explanation, Register())

    assert len(explanation.core) > 12
    assert "that began before these belong to it, the last: #" in text
    assert len([line for line in text.splitlines() if "├" in line]) <= 10
    assert "more that leave the same values" in text


def test_a_small_budget_still_gives_a_true_explanation() -> None:
    """Perhaps not the smallest part then, and it says so; with nothing left there is no explanation at all."""
    wrong = few_values()
    explanation = explain(wrong.operations, Register(), 1_000)

    assert explanation is not None
    assert not explanation.is_smallest
    assert "a smaller part may do" in render(explanation, Register())
    known = beginning(wrong.operations, explanation.until_s, is_over=True)
    core = {operation.number for operation in explanation.core}
    assert judge(with_floating(known, core), Register(), BUDGET_STEPS).answer is Answer.NO


def test_what_cannot_be_decided_is_not_explained() -> None:
    """Nor is what can be ordered."""
    undecided = IMPOSSIBLE["a compare-and-set that lost against nothing"]

    assert explain(undecided.operations, Register(), 1) is None
    assert explain(tell(ok("a", (0, 1), "read")).operations, Register()) is None
