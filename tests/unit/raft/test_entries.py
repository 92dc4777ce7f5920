"""What an entry's bytes mean."""

from __future__ import annotations

import pytest
from pysyncobj.syncobj import _COMMAND_TYPE

from actors.raft.entries import (
    ENTRY_BYTES_MAX,
    NO_OP,
    EntryTooLargeError,
    ForeignEntryError,
    check_size,
    configuration_of,
    decode_commands,
    encode_commands,
    encode_configuration,
    is_configuration,
)
from transport.limits import COMMAND_BYTES_MAX


@pytest.mark.parametrize("commands", [[], [b""], [b"a", b"b" * 1000, b""]])
def test_commands_and_back(commands: list[bytes]) -> None:
    """Many commands are one entry, in order."""
    data = encode_commands(commands)

    assert decode_commands(data) == commands
    assert not is_configuration(data)


def test_configuration_and_back() -> None:
    """A change of the configuration holds no command."""
    data = encode_configuration(b"who")

    assert is_configuration(data)
    assert configuration_of(data) == b"who"
    assert decode_commands(data) == []


def test_no_op_is_the_engines() -> None:
    """The engine writes it when it becomes leader, in its own way."""
    assert bytes([_COMMAND_TYPE.NO_OP]) == NO_OP
    assert decode_commands(NO_OP) == []
    assert not is_configuration(NO_OP)


@pytest.mark.parametrize("data", [b"", b"\x02x", b"\x03x", b"\xff", b"\x80\x04pickle"])
def test_foreign_kinds_are_refused(data: bytes) -> None:
    """The engine's membership and version commands among them."""
    with pytest.raises(ForeignEntryError, match="not one of ours"):
        decode_commands(data)


@pytest.mark.parametrize("data", [b"\x00", b"\x00\xc1", b"\x00\x91", b"\x00\x91\x01"])
def test_broken_commands_are_refused(data: bytes) -> None:
    """Ours by its first byte, and not by the rest."""
    with pytest.raises(ForeignEntryError, match="do not decode"):
        decode_commands(data)


def test_largest_command_fits() -> None:
    """One command of the largest size, with its framing, is an entry that may be proposed."""
    check_size(encode_commands([b"x" * COMMAND_BYTES_MAX]))
    check_size(b"x" * ENTRY_BYTES_MAX)

    with pytest.raises(EntryTooLargeError):
        check_size(b"x" * (ENTRY_BYTES_MAX + 1))
