"""A client's asks on the bench: time and answers by hand, and futures without a loop."""

from __future__ import annotations

from typing import Any

from transport.client.asks import Asks
from transport.client.batches import SESSION_COMMANDS, Ask, AskLimits
from transport.client.frames import decode_answer
from transport.client.protocol import Request, Response, decode_payload, encode_payload
from transport.client.session import ClientSession
from transport.wire import (
    NO_ACTOR,
    PROTOCOL_VERSION,
    ErrorReply,
    Header,
    Origin,
    decode_body,
    encode_body,
    pack,
    unpack,
)

A, B = "10.0.0.1:7946", "10.0.0.2:7946"


class Promise:
    """A future without a loop."""

    def __init__(self) -> None:
        self.result: Any = None
        self.error: BaseException | None = None
        self.cancelled = False

    def done(self) -> bool:
        """Whether it has an outcome."""
        return self.cancelled or self.result is not None or self.error is not None

    def set_result(self, result: Any, /) -> None:
        """Keep the result; there is only one."""
        assert not self.done()
        self.result = result

    def set_exception(self, exception: BaseException, /) -> None:
        """Keep the error; there is only one outcome."""
        assert not self.done()
        self.error = exception


class Bench:
    """The asks, and the requests they have led to."""

    def __init__(self, **limits: float) -> None:
        self.sent: list[tuple[str, Request]] = []
        self.connected = True
        self.asks = Asks(AskLimits(**limits), self._send, lambda refusals: 0.02 * refusals)  # type: ignore[arg-type]

    def _send(self, address: str, frame: bytes) -> bool:
        if self.connected:
            header, body = unpack(frame)
            self.sent.append((address, decode_body(header.kind, body)))
        return self.connected

    def ask(self, op: str, body: Any, deadline: float = 10.0) -> Promise:
        """Queue an ask."""
        promise = Promise()
        self.asks.add(Ask(op, body, deadline, promise))
        return promise

    def put(self, body: bytes, deadline: float = 10.0) -> Ask:
        """Queue a command of a session, as a caller does who finishes the ask in the end."""
        ask = Ask(SESSION_COMMANDS, body, deadline, Promise())
        self.asks.add(ask)
        return ask

    def open(self, name: bytes = b"s") -> None:
        """The cluster has opened a session."""
        self.asks.use_session(ClientSession(name))

    def flush(self, address: str = A, now: float = 0.0) -> list[Any]:
        """Send; the payloads of the new requests."""
        before = len(self.sent)
        self.asks.flush(now, address)
        return [decode_payload(request.payload) for _, request in self.sent[before:]]

    def answer(self, value: Any, code: str = "ok", back: int = 1, now: float = 0.0) -> str:
        """Answer the latest request, or an earlier one."""
        return self.asks.answered(now, Response(self.sent[-back][1].id, code, encode_payload(value), "why"))

    def stopping(self, back: int = 1, now: float = 0.0, *, taken: bool = True) -> str:
        """What a server that stops says to a request that it has taken and not answered, or that came too late."""
        header = Header(PROTOCOL_VERSION, "", "reply.error", "gateway", 0, -self.sent[-back][1].id, Origin())
        reply = ErrorReply("ActorDied", "the server is stopping") if taken else ErrorReply(NO_ACTOR, "no gateway")
        frame = pack(header, encode_body(reply))
        return self.asks.answered(now, decode_answer(frame))


def error_of(ask: Ask) -> BaseException | None:
    """How an ask failed."""
    assert isinstance(ask.promise, Promise)
    return ask.promise.error


def result_of(ask: Ask) -> Any:
    """What an ask was answered with."""
    assert isinstance(ask.promise, Promise)
    return ask.promise.result
