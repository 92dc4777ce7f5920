"""What a client has asked: batches, answers to the right ask, and what becomes of the rest when a server is lost."""

from __future__ import annotations

from typing import Any

import pytest

from transport.client_asks import AskLimits, Asks
from transport.client_batches import COMMANDS, LINEARIZABLE, SESSION_COMMANDS, STALE, Ask
from transport.client_errors import NoLeader, OutcomeUnknown, Overloaded, RequestFailed, SessionExpired, Unreachable
from transport.client_protocol import Request, Response, decode_payload, encode_payload
from transport.client_session import ClientSession
from transport.session_protocol import ANSWERED_BEFORE, NOT_NOW, SEQUENCES_MAX
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


def error_of(ask: Ask) -> BaseException | None:
    """How an ask failed."""
    assert isinstance(ask.promise, Promise)
    return ask.promise.error


def result_of(ask: Ask) -> Any:
    """What an ask was answered with."""
    assert isinstance(ask.promise, Promise)
    return ask.promise.result


def test_commands_that_wait_share_a_request() -> None:
    """Concurrent calls become one frame; each gets its own result."""
    bench = Bench()
    promises = [bench.ask(COMMANDS, b"%d" % i) for i in range(3)]

    assert bench.flush() == [[b"0", b"1", b"2"]]
    bench.answer([b"a", b"b", b"c"])
    assert [promise.result for promise in promises] == [b"a", b"b", b"c"]
    assert bench.asks.is_idle


def test_batches_have_limits_and_questions_go_alone() -> None:
    """By number and by bytes; a query shares a request with those of its consistency alone."""
    bench = Bench(batch_commands_max=2, batch_bytes_max=9)
    for op, body in [(COMMANDS, b"1"), (COMMANDS, b"2"), (COMMANDS, b"3"), (STALE, b"q"), (COMMANDS, b"4" * 9)]:
        bench.ask(op, body)
    bench.ask(COMMANDS, b"55")
    bench.ask("status", {})
    bench.ask(LINEARIZABLE, b"r")
    bench.ask("members", {})
    bench.ask(STALE, b"s")

    commands = [[b"1", b"2"], [b"3"], [b"4" * 9], [b"55"]]
    assert bench.flush() == [*commands, [[b"r"], "linearizable"], [[b"q", b"s"], "stale"], {}, {}]


def test_the_window_makes_larger_batches() -> None:
    """With as many asks under way as allowed, the others wait, and leave together."""
    bench = Bench(under_way_max=2)
    for i in range(4):
        bench.ask(COMMANDS, b"%d" % i)
    assert bench.flush() == [[b"0", b"1"]]
    assert bench.flush() == []

    bench.answer([b"", b""])

    assert bench.flush() == [[b"2", b"3"]]


def test_what_no_connection_takes_stays_in_order() -> None:
    """Not sent is not lost."""
    bench = Bench()
    bench.ask(COMMANDS, b"1")
    bench.ask(COMMANDS, b"2")
    bench.connected = False
    assert bench.flush() == []
    bench.connected = True

    assert bench.flush() == [[b"1", b"2"]]


def test_a_lost_server_leaves_commands_unknown_and_questions_to_others() -> None:
    """A command may have been applied, so it is not sent again; a question is, elsewhere."""
    bench = Bench()
    command, question = bench.ask(COMMANDS, b"c"), bench.ask(LINEARIZABLE, b"q")
    bench.flush(A)
    bench.asks.lost(B, "the connection broke")
    assert not command.done()

    bench.asks.lost(A, "the connection broke")

    assert isinstance(command.error, OutcomeUnknown)
    assert not question.done()
    assert bench.flush(B) == [[[b"q"], "linearizable"]]
    bench.answer([[b"found"], 1, 0])
    assert question.result == b"found"


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
    question = bench.ask(STALE, b"q")
    bench.flush(A)
    bench.asks.lost(A, "the connection broke")
    bench.answer([[b"late"], 1, 0])
    bench.asks.answered(0.0, Response(999, "ok", b"", ""))

    assert not question.done()


