"""Checksums of stored records: CRC-32 over everything a record says, its place included.

SQLite's own checks do not cover the main file's bytes, so every record carries one. Its place (index, number) is part
of what is summed: a record that turns up in another's place is as wrong as a flipped bit.
"""

from __future__ import annotations

from struct import Struct
from zlib import crc32

import msgspec

_place = Struct(">qq").pack
_encode = msgspec.msgpack.Encoder().encode


def data_checksum(number: int, attribute: int, data: bytes) -> int:
    """Checksum of a blob at its place: (index, term) of an entry, (id, 0) of a chunk. Made for the hot path."""
    return crc32(data, crc32(_place(number, attribute)))


def record_checksum(*fields: int | str | bytes | None) -> int:
    """Checksum of a row by its values and their types."""
    return crc32(_encode(fields))
