"""What a client has asked: batches, answers to the right ask, and what becomes of the rest when a server is lost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.client.asks import A, B, Bench
from transport.client.batches import COMMANDS
from transport.client.errors import NoLeader, OutcomeUnknown, RequestFailed, Unreachable
from transport.client.protocol import LINEARIZABLE, STALE, Response
from transport.client.session_protocol import NOT_NOW


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


def test_a_server_that_stops_leaves_commands_unknown_and_questions_to_others() -> None:
    """Its runtime answers for its gateway: what may have been done is said of a command, and not of a question."""
    bench = Bench()
    command, question = bench.ask(COMMANDS, b"c"), bench.ask(LINEARIZABLE, b"q")
    bench.flush(A)
    bench.stopping(back=1)
    bench.stopping(back=2)

    assert isinstance(command.error, OutcomeUnknown)
    assert str(command.error) == "the server is stopping; what was asked may or may not have been done"
    assert not question.done()
    bench.asks.expire(9.9, "")
    bench.asks.expire(10.1, "")
    assert isinstance(question.error, Unreachable)
    assert str(question.error) == "the server is stopping"


def test_what_a_server_has_no_gateway_for_is_asked_elsewhere() -> None:
    """Before its first start and behind its stop: a command too, since nobody has seen it."""
    bench = Bench()
    bench.ask(COMMANDS, b"c")
    sent = bench.flush(A)

    assert bench.stopping(taken=False) == A
    assert bench.flush(B, now=1.0) == sent


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


def test_queries_that_did_not_fit_into_the_answer_are_asked_again_at_once() -> None:
    """The others have their answers already."""
    bench = Bench()
    promises = [bench.ask(LINEARIZABLE, body) for body in (b"a", b"b", b"c")]
    bench.flush()
    bench.answer([[b"A", NOT_NOW, ["it raised"]], 1, 0])

    assert promises[0].result == b"A"
    assert isinstance(promises[2].error, RequestFailed)
    assert bench.flush() == [[[b"b"], "linearizable"]]
