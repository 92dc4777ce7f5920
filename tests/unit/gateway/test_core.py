"""The gateway's core: every request is answered once, with its own answer, and nothing is applied twice behind it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from actors.gateway.messages import Forward
from tests.unit.gateway.bench import CLIENT, FIRST_KEY, OTHER, Bench
from transport.client.protocol import LINEARIZABLE, STALE, Request


def test_the_puts_of_a_turn_reach_raft_as_one_message() -> None:
    """Many clients' commands become one Propose; each client hears its own results, in its own order."""
    bench = Bench()
    bench.lead()
    bench.propose(1, b"a", b"b")
    bench.propose(2, b"c")

    batch = bench.proposals()
    keys = [key for key, _ in batch]
    bench.results(*((key, "ok", command.upper()) for key, command in reversed(batch)))

    assert [command for _, command in batch] == [b"a", b"b", b"c"]
    assert keys == [FIRST_KEY, FIRST_KEY + 1, FIRST_KEY + 2]
    assert bench.value(1) == [b"A", b"B"]
    assert bench.value(2) == [b"C"]
    assert bench.core.pending == 0


def test_a_follower_forwards_in_one_frame_and_hands_the_answers_back() -> None:
    """A follower sends a turn's commands to the leader's gateway, under keys of its own."""
    bench = Bench()
    bench.follow()
    bench.propose(1, b"a")
    bench.propose(2, b"b")

    forward = bench.forward()
    bench.forwarded(*((key, "ok", b"done " + command) for key, command in forward.batch))

    assert not forward.reads
    assert bench.value(1) == [b"done a"]
    assert bench.value(2) == [b"done b"]


def test_a_large_turn_is_forwarded_in_several_frames() -> None:
    """A frame between gateways stays under the links' limit, whatever clients send in a turn."""
    bench = Bench(forward_bytes_max=100)
    bench.follow()
    for request_id in range(4):
        bench.propose(request_id, bytes(40))

    frames = [effect.message for effect in bench.turn()]  # type: ignore[union-attr]

    assert [len(frame.batch) for frame in frames if isinstance(frame, Forward)] == [2, 2]


def test_what_was_not_applied_is_sent_again_until_a_leader_takes_it() -> None:
    """`not_leader` promises that nothing happened: the command waits, and goes to the next leader under another key."""
    bench = Bench()
    bench.follow()
    bench.propose(1, b"a")
    ((first, _),) = bench.forward().batch
    bench.forwarded((first, "not_leader", b""))
    assert bench.turn() == []

    bench.lead(term=2)
    ((second, command),) = bench.proposals()
    bench.results((second, "ok", b"done"))

    assert command == b"a"
    assert second != first
    assert bench.value(1) == [b"done"]


def test_a_server_that_does_not_lead_is_asked_again_after_a_pause() -> None:
    """While the same server counts as leader, tries are apart, and the pauses grow to their limit."""
    bench = Bench(tick_s=0.01, retry_min_s=0.02, retry_max_s=0.08)
    bench.follow()
    bench.propose(1, b"a")
    tries = []
    for _ in range(200):
        for effect in bench.turn():
            tries.append(bench.now)
            bench.forwarded((effect.message.batch[0][0], "not_leader", b""))  # type: ignore[union-attr]
        bench.pass_time(0.01)

    pauses = [round(after - before, 2) for before, after in pairwise(tries)]

    assert pauses[:3] == [0.02, 0.04, 0.08]
    assert set(pauses[3:]) == {0.08}


def test_a_command_that_may_have_been_applied_is_never_sent_again() -> None:
    """The leader took the command and is gone: the client hears that the outcome is unknown, and soon."""
    bench = Bench(grace_s=1.0)
    bench.follow()
    bench.propose(1, b"a", timeout_ms=30_000)
    forward = bench.forward()

    bench.lead(term=2)
    bench.pass_time(0.9)
    assert bench.code(1) == ""
    bench.pass_time(0.2)

    assert bench.code(1) == "outcome_unknown"
    assert bench.effects[1:] == [], "nothing was sent after the first attempt"
    bench.forwarded((forward.batch[0][0], "ok", b"late"))
    assert bench.turn() == []
    assert bench.core.stats.late_answers == 1


def test_a_leader_that_answers_after_it_lost_its_office_is_still_heard() -> None:
    """Within the grace an answer of the former leader counts: it is the truth about the command."""
    bench = Bench(grace_s=1.0)
    bench.follow()
    bench.propose(1, b"a")
    ((key, _),) = bench.forward().batch
    bench.follow(term=2, leader="third", address="10.0.0.9:7946")
    bench.pass_time(0.5)

    bench.forwarded((key, "ok", b"done"))

    assert bench.value(1) == [b"done"]


