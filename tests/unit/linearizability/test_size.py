"""What is decided within how many steps, and what happens when the budget is spent.

A step tries one operation in one state, and takes a few microseconds: a million are some seconds on any machine.
"""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from tests.linearizability.checker import Answer, check
from tests.linearizability.models import Model, Register
from tests.unit.linearizability.registers import Mix, lived, stale_reads
from tests.unit.linearizability.stories import altered, ok, tell

STEPS_MAX = 500_000
FULL = Mix(operations=2_000, clients=50)

MIXES = {
    "values written once": FULL,
    "values written once, deletes": evolve(FULL, deletes=0.05),
    "values written once, 60 unknown": evolve(FULL, lost=60, failed=20, deletes=0.05),
    "mostly writes": evolve(FULL, reads=0.2, cas=0.0),
    "mostly compare-and-sets": evolve(FULL, reads=0.2, cas=0.6),
    "five values": evolve(FULL, values=5),
    "five values, 40 unknown": evolve(FULL, values=5, lost=40, failed=20, deletes=0.05),
    "twenty values": evolve(FULL, values=20),
    "twenty values, 30 unknown": evolve(FULL, values=20, lost=30),
    "a hundred values, 20 unknown": evolve(FULL, values=100, lost=20, deletes=0.05),
    "two values, 40 unknown": evolve(FULL, values=2, lost=40),
    "ten keys, 60 unknown": evolve(FULL, keys=10, lost=60, failed=20, deletes=0.05),
    "ten keys of five values, 60 unknown": evolve(FULL, keys=10, values=5, lost=60),
}


@pytest.mark.parametrize("mix", MIXES)
@pytest.mark.parametrize("fixed_seed", [1, 2])
def test_2000_operations_of_50_clients_are_accepted_soon(mix: str, fixed_seed: int) -> None:
    """All on one key and nearly all 50 at once, which is the worst, or on a few keys.

    Seeds that do not change: to find an order is hard in theory, and one history in some hundreds shows it.
    """
    verdict = check(lived(MIXES[mix], fixed_seed), Register(), STEPS_MAX)

    assert verdict.answer is Answer.YES
    assert verdict.steps <= STEPS_MAX


@pytest.mark.parametrize("mix", [mix for mix in MIXES if not MIXES[mix].values])
def test_one_stale_read_among_2000_operations_is_found_soon(mix: str, seed: int) -> None:
    """Where values are written once, the answer no takes no longer than the answer yes."""
    history = lived(MIXES[mix], seed)
    stale = stale_reads(history)
    read, value = stale[seed % len(stale)]

    verdict = check(altered(history, {read.number: value}), Register())

    assert verdict.answer is Answer.NO
    assert verdict.steps <= STEPS_MAX


class Guarded(Register):
    """A register that hides from the search what it needs: no cut applies, and every order has to be tried."""

    needs = Model.needs
    makes = Model.makes
    simplify = Model.simplify


def test_a_search_that_takes_too_long_ends_undecided() -> None:
    """Twenty writes at once and a read of none of them: 2^20 sets of writes, of which a thousand steps see few."""
    writes = [ok(f"c{number}", (0, 1), "write", number) for number in range(20)]
    history = tell(*writes, ok("r", (2, 3), "read", gives="none of them"))
    model: Model[Any] = Guarded()

    verdict = check(history, model, 1_000)

    assert verdict.answer is Answer.UNDECIDED
    assert verdict.steps == 1_000


def test_what_one_key_leaves_undecided_hides_no_fault_of_another() -> None:
    """A fault is a fault, and small keys are judged before large ones spend the budget."""
    writes = [ok(f"c{number}", (0, 1), "write", number, key="large") for number in range(20)]
    history = tell(
        *writes,
        ok("r", (2, 3), "read", gives="none of them", key="large"),
        ok("r", (4, 5), "read", gives="nothing was written", key="small"),
        ok("r", (6, 7), "read", key="empty"),
    )

    verdict = check(history, Guarded(), 1_000)

    assert verdict.answer is Answer.NO
    assert verdict.of(Answer.NO) == ["small"]
    assert verdict.of(Answer.UNDECIDED) == ["large"]
    assert verdict.of(Answer.YES) == ["empty"]
    assert verdict.steps <= 1_000


def test_no_budget_decides_nothing() -> None:
    """Zero, or less, is no way to search for ever."""
    history = tell(ok("a", (0, 1), "write", "x"))

    assert check(history, Register(), 0).answer is Answer.UNDECIDED
    assert check(history, Register(), -1).answer is Answer.UNDECIDED
