"""The simulator sees batches that are not one change: stores that tear `put_many` apart are found out."""

from __future__ import annotations

from unittest import mock

import pytest

from storage.kv import KeyValueStore
from storage.kv_protocol import KvResult, PutMany
from tests.simulation.invariants import Invariant
from tests.simulation.runner import run_seeds

SEEDS = range(20)


whole = KeyValueStore._put_many


def one_by_one(store: KeyValueStore, batch: PutMany) -> KvResult:
    """Each key at a revision of its own."""
    return [whole(store, PutMany([key], [value])) for key, value in zip(batch.keys, batch.values, strict=True)][-1]


def all_but_the_last(store: KeyValueStore, batch: PutMany) -> KvResult:
    """One key is forgotten."""
    return whole(store, PutMany(batch.keys[:-1], batch.values[:-1]))


def in_two_halves(store: KeyValueStore, batch: PutMany) -> KvResult:
    """The second half at another revision, which is the one that is told."""
    middle = len(batch.keys) // 2
    halves = slice(middle), slice(middle, None)
    return [whole(store, PutMany(batch.keys[half], batch.values[half])) for half in halves][-1]


@pytest.mark.parametrize("torn", [one_by_one, all_but_the_last, in_two_halves])
def test_a_torn_batch_is_found_out(torn: object) -> None:
    """Who lists the keys sees a state that no whole batch made."""
    with mock.patch.object(KeyValueStore, "_put_many", torn):
        first = next((outcome for outcome in run_seeds(SEEDS) if not outcome.held), None)

    assert first is not None
    assert first.invariant in (Invariant.ATOMIC, Invariant.STATE_MACHINE_SAFETY)
