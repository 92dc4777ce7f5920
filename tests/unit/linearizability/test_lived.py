"""Histories of real registers are accepted; with one result altered to what cannot be they are not."""

from __future__ import annotations

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.linearizability.checker import Answer, check
from tests.linearizability.history import History
from tests.linearizability.models import Register
from tests.unit.linearizability.brute_force import explains, keeps_real_time
from tests.unit.linearizability.registers import Mix, lived, stale_reads
from tests.unit.linearizability.stories import altered

SEEDS = st.integers(0, 1 << 32)
FEW = settings(max_examples=60)


@st.composite
def mixes(draw: st.DrawFn) -> Mix:
    """Some dozen operations of a few clients."""
    return Mix(
        operations=draw(st.integers(1, 60)),
        clients=draw(st.integers(1, 12)),
        keys=draw(st.integers(1, 3)),
        values=draw(st.sampled_from([0, 1, 3])),
        reads=draw(st.sampled_from([0.2, 0.5])),
        cas=draw(st.sampled_from([0.0, 0.2, 0.4])),
        deletes=draw(st.sampled_from([0.0, 0.1])),
        lost=draw(st.integers(0, 10)),
        failed=draw(st.integers(0, 5)),
        pause_s=draw(st.sampled_from([0.1, 3.0])),
    )


@FEW
@given(mixes(), SEEDS)
def test_what_was_lived_is_accepted(mix: Mix, seed: int) -> None:
    """Whatever overlaps, is lost or failed: there is an order, and the one that is given explains everything."""
    verdict = check(lived(mix, seed), Register())

    assert verdict.answer is Answer.YES
    for judgement in verdict.judgements:
        assert explains(judgement.order, Register())
        assert keeps_real_time(judgement.order)


@FEW
@given(mixes(), SEEDS)
def test_a_stale_read_is_found(mix: Mix, seed: int) -> None:
    """One read among the others, of a value that was certainly overwritten before."""
    history = lived(evolve(mix, values=0), seed)
    if stale := stale_reads(history):
        read, value = stale[seed % len(stale)]
        verdict = check(altered(history, {read.number: value}), Register())
        assert verdict.answer is Answer.NO
        assert verdict.of(Answer.NO) == [read.key]


@FEW
@given(mixes(), SEEDS)
def test_a_value_out_of_nowhere_is_found(mix: Mix, seed: int) -> None:
    """One read of a value that was never written, wherever in the history it is."""
    history = lived(mix, seed)
    reads = [operation for operation in history if operation.function == "read" and operation.is_definite]
    if reads:
        read = reads[seed % len(reads)]
        assert check(altered(history, {read.number: "nowhere"}), Register()).answer is Answer.NO


@FEW
@given(mixes(), SEEDS)
def test_longer_operations_take_no_order_away(mix: Mix, seed: int) -> None:
    """A client that looks at the clock too early and too late can only hide a fault, never make one up."""
    history = lived(mix, seed)
    stretched = [
        evolve(operation, invoked_s=operation.invoked_s - 1.0, returned_s=operation.returned_s + 1.0)
        for operation in history
    ]

    assert check(History(stretched), Register()).answer is Answer.YES
