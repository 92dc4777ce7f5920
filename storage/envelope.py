"""The wrapping in which commands, queries and results travel between gateways and the state machine.

What lives here: one byte in front of an application's bytes, which says what they are, so that no command of an
application can be mistaken for a session's, and no result for a refusal.  What does not: what sessions are
(storage/sessions.py).

A query's result has no wrapping: which of the two it is follows from the query.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

RAW: Final = b"\x00"
"""A command or query as it is; of a result: that of such a command."""

SESSION: Final = b"\x01"
"""Commands of a session (transport/client/session_protocol.py); of a result: their outcomes."""

OPEN: Final = b"\x02"
"""The wish for a session; of a result: the id of a new one."""

EXPIRED: Final = b"\x03"
"""A result: there is no such session any more, and nothing was applied."""

MALFORMED: Final = b"\x04"
"""A result: the command makes no sense, and why."""

MANY: Final = b"\x05"
"""Queries that are answered together, with one outcome each."""

ENVELOPE_BYTES_MAX: Final = 64
"""What the envelope of a single command may add to it."""

_encode = msgspec.msgpack.Encoder().encode
_decode_queries = msgspec.msgpack.Decoder(list[bytes]).decode


def wrap_queries(queries: Sequence[bytes]) -> bytes:
    """Several queries as one."""
    return MANY + _encode(queries)


def unwrap_queries(envelope: bytes) -> list[bytes]:
    """The queries in an envelope of kind MANY.  Raises ValueError."""
    return _decode_queries(memoryview(envelope)[1:])
