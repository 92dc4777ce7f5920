"""docs/design.md, rows 7 to 11: what PySyncObj gets wrong about elections and transfers, and the guard against it."""

from __future__ import annotations

import pytest

from actors.config import RaftTiming
from actors.raft.engine import Engine
from actors.raft.journal import Journal
from actors.raft.messages import Append, AppendReply, Heartbeat, TimeoutNow, VoteReply, VoteRequest
from storage.raft_messages import HardState
from tests.unit.raft.stage import Letter, Stage

TIMING = RaftTiming()


def candidate_stage(voters: int, strangers: int = 0) -> Stage:
    """s0 has won its pre-vote and stands in term 1; the vote requests are on their way."""
    stage = Stage(voters, strangers=strangers)
    stage.call_election("s0")
    stage.deliver()
    stage.deliver()
    assert stage["s0"].core.role == "candidate"
    return stage


# --- row 7: whose votes count ----------------------------------------------------------------------------------------


def test_row_07_one_vote_a_voter() -> None:
    """The same vote twice is one vote: of five voters two are no majority."""
    stage = candidate_stage(voters=5)
    stage.lose()
    vote = VoteReply(term=1, request_term=1, pre=False, granted=True)

    for _ in range(3):
        stage.hand(Letter("s1", "s0", vote))
    assert stage["s0"].core.role == "candidate"

    stage.hand(Letter("s2", "s0", vote))
    assert stage["s0"].core.role == "leader"


def test_row_07_only_voters_count() -> None:
    """Neither a server outside the configuration nor a vote of another term makes a leader."""
    stage = candidate_stage(voters=3, strangers=1)
    stage.lose()

    stage.hand(Letter("s3", "s0", VoteReply(1, 1, pre=False, granted=True)))
    stage.hand(Letter("s1", "s0", VoteReply(1, 0, pre=False, granted=True)))
    stage.hand(Letter("s1", "s0", VoteReply(1, 2, pre=True, granted=True)))
    stage.hand(Letter("s1", "s0", VoteReply(1, 1, pre=False, granted=False)))

    assert stage["s0"].core.role == "candidate"
    stage.hand(Letter("s1", "s0", VoteReply(1, 1, pre=False, granted=True)))
    assert stage["s0"].core.role == "leader"


def test_row_07_pre_votes_are_counted_by_voter_too() -> None:
    """A pre-vote said twice is one, and starts no election."""
    stage = Stage(voters=5, strangers=1)
    stage.call_election("s0")
    stage.lose()

    for voter in ("s1", "s1", "s5"):
        stage.hand(Letter(voter, "s0", VoteReply(0, 1, pre=True, granted=True)))

    assert (stage["s0"].core.role, stage.term("s0")) == ("follower", 0)


def test_row_07_one_vote_a_term() -> None:
    """A voter that has voted in a term refuses everybody else in it, and says the same to the same again."""
    stage = candidate_stage(voters=3)
    stage.deliver(lambda letter: letter.target == "s1")
    stage.lose()
    request = VoteRequest(1, 1, 0, pre=False, transfer=False)

    stage.hand(Letter("s2", "s1", request))
    stage.hand(Letter("s0", "s1", request))

    assert [reply.granted for reply in stage.letters(VoteReply, target="s2")] == [False]
    assert [reply.granted for reply in stage.letters(VoteReply, target="s0")] == [True]


# --- row 8: pre-vote and stickiness ----------------------------------------------------------------------------------


def test_row_08_server_that_was_cut_off_deposes_nobody() -> None:
    """A server comes back after ten election timeouts: its term has not moved, and the leader leads on."""
    stage = Stage()
    stage.elect("s0")
    stage.cut_off.add("s2")
    stage.pass_time(10 * TIMING.election_max_s)
    assert stage.term("s2") == 1

    stage.cut_off.clear()
    stage.pass_time(2 * TIMING.election_max_s)

    assert stage["s0"].leads
    assert [stage.term(id_) for id_ in stage.servers] == [1, 1, 1]


