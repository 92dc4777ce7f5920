"""Requests in progress: what is still to be answered, and what is known of the rest.

What lives here: two plain records without clock or messages to send.  `ClientCall` is a request that came to this
gateway: it is sent, perhaps sent again, and answered as a whole.  `PeerCall` is what another gateway forwarded: it is
tried once, and each of its commands is answered for itself.  Who is asked and when is the core's.

What may be sent again follows from the codes and the kind of request.  A raw command whose outcome nobody knows is
never sent a second time; a query may be, as often as one likes, and so may the commands of a session, which the state
machine applies once (storage/sessions.py).  A session's batch is one command here, and one answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

import msgspec

from storage.envelope import ENVELOPE_BYTES_MAX, EXPIRED, OPEN, RAW, SESSION, wrap_queries
from transport.client.protocol import (
    ATTESTED,
    LINEARIZABLE,
    STALE,
    Code,
    Request,
    Response,
    encode_payload,
)
from transport.client.session_protocol import NONCE_BYTES, SESSION_OPEN, SESSION_PROPOSE, decode_commands

if TYPE_CHECKING:
    from actors.runtime.actor import Sender

PROPOSE: Final = "propose"
READ: Final = "read"
DATA: Final = frozenset({PROPOSE, READ, SESSION_OPEN, SESSION_PROPOSE})
"""Operations on what is replicated."""


OK: Final = "ok"
NOT_LEADER: Final = "not_leader"
NO_LEADER: Final = "no_leader"
OVERLOADED: Final = "overloaded"
TOO_LARGE: Final = "too_large"
OUTCOME_UNKNOWN: Final = "outcome_unknown"
FAILED: Final = "failed"
DIVERGED: Final = "diverged"

ELSEWHERE: Final = frozenset({NOT_LEADER, NO_LEADER})
"""Certainly not applied, and another server or another moment may do better."""

NOT_APPLIED: Final = ELSEWHERE | {OVERLOADED, TOO_LARGE}
"""Certainly not applied."""

_NO_LEADER: Final = "no leader answered in time"
_WHY: Final[dict[str, str]] = {
    NO_LEADER: f"{_NO_LEADER}; nothing was changed",
    OVERLOADED: "too many requests are in progress; nothing was changed, try again later",
    TOO_LARGE: "a command is larger than the cluster accepts; nothing was changed",
    Code.SESSION_EXPIRED: "the session has expired, nothing was applied this time",
}

_decode_commands = msgspec.msgpack.Decoder(list[bytes]).decode
_decode_query = msgspec.msgpack.Decoder(tuple[bytes | list[bytes], str]).decode
_decode_nonce = msgspec.msgpack.Decoder(bytes).decode


class Phase(Enum):
    """Where a client's request is."""

    WAITING = auto()
    """Here, until a leader is known or a pause is over."""
    LOCAL = auto()
    """With this server's Raft."""
    FORWARDED = auto()
    """With the gateway of the leader."""


class Kind(Enum):
    """What a client's request is, and so how its answer is put together."""

    RAW = auto()
    """Commands, each by itself."""
    SESSION = auto()
    """Commands of a session: one envelope."""
    OPEN = auto()
    """A session is wanted."""
    QUERY = auto()
    QUERIES = auto()
    """Queries in one envelope."""


READS: Final = frozenset({Kind.QUERY, Kind.QUERIES})


def refusal(request_id: int, code: str, why: str = "") -> Response:
    """The answer to a request that came to nothing.  `not_leader` is said between servers; a client hears no_leader."""
    code = NO_LEADER if code == NOT_LEADER else code
    return Response(request_id, code, b"", why or _WHY.get(code, ""))


class PeerCall:
    """What another gateway forwarded in one frame: its keys, and where the answers go."""

    __slots__ = ("base", "deadline", "epoch", "keys", "outstanding", "sender", "size")

    def __init__(self, sender: Sender, epoch: int, keys: Sequence[int], size: int, deadline: float) -> None:
        self.sender = sender
        self.epoch = epoch
        self.keys = keys
        """The other gateway's keys; ours count up from `base` in the same order."""
        self.size = size
        self.deadline = deadline
        self.base = 0
        self.outstanding = len(keys)


