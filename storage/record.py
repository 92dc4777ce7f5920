"""What the key-value store keeps of a key, as one bytes object that the garbage collector never looks at.

Layout: the revision of the key's last change, then the value.
"""

from __future__ import annotations

from struct import Struct

from storage.kv_protocol import Change, Found

HEAD_BYTES = 8
NUMBER_MAX = (1 << 63) - 1
"""No revision, and no lease's id, is more."""


head_of = Struct(">Q").pack
"""What the records of a change begin with, made of its revision; the value follows."""


def value_of(record: bytes) -> bytes:
    """The value."""
    return record[HEAD_BYTES:]


def revision_of(record: bytes | None) -> int:
    """The revision of the last change, 0 for no record."""
    return 0 if record is None else int.from_bytes(record[:HEAD_BYTES], "big")


def found(key: str, record: bytes) -> Found:
    """As a result."""
    return Found(key, record[HEAD_BYTES:], revision_of(record))


def change(key: str, revision: int, record: bytes | None) -> Change:
    """As one of a watch's changes; None: the key was removed."""
    return Change(key, None if record is None else record[HEAD_BYTES:], revision)