def test_row_08_vote_request_moves_nobody_that_hears_a_leader() -> None:
    """A real vote request of a higher term neither gets a vote nor moves the term, at the leader and at followers."""
    stage = Stage()
    stage.elect("s0")

    for voter in ("s0", "s1"):
        stage.hand(Letter("s2", voter, VoteRequest(7, 99, 9, pre=False, transfer=False)))

    assert [reply.granted for reply in stage.letters(VoteReply, target="s2")] == [False, False]
    assert (stage.term("s0"), stage.term("s1"), stage["s0"].leads) == (1, 1, True)


def test_row_08_no_pre_vote_while_a_leader_is_heard() -> None:
    """Whoever hears the leader does not help to replace it; an election timeout later it does."""
    stage = Stage()
    stage.elect("s0")
    request = VoteRequest(2, 2, 1, pre=True, transfer=False)

    stage.hand(Letter("s2", "s1", request))
    stage.now += TIMING.election_min_s
    stage.hand(Letter("s2", "s1", request))

    assert [reply.granted for reply in stage.letters(VoteReply, target="s2")] == [False, True]


def test_row_08_pre_vote_looks_at_the_log() -> None:
    """Who lacks entries gets no pre-vote, and so starts no election that it cannot win."""
    stage = Stage()
    stage.elect("s0")
    stage.cut_off.add("s2")
    stage.propose("s0")
    stage.settle()
    stage.cut_off = {"s0"}

    stage.now += TIMING.election_min_s
    stage.call_election("s2")
    stage.settle()
    assert (stage["s2"].core.role, stage.term("s2")) == ("follower", 1)

    stage.call_election("s1")
    stage.settle()
    assert stage["s1"].leads


def test_row_08_granting_does_not_look_at_the_configuration() -> None:
    """A voter that has not seen the entry that added the candidate votes for it (thesis §4.1)."""
    stage = Stage(voters=1, strangers=1)
    candidate = "s1"

    stage.hand(Letter(candidate, "s0", VoteRequest(5, 4, 2, pre=True, transfer=False)))
    stage.hand(Letter(candidate, "s0", VoteRequest(5, 4, 2, pre=False, transfer=False)))

    assert stage.state("s0").configuration.get(candidate) is None
    assert [reply.granted for reply in stage.letters(VoteReply, target=candidate)] == [True, True]


def test_row_08_server_that_lags_in_term_is_told() -> None:
    """Whoever is refused for its term learns the term by it, else it would stay out for ever (row 2)."""
    stage = Stage()
    stage.elect("s0")
    stage.cut_off.add("s2")
    stage.cut_off.add("s0")
    for _ in range(3):
        stage.call_election("s1")
        stage.settle()
    stage.hand(Letter("s9", "s1", Append(6, 1, 2, 1, 2, [])))
    stage.cut_off = {"s0"}

    stage.now += TIMING.election_min_s
    stage.call_election("s2")
    stage.settle()

    assert stage.term("s2") == 6


# --- row 9: the engine's timers --------------------------------------------------------------------------------------


def idle_engine() -> Engine:
    """An engine with two other voters that nobody ever ticks for an election."""
    journal = Journal(HardState(0, None), (1, 0), [], 1)
    engine = Engine("s0", journal, lambda peer, message: None)
    engine.reconfigure(("s1", "s2"), ())
    return engine