def test_what_was_refused_is_asked_again_together_after_a_pause() -> None:
    """`no_leader` promises that nothing happened; the pauses grow, and an answer ends them."""
    bench = Bench()
    bench.ask(COMMANDS, b"1")
    bench.ask(COMMANDS, b"2")
    bench.flush(now=0.0)

    assert bench.answer(None, code="no_leader") == A
    assert bench.flush(now=0.01) == []
    assert bench.flush(now=0.02) == [[b"1", b"2"]]
    bench.answer(None, code="overloaded", now=0.02)
    assert bench.asks.held_s(0.03) == pytest.approx(0.03)
    assert bench.flush(now=0.06) == [[b"1", b"2"]]
    bench.answer([b"", b""])
    bench.ask(COMMANDS, b"3")
    bench.flush(now=0.06)
    bench.answer(None, code="no_leader", now=0.06)

    assert bench.asks.held_s(0.06) == pytest.approx(0.02)


def test_a_refusal_at_the_deadline_is_what_the_caller_hears() -> None:
    """Each its own exception: one caller's traceback is not another's.  Another attempt would end in doubt."""
    bench = Bench()
    first, second = bench.ask(COMMANDS, b"1", 5.0), bench.ask(COMMANDS, b"2", 5.0)
    bench.flush(now=0.0)
    bench.answer(None, code="no_leader", now=4.95)

    assert isinstance(first.error, NoLeader)
    assert isinstance(second.error, NoLeader)
    assert first.error is not second.error


@pytest.mark.parametrize("value", [[b"only one"], "text", {"a": 1}])
def test_an_answer_that_makes_no_sense_leaves_the_outcome_unknown(value: Any) -> None:
    """A server that answers two commands with one result is not believed."""
    bench = Bench()
    first, second = bench.ask(COMMANDS, b"1"), bench.ask(COMMANDS, b"2")
    bench.flush()
    bench.answer(value)

    assert isinstance(first.error, OutcomeUnknown)
    assert isinstance(second.error, OutcomeUnknown)


def test_deadlines_say_what_is_certain() -> None:
    """Queued: certainly not done.  Under way: unknown for a command, unreachable for a question."""
    bench = Bench()
    command, question = bench.ask(COMMANDS, b"c", 5.0), bench.ask(STALE, b"q", 5.0)
    bench.flush()
    bench.connected = False
    queued = bench.ask(COMMANDS, b"d", 5.0)
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
    short, long = bench.ask(COMMANDS, b"1", 1.0), bench.ask(COMMANDS, b"2", 9.0)
    bench.flush()
    bench.asks.expire(1.0, "")
    assert isinstance(short.error, OutcomeUnknown)

    bench.answer([b"a", b"b"])

    assert long.result == b"b"


def test_the_server_is_told_the_time_there_is() -> None:
    """A command has all of its caller's time; a read leaves some for another server."""
    bench = Bench(attempt_s=2.0)
    bench.ask(COMMANDS, b"c", 30.0)
    bench.ask(STALE, b"q", 30.0)
    bench.flush(now=5.0)

    assert [request.timeout_ms for _, request in bench.sent] == [25_000, 2_000]


def test_what_nobody_waits_for_is_not_sent() -> None:
    """A cancelled call costs the cluster nothing."""
    bench = Bench()
    bench.ask(COMMANDS, b"1").cancelled = True
    bench.ask(COMMANDS, b"2")
    bench.ask(STALE, b"q").cancelled = True

    assert bench.flush() == [[b"2"]]


def test_closing_ends_everything() -> None:
    """Nobody waits for a client that is gone, and a command under way is unknown."""
    bench = Bench()
    command, question = bench.ask(COMMANDS, b"c"), bench.ask(STALE, b"q")
    bench.flush()
    queued = bench.ask(COMMANDS, b"d")
    bench.asks.end("the client was closed")

    assert isinstance(command.error, OutcomeUnknown)
    assert isinstance(question.error, Unreachable)
    assert isinstance(queued.error, Unreachable)
    assert bench.asks.is_idle


