"""The gateway's core and sessions: tried again whatever happened, answered as a whole, no more certain than it is."""

from __future__ import annotations

import pytest

from actors.gateway.messages import Forward
from storage.envelope import EXPIRED, MALFORMED, OPEN, SESSION, wrap_queries
from tests.unit.gateway.bench import CLIENT, PEER, Bench
from transport.client.protocol import LINEARIZABLE, Request, encode_payload
from transport.client.session_protocol import (
    SESSION_ID_BYTES,
    SESSION_OPEN,
    SESSION_PROPOSE,
    SessionCommands,
    encode_commands,
    encode_outcomes,
)

ID = bytes(SESSION_ID_BYTES)
PAYLOAD = encode_commands(SessionCommands(ID, 1, 1, [b"a", b"b"]))
DONE = SESSION + encode_outcomes([b"A", b"B"])


def propose(bench: Bench, timeout_ms: int = 5_000, payload: bytes = PAYLOAD) -> None:
    """A client sends two commands of its session, as request 1."""
    bench.core.request(bench.now, CLIENT, Request(1, SESSION_PROPOSE, payload, timeout_ms))


def test_a_sessions_commands_are_one_command_and_one_answer() -> None:
    """Raft gets one envelope, and the client what the state machine wrote; two commands count as two in progress."""
    bench = Bench()
    bench.lead()
    propose(bench)
    ((key, command),) = bench.proposals()
    assert bench.core.pending == 2

    bench.results((key, "ok", DONE))

    assert command == SESSION + PAYLOAD
    assert bench.value(1) == [b"A", b"B"]
    assert bench.core.pending == 0


def test_a_session_is_opened_like_a_command_is_applied() -> None:
    """The id is the state machine's to give."""
    bench = Bench()
    bench.lead()
    bench.core.request(bench.now, CLIENT, Request(1, SESSION_OPEN, encode_payload(b"12345678"), 5_000))
    ((key, command),) = bench.proposals()
    bench.results((key, "ok", OPEN + ID))

    assert command == OPEN + b"12345678"
    assert bench.value(1) == ID


def test_commands_in_doubt_are_sent_to_the_next_leader() -> None:
    """The leader took them and is gone: the state machine finds out whether they were applied."""
    bench = Bench(grace_s=1.0)
    bench.follow()
    propose(bench, 30_000)
    bench.forward()
    bench.lead(term=2)
    bench.pass_time(1.2)

    ((key, command),) = bench.proposals()
    bench.results((key, "ok", DONE))

    assert command == SESSION + PAYLOAD
    assert bench.value(1) == [b"A", b"B"]


@pytest.mark.parametrize("in_doubt", [False, True])
@pytest.mark.parametrize("end", ["no leader", "overloaded", "expired"])
def test_a_doubt_stays_until_there_is_an_answer(end: str, in_doubt: bool) -> None:
    """A later attempt that certainly applied nothing says nothing about an earlier one."""
    bench = Bench()
    bench.lead()
    propose(bench, 1_000)
    ((key, _),) = bench.proposals()
    bench.results((key, "outcome_unknown" if in_doubt else "not_leader", b""))
    bench.turn()
    if end == "no leader":
        bench.follow(leader="")
        bench.pass_time(1.1)
    else:
        bench.lead(term=2)
        ((key, _),) = bench.proposals()
        bench.results((key, "overloaded", b"") if end == "overloaded" else (key, "ok", EXPIRED))

    certain = {"no leader": "no_leader", "overloaded": "overloaded", "expired": "session_expired"}[end]
    assert bench.code(1) == ("outcome_unknown" if in_doubt else certain)
    assert bench.answers[1].message


def test_what_the_state_machine_cannot_read_is_a_bad_request() -> None:
    """A gateway of another release than the others let it through."""
    bench = Bench()
    bench.lead()
    propose(bench)
    ((key, _),) = bench.proposals()
    bench.results((key, "ok", MALFORMED + b"why"))

    assert bench.code(1) == "bad_request"
    assert bench.answers[1].message == "why"


def test_a_leader_does_not_look_into_what_another_gateway_forwards() -> None:
    """The envelope goes to Raft as it came."""
    bench = Bench()
    bench.lead()
    bench.core.forward(bench.now, PEER, Forward(3, reads=False, batch=[(70, SESSION + PAYLOAD)], timeout_ms=1_000))

    assert [command for _, command in bench.proposals()] == [SESSION + PAYLOAD]


def test_queries_share_an_envelope_and_an_answer() -> None:
    """One question to Raft however many there are, and one round for all of them."""
    bench = Bench()
    bench.lead()
    bench.core.request(bench.now, CLIENT, Request(1, "read", encode_payload([[b"q", b"r"], "linearizable"]), 1_000))
    ((key, query, consistency),) = bench.queries()
    bench.results((key, "ok", encode_outcomes([b"Q", b"R"])), applied=5)

    assert (query, consistency) == (wrap_queries([b"q", b"r"]), LINEARIZABLE)
    assert bench.value(1) == [[b"Q", b"R"], 5, 0]


@pytest.mark.parametrize("op", ["propose", "read"])
def test_a_failure_of_the_state_machine_is_said(op: str) -> None:
    """It is an answer: every server failed over the same bytes.  It used to pass for an unknown outcome."""
    bench = Bench()
    bench.lead()
    payload = encode_payload([b"a"] if op == "propose" else [b"a", "linearizable"])
    bench.core.request(bench.now, CLIENT, Request(1, op, payload, 1_000))
    ((key, *_),) = bench.proposals() if op == "propose" else bench.queries()
    bench.results((key, "failed", b"boom"))

    assert bench.code(1) == "failed"
    assert "boom" in bench.answers[1].message


@pytest.mark.parametrize(
    ("op", "payload", "code"),
    [
        (SESSION_PROPOSE, b"\xff garbage", "bad_request"),
        (SESSION_PROPOSE, encode_payload([ID, 0, 1, [b"a"]]), "bad_request"),
        (SESSION_PROPOSE, encode_payload([ID, 1, 1, ["text"]]), "bad_request"),
        (SESSION_PROPOSE, encode_payload([ID, 1, 1, [b"12345"]]), "too_large"),
        (SESSION_PROPOSE, encode_payload([ID, 1, 1, [b"1", b"2", b"3"]]), "too_large"),
        (SESSION_OPEN, encode_payload(b"short"), "bad_request"),
        (SESSION_OPEN, encode_payload("text"), "bad_request"),
        ("read", encode_payload([[b"1", b"2", b"3"], "stale"]), "too_large"),
        ("read", encode_payload([["text"], "stale"]), "bad_request"),
    ],
)
def test_requests_are_checked_before_they_travel(op: str, payload: bytes, code: str) -> None:
    """Garbage and oversize reach neither Raft nor another server."""
    bench = Bench(command_bytes_max=4, commands_per_request_max=2)
    bench.lead()
    bench.core.request(bench.now, CLIENT, Request(1, op, payload, 1_000))

    assert bench.turn() == []
    assert bench.code(1) == code
    assert bench.answers[1].message


def test_many_small_commands_fit_an_entry_or_are_refused() -> None:
    """An envelope goes into the log as it is, so it has the limit of a command."""
    bench = Bench()
    bench.lead()
    propose(bench, payload=encode_commands(SessionCommands(ID, 1, 1, [bytes(1 << 19)] * 3)))
    assert bench.code(1) == "too_large"

    again = Bench()
    again.lead()
    propose(again, payload=encode_commands(SessionCommands(ID, 1 << 62, 1 << 62, [bytes(1 << 20)])))
    assert again.code(1) == ""