class ClientCall:
    """A client's request: its commands or its query, and the answers so far."""

    __slots__ = (
        "base",
        "began",
        "commands",
        "consistency",
        "count",
        "deadline",
        "doubt",
        "elsewhere",
        "failure",
        "give_up",
        "id",
        "kind",
        "largest",
        "leader",
        "outstanding",
        "phase",
        "reads",
        "results",
        "sender",
        "size",
        "target",
        "todo",
        "verdicts",
        "watermark",
    )

    def __init__(
        self, kind: Kind, sender: Sender, request_id: int, commands: Sequence[bytes], parts: Sequence[bytes]
    ) -> None:
        self.kind = kind
        self.sender = sender
        self.id = request_id
        self.commands = commands
        """In their envelopes."""
        self.size = sum(map(len, parts))
        self.count = len(parts)
        """The client's commands or queries, which share an envelope or have one each."""
        self.largest = max(map(len, parts), default=0)
        self.began = 0.0
        self.deadline = 0.0
        self.reads = kind in READS
        self.consistency = LINEARIZABLE
        self.elsewhere = False
        """Whether this server's Raft has said that it cannot answer: the next attempt goes to the leader."""
        self.phase = Phase.WAITING
        self.leader = ""
        """Id of the leader at the time of the present attempt."""
        self.target = ""
        """Address it was forwarded to."""
        self.give_up: float | None = None
        """When to stop hoping for an answer from a leader that is none any more."""
        self.base = 0
        """Key of the first command of the present attempt; the others' count up from it."""
        self.todo: Sequence[int] = range(len(commands))
        """Positions of the commands that the present attempt is about."""
        self.outstanding = 0
        self.results: list[bytes | None] = [None] * len(commands)
        self.verdicts: dict[int, str] = {}
        """Position -> code of each command whose last answer was no result."""
        self.watermark = (0, 0)
        """Applied index and age in ms of the state that answered a query."""
        self.doubt = False
        """Whether some attempt may have applied a command without an answer."""
        self.failure = ""
        """What the state machine said when it failed, or Raft of a divergence."""

    def take(self, key: int, code: str, result: bytes) -> None:
        """Note the answer to one command of the present attempt."""
        position = self.todo[key - self.base]
        self.outstanding -= 1
        if code == OK:
            self.results[position] = result
            return
        self.verdicts[position] = code
        if code == OUTCOME_UNKNOWN:
            self.doubt = True
        elif code in (FAILED, DIVERGED):
            self.failure = result.decode(errors="replace")

    def abandon(self, code: str) -> None:
        """Hold `code` for the answer to every command of the present attempt that has none."""
        for position in self.todo:
            if self.results[position] is None:
                self.verdicts.setdefault(position, code)
        self.outstanding = 0
        self.doubt = self.doubt or code == OUTCOME_UNKNOWN

    def again(self) -> bool:
        """Prepare another attempt at what was not applied; False when that could apply a command twice or not help."""
        repeatable = ELSEWHERE if self.kind is Kind.RAW else ELSEWHERE | {OUTCOME_UNKNOWN}
        if not self.verdicts or not repeatable.issuperset(self.verdicts.values()):
            return False
        self.todo = sorted(self.verdicts)
        self.verdicts = {}
        self.phase = Phase.WAITING
        self.elsewhere = True
        self.give_up = None
        return True

    def outcome(self) -> Response:
        """The answer to the client, from the last answers to its commands."""
        if not self.verdicts:
            return self._answer()
        codes = set(self.verdicts.values())
        if self.reads:
            code = codes.pop()
            if code == OUTCOME_UNKNOWN or code in ELSEWHERE:
                return refusal(self.id, NO_LEADER, _NO_LEADER)
            return refusal(self.id, code, self.failure)
        applied = len(self.commands) - len(self.verdicts)
        if not applied and not self.doubt:
            if codes <= NOT_APPLIED:
                return refusal(self.id, min(codes))
            if codes == {FAILED}:
                return refusal(self.id, FAILED, self.failure)
        many = f"; {applied} of the {len(self.commands)} commands sent together were" if len(self.commands) > 1 else ""
        return refusal(self.id, OUTCOME_UNKNOWN, f"no answer from the leader: it may or may not be applied{many}")

    def _answer(self) -> Response:
        """The answer when the state machine has answered everything."""
        results = [result for result in self.results if result is not None]
        if self.kind is Kind.RAW:
            return Response(self.id, Code.OK, encode_payload([result[1:] for result in results]))
        (result,) = results
        if self.kind is Kind.QUERY:
            return Response(self.id, Code.OK, encode_payload([result, *self.watermark]))
        if self.kind is Kind.QUERIES:
            return Response(self.id, Code.OK, encode_payload([msgspec.Raw(result), *self.watermark]))
        kind, content = result[:1], result[1:]
        if kind == SESSION:
            return Response(self.id, Code.OK, content)
        if kind == OPEN:
            return Response(self.id, Code.OK, encode_payload(content))
        if kind != EXPIRED:
            return refusal(self.id, Code.BAD_REQUEST, content.decode(errors="replace"))
        if self.doubt:
            why = "the session has expired: it may or may not have been applied before that"
            return refusal(self.id, OUTCOME_UNKNOWN, why)
        return refusal(self.id, Code.SESSION_EXPIRED)

    def excess(self, command_bytes_max: int, commands_max: int) -> str:
        """Which limit the request is over, in words; "" if none."""
        if self.count > commands_max:
            return f"{self.count} commands in one request are over the limit of {commands_max}"
        if self.largest > command_bytes_max:
            return f"a command of {self.largest} bytes is over the limit of {command_bytes_max}"
        if self.kind is Kind.SESSION and len(self.commands[0]) > command_bytes_max + ENVELOPE_BYTES_MAX:
            return f"{self.size} bytes of a session's commands in one request are over the limit of {command_bytes_max}"
        return ""