# --- sessions ---------------------------------------------------------------------------------------------------------


def test_commands_of_a_session_wait_for_it_and_are_numbered_when_they_leave() -> None:
    """One frame: the id and the first sequence once, then the commands."""
    bench = Bench()
    for body in (b"a", b"b", b"c"):
        bench.put(body)
    wanted_before = bench.asks.wants_session
    assert bench.flush() == []

    bench.open()

    assert (wanted_before, bench.asks.wants_session) == (True, False)
    assert bench.flush() == [[b"s", 1, 1, [b"a", b"b", b"c"]]]


def test_answers_are_acknowledged_without_gaps() -> None:
    """What the frame says is answered is answered, in whatever order that came about."""
    bench = Bench(batch_commands_max=1)
    bench.open()
    a, b, c = (bench.put(body) for body in (b"a", b"b", b"c"))
    bench.flush()
    bench.answer([b"C"], back=1)
    c.finish()
    bench.put(b"d")
    assert bench.flush() == [[b"s", 1, 4, [b"d"]]]
    bench.answer([b"A"], back=4)
    a.finish()
    bench.put(b"e")
    assert bench.flush() == [[b"s", 2, 5, [b"e"]]]
    bench.answer([b"B"], back=4)
    b.finish()
    bench.put(b"f")

    assert bench.flush() == [[b"s", 4, 6, [b"f"]]]
    assert [result_of(ask) for ask in (a, b, c)] == [b"A", b"B", b"C"]


def test_a_command_in_doubt_is_sent_elsewhere_under_its_number() -> None:
    """The connection broke: the cluster finds by the number whether it was applied.  New commands get new numbers."""
    bench = Bench()
    bench.open()
    a = bench.put(b"a")
    bench.put(b"b")
    bench.flush(A)
    bench.asks.lost(A, "the connection broke")
    bench.put(b"c")

    assert bench.flush(B) == [[b"s", 1, 1, [b"a", b"b"]], [b"s", 1, 3, [b"c"]]]
    bench.answer([b"A", b"B"], back=2)
    assert result_of(a) == b"A"


def test_only_neighbours_share_a_frame() -> None:
    """A caller gave up in between: the numbers in a frame follow each other."""
    bench = Bench()
    bench.open()
    asks = [bench.put(body) for body in (b"a", b"b", b"c")]
    bench.flush(A)
    assert isinstance(asks[1].promise, Promise)
    asks[1].promise.cancelled = True
    asks[1].finish()
    bench.asks.lost(A, "the connection broke")

    assert bench.flush(B) == [[b"s", 1, 1, [b"a"]], [b"s", 1, 3, [b"c"]]]


def test_an_attempt_ends_before_the_caller_gives_up() -> None:
    """A server that keeps quiet gets some of the time, and another one the rest."""
    bench = Bench(attempt_s=2.0)
    bench.open()
    bench.put(b"a", 30.0)
    bench.flush(A, now=0.0)
    assert bench.sent[-1][1].timeout_ms == 2_000
    assert bench.asks.expire(2.2, "") == set()
    assert bench.asks.expire(2.3, "") == {A}

    assert bench.flush(B, now=2.3) == [[b"s", 1, 1, [b"a"]]]


@pytest.mark.parametrize("in_doubt", [False, True])
def test_deadlines_of_a_session_say_what_is_certain(in_doubt: bool) -> None:
    """A refusal is certain as long as no attempt before it is in doubt."""
    bench = Bench()
    bench.open()
    ask = bench.put(b"a", 5.0)
    bench.flush(A)
    if in_doubt:
        bench.asks.lost(A, "the connection broke")
        bench.flush(B)
    bench.answer(None, code="no_leader", now=4.0)
    bench.asks.expire(5.0, "")

    error = error_of(ask)
    assert isinstance(error, OutcomeUnknown if in_doubt else NoLeader)
    assert error.certainly_not_applied != in_doubt


