"""The keyring in a data directory: replaced as a whole, for its owner only, and clear about what is wrong with it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from storage.errors import StorageError, WriteError
from storage.keyring_file import FILE_NAME, read_keyring, remove_keyring, write_keyring
from tests.unit.keyring.made import INSTALLED, OLD, USING
from transport.ring import encode_ring


def test_a_ring_is_kept_and_replaced(tmp_path: Path) -> None:
    """What is read is what was written last, and only its owner can read the file."""
    assert read_keyring(tmp_path) is None
    for ring in (INSTALLED, USING):
        write_keyring(tmp_path, encode_ring(ring))
        assert read_keyring(tmp_path) == ring
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600
    remove_keyring(tmp_path)
    remove_keyring(tmp_path)
    assert read_keyring(tmp_path) is None


def test_a_refused_write_leaves_what_was_there(tmp_path: Path) -> None:
    """The draft cannot be made: the ring before it is still read."""
    write_keyring(tmp_path, encode_ring(INSTALLED))
    (tmp_path / "keyring.new").mkdir()
    with pytest.raises(WriteError, match=r"keyring cannot be written .*: the keys are as before"):
        write_keyring(tmp_path, encode_ring(USING))
    assert read_keyring(tmp_path) == INSTALLED


def test_a_draft_left_by_a_crash_is_no_ring(tmp_path: Path) -> None:
    """Killed before the draft took its place: the ring before it is read, and the next write replaces the draft."""
    write_keyring(tmp_path, encode_ring(INSTALLED))
    (tmp_path / "keyring.new").write_bytes(encode_ring(USING)[:100])
    assert read_keyring(tmp_path) == INSTALLED
    write_keyring(tmp_path, encode_ring(USING))
    assert read_keyring(tmp_path) == USING


@pytest.mark.parametrize("content", [b"", b"{}", b"\x00" * 100_000, encode_ring(USING)[:-20]])
def test_a_damaged_keyring_says_what_to_do(tmp_path: Path, content: bytes) -> None:
    """Never guessed at, and never shown: the line names the file and the way out."""
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(StorageError, match=r"is not a keyring.*Move it away") as caught:
        read_keyring(tmp_path)
    assert OLD.client.secret.decode() not in str(caught.value)
