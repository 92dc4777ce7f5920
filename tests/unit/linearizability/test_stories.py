"""Stories that a register can or cannot tell: one for each way in which a replicated one goes wrong."""

from __future__ import annotations

import pytest

from tests.linearizability.checker import Answer, check
from tests.linearizability.history import History
from tests.linearizability.models import Register
from tests.unit.linearizability.stories import failed, ok, tell, unknown


def answer(history: History) -> Answer:
    """Whether it is linearizable as registers."""
    return check(history, Register()).answer


POSSIBLE = {
    "nothing happened": tell(),
    "a read of a new register": tell(ok("a", (0, 1), "read")),
    "a write and its read": tell(ok("a", (0, 1), "write", "x"), ok("b", (2, 3), "read", gives="x")),
    "a read during a write may be early": tell(ok("a", (0, 9), "write", "x"), ok("b", (1, 2), "read")),
    "a read during a write may be late": tell(ok("a", (0, 9), "write", "x"), ok("b", (1, 2), "read", gives="x")),
    "two writes at once, in the order of their returns or not": tell(
        ok("a", (0, 2), "write", "x"),
        ok("b", (1, 3), "write", "y"),
        ok("c", (4, 5), "read", gives="x"),
    ),
    "equal times are in no order": tell(ok("a", (0, 1), "write", "x"), ok("b", (1, 2), "read")),
    "a lost compare-and-set": tell(
        ok("a", (0, 1), "write", "x"),
        ok("b", (2, 3), "cas", "y", "z", gives=False),
        ok("b", (4, 5), "read", gives="x"),
    ),
    "a compare-and-set of a key that is not there": tell(
        ok("a", (0, 1), "cas", None, "x", gives=True),
        ok("b", (2, 3), "read", gives="x"),
    ),
    "a delete between two reads": tell(
        ok("a", (0, 1), "write", "x"),
        ok("b", (2, 5), "delete", gives=True),
        ok("a", (3, 4), "read", gives="x"),
        ok("a", (6, 7), "read"),
        ok("b", (8, 9), "delete", gives=False),
    ),
    "an unknown write seen later": tell(
        unknown("a", (0, 1), "write", "x"),
        ok("b", (2, 3), "read"),
        ok("b", (50, 51), "read", gives="x"),
    ),
    "an unknown write after a write that came later": tell(
        unknown("a", (0, 1), "write", "x"),
        ok("b", (2, 3), "write", "y"),
        ok("b", (4, 5), "read", gives="y"),
        ok("b", (6, 7), "read", gives="x"),
    ),
    "an unknown write never seen": tell(unknown("a", (0, 1), "write", "x"), ok("b", (2, 3), "read")),
    "an unknown compare-and-set that another one builds on": tell(
        ok("a", (0, 1), "write", "x"),
        unknown("b", (2, 3), "cas", "x", "y"),
        ok("c", (4, 5), "cas", "y", "z", gives=True),
    ),
    "two unknown compare-and-sets in the order in which they work": tell(
        unknown("a", (0, 1), "cas", "x", "y"),
        unknown("b", (0, 1), "cas", None, "x"),
        ok("c", (4, 5), "read", gives="y"),
    ),
    "an unknown delete between two writes of one value": tell(
        ok("a", (0, 1), "write", "x"),
        unknown("b", (2, 3), "delete"),
        ok("a", (4, 5), "cas", None, "x", gives=True),
        ok("a", (6, 7), "read", gives="x"),
    ),
    "a failed write not seen": tell(failed("a", (0, 1), "write", "x"), ok("b", (2, 3), "read")),
    "each key by itself": tell(
        ok("a", (0, 1), "write", "x", key="k"),
        ok("a", (2, 3), "read", key="l"),
        ok("a", (4, 5), "read", gives="x", key="k"),
    ),
}