def parsed(sender: Sender, request: Request, now: float, deadline: float) -> ClientCall:
    """A request about data as a call.  Raises ValueError (msgspec's errors are such) when it makes no sense."""
    call = _PARSERS[request.op](sender, request)
    call.began = now
    call.deadline = deadline
    return call


def _parsed_raw(sender: Sender, request: Request) -> ClientCall:
    commands = _decode_commands(request.payload)
    return ClientCall(Kind.RAW, sender, request.id, [RAW + command for command in commands], commands)


def _parsed_session(sender: Sender, request: Request) -> ClientCall:
    commands = decode_commands(request.payload).commands
    return ClientCall(Kind.SESSION, sender, request.id, [SESSION + request.payload], commands)


def _parsed_open(sender: Sender, request: Request) -> ClientCall:
    nonce = _decode_nonce(request.payload)
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a session is opened with {NONCE_BYTES} random bytes, not {len(nonce)}")
    return ClientCall(Kind.OPEN, sender, request.id, [OPEN + nonce], [nonce])


def _parsed_read(sender: Sender, request: Request) -> ClientCall:
    asked, consistency = _decode_query(request.payload)
    if consistency not in (LINEARIZABLE, STALE, ATTESTED):
        raise ValueError(f"the consistency is {LINEARIZABLE}, {STALE} or {ATTESTED}, not {consistency!r}")
    if consistency == ATTESTED and not isinstance(asked, bytes):
        raise ValueError(f"an {ATTESTED} read is one query, not several")
    if isinstance(asked, bytes):
        call = ClientCall(Kind.QUERY, sender, request.id, [RAW + asked], [asked])
    else:
        call = ClientCall(Kind.QUERIES, sender, request.id, [wrap_queries(asked)], asked)
    call.consistency = consistency
    return call


_PARSERS: Final = {
    PROPOSE: _parsed_raw,
    READ: _parsed_read,
    SESSION_OPEN: _parsed_open,
    SESSION_PROPOSE: _parsed_session,
}
