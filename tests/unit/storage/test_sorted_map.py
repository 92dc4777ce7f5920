"""The sorted map: a dict with order, and views nobody can change."""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from storage.sorted_map import BLOCK_PAIRS_MAX, SortedMap

KEYS = st.text(alphabet="ab\u00e9\U0001f600", max_size=4)


class MapLife(RuleBasedStateMachine):
    """Against a dict, with views taken and walked at any time. Keys come in runs, so that blocks split and merge."""

    def __init__(self) -> None:
        super().__init__()
        self.map, self.model = SortedMap(), dict[str, bytes]()
        self.views: list[tuple[Iterator[tuple[str, bytes]], list[tuple[str, bytes]]]] = []

    @rule(key=KEYS, value=st.binary(max_size=3))
    def put(self, key: str, value: bytes) -> None:
        self.map.put(key, value)
        self.model[key] = value

    @rule(prefix=KEYS, count=st.integers(1, 3 * BLOCK_PAIRS_MAX), shuffle=st.integers(0, 9))
    def put_many(self, prefix: str, count: int, shuffle: int) -> None:
        keys = [f"{prefix}{number:05}" for number in range(count)]
        if shuffle:
            random.Random(shuffle).shuffle(keys)
        for key in keys:
            self.put(key, key[-2:].encode())

    @precondition(lambda self: self.model)
    @rule(choice=st.integers(0, 10**6))
    def delete(self, choice: int) -> None:
        key = sorted(self.model)[choice % len(self.model)]
        self.map.delete(key)
        del self.model[key]

    @rule(start=KEYS, share=st.integers(1, 4))
    def delete_many(self, start: str, share: int) -> None:
        for number, key in enumerate([key for key in sorted(self.model) if key >= start]):
            if number % 4 < share:
                self.map.delete(key)
                del self.model[key]

    @rule(key=KEYS)
    def look_up(self, key: str) -> None:
        assert self.map.get(key) == self.model.get(key)

    @rule(start=KEYS)
    def walk(self, start: str) -> None:
        expected = [pair for pair in sorted(self.model.items()) if pair[0] >= start]
        assert list(self.map.pairs_from(start)) == expected

    @precondition(lambda self: len(self.views) < 4)
    @rule()
    def freeze(self) -> None:
        self.views.append((self.map.freeze(), sorted(self.model.items())))

    @precondition(lambda self: self.views)
    @rule(choice=st.integers(0, 3), steps=st.integers(0, 700))
    def walk_a_view_on(self, choice: int, steps: int) -> None:
        view, expected = self.views[choice % len(self.views)]
        for pair in expected[:steps]:
            assert next(view) == pair
        del expected[:steps]

    @invariant()
    def they_are_as_long(self) -> None:
        assert len(self.map) == len(self.model)

    def teardown(self) -> None:
        for view, expected in self.views:
            assert list(view) == expected
        assert list(self.map.freeze()) == sorted(self.model.items())


MapLife.TestCase.settings = settings(max_examples=40, stateful_step_count=30)
TestMapLife = MapLife.TestCase


def test_a_change_says_what_was_there() -> None:
    """So that whoever keeps the past need not look first; what is not there is not counted."""
    records = SortedMap()

    assert records.delete("a") is None
    assert records.put("a", b"1") is None
    assert records.put("a", b"2") == b"1"
    assert records.delete("a") == b"2"
    assert len(records) == 0


def test_blocks_stay_bounded_however_keys_come_and_go() -> None:
    """A split or a copy touches one block; many nearly empty ones would make every search slow."""
    rng = random.Random(1)
    keys = [f"{rng.getrandbits(40):010x}" for _ in range(20_000)]
    filled = SortedMap()
    for key in keys:
        filled.put(key, b"")
    assert max(map(len, filled._blocks)) <= BLOCK_PAIRS_MAX
    assert len(filled._blocks) < 3 * len(keys) / BLOCK_PAIRS_MAX

    for key in keys[200:]:
        filled.delete(key)
    assert len(filled._blocks) < 10


def test_the_garbage_collector_does_not_see_the_pairs() -> None:
    """A full collection over a million tracked objects stops the server for 100 ms and more."""
    filled = SortedMap()
    for number in range(5000):
        filled.put(f"{number:05}", b"value")
    list(filled.freeze())
    filled.put("00000", b"changed under a view")

    assert not any(gc.is_tracked(block) for block in filled._blocks)


@pytest.mark.parametrize("count", [0, 1, BLOCK_PAIRS_MAX - 1, BLOCK_PAIRS_MAX, BLOCK_PAIRS_MAX + 1, 3000])
def test_a_map_made_of_sorted_pairs_is_like_any_other(count: int) -> None:
    """Keys below the first, between and behind them find their place."""
    pairs = [(f"b{number:05}", b"%d" % number) for number in range(count)]
    made = SortedMap.of_sorted(iter(pairs))
    assert (len(made), list(made.freeze())) == (count, pairs)
    added = [("a", b"below"), *((f"b{number:05}x", b"between") for number in range(0, count, 7)), ("c", b"behind")]
    for key, value in added:
        made.put(key, value)
    for key, _ in pairs[::3]:
        made.delete(key)

    gone = {key for key, _ in pairs[::3]}
    assert list(made.freeze()) == sorted(pair for pair in pairs + added if pair[0] not in gone)