def test_a_leader_that_comes_back_ends_the_grace() -> None:
    """A follower that lost sight of its leader for a moment has no reason to give a request up."""
    bench = Bench(grace_s=0.5)
    bench.follow()
    bench.propose(1, b"a")
    bench.forward()
    bench.follow(leader="")
    bench.follow(leader=OTHER)

    bench.pass_time(2)

    assert bench.code(1) == ""


@pytest.mark.parametrize("news", ["server gone", "raft died"])
def test_a_death_ends_the_wait(news: str) -> None:
    """Evidence that who was asked is dead is worth more than a deadline; a query goes elsewhere, a command does not."""
    bench = Bench()
    if news == "server gone":
        bench.follow()
    else:
        bench.lead()
    bench.propose(1, b"a", timeout_ms=30_000)
    bench.turn()
    if news == "server gone":
        bench.core.server_gone(bench.now, "10.0.0.2:7946")
    else:
        bench.core.raft_died(bench.now)

    bench.pass_time(0.2)

    assert bench.code(1) == "outcome_unknown"


def test_a_query_is_asked_again_whatever_happened_to_it() -> None:
    """A read changes nothing, so an unknown outcome is no reason to bother the client with."""
    bench = Bench()
    bench.lead()
    bench.read(1, b"q")
    ((key, query, consistency),) = bench.queries()
    bench.results((key, "outcome_unknown", b""))
    bench.follow(term=2)
    forward = bench.forward()
    bench.forwarded((forward.batch[0][0], "ok", b"found"))

    assert (query, consistency) == (b"q", LINEARIZABLE)
    assert forward.reads
    assert bench.value(1) == [b"found", 9, 0]


def test_a_follower_asks_its_own_raft_first_and_the_leader_second() -> None:
    """Raft of a follower can confirm a read with the leader; when it cannot, the leader's gateway is asked at once."""
    bench = Bench()
    bench.follow()
    bench.read(1, b"q")
    ((key, _, _),) = bench.queries()

    bench.results((key, "not_leader", b""))

    assert [query for _, query in bench.forward().batch] == [b"q"]


def test_a_stale_read_needs_no_leader() -> None:
    """`stale` is answered by this server's own state, with its index and its age."""
    bench = Bench()
    bench.read(1, b"q", "stale")
    ((key, _, consistency),) = bench.queries()
    bench.results((key, "ok", b"old"), applied=5, age_ms=1_234)

    assert consistency == STALE
    assert bench.value(1) == [b"old", 5, 1_234]


def test_a_stale_read_of_a_server_that_has_diverged_is_refused_at_once() -> None:
    """With Raft's words, and not asked again here: it would be refused again."""
    bench = Bench()
    bench.follow()
    bench.read(1, b"q", "stale")
    ((key, _, _),) = bench.queries()
    bench.results((key, "diverged", b"entry 3 is another one"))

    assert bench.code(1) == "diverged"
    assert bench.answers[1].message == "entry 3 is another one"
    assert bench.turn() == []


def test_without_a_leader_a_request_ends_at_its_deadline_and_says_that_nothing_was_done() -> None:
    """No leader known: the request waits, is never sent, and the answer is certain."""
    bench = Bench()
    bench.propose(1, b"a", timeout_ms=1_000)
    assert bench.turn() == []

    bench.pass_time(0.9)
    assert bench.code(1) == ""
    bench.pass_time(0.2)

    assert bench.code(1) == "no_leader"
    assert bench.effects == []


def test_an_answer_that_does_not_come_by_the_deadline_is_an_unknown_outcome() -> None:
    """The command is with Raft and may still be applied."""
    bench = Bench()
    bench.lead()
    bench.propose(1, b"a", timeout_ms=1_000)
    ((key, _),) = bench.proposals()
    bench.pass_time(1.1)

    assert bench.code(1) == "outcome_unknown"
    bench.results((key, "ok", b"late"))
    assert bench.turn() == []


def test_a_request_that_expired_before_it_was_sent_is_not_sent() -> None:
    """An answer "nothing was changed" must stay true: a tick in the same turn as the request takes it out."""
    bench = Bench()
    bench.lead()
    bench.propose(1, b"a", timeout_ms=1)
    bench.now += 1
    bench.core.tick(bench.now)

    assert bench.turn() == []
    assert bench.code(1) == "no_leader"


