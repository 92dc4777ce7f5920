"""The past of the key-value store: reads at a revision and watches, within the window of what is known."""

from __future__ import annotations

from unittest.mock import ANY

import pytest

from storage import history
from storage.kv import KeyValueStore
from storage.kv_protocol import (
    LIST_BYTES_MAX,
    Change,
    Changes,
    Delete,
    Failed,
    Found,
    Page,
    Put,
    delete,
    get,
    list_keys,
    put,
    put_many,
    txn,
    watch,
)
from tests.unit.storage.stores import apply, code, read


class TestThePast:
    """Reads at a revision and watches, within the window of what is known."""

    def test_a_key_as_it_was(self, store: KeyValueStore) -> None:
        apply(store, delete("k"))
        apply(store, put("k", b"4"))

        assert read(store, get("k", 1)) == Found("k", b"1", 1)
        assert read(store, get("k", 2)) == Found("k", b"2", 2)
        assert code(read(store, get("k", 3))) == "not_found"
        assert read(store, get("k", 4)) == Found("k", b"4", 4)
        assert code(read(store, get("k", 5))) == "bad_request"

    def test_pages_of_one_revision_are_one_picture(self, store: KeyValueStore) -> None:
        """A listing is read page by page while others write."""
        apply(store, put_many({"l": b"l", "m": b"m"}))
        first = read(store, list_keys(limit=2, revision=3))
        apply(store, txn([], [Delete("m"), Put("n", b"n"), Put("k", b"new")]))

        assert first == Page([Found("k", b"2", 2), Found("l", b"l", 3)], "m", 3)
        assert read(store, list_keys(start="m", revision=3)) == Page([Found("m", b"m", 3)], "", 3)

    def test_a_watch_tells_each_change_once_and_in_order(self, store: KeyValueStore) -> None:
        apply(store, txn([], [Put("k/1", b"a"), Delete("k")]))
        apply(store, put("other", b""))

        assert read(store, watch("k", 0)) == Changes(
            [Change("k", b"1", 1), Change("k", b"2", 2), Change("k", None, 3)], 4
        )
        assert read(store, watch("k", 1, is_prefix=True)) == Changes(
            [Change("k", b"2", 2), Change("k/1", b"a", 3), Change("k", None, 3)], 4
        )
        assert read(store, watch("k", 4)) == Changes([], 4)

    def test_a_watch_from_the_future_waits_for_it(self, store: KeyValueStore) -> None:
        """Another server had come further: what it told is not told again."""
        assert read(store, watch("k", 7)) == Changes([], 7)

    def test_a_large_transaction_is_not_torn_apart(self) -> None:
        """An answer is bounded, and ends between two revisions."""
        store = KeyValueStore()
        value = bytes(LIST_BYTES_MAX // 4)
        for _ in range(3):
            for half in ("a", "b"):
                store.apply(put_many({f"{half}/{number}": value for number in range(3)}))

        first = read(store, watch("", 0, is_prefix=True))
        assert isinstance(first, Changes)
        assert [one.revision for one in first.changes] == [1, 1, 1, 2, 2, 2]
        assert first.revision == 2

    def test_what_is_not_known_any_more_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Never a history with a gap; changes of one revision go together."""
        monkeypatch.setattr(history, "CHANGES_MAX", 8)
        store = KeyValueStore()
        for number in range(1, 6):
            store.apply(put_many({"a": b"%d" % number, "b": b""}))

        gone = read(store, watch("a", 0))
        assert isinstance(gone, Failed)
        assert (gone.code, gone.revision) == ("compacted", 2)
        assert read(store, watch("a", 3)) == Changes([Change("a", b"4", 4), Change("a", b"5", 5)], 5)
        assert code(read(store, list_keys(revision=2))) == ""
        assert read(store, get("a", 2)) == Found("a", b"2", 2)
        for number in (6, 7):
            store.apply(put_many({"a": b"%d" % number, "b": b""}))
        assert code(read(store, get("a", 2))) == "compacted"
        assert code(read(store, list_keys(revision=2))) == "compacted"

    def test_what_takes_too_much_room_is_not_known_any_more(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The records that were replaced count, and those of the last change stay whatever they take."""
        monkeypatch.setattr(history, "BYTES_MAX", 8_000)
        store = KeyValueStore()
        store.apply(put_many({"a": bytes(4_000), "b": b""}))
        store.apply(put_many({"a": bytes(4_000), "b": b""}))
        store.apply(put("c", b""))
        assert code(read(store, get("a", 1))) == ""

        store.apply(put_many({"a": b"", "b": bytes(9_000)}))
        assert code(read(store, get("a", 1))) == "compacted"
        assert read(store, get("c", 3)) == Found("c", b"", 3)
        store.apply(put_many({"b": bytes(9_000), "c": b""}))
        assert read(store, get("c", 3)) == Failed("compacted", ANY, 4)
        assert read(store, list_keys("c", revision=4)) == Page([Found("c", b"", 3)], "", 4)

    def test_a_snapshot_holds_the_last_changes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """So that whoever was a little behind on one server finds the thread on another one."""
        monkeypatch.setattr(history, "SNAPSHOT_CHANGES_MAX", 3)
        store, other = KeyValueStore(), KeyValueStore()
        for number in range(3):
            store.apply(put_many({"a": b"%d" % number, "b": b""}))
        other.restore(store.snapshot())

        assert code(read(other, watch("a", 1))) == "compacted"
        assert read(other, watch("a", 2)) == Changes([Change("a", b"2", 3)], 3)
