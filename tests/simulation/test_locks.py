"""The simulator sees locks and leases that do not keep their word: each part of that, broken, is found out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from math import inf
from typing import Any
from unittest import mock

import pytest

from actors.raft.log_clock import LogClock
from storage.kv import KeyValueStore
from storage.leases import Lease, Leases
from tests.simulation.holding import SimHolder, has_holders
from tests.simulation.invariants import Invariant
from tests.simulation.runner import run_seeds

RUNS = 25

_end = KeyValueStore._end
_ended = Leases.ended
_remove = Leases.remove
_now_ms = LogClock._now_ms


def _count_goes_back(store: KeyValueStore, lease: Lease) -> None:
    """Tokens do not rise."""
    _end(store, lease)
    store._revision -= 1


def _ends_too_soon(leases: Leases, now_ms: int) -> Iterator[Lease]:
    return _ended(leases, now_ms + 100)


def _keys_stay(leases: Leases, lease: Lease) -> list[str]:
    _remove(leases, lease)
    return []


def _own_clock(clock: LogClock, now: float) -> int:
    """Of whoever leads, if it is later than the log."""
    return max(_now_ms(clock, now), int(now * 1000))


def _ahead(clock: LogClock, now: float) -> int:
    """It goes a tenth faster than that of the leader."""
    return _now_ms(clock, now * 1.1)


BROKEN: dict[str, tuple[type, str, Any, Invariant]] = {
    "tokens are given twice": (KeyValueStore, "_end", _count_goes_back, Invariant.STATE_MACHINE_SAFETY),
    "whoever comes has the lock": (SimHolder, "_is_turn", lambda *_: True, Invariant.LOCKS),
    "any token is good": (KeyValueStore, "_holds", lambda *_: True, Invariant.LOCKS),
    "a renewal is nothing": (Leases, "renew", lambda *_: None, Invariant.LEASES),
    "a lease ends before its time": (Leases, "ended", _ends_too_soon, Invariant.LEASES),
    "a key outlives its lease": (Leases, "remove", _keys_stay, Invariant.STATE_MACHINE_SAFETY),
    "the log has the time of its leader": (LogClock, "_now_ms", _own_clock, Invariant.LOCKS),
    "the log's time is fast": (LogClock, "_now_ms", _ahead, Invariant.LOCKS),
    "nobody says how late it is": (LogClock, "next_deadline", lambda *_: inf, Invariant.CONVERGENCE),
    "a snapshot forgets leases": (Leases, "rows", lambda _: [], Invariant.STATE_MACHINE_SAFETY),
}


@pytest.mark.parametrize("part", BROKEN)
def test_a_broken_part_is_found_out(part: str) -> None:
    """By what it breaks."""
    owner, name, broken, invariant = BROKEN[part]
    seeds = islice(filter(has_holders, range(10 * RUNS)), RUNS)
    with mock.patch.object(owner, name, broken):
        found = next((outcome for outcome in run_seeds(seeds) if not outcome.held), None)

    assert found is not None
    assert found.invariant == invariant, found.message