def test_only_the_commands_that_were_not_applied_are_sent_again() -> None:
    """A request whose commands fared differently: the applied ones keep their results, the others are tried again."""
    bench = Bench()
    bench.lead()
    bench.propose(1, b"a", b"b", b"c")
    (a, _), (b, _), (c, _) = bench.proposals()
    bench.results((a, "ok", b"A"), (b, "not_leader", b""), (c, "ok", b"C"))
    bench.lead(term=3)

    ((again, command),) = bench.proposals()
    bench.results((again, "ok", b"B"))

    assert command == b"b"
    assert bench.value(1) == [b"A", b"B", b"C"]


def test_a_request_half_of_which_was_applied_is_not_called_failed() -> None:
    """Some commands applied, the rest certainly not: as a whole that is neither, and the text counts."""
    bench = Bench()
    bench.lead()
    bench.propose(1, b"a", b"b")
    (a, _), (b, _) = bench.proposals()
    bench.results((a, "ok", b"A"), (b, "overloaded", b""))

    assert bench.code(1) == "outcome_unknown"
    assert "1 of the 2 commands" in bench.answers[1].message


@pytest.mark.parametrize("code", ["overloaded", "too_large"])
def test_refusals_of_raft_are_passed_on(code: str) -> None:
    """What another try would not cure is said at once."""
    bench = Bench()
    bench.lead()
    bench.propose(1, b"a")
    ((key, _),) = bench.proposals()
    bench.results((key, code, b""))

    assert bench.code(1) == code
    assert bench.answers[1].message


def test_an_answer_is_never_taken_for_another_requests() -> None:
    """Duplicates, answers to earlier attempts, and answers meant for an earlier run of this server find nobody."""
    bench = Bench()
    bench.follow()
    bench.propose(1, b"a")
    ((first, _),) = bench.forward().batch
    bench.forwarded((first, "not_leader", b""))
    bench.follow(term=2)
    ((second, _),) = bench.forward().batch
    bench.forwarded((first, "ok", b"of the first attempt"))
    bench.forwarded((second, "ok", b"of another run"), epoch=6)
    bench.forwarded((second + 1, "ok", b"of nobody"))
    assert bench.code(1) == ""

    bench.forwarded((second, "ok", b"right"), (second, "ok", b"twice"))

    assert bench.value(1) == [b"right"]
    assert bench.core.stats.late_answers == 4


def test_more_than_the_limit_is_turned_away_at_once() -> None:
    """Beyond the limits a client hears `overloaded` in the same turn, and what is in progress goes on."""
    bench = Bench(pending_max=2, pending_bytes_max=10)
    bench.lead()
    bench.propose(1, b"a", b"b")
    bench.propose(2, b"c")
    batch = bench.proposals()
    assert bench.code(2) == "overloaded"

    bench.results(*((key, "ok", b"") for key, _ in batch))
    bench.propose(3, bytes(11))
    bench.propose(4, bytes(10))

    assert bench.code(1) == "ok"
    assert bench.code(3) == "overloaded"
    assert bench.code(4) == ""


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (Request(1, "propose", b"\xff garbage", 1_000), "bad_request"),
        (Request(1, "propose", b"\x81\xa1a\x01", 1_000), "bad_request"),
        (Request(1, "read", b"\x92\xc4\x01q\xa5often", 1_000), "bad_request"),
        (Request(1, "propose", b"\x91\xc4\x0512345", 1_000), "too_large"),
        (Request(1, "propose", b"\x93\xc4\x01a\xc4\x01b\xc4\x01c", 1_000), "too_large"),
        (Request(1, "propose", b"\x90", 1_000), "ok"),
    ],
)
def test_requests_are_checked_before_they_travel(request_: Request, code: str) -> None:
    """Garbage and oversize are answered here, with a line of text, and reach neither Raft nor another server."""
    bench = Bench(command_bytes_max=4, commands_per_request_max=2)
    bench.lead()
    bench.core.request(bench.now, CLIENT, request_)

    assert bench.turn() == []
    assert bench.code(1) == code
    assert bool(bench.answers[1].message) == (code != "ok")
    assert bench.core.pending == 0


def test_what_a_neighbour_does_not_take_is_not_lost() -> None:
    """Raft's mailbox is full: overloaded.  No link to the leader: the command was not sent, so it waits."""
    bench = Bench()
    bench.lead()
    bench.propose(1, b"a")
    bench.core.refused(bench.now, [key for key, _ in bench.proposals()], "overloaded")
    assert bench.code(1) == "overloaded"

    bench.follow(term=2)
    bench.propose(2, b"b")
    bench.core.refused(bench.now, [key for key, _ in bench.forward().batch], "not_leader")
    assert bench.turn() == []
    bench.pass_time(0.1)

    assert [command for _, command in bench.forward().batch] == [b"b"]
