"""Requests in progress: what is still to be answered, and what is known of the rest.

What lives here: two plain records without clock or messages to send.  `ClientCall` is a request that came to this
gateway: it is sent, perhaps sent again, and answered as a whole.  `PeerCall` is what another gateway forwarded: it is
tried once, and each of its commands is answered for itself.  Who is asked and when is the core's.

What may be sent again follows from the codes alone.  A command whose outcome nobody knows is never sent a second time;
a query may be, as often as one likes.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

import msgspec

from transport.client_protocol import Code, Request, Response, encode_payload

if TYPE_CHECKING:
    from actors.actor import Sender

PROPOSE: Final = "propose"
READ: Final = "read"
LINEARIZABLE: Final = "linearizable"
STALE: Final = "stale"

OK: Final = "ok"
NOT_LEADER: Final = "not_leader"
NO_LEADER: Final = "no_leader"
OVERLOADED: Final = "overloaded"
TOO_LARGE: Final = "too_large"
OUTCOME_UNKNOWN: Final = "outcome_unknown"

ELSEWHERE: Final = frozenset({NOT_LEADER, NO_LEADER})
"""Certainly not applied, and another server or another moment may do better."""

NOT_APPLIED: Final = ELSEWHERE | {OVERLOADED, TOO_LARGE}
"""Certainly not applied."""

_WHY: Final = {
    NO_LEADER: "no leader answered in time, nothing was changed; 'raft peers' shows which voters are missing",
    OVERLOADED: "too many requests are in progress; nothing was changed, try again later",
    TOO_LARGE: "a command is larger than the cluster accepts; nothing was changed",
}

_decode_commands = msgspec.msgpack.Decoder(list[bytes]).decode
_decode_query = msgspec.msgpack.Decoder(tuple[bytes, str]).decode


class Phase(Enum):
    """Where a client's request is."""

    WAITING = auto()
    """Here, until a leader is known or a pause is over."""
    LOCAL = auto()
    """With this server's Raft."""
    FORWARDED = auto()
    """With the gateway of the leader."""


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
        "commands",
        "deadline",
        "elsewhere",
        "give_up",
        "id",
        "leader",
        "linearizable",
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

    def __init__(self, sender: Sender, request_id: int, commands: Sequence[bytes], deadline: float) -> None:
        self.sender = sender
        self.id = request_id
        self.commands = commands
        self.size = sum(map(len, commands))
        self.deadline = deadline
        self.reads = False
        self.linearizable = True
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

    def take(self, key: int, code: str, result: bytes) -> None:
        """Note the answer to one command of the present attempt."""
        position = self.todo[key - self.base]
        self.outstanding -= 1
        if code == OK:
            self.results[position] = result
        else:
            self.verdicts[position] = code

    def abandon(self, code: str) -> None:
        """Hold `code` for the answer to every command of the present attempt that has none."""
        for position in self.todo:
            if self.results[position] is None:
                self.verdicts.setdefault(position, code)
        self.outstanding = 0

    def again(self) -> bool:
        """Prepare another attempt at what was not applied; False when that could apply a command twice or not help."""
        repeatable = ELSEWHERE | {OUTCOME_UNKNOWN} if self.reads else ELSEWHERE
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
            payload = [self.results[0], *self.watermark] if self.reads else self.results
            return Response(self.id, Code.OK, encode_payload(payload))
        codes = set(self.verdicts.values())
        if self.reads:
            code = codes.pop()
            return refusal(self.id, NO_LEADER if code == OUTCOME_UNKNOWN else code)
        applied = len(self.commands) - len(self.verdicts)
        if not applied and codes <= NOT_APPLIED:
            return refusal(self.id, min(codes))
        many = f"; {applied} of the {len(self.commands)} commands sent together were" if len(self.commands) > 1 else ""
        return refusal(self.id, OUTCOME_UNKNOWN, f"no answer from the leader: it may or may not be applied{many}")


def parsed(sender: Sender, request: Request, deadline: float) -> ClientCall:
    """A proposal or a query as a call.  Raises ValueError (msgspec's errors are such) when it makes no sense."""
    if request.op == PROPOSE:
        return ClientCall(sender, request.id, _decode_commands(request.payload), deadline)
    query, consistency = _decode_query(request.payload)
    if consistency not in (LINEARIZABLE, STALE):
        raise ValueError(f"the consistency is {LINEARIZABLE} or {STALE}, not {consistency!r}")
    call = ClientCall(sender, request.id, [query], deadline)
    call.reads = True
    call.linearizable = consistency == LINEARIZABLE
    return call
