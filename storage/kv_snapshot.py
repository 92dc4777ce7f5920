"""The bytes of a key-value snapshot: written lazily in bounded chunks, read with every byte checked.

Layout: magic, the store's revision, how many keys and how many past changes; per key, in order, the lengths of key and
record, the key, the record (see record.py); per change, in order, its revision, the lengths of its key and of the
records before and after it (one more than the length, 0 for none), the three; at the end a CRC-32 of all before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from struct import Struct

from storage.chunk_stream import ChunkStream, chunks_of
from storage.errors import BadSnapshotError
from storage.history import History, KeyChange
from storage.record import HEAD_BYTES
from storage.sorted_map import SortedMap

_MAGIC = b"QKV2"
_HEADER = Struct(">4sQQI")
_LENGTHS = Struct(">II")
_CHANGE = Struct(">QIII")


def write_snapshot(
    revision: int, count: int, records: Iterable[tuple[str, bytes]], changes: Sequence[KeyChange]
) -> Iterator[bytes]:
    """The chunks, each made when it is taken."""
    return chunks_of(_pieces(revision, count, records, changes))


def read_snapshot(chunks: Iterable[bytes]) -> tuple[int, SortedMap, History]:
    """Revision, records and history of a snapshot. Raises BadSnapshotError when the chunks are not a whole one."""
    stream = ChunkStream(chunks)
    magic, revision, count, past = _HEADER.unpack(stream.take(_HEADER.size))
    if magic != _MAGIC:
        raise BadSnapshotError("a snapshot of the key-value store does not begin like this")
    try:
        records = SortedMap.of_sorted(_records(stream, count))
        changes = [_change(stream) for _ in range(past)]
    except UnicodeDecodeError as error:
        raise BadSnapshotError(f"a key of the snapshot is not text: {error}") from error
    stream.check("the snapshot")
    if not stream.is_at_end():
        raise BadSnapshotError("there is more behind the end of the snapshot")
    return revision, records, History(changes[0].revision - 1 if changes else revision, changes)


def _pieces(
    revision: int, count: int, records: Iterable[tuple[str, bytes]], changes: Sequence[KeyChange]
) -> Iterator[bytes]:
    yield _HEADER.pack(_MAGIC, revision, count, len(changes))
    for key, record in records:
        name = key.encode()
        yield _LENGTHS.pack(len(name), len(record)) + name + record
    for one in changes:
        name = one.key.encode()
        head = _CHANGE.pack(one.revision, len(name), _size(one.before), _size(one.after))
        yield head + name + (one.before or b"") + (one.after or b"")


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
