"""The key-value state machine: what each command does, and that nothing sent to it can make it raise."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.kv import KeyValueStore
from storage.kv_protocol import (
    KEY_BYTES_MAX,
    LIST_BYTES_MAX,
    LIST_LIMIT_MAX,
    TXN_OPS_MAX,
    VALUE_BYTES_MAX,
    Changed,
    Delete,
    Failed,
    Found,
    KvResult,
    Page,
    Put,
    cas,
    decode_result,
    delete,
    delete_if,
    get,
    list_keys,
    put,
    put_if,
    put_many,
    txn,
)
from tests.unit.storage.stores import apply, code, read
from transport.limits import COMMAND_BYTES_MAX


class TestCommands:
    """Each change has a revision of its own; what changes nothing takes none."""

    def test_put_and_get(self, store: KeyValueStore) -> None:
        assert read(store, get("k")) == Found("k", b"2", 2)
        assert apply(store, put("other", b"")) == Changed(3)
        assert read(store, get("other")) == Found("other", b"", 3)
        assert read(store, get("k")) == Found("k", b"2", 2)

    def test_delete(self, store: KeyValueStore) -> None:
        assert apply(store, delete("k")) == Changed(3)
        assert code(read(store, get("k"))) == "not_found"
        assert code(apply(store, delete("k"))) == "not_found"
        assert apply(store, put("k", b"new")) == Changed(4)

    def test_cas_compares_the_value(self, store: KeyValueStore) -> None:
        lost = apply(store, cas("k", b"1", b"3"))
        assert isinstance(lost, Failed)
        assert (lost.code, lost.revision) == ("conflict", 2)
        assert apply(store, cas("k", b"2", b"3")) == Changed(3)
        assert read(store, get("k")) == Found("k", b"3", 3)

    def test_cas_with_no_old_value_creates(self, store: KeyValueStore) -> None:
        assert code(apply(store, cas("k", None, b"x"))) == "conflict"
        assert apply(store, cas("new", None, b"x")) == Changed(3)
        assert code(apply(store, cas("new", None, b"y"))) == "conflict"

    def test_an_empty_value_is_a_value(self, store: KeyValueStore) -> None:
        """To compare-and-set, a key with an empty value is not a missing key."""
        apply(store, put("empty", b""))

        assert code(apply(store, cas("empty", None, b"x"))) == "conflict"
        assert code(apply(store, cas("missing", b"", b"x"))) == "conflict"
        assert apply(store, cas("empty", b"", b"x")) == Changed(4)

    def test_put_if_compares_the_revision(self, store: KeyValueStore) -> None:
        assert code(apply(store, put_if("k", b"x", 1))) == "conflict"
        assert code(apply(store, put_if("k", b"x", 0))) == "conflict"
        assert apply(store, put_if("k", b"x", 2)) == Changed(3)
        assert apply(store, put_if("new", b"x", 0)) == Changed(4)
        assert code(apply(store, put_if("missing", b"x", 4))) == "conflict"

    def test_delete_if_compares_the_revision(self, store: KeyValueStore) -> None:
        assert code(apply(store, delete_if("k", 1))) == "conflict"
        assert apply(store, delete_if("k", 2)) == Changed(3)
        assert code(apply(store, delete_if("k", 2))) == "not_found"

    def test_put_many_is_one_change(self, store: KeyValueStore) -> None:
        """Its keys share the revision, whether they are new or not, and a compare-and-set sees it in each of them."""
        assert apply(store, put_many({"a": b"1", "k": b"3", "empty": b""})) == Changed(3)
        assert read(store, get("a")) == Found("a", b"1", 3)
        assert read(store, get("k")) == Found("k", b"3", 3)
        assert read(store, get("empty")) == Found("empty", b"", 3)
        assert apply(store, put_if("a", b"2", 3)) == Changed(4)
        assert apply(store, put_if("k", b"4", 3)) == Changed(5)

    def test_revisions_are_never_given_twice(self, store: KeyValueStore) -> None:
        """A key deleted and made again cannot pass for the one a client has read (the ABA problem)."""
        apply(store, delete("k"))
        apply(store, put("k", b"2"))

        assert code(apply(store, put_if("k", b"x", 2))) == "conflict"


class TestLists:
    """Sorted, by prefix, page by page."""

    @pytest.fixture
    def store(self) -> KeyValueStore:
        made = KeyValueStore()
        for key in ("b/2", "a", "b/10", "b", "c", "b/1", "é", "b/\U0001f600"):
            made.apply(put(key, key.encode()))
        return made

    def keys(self, result: KvResult) -> tuple[list[str], str]:
        """The keys of a page, and where the next one starts."""
        assert isinstance(result, Page)
        return [item.key for item in result.items], result.next

    def test_keys_come_in_order_of_their_bytes(self, store: KeyValueStore) -> None:
        everything = ["a", "b", "b/1", "b/10", "b/2", "b/\U0001f600", "c", "é"]
        assert self.keys(read(store, list_keys())) == (everything, "")
        assert everything == sorted(everything, key=str.encode)

    def test_a_prefix_selects(self, store: KeyValueStore) -> None:
        assert self.keys(read(store, list_keys("b/"))) == (["b/1", "b/10", "b/2", "b/\U0001f600"], "")
        assert self.keys(read(store, list_keys("x"))) == ([], "")

    def test_pages_follow_one_another_without_gap_or_overlap(self, store: KeyValueStore) -> None:
        start, found = "", list[str]()
        for _ in range(9):
            keys, start = self.keys(read(store, list_keys("b", start, limit=2)))
            found += keys
            if not start:
                break

        assert found == ["b", "b/1", "b/10", "b/2", "b/\U0001f600"]

    def test_a_start_before_the_prefix_means_the_prefix(self, store: KeyValueStore) -> None:
        assert self.keys(read(store, list_keys("b/", "a"))) == self.keys(read(store, list_keys("b/")))
        assert self.keys(read(store, list_keys("b/", "c"))) == ([], "")

    def test_items_carry_values_and_revisions(self, store: KeyValueStore) -> None:
        assert read(store, list_keys("b/1", limit=1)) == Page([Found("b/1", b"b/1", 6)], "b/10", 8)

    def test_a_page_is_bounded_in_keys_and_in_bytes(self) -> None:
        store = KeyValueStore()
        for number in range(LIST_LIMIT_MAX + 5):
            store.apply(put(f"many/{number:05}", b""))
        for number in range(5):
            store.apply(put(f"wide/{number}", bytes(VALUE_BYTES_MAX)))

        assert len(self.keys(read(store, list_keys("many/", limit=10**6)))[0]) == LIST_LIMIT_MAX
        keys, following = self.keys(read(store, list_keys("wide/")))
        assert (keys, following) == (["wide/0", "wide/1"], "wide/2")
        assert len(store.read(list_keys("wide/"))) < LIST_BYTES_MAX + COMMAND_BYTES_MAX

    @pytest.mark.parametrize("limit", [0, -1])
    def test_a_page_of_nothing_is_a_mistake(self, store: KeyValueStore, limit: int) -> None:
        assert code(read(store, list_keys(limit=limit))) == "bad_request"


class TestLimits:
    """A limit on everything, and a refusal that says which."""

    def test_the_largest_key_and_value_fit_into_a_command(self) -> None:
        store = KeyValueStore()
        command = put_if("k" * KEY_BYTES_MAX, bytes(VALUE_BYTES_MAX), 0)

        assert len(command) <= COMMAND_BYTES_MAX
        assert apply(store, command) == Changed(1)

    @pytest.mark.parametrize(
        "make",
        [
            put,
            lambda key, value: cas(key, None, value),
            lambda key, value: put_if(key, value, 0),
            lambda key, value: put_many({"good": b"", key: value}),
            lambda key, value: put_many({key: value, "good": b""}),
        ],
    )
    def test_what_is_larger_is_refused_whole(self, make: Callable[[str, bytes], bytes]) -> None:
        store = KeyValueStore()

        assert code(apply(store, make("k", bytes(VALUE_BYTES_MAX + 1)))) == "too_large"
        assert code(apply(store, make("k" * (KEY_BYTES_MAX + 1), b""))) == "too_large"
        assert code(apply(store, make("\U0001f600" * (KEY_BYTES_MAX // 4 + 1), b""))) == "too_large"
        assert code(apply(store, make("", b""))) == "bad_request"
        assert (len(store), store.revision) == (0, 0)

    def test_put_many_takes_so_many_keys(self) -> None:
        store = KeyValueStore()
        pairs = {str(number): b"" for number in range(TXN_OPS_MAX)}

        assert code(apply(store, put_many(pairs | {"one more": b""}))) == "too_large"
        assert code(apply(store, put_many({}))) == "bad_request"
        assert (len(store), store.revision) == (0, 0)
        assert apply(store, put_many(pairs)) == Changed(1)
        assert len(store) == TXN_OPS_MAX

    def test_put_many_takes_a_key_once(self, store: KeyValueStore) -> None:
        """A mapping cannot say otherwise, but bytes can."""
        twice = msgspec.msgpack.encode(["put_many", ["k", "new", "k"], [b"3", b"", b"4"]])

        assert code(apply(store, twice)) == "bad_request"
        assert read(store, get("k")) == Found("k", b"2", 2)
        assert code(read(store, get("new"))) == "not_found"

    @pytest.mark.parametrize("values", [[], [b"3"], [b"3", b"", b"4"]])
    def test_put_many_takes_a_value_for_each_key(self, store: KeyValueStore, values: list[bytes]) -> None:
        """Nor can a mapping leave one out."""
        uneven = msgspec.msgpack.encode(["put_many", ["k", "new"], values])

        assert code(apply(store, uneven)) == "bad_request"
        assert read(store, list_keys()) == Page([Found("k", b"2", 2)], "", 2)

    def test_a_transaction_writes_a_key_once(self, store: KeyValueStore) -> None:
        assert code(apply(store, txn([], [Put("k", b"3"), Put("new", b""), Delete("k")]))) == "bad_request"
        assert read(store, list_keys()) == Page([Found("k", b"2", 2)], "", 2)

    @pytest.mark.parametrize(
        "when", [[["k", "lease", "==", 1]], [["k", "revision", "~", 1]], [["k", "value", "==", 1]]]
    )
    def test_a_condition_that_is_not_known_is_not_ignored(self, store: KeyValueStore, when: object) -> None:
        """What is to depend on something must not be done by a server that does not look at it."""
        conditional = msgspec.msgpack.encode(["txn", [when], [["put", "k", b"3"]], []])

        assert code(apply(store, conditional)) == "bad_request"
        assert code(apply(store, msgspec.msgpack.encode(["txn", [], [["put", "k", b"3"]], [], None]))) == "bad_request"
        assert read(store, get("k")) == Found("k", b"2", 2)


class TestHostileBytes:
    """An exception at a committed entry would hit every server, at every start, for ever."""

    @given(st.binary(max_size=60))
    def test_random_bytes(self, data: bytes) -> None:
        store = KeyValueStore()
        store.apply(put("k", b"v"))
        decode_result(store.apply(data))
        decode_result(store.read(data))

    @given(
        command=st.sampled_from(
            [
                put("key", b"value"),
                cas("key", None, b"x"),
                put_if("k", b"v", 3),
                delete("key"),
                put_many({"k": b"v", "l": b""}),
            ]
        ),
        at=st.integers(0, 30),
        byte=st.integers(0, 255),
        cut=st.integers(0, 30),
    )
    def test_damaged_commands(self, command: bytes, at: int, byte: int, cut: int) -> None:
        damaged = bytearray(command)
        damaged[at % len(damaged)] = byte
        store = KeyValueStore()
        decode_result(store.apply(bytes(damaged)))
        decode_result(store.apply(bytes(damaged[: cut % len(damaged)])))

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\x91" * 10_000,  # arrays in arrays
            b"\xdd\xff\xff\xff\xff",  # an array of four billion
            b"\xdb\xff\xff\xff\xffx",  # a text of four gigabytes
            b"\x93\xa3put\xa2\xff\xfe\xc4\x01v",  # a key that is not UTF-8
            b"\x93\xa3put\xa1k\xa1v",  # a value that is text
            b"\x94\xa6put_if\xa1k\xc4\x01v\xcf" + b"\xff" * 8,  # a revision of 64 bits
            b"\x92\xa7unknown\xa1k",
            get("k"),  # a query is no command
        ],
    )
    def test_clever_bytes(self, data: bytes) -> None:
        store = KeyValueStore()

        assert code(apply(store, data)) in ("bad_request", "conflict")
        assert store.revision == 0

    def test_a_command_is_no_query(self, store: KeyValueStore) -> None:
        """A read never changes anything."""
        assert code(read(store, put("k", b"3"))) == "bad_request"
        assert store.revision == 2

    def test_a_long_key_is_shown_short(self, store: KeyValueStore) -> None:
        """An error is one line."""
        result = read(store, get("\n" * 2000))

        assert isinstance(result, Failed)
        assert len(result.message) < 200
        assert "\n" not in result.message
