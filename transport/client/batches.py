"""What a client asks, and how several asks travel as one request.

What lives here: pure functions between asks and payloads.  What does not: when they are sent, and what becomes of them
(asks.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

import msgspec
from attrs import define, frozen

from transport.client.errors import ClientError
from transport.client.protocol import ATTESTED, LINEARIZABLE, STALE, decode_payload, encode_payload
from transport.client.session import ClientSession
from transport.client.session_protocol import SESSION_PROPOSE, Outcome, decode_outcomes
from transport.client.stale import Stale, age_s
from transport.text import shortened
from transport.wire import WireError

COMMANDS: Final = "propose"
"""Commands without a session."""

SESSION_COMMANDS: Final = SESSION_PROPOSE
READS: Final = frozenset({LINEARIZABLE, STALE})
"""Queries go by their consistency: those that share it share a request."""

WATCH: Final = "watch"
"""A question that its server may keep until there is something to say."""

WATCH_MARGIN_S: Final = 1.0
"""The server is given so much less time for it than there is: at its end it says up to where nothing happened."""

_READ: Final = "read"
_BATCHED: Final = READS | {COMMANDS, SESSION_COMMANDS}

_decode_results = msgspec.msgpack.Decoder(list[bytes]).decode
_decode_attested = msgspec.msgpack.Decoder(tuple[bytes, int, int]).decode
_decode_read = msgspec.msgpack.Decoder(tuple[list[Outcome], int, int]).decode


@frozen
class AskLimits:
    """batch_commands_max, batch_bytes_max: commands or queries in one request.  under_way_max: commands and questions
    without an answer; more wait in the queue, where they make larger batches.  attempt_s: the time one server gets for
    what may be asked again elsewhere; a cut-off server would otherwise use up the time in which another one has a
    leader.  Anything else gets all of its caller's time, since the end of an attempt could leave its outcome unknown.
    """

    batch_commands_max: int = 256
    batch_bytes_max: int = 256 * 1024
    under_way_max: int = 4_096
    attempt_s: float = 2.0


class Promise(Protocol):
    """The part of an asyncio future that an ask needs."""

    def done(self) -> bool:
        """Whether it has a result, or its caller has given up."""

    def set_result(self, result: Any, /) -> None:
        """The answer."""

    def set_exception(self, exception: BaseException, /) -> None:
        """Why there is none."""


@define(eq=False, slots=True)
class Ask:
    """One command, one query, or one question by the name of its operation.

    op: one of the constants above, or an operation.  body: the command, the query, or the operation's arguments, which
    whoever sends them can encode (checked_body).
    sequence: the command's number in `session`, from its first attempt on.  doubt: whether an attempt may have been
    carried out without an answer.  trouble: what was said to the latest attempt that certainly was not.
    """

    op: str
    body: Any
    deadline: float
    promise: Promise
    session: ClientSession | None = None
    sequence: int = 0
    doubt: bool = False
    trouble: ClientError | None = None

    @property
    def is_batched(self) -> bool:
        """Whether asks of this kind share requests."""
        return self.op in _BATCHED

    def finish(self) -> None:
        """Nobody waits for the answer any more."""
        if self.session is not None:
            self.session.finish(self.sequence)


def checked_body(op: str, body: Any) -> Any:
    """A body that certainly can be sent: what cannot is its caller's trouble, and nobody else's who shares a request.

    Raises TypeError for a command or query that is not bytes, and for arguments that MessagePack cannot hold.
    """
    if op in _BATCHED:
        if type(body) is not bytes:
            raise TypeError(f"a command or query is bytes, not {type(body).__name__}")
        return body
    try:
        encode_payload(op)
        return msgspec.Raw(encode_payload(body))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise TypeError(f"{shortened(str(op))} cannot be asked with these arguments: {error}") from None


def is_one_request(before: Ask, ask: Ask) -> bool:
    """Whether an ask can go right behind another of its queue."""
    if before.op != SESSION_COMMANDS:
        return before.is_batched
    if before.session is not ask.session:
        return False
    return ask.session is None or ask.sequence == before.sequence + 1


def encode_asks(asks: Sequence[Ask]) -> tuple[str, bytes]:
    """The operation and the payload of a request for all of them."""
    first = asks[0]
    if first.op == ATTESTED:
        return _READ, encode_payload([first.body, ATTESTED])
    if not first.is_batched:
        return first.op, encode_payload(first.body)
    bodies = [ask.body for ask in asks]
    if first.op in READS:
        return _READ, encode_payload([bodies, first.op])
    if first.session is None:
        return COMMANDS, encode_payload(bodies)
    return SESSION_PROPOSE, first.session.payload(first.sequence, bodies)


def decode_values(asks: Sequence[Ask], payload: bytes) -> Sequence[Any]:
    """What each of them is answered with.  Raises WireError or ValueError for a payload that makes no sense."""
    first = asks[0]
    if first.op == ATTESTED:
        return [_decode_attested(payload)[0]]
    if not first.is_batched:
        return [decode_payload(payload)]
    values: Sequence[Any]
    if first.op in READS:
        values, _, age_ms = _decode_read(payload)
        if first.op == STALE:
            values = [Stale(value, age_s(age_ms)) if type(value) is bytes else value for value in values]
    elif first.session is None:
        values = _decode_results(payload)
    else:
        values = decode_outcomes(payload)
    if len(values) != len(asks):
        raise WireError(f"{len(values)} answers to {len(asks)} asks")
    return values
