"""The bytes of a snapshot's chunks, read in pieces of any length, with a checksum of what was read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from zlib import crc32

from storage.errors import BadSnapshotError


class ChunkStream:
    """Takes chunks as it needs them."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._buffer = b""
        self._at = 0
        self.checksum = 0
        """Of all bytes taken."""

    def take(self, length: int) -> bytes:
        """The next bytes. Raises BadSnapshotError when there are not as many."""
        end = self._at + length
        if end > len(self._buffer):
            self._refill(length)
            end = length
        piece = self._buffer[self._at : end]
        self._at = end
        self.checksum = crc32(piece, self.checksum)
        return piece

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
        parts = [self._buffer[self._at :]]
        size = len(parts[0])
        while size < length:
            chunk = next(self._chunks, None)
            if chunk is None:
                raise BadSnapshotError(f"the snapshot ends {length - size} bytes early")
            parts.append(chunk)
            size += len(chunk)
        self._buffer, self._at = b"".join(parts), 0
