"""Leases: keys that go by the log's time, at the same entry on every server."""

from __future__ import annotations

import pytest

from storage.kv import KeyValueStore
from storage.kv_protocol import (
    Change,
    Changed,
    Changes,
    Compare,
    Found,
    Leased,
    Put,
    delete,
    get,
    grant,
    lease_of,
    put,
    put_many,
    renew,
    revoke,
    txn,
    watch,
)
from storage.leases import TTL_MAX_MS, TTL_MIN_MS
from tests.unit.storage.stores import apply, code, read


@pytest.fixture
def leased() -> KeyValueStore:
    """A store with a lease of 10 s, begun at 1 s, that two keys hang on, and a key that stays."""
    made = KeyValueStore()
    made.advance(1_000)
    assert apply(made, grant(10_000)) == Leased(1, 10_000, 10_000, 0)
    made.apply(put("stays", b""))
    made.apply(put("a", b"1", 1))
    made.apply(put("b", b"2", 1))
    return made


def test_the_keys_go_with_the_lease(leased: KeyValueStore) -> None:
    """Together, at one revision, and not a moment before."""
    leased.advance(10_999)
    assert read(leased, lease_of(1)) == Leased(1, 10_000, 1, 2)
    assert leased.next_end_ms == 11_000
    leased.advance(11_000)

    assert code(read(leased, lease_of(1))) == "not_found"
    assert code(read(leased, get("a"))) == code(read(leased, get("b"))) == "not_found"
    assert read(leased, get("stays")) == Found("stays", b"", 1)
    assert read(leased, watch("", 3, is_prefix=True)) == Changes([Change("a", None, 4), Change("b", None, 4)], 4)
    assert leased.next_end_ms is None


def test_a_renewal_lets_it_begin_anew(leased: KeyValueStore) -> None:
    """From the time of the entry that renews it; one that has ended cannot be."""
    leased.advance(10_500)
    assert apply(leased, renew(1)) == Leased(1, 10_000, 10_000, 2)
    leased.advance(20_499)
    assert code(read(leased, get("a"))) == ""
    leased.advance(20_500)
    assert code(apply(leased, renew(1))) == "not_found"
    assert code(read(leased, get("a"))) == "not_found"


def test_a_lease_is_revoked(leased: KeyValueStore) -> None:
    """Its end takes no time."""
    assert apply(leased, revoke(1)) == Changed(4)
    assert code(apply(leased, revoke(1))) == "not_found"
    assert code(read(leased, get("b"))) == "not_found"
    assert leased.next_end_ms is None


def test_a_key_hangs_on_the_lease_it_was_put_with_last(leased: KeyValueStore) -> None:
    """Put without one it stays; removed and made again, it is another key."""
    leased.apply(put("a", b"stays now"))
    leased.apply(delete("b"))
    leased.apply(put("b", b"another"))
    apply(leased, grant(20_000))
    leased.apply(put("c", b"", 1))
    leased.apply(txn([], [Put("c", b"", 2)]))
    leased.apply(put("d", b"", 1))
    leased.apply(put_many({"d": b"stays now", "e": b""}))
    leased.advance(11_000)

    assert [code(read(leased, get(key))) for key in "abcde"] == [""] * 5
    leased.advance(21_000)
    assert code(read(leased, get("c"))) == "not_found"


def test_a_lease_that_is_not_there_holds_nothing(leased: KeyValueStore) -> None:
    """In neither branch of a transaction, too: nothing of it is done."""
    revision = leased.revision
    assert code(apply(leased, put("d", b"", 7))) == "not_found"
    assert (
        code(apply(leased, txn([Compare("a", "revision", "==", 0)], [Put("d", b"", 7)], [Put("e", b"")])))
        == "not_found"
    )
    assert leased.revision == revision


def test_what_cannot_be_had(leased: KeyValueStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits on time and number."""
    for ttl_ms in (TTL_MIN_MS - 1, TTL_MAX_MS + 1, -1):
        assert code(apply(leased, grant(ttl_ms))) == "bad_request"
    monkeypatch.setattr("storage.kv.LEASES_MAX", 1)
    assert code(apply(leased, grant(TTL_MIN_MS))) == "too_large"


def test_leases_live_on_in_a_snapshot(leased: KeyValueStore) -> None:
    """With their ends, their keys and the count of their ids."""
    other = KeyValueStore()
    leased.advance(3_000)
    other.restore(leased.snapshot())

    assert list(other.snapshot()) == list(leased.snapshot())
    assert (other.time_ms, other.next_end_ms) == (3_000, 11_000)
    other.advance(11_000)
    assert code(read(other, get("a"))) == "not_found"
    assert apply(other, grant(TTL_MIN_MS)) == Leased(2, TTL_MIN_MS, TTL_MIN_MS, 0)


def test_ends_of_before_a_renewal_are_forgotten(leased: KeyValueStore) -> None:
    """A lease is renewed for months."""
    for time_ms in range(2_000, 200_000, 100):
        leased.advance(time_ms)
        assert code(apply(leased, renew(1))) == ""

    assert len(leased._leases._ends) < 100
