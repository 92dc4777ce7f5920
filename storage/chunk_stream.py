"""The bytes of a snapshot's chunks: written and read in pieces of any length, with a CRC-32 of them at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct
from zlib import crc32

from storage.errors import BadSnapshotError
from storage.state_machine import SNAPSHOT_CHUNK_BYTES_MAX

_CHECKSUM = Struct(">I")


def chunks_of(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Chunks with these pieces and their checksum, each made when it is taken; cut without regard to the pieces."""
    checksum = 0
    buffer = bytearray()
    for piece in pieces:
        buffer += piece
        while len(buffer) >= SNAPSHOT_CHUNK_BYTES_MAX:
            chunk = bytes(buffer[:SNAPSHOT_CHUNK_BYTES_MAX])
            del buffer[:SNAPSHOT_CHUNK_BYTES_MAX]
            checksum = crc32(chunk, checksum)
            yield chunk
    rest = bytes(buffer) + _CHECKSUM.pack(crc32(buffer, checksum))
    yield rest[:SNAPSHOT_CHUNK_BYTES_MAX]
    if len(rest) > SNAPSHOT_CHUNK_BYTES_MAX:
        yield rest[SNAPSHOT_CHUNK_BYTES_MAX:]


class ChunkStream:
    """Takes chunks as it needs them."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._buffer = b""
        self._at = 0
        self._checksum = 0
        self._summed = 0
        """Up to here in the buffer, bytes are in the checksum: it is brought up to date once a chunk."""

    def check(self, what: str) -> None:
        """Take the checksum. Raises BadSnapshotError when it is not that of all bytes taken."""
        self._sum_up()
        expected = self._checksum
        if _CHECKSUM.unpack(self.take(_CHECKSUM.size)) != (expected,):
            raise BadSnapshotError(f"{what} does not match its checksum")

    def _sum_up(self) -> None:
        self._checksum = crc32(memoryview(self._buffer)[self._summed : self._at], self._checksum)
        self._summed = self._at

    def take(self, length: int) -> bytes:
        """The next bytes. Raises BadSnapshotError when there are not as many."""
        end = self._at + length
        if end > len(self._buffer):
            self._refill(length)
            end = length
        piece = self._buffer[self._at : end]
        self._at = end
        return piece

    def take_pairs(self, lengths: Struct, count: int) -> Iterator[tuple[bytes, bytes]]:
        """So many times: two lengths, and two pieces of these lengths. Raises BadSnapshotError.

        A million of them are read in half the time that `take` needs. The stream is used by nobody else meanwhile.
        """
        head = lengths.size
        unpack = lengths.unpack_from
        for _ in range(count):
            if self._at + head > len(self._buffer):
                self._refill(head)
            first, second = unpack(self._buffer, self._at)
            if self._at + head + first + second > len(self._buffer):
                self._refill(head + first + second)
            middle = self._at + head + first
            self._at, start = middle + second, self._at + head
            yield self._buffer[start:middle], self._buffer[middle : self._at]

    def is_at_end(self) -> bool:
        """Whether every byte was taken."""
        return self.is_between_chunks() and not any(self._chunks)

    def is_between_chunks(self) -> bool:
        """Whether every byte of the chunks touched so far was taken."""
        return self._at == len(self._buffer)

    def untouched(self) -> Iterator[bytes]:
        """The chunks that nothing was taken of."""
        return self._chunks

    def _refill(self, length: int) -> None:
        """Have so many bytes in the buffer, which begins with those that are not taken yet."""
        self._sum_up()
        parts = [self._buffer[self._at :]]
        size = len(parts[0])
        while size < length:
            chunk = next(self._chunks, None)
            if chunk is None:
                raise BadSnapshotError(f"the snapshot ends {length - size} bytes early")
            parts.append(chunk)
            size += len(chunk)
        self._buffer, self._at, self._summed = b"".join(parts), 0, 0
