"""The simulator sees batches that are not one change: stores that tear `put_many` apart are found out."""

from __future__ import annotations

from collections.abc import Sequence
from unittest import mock

import pytest

from storage.kv import KeyValueStore
from storage.kv_protocol import Answered, KvResult, Op, Txn
from tests.simulation.invariants import Invariant
from tests.simulation.runner import run_seeds

SEEDS = range(20)


def one_by_one(store: KeyValueStore, batch: Txn) -> KvResult:
    """Each key at a revision of its own."""
    return [whole(store, [one]) for one in batch.then][-1]


def all_but_the_last(store: KeyValueStore, batch: Txn) -> KvResult:
    """One key is forgotten."""
    return whole(store, batch.then[:-1])


def in_two_halves(store: KeyValueStore, batch: Txn) -> KvResult:
    """The second half at another revision, which is the one that is told."""
    middle = len(batch.then) // 2
    return [whole(store, half) for half in (batch.then[:middle], batch.then[middle:])][-1]


def whole(store: KeyValueStore, ops: Sequence[Op]) -> KvResult:
    """A batch as it should be."""
    results = store._carry_out(ops)
    return Answered(True, store.revision, results)


@pytest.mark.parametrize("torn", [one_by_one, all_but_the_last, in_two_halves])
def test_a_torn_batch_is_found_out(torn: object) -> None:
    """Who lists the keys sees a state that no whole batch made."""
    with mock.patch.object(KeyValueStore, "_txn", torn):
        first = next((outcome for outcome in run_seeds(SEEDS) if not outcome.held), None)

    assert first is not None
    assert first.invariant in (Invariant.ATOMIC, Invariant.STATE_MACHINE_SAFETY)
