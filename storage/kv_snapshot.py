"""The bytes of a key-value snapshot: written lazily in bounded chunks, read with every byte checked.

Layout: magic, the store's revision and the number of keys; per key, in order, the lengths of key and record, the key,
the record (see kv.py); at the end a CRC-32 of all before it. It is cut into chunks without regard to the keys, because
one value may be larger than a chunk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct
from zlib import crc32

from storage.chunk_stream import ChunkStream
from storage.errors import BadSnapshotError
from storage.sorted_map import SortedMap
from storage.state_machine import SNAPSHOT_CHUNK_BYTES_MAX

REVISION_BYTES = 8
"""How many bytes of a record, at its beginning, are the revision."""

_MAGIC = b"QKV1"
_HEADER = Struct(">4sQQ")
_LENGTHS = Struct(">II")
_CHECKSUM = Struct(">I")


def write_snapshot(revision: int, count: int, records: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """The chunks, each made when it is taken."""
    checksum = 0
    buffer = bytearray(_HEADER.pack(_MAGIC, revision, count))
    for key, record in records:
        name = key.encode()
        buffer += _LENGTHS.pack(len(name), len(record))
        buffer += name
        buffer += record
        while len(buffer) >= SNAPSHOT_CHUNK_BYTES_MAX:
            chunk = bytes(buffer[:SNAPSHOT_CHUNK_BYTES_MAX])
            del buffer[:SNAPSHOT_CHUNK_BYTES_MAX]
            checksum = crc32(chunk, checksum)
            yield chunk
    rest = bytes(buffer)
    rest += _CHECKSUM.pack(crc32(rest, checksum))
    yield rest[:SNAPSHOT_CHUNK_BYTES_MAX]
    if len(rest) > SNAPSHOT_CHUNK_BYTES_MAX:
        yield rest[SNAPSHOT_CHUNK_BYTES_MAX:]


def read_snapshot(chunks: Iterable[bytes]) -> tuple[int, SortedMap]:
    """The revision and the records of a snapshot. Raises BadSnapshotError when the chunks are not a whole one."""
    stream = ChunkStream(chunks)
    magic, revision, count = _HEADER.unpack(stream.take(_HEADER.size))
    if magic != _MAGIC:
        raise BadSnapshotError("a snapshot of the key-value store does not begin like this")
    try:
        records = SortedMap.of_sorted(_records(stream, count))
    except UnicodeDecodeError as error:
        raise BadSnapshotError(f"a key of the snapshot is not text: {error}") from error
    expected = stream.checksum()
    if _CHECKSUM.unpack(stream.take(_CHECKSUM.size)) != (expected,):
        raise BadSnapshotError("the snapshot does not match its checksum")
    if not stream.is_at_end():
        raise BadSnapshotError("there is more behind the end of the snapshot")
    return revision, records


def _records(stream: ChunkStream, count: int) -> Iterator[tuple[str, bytes]]:
    previous = ""
    for name, record in stream.take_pairs(_LENGTHS, count):
        key = name.decode()
        if key <= previous:
            raise BadSnapshotError(f"the keys of the snapshot are not in order at {key!r}")
        if len(record) < REVISION_BYTES:
            raise BadSnapshotError(f"the record of key {key!r} is too short")
        previous = key
        yield key, record