def test_row_09_engine_never_calls_an_election_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A year later it is still a follower: its timers are never due."""
    engine = idle_engine()
    monkeypatch.setattr("pysyncobj.syncobj.monotonicTime", lambda: 50.0 + 365 * 24 * 3600)

    engine.doTick(0.0)

    assert (engine.role, engine.term) == ("follower", 0)


def test_row_09_campaign_is_disarmed() -> None:
    """An election called under a leader is over with it: later ticks call none."""
    engine = idle_engine()
    engine.campaign()
    assert (engine.role, engine.term) == ("candidate", 1)

    engine.follow("s1")
    engine.doTick(0.0)

    assert (engine.role, engine.term) == ("follower", 1)


def test_row_09_campaign_needs_no_connected_peer() -> None:
    """The engine would put an election off until somebody is connected; nobody ever is, as it sees it."""
    engine = idle_engine()
    assert not engine._SyncObj__connectedNodes

    engine.campaign()

    assert engine.role == "candidate"


# --- row 10: check-quorum --------------------------------------------------------------------------------------------


def test_row_10_leader_without_a_quorum_steps_down() -> None:
    """A leader that nobody answers leads no longer after one election timeout, and takes nothing any more."""
    stage = Stage()
    stage.elect("s0")
    stage.cut_off.add("s0")

    stage.pass_time(TIMING.election_max_s - 2 * TIMING.heartbeat_s)
    assert stage["s0"].leads
    stage.pass_time(4 * TIMING.heartbeat_s)

    assert (stage["s0"].core.role, stage.state("s0").leader) == ("follower", None)
    assert not stage["s0"].propose(stage.now, b"lost")


def test_row_10_leader_with_a_quorum_stays() -> None:
    """One of three servers being away is no reason."""
    stage = Stage()
    stage.elect("s0")
    stage.cut_off.add("s1")

    stage.pass_time(5 * TIMING.election_max_s)

    assert stage["s0"].leads
    assert stage.term("s0") == 1


# --- row 11: transfer ------------------------------------------------------------------------------------------------


def test_row_11_transfer_waits_for_entries_in_flight() -> None:
    """Proposals stop, the target gets what is in flight, takes over at once, and nothing is lost."""
    stage = Stage()
    stage.elect("s0")
    stage.propose("s0", 3)

    assert stage["s0"].core.transfer(stage.now, "s1") == ""
    stage.step("s0")

    assert not stage["s0"].core.takes_proposals
    assert not stage.letters(TimeoutNow)
    stage.settle()
    assert stage["s1"].leads
    assert not stage["s0"].leads
    assert len(stage.judge.ledger.acknowledged) == 3


def test_row_11_stickiness_is_waived_for_the_target() -> None:
    """The target is voted for although everybody has just heard the old leader."""
    stage = Stage()
    stage.elect("s0")
    now = stage.now
    stage["s0"].core.transfer(now, "s1")
    stage.step("s0")

    stage.settle()

    assert stage.now == now
    assert stage["s1"].leads
    assert stage.term("s2") == 2


def test_row_11_transfer_is_given_up() -> None:
    """A target that does not answer costs one election timeout; then the leader takes proposals again."""
    stage = Stage()
    stage.elect("s0")
    stage.cut_off.add("s1")
    stage["s0"].core.transfer(stage.now, "s1")
    stage.step("s0")
    assert not stage["s0"].propose(stage.now, b"waits")

    stage.pass_time(TIMING.election_max_s + 2 * TIMING.heartbeat_s)

    assert stage["s0"].leads
    assert stage["s0"].propose(stage.now, b"goes on")


def test_row_11_timeout_now_counts_only_from_the_leader() -> None:
    """Of another server, or another term, it starts nothing."""
    stage = Stage()
    stage.elect("s0")

    stage.hand(Letter("s2", "s1", TimeoutNow(1)))
    stage.hand(Letter("s0", "s1", TimeoutNow(0)))
    stage.hand(Letter("s0", "s1", TimeoutNow(2)))

    assert (stage["s1"].core.role, stage.term("s1")) == ("follower", 1)


def test_row_11_standby_is_no_target() -> None:
    """Only another voter can lead; the best one is picked when none is named."""
    stage = Stage(voters=3, standbys=1)
    stage.elect("s0")
    stage.cut_off.add("s1")
    stage.propose("s0")
    stage.settle()

    assert "not another voter" in stage["s0"].core.transfer(stage.now, "s3")
    assert stage["s0"].core.transfer(stage.now, "s0") == "name-s0 leads already"
    assert "not the leader" in stage["s2"].core.transfer(stage.now, "s0")
    assert stage["s0"].core.transfer(stage.now, "") == ""

    stage.step("s0")
    stage.settle()
    assert stage["s2"].leads


def test_heartbeats_keep_elections_away() -> None:
    """While a leader is heard nobody asks for a vote, for ten election timeouts."""
    stage = Stage()
    stage.elect("s0")
    end = stage.now + 10 * TIMING.election_max_s

    while stage.now < end:
        stage.now += TIMING.heartbeat_s
        stage.tick()
        assert not stage.letters(VoteRequest)
        assert stage.letters(Heartbeat)
        stage.settle()

    assert not stage.letters(AppendReply)