def test_without_a_session_nothing_was_applied() -> None:
    """The reason is the one that the cluster gave for not opening one, and every caller has an exception of his own."""
    bench = Bench()
    first, second = bench.put(b"a", 5.0), bench.put(b"b", 5.0)
    bench.asks.session_trouble = NoLeader("no leader")
    bench.asks.expire(5.0, "no server")

    errors = [error_of(first), error_of(second)]
    assert [type(error) for error in errors] == [NoLeader, NoLeader]
    assert errors[0] is not errors[1]


def test_an_expired_session_costs_only_what_is_in_doubt() -> None:
    """What was tried once goes into the next session; what may have been applied before must not."""
    bench = Bench(batch_commands_max=2)
    bench.open()
    doubtful, fresh = bench.put(b"a"), bench.put(b"b")
    assert isinstance(doubtful.promise, Promise)
    bench.flush(A)
    doubtful.doubt = True
    bench.answer(None, code="session_expired")
    assert isinstance(error_of(doubtful), SessionExpired)
    assert bench.asks.wants_session
    assert bench.flush(A) == []

    bench.open(b"t")

    assert bench.flush(A) == [[b"t", 1, 1, [b"b"]]]
    bench.answer([b"B"])
    assert result_of(fresh) == b"B"


def test_a_late_word_of_an_old_sessions_end_does_not_end_the_new_one() -> None:
    """Two requests found the session expired, and the second says so when there is another already."""
    bench = Bench(batch_commands_max=1)
    bench.open()
    bench.put(b"a")
    bench.put(b"b")
    bench.flush(A)
    bench.answer(None, code="session_expired", back=2)
    bench.open(b"t")
    bench.answer(None, code="session_expired", back=1)

    assert not bench.asks.wants_session
    assert bench.flush(A) == [[b"t", 1, 1, [b"b"]], [b"t", 1, 2, [b"a"]]]


def test_new_commands_wait_while_an_old_one_is_open_for_long() -> None:
    """The cluster remembers so many results of a session; nothing is sent that it would not take."""
    bench = Bench(batch_commands_max=SEQUENCES_MAX, batch_bytes_max=1 << 30, under_way_max=1 << 20)
    bench.open()
    asks = [bench.put(b"") for _ in range(SEQUENCES_MAX + 2)]
    ((_, _, _, commands),) = bench.flush()
    assert len(commands) == SEQUENCES_MAX
    asks[0].finish()

    ((_, acknowledged, first, commands),) = bench.flush()

    assert (acknowledged, first, len(commands)) == (2, SEQUENCES_MAX + 1, 1)


def test_outcomes_that_are_no_results() -> None:
    """The state machine failed: that is the answer.  Not now: asked again.  Answered before: an answer to nobody."""
    bench = Bench()
    bench.open()
    failed, later, strange = bench.put(b"a"), bench.put(b"b"), bench.put(b"c")
    bench.flush()
    bench.answer([["it raised"], NOT_NOW, ANSWERED_BEFORE])

    assert isinstance(error_of(failed), RequestFailed)
    assert isinstance(error_of(strange), OutcomeUnknown)
    assert isinstance(later.trouble, Overloaded)
    assert bench.flush(now=1.0) == [[b"s", 1, 2, [b"b"]]]


def test_queries_that_did_not_fit_into_the_answer_are_asked_again_at_once() -> None:
    """The others have their answers already."""
    bench = Bench()
    promises = [bench.ask(LINEARIZABLE, body) for body in (b"a", b"b", b"c")]
    bench.flush()
    bench.answer([[b"A", NOT_NOW, ["it raised"]], 1, 0])

    assert promises[0].result == b"A"
    assert isinstance(promises[2].error, RequestFailed)
    assert bench.flush() == [[[b"b"], "linearizable"]]
