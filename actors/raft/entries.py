"""What the bytes of a log entry mean.

The engine keeps opaque bytes and looks at none of them, except for the no-op that it writes itself.  The first byte
says what an entry is; the rest is msgpack.  Nothing here, or anywhere, unpickles an entry (docs/design.md, row 18): a
kind that this table does not know is refused with a clear error.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from storage.envelope import ENVELOPE_BYTES_MAX
from transport.limits import COMMAND_BYTES_MAX

WRAPPED_BYTES_MAX: Final = COMMAND_BYTES_MAX + ENVELOPE_BYTES_MAX
"""The largest command in its envelope."""

ENTRY_BYTES_MAX: Final = COMMAND_BYTES_MAX + 1024
"""The largest entry: many small commands, or one of WRAPPED_BYTES_MAX with its framing."""

COMMANDS_PER_ENTRY_MAX: Final = 4096

NO_OP: Final = b"\x01"
"""The entry that the engine writes when its server becomes leader."""

_COMMANDS: Final = b"\x00"
_TIME_BYTES: Final = 8
_COMMANDS_FROM: Final = 1 + _TIME_BYTES
_CONFIGURATION: Final = b"\x10"
_decode_batch = msgspec.msgpack.Decoder(list[bytes]).decode
_encode = msgspec.msgpack.Encoder().encode


class ForeignEntryError(Exception):
    """An entry of a kind that this version does not write."""


class EntryTooLargeError(ValueError):
    """An entry beyond ENTRY_BYTES_MAX: the engine would send it in pieces that crash their receiver (row 6)."""


def check_size(data: bytes) -> None:
    """Raise EntryTooLargeError unless the entry may be proposed."""
    if len(data) > ENTRY_BYTES_MAX:
        raise EntryTooLargeError(f"an entry of {len(data)} bytes is more than {ENTRY_BYTES_MAX}")


def encode_commands(commands: Sequence[bytes], time_ms: int = 0) -> bytes:
    """Pack a batch of commands into one entry, with the log's time (log_clock.py)."""
    return _COMMANDS + time_ms.to_bytes(_TIME_BYTES, "big") + _encode(commands)


def time_of(data: bytes) -> int | None:
    """The log's time in an entry of commands, None in another one."""
    return int.from_bytes(data[1:_COMMANDS_FROM], "big") if data[:1] == _COMMANDS else None


def encode_configuration(configuration: bytes) -> bytes:
    """Pack an encoded configuration into one entry."""
    return _CONFIGURATION + configuration


def is_configuration(data: bytes) -> bool:
    """Whether this entry changes the configuration."""
    return data[:1] == _CONFIGURATION


def configuration_of(data: bytes) -> bytes:
    """The encoded configuration inside an entry for which ``is_configuration`` holds."""
    return data[1:]


def decode_commands(data: bytes) -> list[bytes]:
    """The commands of an entry, in order; none for a no-op or a configuration.  Raises ForeignEntryError."""
    kind = data[:1]
    if kind == _COMMANDS:
        try:
            return _decode_batch(memoryview(data)[_COMMANDS_FROM:])
        except msgspec.DecodeError as error:
            raise ForeignEntryError(f"an entry's commands do not decode: {error}") from None
    if kind in (NO_OP, _CONFIGURATION):
        return []
    raise ForeignEntryError(f"an entry of kind {kind!r} is not one of ours")


def batches(proposals: Sequence[tuple[int, bytes]]) -> list[Sequence[tuple[int, bytes]]]:
    """Cut proposals into entries: as many commands as fit."""
    found: list[Sequence[tuple[int, bytes]]] = []
    start = size = 0
    for position, (_, command) in enumerate(proposals):
        framed = len(command) + 5  # msgpack's largest length prefix
        if position > start and (size + framed > COMMAND_BYTES_MAX or position - start >= COMMANDS_PER_ENTRY_MAX):
            found.append(proposals[start:position])
            start, size = position, 0
        size += framed
    found.append(proposals[start:])
    return found
