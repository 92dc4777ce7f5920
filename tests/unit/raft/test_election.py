"""The election timer and a candidacy's ways to end."""

from __future__ import annotations

from actors.config import RaftTiming
from actors.raft.messages import Heartbeat, VoteReply, VoteRequest
from tests.unit.raft.stage import Letter, Stage

TIMING = RaftTiming()


def test_timeouts_are_random_within_their_bounds() -> None:
    """Two followers seldom stand at the same time."""
    stage = Stage()
    election, now = stage["s1"].core.election, stage.now
    deadlines = []
    for _ in range(200):
        election.reset()
        deadlines.append(election.deadline - now)

    assert min(deadlines) >= TIMING.election_min_s
    assert max(deadlines) <= TIMING.election_max_s
    assert len(set(deadlines)) > 190


def test_lone_voter_stands_at_once() -> None:
    """There is nobody to wait for, at the first start and at every restart."""
    stage = Stage(voters=1)
    stage.tick("s0")
    assert (stage["s0"].leads, stage.term("s0")) == (True, 1)

    stage.restart("s0")
    stage.tick("s0")
    assert (stage["s0"].leads, stage.term("s0")) == (True, 2)
    assert stage.commit("s0") == stage.last_index("s0") == 3


def test_stranger_never_stands() -> None:
    """A server without any configuration waits to be added."""
    stage = Stage(voters=1, strangers=1)

    stage.now += 10.0
    stage.tick("s1")

    assert (stage["s1"].core.role, stage.term("s1")) == ("standby", 0)
    assert not stage.mail


def test_pre_vote_changes_nothing() -> None:
    """Neither here nor at those who are asked: no term, no vote, no write."""
    stage = Stage()
    stage.call_election("s0")
    stage.deliver(lambda letter: isinstance(letter.message, VoteRequest))

    assert all(reply.granted and reply.pre for reply in stage.letters(VoteReply))
    assert [stage.term(id_) for id_ in stage.servers] == [0, 0, 0]
    assert not any(one.disk.state.voted_for for one in stage.servers.values())


def test_candidate_follows_a_leader_of_its_term() -> None:
    """Somebody else has won."""
    stage = Stage()
    stage.call_election("s0")
    stage.deliver()
    stage.deliver()
    assert stage["s0"].core.role == "candidate"
    stage.lose()

    stage.hand(Letter("s1", "s0", Heartbeat(1, 1, 1)))
    stage.hand(Letter("s2", "s0", VoteReply(1, 1, pre=False, granted=True)))

    assert (stage["s0"].core.role, stage.state("s0").leader) == ("follower", "s1")


def test_candidate_tries_again_after_a_split_vote() -> None:
    """With a pre-vote first, in the next term."""
    stage = Stage()
    stage.call_election("s0")
    stage.deliver()
    stage.deliver()
    stage.lose()

    stage.elect("s0")

    assert stage.term("s0") == 2


def test_voter_that_grants_waits_anew() -> None:
    """Whoever has just voted gives its candidate time."""
    stage = Stage()
    stage.now += 0.4
    before = stage["s1"].core.election.deadline

    stage.hand(Letter("s0", "s1", VoteRequest(1, 1, 0, pre=False, transfer=False)))

    assert stage["s1"].core.election.deadline >= stage.now + TIMING.election_min_s
    assert stage["s1"].core.election.deadline > before


def test_real_vote_looks_at_the_log() -> None:
    """The last term counts first, then the length (Raft §5.4.1)."""
    stage = Stage()
    stage.elect("s0")
    stage.propose("s0")
    stage.settle()
    stage.now += 2 * TIMING.election_max_s
    assert (stage.last_index("s1"), stage.state("s1").journal.last_term) == (3, 1)

    cases = [(4, 2, 1, False), (5, 99, 0, False), (6, 3, 1, True), (7, 2, 2, True)]
    for term, last_index, last_term, is_granted in cases:
        stage.lose()
        stage.hand(Letter("s2", "s1", VoteRequest(term, last_index, last_term, pre=False, transfer=False)))
        (reply,) = stage.letters(VoteReply)
        assert reply.granted is is_granted
        assert stage.term("s1") == term


def test_restart_remembers_the_vote() -> None:
    """One vote a term, over a crash too."""
    stage = Stage()
    stage.hand(Letter("s0", "s1", VoteRequest(1, 1, 0, pre=False, transfer=False)))
    stage.lose()

    stage.restart("s1")
    stage.hand(Letter("s2", "s1", VoteRequest(1, 1, 0, pre=False, transfer=False)))
    stage.hand(Letter("s0", "s1", VoteRequest(1, 1, 0, pre=False, transfer=False)))

    assert [reply.granted for reply in stage.letters(VoteReply, target="s2")] == [False]
    assert [reply.granted for reply in stage.letters(VoteReply, target="s0")] == [True]
