"""The bytes of a key-value snapshot: written lazily in bounded chunks, read with every byte checked.

Layout: magic, the store's revision, how many keys and how many past changes; per key, in order, the lengths of key and
record, the key, the record (see record.py); per change, in order, its revision, the lengths of its key and of the
records before and after it (one more than the length, 0 for none), the three; the length of what is kept of leases, and
that as MessagePack; at the end a CRC-32 of all before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from struct import Struct

import msgspec

from storage.chunk_stream import ChunkStream, chunks_of
from storage.errors import BadSnapshotError
from storage.history import History, KeyChange
from storage.leases import LeaseRow
from storage.record import HEAD_BYTES
from storage.sorted_map import SortedMap

_MAGIC = b"QKV3"
_HEADER = Struct(">4sQQI")
_LENGTHS = Struct(">II")
_CHANGE = Struct(">QIII")
_LEASES = Struct(">I")


class LeasesSaved(msgspec.Struct, array_like=True):
    """The leases, and by which time of the log they were so."""

    time_ms: int
    last_id: int
    rows: list[LeaseRow]


_encode_leases = msgspec.msgpack.Encoder().encode
_decode_leases = msgspec.msgpack.Decoder(LeasesSaved).decode


def write_snapshot(
    revision: int,
    count: int,
    records: Iterable[tuple[str, bytes]],
    changes: Sequence[KeyChange],
    leases: LeasesSaved,
) -> Iterator[bytes]:
    """The chunks, each made when it is taken."""
    return chunks_of(_pieces(revision, count, records, changes, _encode_leases(leases)))


def read_snapshot(chunks: Iterable[bytes]) -> tuple[int, SortedMap, History, LeasesSaved]:
    """Revision, records, history and leases. Raises BadSnapshotError when the chunks are not a whole snapshot."""
    stream = ChunkStream(chunks)
    magic, revision, count, past = _HEADER.unpack(stream.take(_HEADER.size))
    if magic != _MAGIC:
        raise BadSnapshotError("a snapshot of the key-value store does not begin like this")
    try:
        records = SortedMap.of_sorted(_records(stream, count))
        changes = [_change(stream) for _ in range(past)]
    except UnicodeDecodeError as error:
        raise BadSnapshotError(f"a key of the snapshot is not text: {error}") from error
    leases = stream.take(*_LEASES.unpack(stream.take(_LEASES.size)))
    stream.check("the snapshot")
    if not stream.is_at_end():
        raise BadSnapshotError("there is more behind the end of the snapshot")
    history = History(changes[0].revision - 1 if changes else revision, changes)
    return revision, records, history, _leases(leases)


def _pieces(
    revision: int, count: int, records: Iterable[tuple[str, bytes]], changes: Sequence[KeyChange], leases: bytes
) -> Iterator[bytes]:
    yield _HEADER.pack(_MAGIC, revision, count, len(changes))
    for key, record in records:
        name = key.encode()
        yield _LENGTHS.pack(len(name), len(record)) + name + record
    for one in changes:
        name = one.key.encode()
        head = _CHANGE.pack(one.revision, len(name), _size(one.before), _size(one.after))
        yield head + name + (one.before or b"") + (one.after or b"")
    yield _LEASES.pack(len(leases)) + leases


def _records(stream: ChunkStream, count: int) -> Iterator[tuple[str, bytes]]:
    previous = ""
    for name, record in stream.take_pairs(_LENGTHS, count):
        key = name.decode()
        if key <= previous:
            raise BadSnapshotError(f"the keys of the snapshot are not in order at {key!r}")
        if len(record) < HEAD_BYTES:
            raise BadSnapshotError(f"the record of key {key!r} is too short")
        previous = key
        yield key, record


def _leases(encoded: bytes) -> LeasesSaved:
    try:
        return _decode_leases(encoded)
    except ValueError as error:
        raise BadSnapshotError(f"the leases of the snapshot do not decode: {error}") from error


def _size(record: bytes | None) -> int:
    return 0 if record is None else len(record) + 1


def _change(stream: ChunkStream) -> KeyChange:
    revision, name, before, after = _CHANGE.unpack(stream.take(_CHANGE.size))
    key = stream.take(name).decode()
    return KeyChange(revision, key, _record(stream, key, before), _record(stream, key, after))


def _record(stream: ChunkStream, key: str, size: int) -> bytes | None:
    if not size:
        return None
    if size <= HEAD_BYTES:
        raise BadSnapshotError(f"a past record of key {key!r} is too short")
    return stream.take(size - 1)
