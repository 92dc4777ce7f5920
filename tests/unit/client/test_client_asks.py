"""What a client has asked: batches, answers to the right ask, and what becomes of the rest when a server is lost."""

from __future__ import annotations

from typing import Any

import pytest

from transport.client_asks import PROPOSE, READ, Ask, AskLimits, Asks
from transport.client_errors import NoLeader, OutcomeUnknown, Unreachable
from transport.client_protocol import Request, Response, decode_payload, encode_payload
from transport.wire import decode_body, unpack

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
        self.asks = Asks(AskLimits(**limits), self._send)  # type: ignore[arg-type]

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

    def flush(self, address: str = A, now: float = 0.0) -> list[Any]:
        """Send; the payloads of the new requests."""
        before = len(self.sent)
        self.asks.flush(now, address)
        return [decode_payload(request.payload) for _, request in self.sent[before:]]

    def answer(self, value: Any, code: str = "ok", back: int = 1) -> None:
        """Answer the latest request, or an earlier one."""
        self.asks.answered(Response(self.sent[-back][1].id, code, encode_payload(value), "why"))


def test_commands_that_wait_share_a_request() -> None:
    """Concurrent calls become one frame; each gets its own result."""
    bench = Bench()
    promises = [bench.ask(PROPOSE, b"%d" % i) for i in range(3)]

    assert bench.flush() == [[b"0", b"1", b"2"]]
    bench.answer([b"a", b"b", b"c"])
    assert [promise.result for promise in promises] == [b"a", b"b", b"c"]
    assert bench.asks.is_idle


def test_batches_have_limits_and_questions_go_alone() -> None:
    """By number, by bytes, and order is kept across kinds."""
    bench = Bench(batch_commands_max=2, batch_bytes_max=10)
    for op, body in [(PROPOSE, b"1"), (PROPOSE, b"2"), (PROPOSE, b"3"), (READ, [b"q", "stale"]), (PROPOSE, b"4" * 9)]:
        bench.ask(op, body)
    bench.ask(PROPOSE, b"55")
    bench.ask("status", {})

    assert bench.flush() == [[b"1", b"2"], [b"3"], [b"q", "stale"], [b"4" * 9], [b"55"], {}]


def test_the_window_makes_larger_batches() -> None:
    """With as many asks under way as allowed, the others wait, and leave together."""
    bench = Bench(under_way_max=2)
    for i in range(4):
        bench.ask(PROPOSE, b"%d" % i)
    assert bench.flush() == [[b"0", b"1"]]
    assert bench.flush() == []

    bench.answer([b"", b""])

    assert bench.flush() == [[b"2", b"3"]]


def test_what_no_connection_takes_stays_in_order() -> None:
    """Not sent is not lost."""
    bench = Bench()
    bench.ask(PROPOSE, b"1")
    bench.ask(PROPOSE, b"2")
    bench.connected = False
    assert bench.flush() == []
    bench.connected = True

    assert bench.flush() == [[b"1", b"2"]]


def test_a_lost_server_leaves_commands_unknown_and_questions_to_others() -> None:
    """A command may have been applied, so it is not sent again; a question is, elsewhere."""
    bench = Bench()
    command, question = bench.ask(PROPOSE, b"c"), bench.ask(READ, [b"q", "linearizable"])
    bench.flush(A)
    bench.asks.lost(B, "the connection broke")
    assert not command.done()

    bench.asks.lost(A, "the connection broke")

    assert isinstance(command.error, OutcomeUnknown)
    assert not question.done()
    assert bench.flush(B) == [[b"q", "linearizable"]]
    bench.answer([b"found", 1, 0])
    assert question.result == [b"found", 1, 0]


def test_an_operation_that_changes_something_is_not_repeated() -> None:
    """`raft.remove` twice is not the same as once, for all a client knows."""
    bench = Bench()
    promise = bench.ask("raft.remove", {"name": "x"})
    bench.flush()
    bench.asks.lost(A, "the connection broke")

    assert isinstance(promise.error, OutcomeUnknown)