IMPOSSIBLE = {
    "a value that nobody wrote": tell(ok("a", (0, 1), "write", "x"), ok("b", (2, 3), "read", gives="y")),
    "a value before it was written": tell(ok("a", (0, 1), "read", gives="x"), ok("b", (2, 3), "write", "x")),
    "an acknowledged write lost": tell(ok("a", (0, 1), "write", "x"), ok("b", (2, 3), "read")),
    "a stale read": tell(
        ok("a", (0, 1), "write", "x"),
        ok("b", (2, 3), "write", "y"),
        ok("c", (4, 5), "read", gives="x"),
    ),
    "new, then old, while the write is under way": tell(
        ok("a", (0, 1), "write", "x"),
        ok("b", (2, 9), "write", "y"),
        ok("c", (3, 4), "read", gives="y"),
        ok("d", (5, 6), "read", gives="x"),
    ),
    "two readers who saw two writes in different orders": tell(
        ok("a", (0, 9), "write", "x"),
        ok("b", (0, 9), "write", "y"),
        ok("c", (1, 2), "read", gives="x"),
        ok("d", (3, 4), "read", gives="y"),
        ok("c", (5, 6), "read", gives="x"),
    ),
    "a lost update": tell(
        ok("a", (0, 1), "write", 0),
        ok("b", (2, 5), "cas", 0, 1, gives=True),
        ok("c", (6, 7), "read", gives=0),
    ),
    "a compare-and-set that succeeded twice": tell(
        ok("a", (0, 1), "write", 0),
        ok("b", (2, 5), "cas", 0, 1, gives=True),
        ok("c", (3, 4), "cas", 0, 2, gives=True),
    ),
    "a compare-and-set that lost against nothing": tell(
        ok("a", (0, 1), "write", 0),
        ok("b", (2, 3), "cas", 0, 1, gives=False),
    ),
    "a write between the two halves of a compare-and-set": tell(
        ok("a", (0, 1), "write", 0),
        ok("b", (2, 9), "cas", 0, 1, gives=True),
        ok("c", (3, 4), "write", 5),
        ok("d", (6, 7), "read", gives=0),
    ),
    "a deleted value": tell(
        ok("a", (0, 1), "write", "x"),
        ok("b", (2, 3), "delete", gives=True),
        ok("c", (4, 5), "read", gives="x"),
    ),
    "a delete that found nothing where something was": tell(
        ok("a", (0, 1), "write", "x"),
        ok("b", (2, 3), "delete", gives=False),
    ),
    "a delete that found something where nothing was": tell(ok("b", (2, 3), "delete", gives=True)),
    "an unknown write seen, then unseen": tell(
        ok("a", (0, 1), "write", "x"),
        unknown("b", (2, 3), "write", "y"),
        ok("c", (4, 5), "read", gives="y"),
        ok("d", (6, 7), "read", gives="x"),
    ),
    "an unknown write that happened twice": tell(
        unknown("a", (0, 1), "write", "x"),
        ok("b", (2, 3), "read", gives="x"),
        ok("c", (4, 5), "write", "y"),
        ok("d", (6, 7), "read", gives="x"),
    ),
    "an unknown write before it was asked for": tell(
        ok("a", (0, 1), "read", gives="x"),
        unknown("b", (2, 3), "write", "x"),
    ),
    "an unknown compare-and-set that cannot have fitted": tell(
        ok("a", (0, 1), "write", "x"),
        unknown("b", (2, 3), "cas", "z", "y"),
        ok("c", (4, 5), "read", gives="y"),
    ),
    "a failed write seen": tell(failed("a", (0, 1), "write", "x"), ok("b", (2, 3), "read", gives="x")),
    "a failed compare-and-set in the way of another": tell(
        ok("a", (0, 1), "write", "x"),
        failed("b", (2, 3), "cas", "x", "y"),
        ok("c", (4, 5), "cas", "x", "z", gives=False),
    ),
    "one key of two": tell(
        ok("a", (0, 1), "write", "x", key="k"),
        ok("a", (2, 3), "read", gives="x", key="l"),
    ),
}


@pytest.mark.parametrize("story", POSSIBLE)
def test_what_a_register_can_do_is_accepted(story: str) -> None:
    """No order is asked for where real time gives none, and an unknown outcome stays open to the end."""
    assert answer(POSSIBLE[story]) is Answer.YES


@pytest.mark.parametrize("story", IMPOSSIBLE)
def test_what_no_register_can_do_is_rejected(story: str) -> None:
    """Each of these is a bug that a replicated register has had."""
    assert answer(IMPOSSIBLE[story]) is Answer.NO


def test_the_keys_are_named() -> None:
    """The verdict says which key is to blame."""
    verdict = check(IMPOSSIBLE["one key of two"], Register())

    assert verdict.of(Answer.NO) == ["l"]
    assert verdict.of(Answer.YES) == ["k"]
