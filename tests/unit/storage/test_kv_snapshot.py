"""Snapshots of the key-value store: frozen, lazy, bounded, and checked to the last byte when restored."""

from __future__ import annotations

import random
import zlib

import pytest

from storage.errors import BadSnapshotError
from storage.kv import KeyValueStore
from storage.kv_protocol import VALUE_BYTES_MAX, put
from storage.state_machine import SNAPSHOT_CHUNK_BYTES_MAX


def filled(count: int = 3000) -> KeyValueStore:
    """A store of many keys, two of them larger than a chunk."""
    store = KeyValueStore()
    for number in range(count):
        store.apply(put(f"key/{number * 7919 % count:06}", b"%d" % number * 20))
    store.apply(put("large/1", bytes(range(256)) * (VALUE_BYTES_MAX // 256)))
    store.apply(put("large/2", b"x" * 600_000))
    return store


def test_a_restored_store_is_the_same_store() -> None:
    """Values, revisions, and the count of changes."""
    store, other = filled(), KeyValueStore()
    other.apply(put("something", b"else"))
    other.restore(store.snapshot())

    assert list(other.snapshot()) == list(store.snapshot())
    assert other.apply(put("next", b"")) == store.apply(put("next", b""))


def test_chunks_are_bounded_and_full() -> None:
    """A value larger than a chunk is cut; small ones do not make small chunks."""
    sizes = [len(chunk) for chunk in filled().snapshot()]

    assert all(size == SNAPSHOT_CHUNK_BYTES_MAX for size in sizes[:-1])
    assert 0 < sizes[-1] <= SNAPSHOT_CHUNK_BYTES_MAX


def test_an_end_that_fills_its_chunk_is_still_bounded() -> None:
    """The checksum at the end may need a chunk of its own."""
    header, lengths, head, checksum = 24 + 8, 8, 8, 4
    for missing in range(checksum + 2):
        store, other = KeyValueStore(), KeyValueStore()
        store.apply(put("k", bytes(SNAPSHOT_CHUNK_BYTES_MAX - header - lengths - 1 - head - missing)))
        chunks = list(store.snapshot())
        assert max(map(len, chunks)) <= SNAPSHOT_CHUNK_BYTES_MAX
        other.restore(chunks)
        assert len(other) == 1


def test_a_snapshot_is_of_the_moment_it_was_asked_for() -> None:
    """Commands are applied while its chunks are taken, and before the first one is."""
    store = filled()
    expected = list(store.snapshot())
    taken = []
    snapshot = store.snapshot()
    store.apply(put("key/000000", b"changed at once"))
    for number, chunk in enumerate(snapshot):
        taken.append(chunk)
        for key in range(0, 3000, 17):
            store.apply(put(f"key/{key:06}", b"changed later %d" % number))

    assert taken == expected


@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
def test_the_cut_into_chunks_does_not_matter(size: int) -> None:
    """What is restored is a stream."""
    store, other = KeyValueStore(), KeyValueStore()
    for number in range(200):
        store.apply(put(f"key/{number}", b"%d" % number * 20))
    whole = b"".join(store.snapshot())
    other.restore(whole[at : at + size] for at in range(0, len(whole), size))

    assert list(other.snapshot()) == [whole]


def test_nothing_damaged_is_restored(seed: int) -> None:
    """One bit, a piece that is missing, one too many: refused, with the store as it was."""
    small = KeyValueStore()
    for number in range(40):
        small.apply(put(f"key/{number}", b"%d" % number))
    whole = b"".join(small.snapshot())
    rng = random.Random(seed)
    damages = [whole[:cut] for cut in range(0, len(whole), 13)] + [whole + b"\0", whole + whole, b"hello"]
    for _ in range(500):
        flipped = bytearray(whole)
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
        damages.append(bytes(flipped))
    store = filled(10)
    before = list(store.snapshot())
    for damaged in damages:
        with pytest.raises(BadSnapshotError):
            store.restore([damaged])

    assert list(store.snapshot()) == before


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [([b"b", b"a"], "not in order"), ([b"a", b"a"], "not in order"), ([b""], "not in order"), ([b"\xff"], "not text")],
)
def test_a_checksum_alone_is_not_believed(keys: list[bytes], complaint: str) -> None:
    """Who can send a snapshot can make its checksum right."""
    body = b"QKV3" + (5).to_bytes(8, "big") + len(keys).to_bytes(8, "big") + bytes(4)
    for key in keys:
        body += len(key).to_bytes(4, "big") + (9).to_bytes(4, "big") + key + bytes(9)
    with pytest.raises(BadSnapshotError, match=complaint):
        KeyValueStore().restore([body + zlib.crc32(body).to_bytes(4, "big")])


def test_a_record_without_a_revision_is_refused() -> None:
    """It could not be read later."""
    body = (
        b"QKV3" + (5).to_bytes(8, "big") + (1).to_bytes(8, "big") + bytes(4) + (1).to_bytes(4, "big") + bytes(4) + b"k"
    )
    with pytest.raises(BadSnapshotError, match="too short"):
        KeyValueStore().restore([body + zlib.crc32(body).to_bytes(4, "big")])
