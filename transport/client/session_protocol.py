"""What a client's session consists of on the wire: numbered commands under an id, and one outcome for each.

What lives here: the shapes that a client writes and the cluster's state machine reads, gateways handing them on as they
are.  What does not: the client's book-keeping (session.py), and applying once (storage/sessions.py).

A session lives in the replicated state (Raft thesis, section 6.3).  The cluster gives the id, from a count that never
goes back, so that no copy of an old message can bring an expired session to life again; the client's own random number
in it keeps a client of a cluster that is no more from hitting somebody's session in its successor.
"""

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

SESSION_OPEN: Final = "session.open"
"""Payload: NONCE_BYTES random bytes.  Answer: the session's id.  Asked twice, it opens two, which does no harm."""

SESSION_PROPOSE: Final = "session.propose"
"""Payload: SessionCommands.  Answer: one outcome for each of them, in order."""

NONCE_BYTES: Final = 8
SESSION_ID_BYTES: Final = 16

SEQUENCES_MAX: Final = 8_192
"""How far a session's sequences may run ahead of the first one that its client has no answer to.

This and the other limits of sessions are part of the state machine: servers with other values would come to another
state.
"""

ANSWERED_BEFORE: Final = 0
"""In place of a result: the client has said that it has the answer.  Not applied (again)."""

NOT_NOW: Final = 1
"""In place of a result: too much is unacknowledged, or too much was asked for at once.  Not applied; ask again."""


class Failure(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """In place of a result: the state machine raised an exception over the command or query, on every server."""

    why: str


Outcome = bytes | Failure | int
"""What became of one command or query: its result, or what stands in its place."""

Sequence62 = Annotated[int, msgspec.Meta(ge=1, le=1 << 62)]


class SessionCommands(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Commands with the sequences first, first + 1, and so on.

    acknowledged: the client waits for the answer to no sequence below this one, and sends none of them again.
    """

    session: bytes
    acknowledged: Sequence62
    first: Sequence62
    commands: list[bytes]


_encode = msgspec.msgpack.Encoder().encode
_decode_commands = msgspec.msgpack.Decoder(SessionCommands).decode
_decode_outcomes = msgspec.msgpack.Decoder(list[Outcome]).decode


def encode_commands(commands: SessionCommands) -> bytes:
    """A payload of SESSION_PROPOSE."""
    return _encode(commands)


def decode_commands(payload: bytes | memoryview) -> SessionCommands:
    """The commands in a payload.  Raises ValueError when it holds none."""
    return _decode_commands(payload)


def encode_outcomes(outcomes: Sequence[Outcome]) -> bytes:
    """What is answered to commands, or to queries that were asked together."""
    return _encode(outcomes)


def decode_outcomes(payload: bytes) -> list[Outcome]:
    """The outcomes in an answer.  Raises ValueError when there are none."""
    return _decode_outcomes(payload)
