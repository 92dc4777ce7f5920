"""Commands of a session: their numbers, what is sent again under them, and what is certain when there is no answer."""

from __future__ import annotations

import pytest

from tests.unit.client.asks import A, B, Bench, Promise, error_of, result_of
from transport.client.errors import NoLeader, OutcomeUnknown, Overloaded, RequestFailed, SessionExpired
from transport.client.session_protocol import ANSWERED_BEFORE, NOT_NOW, SEQUENCES_MAX


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


def test_a_command_of_a_session_is_sent_again_when_a_server_stops_over_it() -> None:
    """Elsewhere, under its number; what is not answered there either is in doubt."""
    bench = Bench()
    bench.open()
    a = bench.put(b"a")
    sent = bench.flush(A)
    bench.stopping()
    assert not a.promise.done()

    assert bench.flush(B, now=1.0) == sent
    bench.stopping(now=1.0)
    bench.asks.expire(100.0, "")
    assert isinstance(error_of(a), OutcomeUnknown)
