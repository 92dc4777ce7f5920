"""The file of a backup: every key with its value, as they were at one revision.

What lives here: the format, written and read as a stream.  What does not: asking a cluster for its keys and giving them
back (commands/backup.py).

    QUORATE BACKUP 1\n                      the format and its version
    blocks, each: length, CRC-32, payload   both big-endian, 4 bytes; the payload is MessagePack
        ["head", revision, cluster id, time made (seconds since the epoch), release]
        ["pairs", [[key, value], ...]]      any number of them, the keys in order
        ["end", keys, bytes of keys and values]

The CRC of a block begins with that of the block before it, so none can be missing, twice or in another place.  A file
without its end, or with anything behind it, is torn and is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import Struct
from typing import BinaryIO, Final, TypeAlias
from zlib import crc32

import msgspec

from transport.errors import QuorateError

MAGIC: Final = b"QUORATE BACKUP 1\n"
BLOCK_BYTES_MAX: Final = 8 << 20
"""A block has a page of the store, which is at most 2 MiB; a longer one is damage."""

_PREFIX: Final = Struct(">II")

Pair = tuple[str, bytes]


class BackupError(QuorateError):
    """A backup cannot be made, read or restored; the text is one line for people."""


class Head(msgspec.Struct, tag="head", array_like=True, frozen=True):
    """What is in the file: the store of a cluster at a revision."""

    revision: int
    cluster_id: str
    made_at: float
    release: str


class Pairs(msgspec.Struct, tag="pairs", array_like=True, frozen=True):
    """Some keys with their values."""

    pairs: list[Pair]


class End(msgspec.Struct, tag="end", array_like=True, frozen=True):
    """Nothing is missing; how much it was."""

    keys: int
    bytes: int


Block: TypeAlias = Head | Pairs | End

_encode = msgspec.msgpack.Encoder().encode
_decode: Callable[[bytes], Block] = msgspec.msgpack.Decoder(Block).decode


class BackupWriter:
    """Writes one backup.  What it raises is the file's OSError."""

    def __init__(self, file: BinaryIO, head: Head) -> None:
        self.keys = 0
        self.bytes = 0
        self._file = file
        self._crc = 0
        file.write(MAGIC)
        self._block(head)

    def add(self, pairs: list[Pair]) -> None:
        """Write some keys, in order."""
        self.keys += len(pairs)
        self.bytes += sum(len(key.encode()) + len(value) for key, value in pairs)
        self._block(Pairs(pairs))

    def end(self) -> None:
        """Nothing more comes; the file is not synced yet."""
        self._block(End(self.keys, self.bytes))

    def _block(self, block: Block) -> None:
        payload = _encode(block)
        self._crc = crc32(payload, self._crc)
        self._file.write(_PREFIX.pack(len(payload), self._crc))
        self._file.write(payload)


class BackupReader:
    """Reads one backup, block by block.  Raises BackupError with `name` in it for a file that is none, or damaged."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.keys = 0
        self.bytes = 0
        self._file = file
        self._name = name
        self._crc = 0
        magic = file.read(len(MAGIC))
        if magic != MAGIC:
            raise BackupError(f"{name} is no backup of this release: it does not begin with {MAGIC.decode().strip()!r}")
        head = self._block()
        if not isinstance(head, Head):
            raise self._damaged("it has no head")
        self.head: Head = head

    def pairs(self) -> Iterator[list[Pair]]:
        """What is in it, in the order of the keys; when this ends, everything was there."""
        while not isinstance(block := self._block(), End):
            if isinstance(block, Head):
                raise self._damaged("it has two heads")
            self.keys += len(block.pairs)
            self.bytes += sum(len(key.encode()) + len(value) for key, value in block.pairs)
            yield block.pairs
        if (block.keys, block.bytes) != (self.keys, self.bytes):
            raise self._damaged(f"it has {self.keys} keys, and {block.keys} were written")
        if self._file.read(1):
            raise self._damaged("something follows its end")

    def _block(self) -> Block:
        length, crc = _PREFIX.unpack(self._take(_PREFIX.size))
        if length > BLOCK_BYTES_MAX:
            raise self._damaged(f"a block of {length} bytes")
        payload = self._take(length)
        self._crc = crc32(payload, self._crc)
        if crc != self._crc:
            raise self._damaged("a block does not match its checksum")
        try:
            return _decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._damaged(f"a block does not decode: {error}") from None

    def _take(self, length: int) -> bytes:
        taken = self._file.read(length)
        while len(taken) < length:
            # A pipe gives what it has.
            more = self._file.read(length - len(taken))
            if not more:
                raise self._damaged(f"it ends in the middle, after {self.keys} keys: it was cut off")
            taken += more
        return taken

    def _damaged(self, why: str) -> BackupError:
        return BackupError(f"{self._name} is damaged ({why}): use another backup")