def test_late_and_foreign_answers_are_forgotten() -> None:
    """After a lost connection a number may still be answered; it is nobody's any more."""
    bench = Bench()
    question = bench.ask(READ, [b"q", "stale"])
    bench.flush(A)
    bench.asks.lost(A, "the connection broke")
    bench.answer([b"late", 1, 0])
    bench.asks.answered(Response(999, "ok", b"", ""))

    assert not question.done()


def test_a_refusal_reaches_every_ask_of_its_request() -> None:
    """Each its own exception: one caller's traceback is not another's."""
    bench = Bench()
    first, second = bench.ask(PROPOSE, b"1"), bench.ask(PROPOSE, b"2")
    bench.flush()
    bench.answer(None, code="no_leader")

    assert isinstance(first.error, NoLeader)
    assert isinstance(second.error, NoLeader)
    assert first.error is not second.error


@pytest.mark.parametrize("value", [[b"only one"], "text", {"a": 1}])
def test_an_answer_that_makes_no_sense_leaves_the_outcome_unknown(value: Any) -> None:
    """A server that answers two commands with one result is not believed."""
    bench = Bench()
    first, second = bench.ask(PROPOSE, b"1"), bench.ask(PROPOSE, b"2")
    bench.flush()
    bench.answer(value)

    assert isinstance(first.error, OutcomeUnknown)
    assert isinstance(second.error, OutcomeUnknown)


def test_deadlines_say_what_is_certain() -> None:
    """Queued: certainly not done.  Under way: unknown for a command, unreachable for a question."""
    bench = Bench()
    command, question = bench.ask(PROPOSE, b"c", 5.0), bench.ask(READ, [b"q", "stale"], 5.0)
    bench.flush()
    bench.connected = False
    queued = bench.ask(PROPOSE, b"d", 5.0)
    bench.flush()

    bench.asks.expire(4.9, "no server")
    assert not any(promise.done() for promise in (command, question, queued))
    bench.asks.expire(5.0, "no server")

    assert isinstance(command.error, OutcomeUnknown)
    assert isinstance(question.error, Unreachable)
    assert isinstance(queued.error, Unreachable)
    assert str(queued.error) == "no server"
    assert bench.asks.is_idle


def test_one_callers_deadline_is_not_anothers() -> None:
    """In one request, a short deadline ends its own ask and the others wait on."""
    bench = Bench()
    short, long = bench.ask(PROPOSE, b"1", 1.0), bench.ask(PROPOSE, b"2", 9.0)
    bench.flush()
    bench.asks.expire(1.0, "")
    assert isinstance(short.error, OutcomeUnknown)

    bench.answer([b"a", b"b"])

    assert long.result == b"b"


def test_the_server_is_told_the_time_there_is() -> None:
    """A command has all of its caller's time; a read leaves some for another server."""
    bench = Bench(read_attempt_s=2.0)
    bench.ask(PROPOSE, b"c", 30.0)
    bench.ask(READ, [b"q", "stale"], 30.0)
    bench.flush(now=5.0)

    assert [request.timeout_ms for _, request in bench.sent] == [25_000, 2_000]


def test_what_nobody_waits_for_is_not_sent() -> None:
    """A cancelled call costs the cluster nothing."""
    bench = Bench()
    bench.ask(PROPOSE, b"1").cancelled = True
    bench.ask(PROPOSE, b"2")
    bench.ask(READ, [b"q", "stale"]).cancelled = True

    assert bench.flush() == [[b"2"]]


def test_closing_ends_everything() -> None:
    """Nobody waits for a client that is gone, and a command under way is unknown."""
    bench = Bench()
    command, question = bench.ask(PROPOSE, b"c"), bench.ask(READ, [b"q", "stale"])
    bench.flush()
    queued = bench.ask(PROPOSE, b"d")
    bench.asks.end("the client was closed")

    assert isinstance(command.error, OutcomeUnknown)
    assert isinstance(question.error, Unreachable)
    assert isinstance(queued.error, Unreachable)
    assert bench.asks.is_idle
