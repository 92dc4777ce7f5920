"""The file of a backup: what was written is read, and no damage of any kind passes for a backup."""

from __future__ import annotations

import random
from io import BytesIO

import pytest

from storage.backup_file import BackupError, BackupReader, BackupWriter, Head, Pair

PAGES: list[list[Pair]] = [[("a", b"1"), ("ä/b", b"\xff\x00")], [("c", b"")], [("d", bytes(5_000))]]
HEAD = Head(17, "c1", 1.5, "1.0")


def written() -> bytes:
    """A backup of three pages."""
    file = BytesIO()
    writer = BackupWriter(file, HEAD)
    for page in PAGES:
        writer.add(page)
    writer.end()
    return file.getvalue()


def read(data: bytes) -> list[Pair]:
    """All of it."""
    return [pair for page in BackupReader(BytesIO(data), "file").pairs() for pair in page]


def test_what_was_written_is_read() -> None:
    """Keys in any script, values of any bytes."""
    assert read(written()) == [pair for page in PAGES for pair in page]
    assert BackupReader(BytesIO(written()), "file").head == HEAD


def test_a_backup_cut_off_anywhere_is_refused() -> None:
    """At every byte: the end alone says that nothing is missing."""
    whole = written()
    for length in range(len(whole)):
        with pytest.raises(BackupError, match="file is"):
            read(whole[:length])
    with pytest.raises(BackupError, match="something follows"):
        read(whole + b"\0")


def test_a_changed_byte_is_found(seed: int) -> None:
    """One bit of any byte, the first hundred and a thousand others."""
    rng = random.Random(seed)
    whole = written()
    for at in [*range(100), *rng.sample(range(len(whole)), 1_000)]:
        damaged = bytearray(whole)
        damaged[at] ^= 1 << rng.randrange(8)
        with pytest.raises(BackupError):
            read(bytes(damaged))


def test_blocks_in_another_order_are_refused() -> None:
    """Each is sound by itself; their checksums hang together."""
    whole = written()
    blocks, at = [], len(b"QUORATE BACKUP 1\n")
    magic = whole[:at]
    while at < len(whole):
        end = at + 8 + int.from_bytes(whole[at : at + 4], "big")
        blocks.append(whole[at:end])
        at = end
    head, first, second, third, last = blocks
    for order in ([head, second, first, third, last], [head, first, third, last], [head, first, first, second, last]):
        with pytest.raises(BackupError, match="checksum"):
            read(magic + b"".join(order))
