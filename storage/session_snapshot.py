"""The bytes of the sessions at the head of a snapshot.

Layout: magic, the last session's number and the log's time; per session, the least recently used first, its length and
its record; a length of 0; a CRC-32 of all before it. The application's own snapshot begins with the next chunk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from struct import Struct
from typing import Final

import msgspec

from storage.chunk_stream import ChunkStream, chunks_of
from storage.errors import BadSnapshotError
from transport.client.session_protocol import SESSION_ID_BYTES, Failure

Record = tuple[bytes, int, dict[int, bytes | Failure]]
"""A session's id, its first unacknowledged sequence, and what became of those from there on."""

_MAGIC: Final = b"QSM2"
_HEADER: Final = Struct(">4sQQ")
_NUMBER: Final = Struct(">I")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record).decode


def write_sessions(last_number: int, time_ms: int, records: Sequence[Record]) -> Iterator[bytes]:
    """The chunks, each made when it is taken."""
    return chunks_of(_pieces(last_number, time_ms, records))


def _pieces(last_number: int, time_ms: int, records: Sequence[Record]) -> Iterator[bytes]:
    yield _HEADER.pack(_MAGIC, last_number, time_ms)
    for record in records:
        encoded = _encode(record)
        yield _NUMBER.pack(len(encoded))
        yield encoded
    yield _NUMBER.pack(0)


def read_sessions(chunks: Iterable[bytes]) -> tuple[int, int, list[Record], Iterator[bytes]]:
    """The last session's number, the log's time, the records, and the chunks behind them. Raises BadSnapshotError."""
    stream = ChunkStream(chunks)
    magic, last_number, time_ms = _HEADER.unpack(stream.take(_HEADER.size))
    if magic != _MAGIC:
        raise BadSnapshotError("a snapshot does not begin like this: it is of another release")
    records: list[Record] = []
    while (length := _NUMBER.unpack(stream.take(_NUMBER.size))[0]) != 0:
        try:
            record = _decode(stream.take(length))
        except ValueError as error:
            raise BadSnapshotError(f"a session of the snapshot does not decode: {error}") from error
        if len(record[0]) != SESSION_ID_BYTES:
            raise BadSnapshotError("a session of the snapshot has no proper id")
        records.append(record)
    stream.check("what the snapshot holds of sessions")
    if not stream.is_between_chunks():
        raise BadSnapshotError("there is more behind the end of the sessions")
    return last_number, time_ms, records, stream.untouched()
