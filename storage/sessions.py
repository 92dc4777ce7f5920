"""Client sessions: what makes a command that is sent twice apply once, around any state machine.

What lives here: `SessionMachine`, a state machine that takes commands in envelopes (envelope.py), remembers what became
of the numbered ones, and hands each to the application's state machine at most once. What does not: a client's side of
it (transport/client/session.py), and the bytes of a snapshot (session_snapshot.py).

Sessions are replicated state (Raft thesis, section 6.3): they follow from the log alone, by no clock, and are in the
snapshot. Rules:

1. A sequence that was applied is answered with the result it had then, until the client has acknowledged it.
2. A sequence that the client has acknowledged is never applied, also when it was not before.
3. A session is used by its commands alone. Beyond `sessions_max` sessions, or `results_bytes_max` of remembered
   results, the least recently used one expires.
4. A command of a session that is not there is not applied. Nothing could tell whether it was before.
5. A session whose client acknowledges nothing takes no more than `SEQUENCES_MAX` commands and `session_bytes_max`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from itertools import chain
from typing import Final

from attrs import frozen

from storage.envelope import EXPIRED, MALFORMED, MANY, OPEN, RAW, SESSION, unwrap_queries
from storage.session_snapshot import read_sessions, write_sessions
from storage.state_machine import SNAPSHOT_CHUNK_BYTES_MAX, StateMachine, Timed, fault_of
from transport.client.session_protocol import (
    ANSWERED_BEFORE,
    NONCE_BYTES,
    NOT_NOW,
    SEQUENCES_MAX,
    SESSION_ID_BYTES,
    Failure,
    Outcome,
    decode_commands,
    encode_outcomes,
)

_NUMBER_BYTES: Final = SESSION_ID_BYTES - NONCE_BYTES
_RESULT_OVERHEAD_BYTES: Final = 64
"""What keeping a result costs beside its bytes, about."""

_ANSWER_BYTES_MAX: Final = 4 << 20
"""Queries that are asked together are answered until their results pass this; the others are asked again."""

_log = logging.getLogger("quorate.storage")


@frozen
class SessionLimits:
    """The same on every server: what expires is part of the replicated state."""

    sessions_max: int = 4_096
    results_bytes_max: int = 32 << 20
    session_bytes_max: int = 8 << 20
    sequences_max: int = SEQUENCES_MAX


class _Session:
    """What is remembered of one session: the outcomes from the first unacknowledged sequence on."""

    __slots__ = ("acknowledged", "outcomes", "size")

    def __init__(self, acknowledged: int = 1, outcomes: dict[int, bytes | Failure] | None = None) -> None:
        self.acknowledged = acknowledged
        self.outcomes = outcomes or {}
        self.size = sum(map(_cost, self.outcomes.values()))

    def remember(self, sequence: int, outcome: bytes | Failure) -> None:
        self.outcomes[sequence] = outcome
        self.size += _cost(outcome)

    def forget_below(self, sequence: int) -> None:
        """The client has the answers."""
        outcomes = self.outcomes
        # A client may claim any number; what is there to forget is bounded.
        low, high = self.acknowledged, sequence
        gone = range(low, high) if high - low <= len(outcomes) else [one for one in outcomes if one < high]
        for one in gone:
            outcome = outcomes.pop(one, None)
            if outcome is not None:
                self.size -= _cost(outcome)
        self.acknowledged = sequence


class SessionMachine(StateMachine):
    """Sessions around `inner`, which sees an application's commands and queries alone."""

    def __init__(self, inner: StateMachine, limits: SessionLimits | None = None) -> None:
        self._inner = inner
        self._limits = limits or SessionLimits()
        self._timed = inner if isinstance(inner, Timed) else None
        self.time_ms = 0
        """The log's time (actors/raft/log_clock.py), kept for whoever leads after a snapshot."""
        self._last_number = 0
        self._sessions: dict[bytes, _Session] = {}
        """By id, the least recently used first."""
        self._size = 0
        """Of all sessions."""

    @property
    def session_count(self) -> int:
        """How many sessions there are."""
        return len(self._sessions)

    def advance(self, time_ms: int) -> None:
        """The commands that follow were proposed at this time of the log."""
        self.time_ms = time_ms
        if self._timed is not None:
            self._timed.advance(time_ms)

    @property
    def next_end_ms(self) -> int | None:
        """When something of the application's ends."""
        return None if self._timed is None else self._timed.next_end_ms

    def apply(self, command: bytes) -> bytes:
        """Apply what is in an envelope; the result is in one too.

        An exception of the application's for a raw command is let through; in a session it is an outcome.
        """
        kind = command[:1]
        if kind == SESSION:
            return self._apply_session(command)
        if kind == RAW:
            return RAW + _sound(self._inner.apply(command[1:]))
        if kind == OPEN and len(command) == 1 + NONCE_BYTES:
            return OPEN + self._open(command[1:])
        return MALFORMED + b"the command is in no envelope of this release"

    def read(self, query: bytes) -> bytes:
        """Answer the query, or the queries, in an envelope."""
        if query[:1] != MANY:
            return _sound(self._inner.read(query[1:]))
        outcomes: list[Outcome] = []
        size = 0
        for one in unwrap_queries(query):
            if size >= _ANSWER_BYTES_MAX:
                outcomes.append(NOT_NOW)
                continue
            try:
                outcome: bytes | Failure = _sound(self._inner.read(one))
            except Exception as error:
                _log.exception("a query failed")
                outcome = Failure(fault_of(error))
            size += _cost(outcome)
            outcomes.append(outcome)
        return encode_outcomes(outcomes)

    def snapshot(self) -> Iterable[bytes]:
        """The sessions as of now, then the application's snapshot."""
        records = [(name, one.acknowledged, one.outcomes.copy()) for name, one in self._sessions.items()]
        chunks = map(_sound_chunk, self._inner.snapshot())
        return chain(write_sessions(self._last_number, self.time_ms, records), chunks)

    def restore(self, chunks: Iterable[bytes]) -> None:
        """Replace everything. Raises BadSnapshotError, with everything as before."""
        last_number, time_ms, records, rest = read_sessions(chunks)
        self._inner.restore(rest)
        self._last_number, self.time_ms = last_number, time_ms
        self._sessions = {name: _Session(acknowledged, outcomes) for name, acknowledged, outcomes in records}
        self._size = sum(session.size for session in self._sessions.values())

    def _open(self, nonce: bytes) -> bytes:
        self._last_number += 1
        name = self._last_number.to_bytes(_NUMBER_BYTES, "big") + nonce
        self._sessions[name] = _Session()
        self._expire()
        return name

    def _apply_session(self, command: bytes) -> bytes:
        try:
            batch = decode_commands(memoryview(command)[1:])
        except ValueError as error:
            return MALFORMED + f"the commands of a session do not decode: {error}".encode()
        session = self._sessions.pop(batch.session, None)
        if session is None:
            return EXPIRED
        self._sessions[batch.session] = session
        before = session.size
        if batch.acknowledged > session.acknowledged:
            session.forget_below(batch.acknowledged)
        outcomes = [
            self._apply_once(session, sequence, one) for sequence, one in enumerate(batch.commands, batch.first)
        ]
        self._size += session.size - before
        self._expire()
        return SESSION + encode_outcomes(outcomes)

    def _apply_once(self, session: _Session, sequence: int, command: bytes) -> Outcome:
        known = session.outcomes.get(sequence)
        if known is not None:
            return known
        ahead = sequence - session.acknowledged
        if ahead < 0:
            return ANSWERED_BEFORE
        limits = self._limits
        if ahead >= limits.sequences_max or session.size >= limits.session_bytes_max:
            return NOT_NOW
        try:
            outcome: bytes | Failure = _sound(self._inner.apply(command))
        except Exception as error:
            _log.exception("a command of a session failed")
            # Its text may differ between servers, and what is remembered must not: the first answer alone has it.
            session.remember(sequence, Failure(f"the state machine raised {type(error).__name__}"))
            return Failure(fault_of(error))
        session.remember(sequence, outcome)
        return outcome

    def _expire(self) -> None:
        limits = self._limits
        while len(self._sessions) > limits.sessions_max or (
            self._size > limits.results_bytes_max and len(self._sessions) > 1
        ):
            oldest = next(iter(self._sessions))
            self._size -= self._sessions.pop(oldest).size


def _sound(answer: object) -> bytes:
    """What an application has answered.  Raises TypeError: kept, anything but bytes could not be read again."""
    if type(answer) is not bytes:
        raise TypeError(f"the state machine answered with {type(answer).__name__}, not with bytes")
    return answer


def _sound_chunk(chunk: object) -> bytes:
    """A chunk of an application's.  Raises TypeError, or ValueError: a larger one could not be sent to others."""
    sound = _sound(chunk)
    if len(sound) > SNAPSHOT_CHUNK_BYTES_MAX:
        raise ValueError(
            f"a chunk of its snapshot has {len(sound)} bytes, at most {SNAPSHOT_CHUNK_BYTES_MAX} are allowed: give it "
            "in parts"
        )
    return sound


def _cost(outcome: bytes | Failure) -> int:
    return _RESULT_OVERHEAD_BYTES + (len(outcome) if type(outcome) is bytes else 0)
