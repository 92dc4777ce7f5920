"""A gateway's core on the bench: a clock by hand, and the neighbours' answers written down by the test.

Raw commands and their results are shown and taken without their envelope.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec.structs import replace

from actors.gateway.calls import PROPOSE, READ
from actors.gateway.core import GatewayCore
from actors.gateway.effects import Answer, Effect, ToGateway, ToRaft
from actors.gateway.limits import GatewayLimits
from actors.gateway.messages import Forward, Forwarded
from actors.raft.messages import LeaderChanged, Propose, Read, Results
from actors.runtime.actor import Sender
from storage.envelope import EXPIRED, MALFORMED, OPEN, RAW, SESSION
from transport.client.protocol import LINEARIZABLE, Request, Response, decode_payload, encode_payload

EPOCH = 7
FIRST_KEY = 1 << 40
ME = "me"
OTHER = "other"
OTHER_ADDRESS = "10.0.0.2:7946"
CLIENT = Sender("", "", "", 1, b"client")
PEER = Sender("peer", "10.0.0.3:7946", "gateway", 0)


class Bench:
    """The core, the time, and everything it has wanted so far."""

    def __init__(self, **limits: float) -> None:
        self.now = 100.0
        self.limits = GatewayLimits(**limits)  # type: ignore[arg-type]
        self.core = GatewayCore(self.limits, epoch=EPOCH, first_key=FIRST_KEY)
        self.answers: dict[int, Response] = {}
        self.effects: list[Effect] = []
        self._asked: set[int] = set()

    # --- what happens to it ---

    def lead(self, term: int = 1) -> None:
        """This server leads."""
        self.core.leader_changed(self.now, LeaderChanged(term, ME, "10.0.0.1:7946", is_me=True, ready=True))

    def follow(self, term: int = 1, leader: str = OTHER, address: str = OTHER_ADDRESS) -> None:
        """Another server leads, or with leader "" none does."""
        address = address if leader else ""
        self.core.leader_changed(self.now, LeaderChanged(term, leader, address, is_me=False, ready=False))

    def propose(self, request_id: int, *commands: bytes, timeout_ms: int = 5_000, sender: Sender = CLIENT) -> None:
        """A client proposes."""
        self.core.request(self.now, sender, Request(request_id, PROPOSE, encode_payload(list(commands)), timeout_ms))

    def read(self, request_id: int, query: bytes, consistency: str = LINEARIZABLE, timeout_ms: int = 5_000) -> None:
        """A client asks."""
        self.core.request(self.now, CLIENT, Request(request_id, READ, encode_payload([query, consistency]), timeout_ms))

    def results(self, *batch: tuple[int, str, bytes], applied: int = 9, age_ms: int = 0) -> None:
        """This server's Raft answers, to proposals as the state machine does: in an envelope."""
        self.core.results(self.now, Results(self._wrapped(batch), applied, age_ms))

    def forwarded(self, *batch: tuple[int, str, bytes], epoch: int = EPOCH) -> None:
        """The leader's gateway answers."""
        self.core.forwarded(self.now, Forwarded(epoch, self._wrapped(batch), 9, 0))

    def pass_time(self, seconds: float) -> None:
        """Time goes by, with every tick in it."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + self.limits.tick_s)
            self.core.tick(self.now)

    # --- what it does ---

    def turn(self) -> list[Effect]:
        """End a turn; answers to clients are noted, the rest comes back."""
        rest: list[Effect] = []
        for effect in self.core.flush(self.now):
            if isinstance(effect, Answer):
                assert effect.response.id not in self.answers, "a request is answered once"
                self.answers[effect.response.id] = effect.response
                continue
            rest.append(effect)
            message = effect.message
            if isinstance(message, Read) or (isinstance(message, Forward) and message.reads):
                self._asked |= {item[0] for item in message.batch}
        self.effects += rest
        return rest

    def _wrapped(self, batch: Iterable[tuple[int, str, bytes]]) -> list[tuple[int, str, bytes]]:
        """Answers as Raft gives them: the result of a command in an envelope, that of a query as it is."""
        kinds = (RAW, SESSION, OPEN, EXPIRED, MALFORMED)
        return [
            (key, code, result if code != "ok" or key in self._asked or result[:1] in kinds else RAW + result)
            for key, code, result in batch
        ]

    def proposals(self) -> list[tuple[int, bytes]]:
        """End a turn that gives Raft at most one batch of commands, and nothing else to do."""
        return [(key, command.removeprefix(RAW)) for key, command in _only(self.turn(), Propose)]

    def queries(self) -> list[tuple[int, bytes, str]]:
        """End a turn that gives Raft at most one batch of queries, and nothing else to do."""
        return [(key, query.removeprefix(RAW), how) for key, query, how in _only(self.turn(), Read)]

    def forward(self) -> Forward:
        """End a turn that forwards one frame to the leader, and does nothing else."""
        (effect,) = self.turn()
        assert isinstance(effect, ToGateway)
        assert isinstance(effect.message, Forward)
        assert effect.address == OTHER_ADDRESS
        return replace(effect.message, batch=[(key, one.removeprefix(RAW)) for key, one in effect.message.batch])

    def back_to_peer(self) -> list[tuple[int, str, bytes]]:
        """End a turn that answers the peer that forwarded, and does nothing else."""
        (effect,) = self.turn()
        assert isinstance(effect, ToGateway)
        assert isinstance(effect.message, Forwarded)
        assert effect.address == PEER.address
        return [(key, code, result.removeprefix(RAW)) for key, code, result in effect.message.results]

    def code(self, request_id: int) -> str:
        """How a request was answered; "" while it is not."""
        self.turn()
        return self.answers[request_id].code if request_id in self.answers else ""

    def value(self, request_id: int) -> object:
        """What a request was answered with."""
        assert self.code(request_id) == "ok", self.answers.get(request_id)
        return decode_payload(self.answers[request_id].payload)


def _only(effects: Iterable[Effect], kind: type) -> list[Any]:
    batches: list[list[Any]] = []
    for effect in effects:
        assert isinstance(effect, ToRaft), effect
        assert isinstance(effect.message, kind), effect
        batches.append([*effect.message.batch])
    assert len(batches) <= 1
    return batches[0] if batches else []
