"""Transactions of the key-value store: comparisons, then one of two lists of operations, at one revision."""

from __future__ import annotations

import pytest

from storage.kv import KeyValueStore
from storage.kv_protocol import (
    TXN_OPS_MAX,
    Answered,
    Changed,
    Compare,
    Delete,
    Found,
    Get,
    Op,
    Put,
    delete,
    get,
    txn,
)
from tests.unit.storage.stores import apply, code, read


class TestTransactions:
    """Comparisons, then one of two lists of operations, all of it at one revision."""

    def test_the_comparisons_choose(self, store: KeyValueStore) -> None:
        """All of them have to hold."""
        held, broken = Compare("k", "revision", "==", 2), Compare("k", "value", "==", b"1")

        assert apply(store, txn([held], [Put("a", b"")], [Put("b", b"")])) == Answered(True, 3, [None])
        assert apply(store, txn([held, broken], [Put("c", b"")], [Get("a")])) == Answered(
            False, 3, [Found("a", b"", 3)]
        )
        assert code(read(store, get("c"))) == "not_found"

    @pytest.mark.parametrize(
        ("compare", "holds"),
        [
            (Compare("k", "value", "==", b"2"), True),
            (Compare("k", "value", "!=", b"2"), False),
            (Compare("k", "value", ">", b"1"), True),
            (Compare("k", "value", "<", b"1"), False),
            (Compare("k", "revision", ">", 2), False),
            (Compare("none", "revision", "==", 0), True),
            (Compare("none", "value", "==", b""), False),
            (Compare("none", "value", "!=", b""), True),
            (Compare("none", "value", "<", b"x"), False),
        ],
    )
    def test_what_is_compared(self, store: KeyValueStore, compare: Compare, holds: bool) -> None:
        result = apply(store, txn([compare], [Put("a", b"")]))

        assert isinstance(result, Answered)
        assert result.succeeded is holds

    def test_operations_are_done_in_order(self, store: KeyValueStore) -> None:
        """A Get sees what was done before it; together they are one change."""
        ops: list[Op] = [Get("k"), Put("k", b"3"), Get("k"), Delete("gone"), Put("new", b"x"), Get("new")]

        assert apply(store, txn([], ops)) == Answered(
            True, 3, [Found("k", b"2", 2), None, Found("k", b"3", 3), False, None, Found("new", b"x", 3)]
        )

    def test_a_transaction_that_changes_nothing_takes_no_revision(self, store: KeyValueStore) -> None:
        assert apply(store, txn([], [Get("k"), Delete("gone")])) == Answered(True, 2, [Found("k", b"2", 2), False])
        assert apply(store, delete("k")) == Changed(3)

    @pytest.mark.parametrize(
        "command",
        [
            txn([], []),
            txn([], [Delete("k"), Put("k", b"")]),
            txn([], [Get("k", 1)]),
            txn([], [Get("k")] * (TXN_OPS_MAX + 1)),
            txn([Compare("k", "revision", "==", 0)] * (TXN_OPS_MAX + 1), [Get("k")]),
            txn([Compare("k", "revision", "==", b"0")], [Get("k")]),
            txn([], [Get("k")], [Put("", b"")]),
        ],
    )
    def test_what_makes_no_sense_is_refused_whole(self, store: KeyValueStore, command: bytes) -> None:
        """In the branch that is not taken, too: a mistake must not wait for the day that it is."""
        assert code(apply(store, command)) in ("bad_request", "too_large")
        assert store.revision == 2
