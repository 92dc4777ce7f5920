"""docs/design.md, row 22: persist, then speak."""

from __future__ import annotations

from actors.raft.messages import Append, AppendReply, Heartbeat, VoteReply, VoteRequest
from tests.unit.raft.stage import Letter, Stage


def test_row_22_acknowledgement_waits_for_the_disk() -> None:
    """A follower acknowledges entries once they are on its disk, and the leader commits them then."""
    stage = Stage()
    stage.elect("s0")
    stage.slow_disks.update(("s1", "s2"))
    stage.propose("s0")
    stage.settle()
    assert stage.last_index("s1") == 3
    assert stage.commit("s0") == 2

    stage.catch_up_disk("s1")

    assert [reply.match for reply in stage.letters(AppendReply, source="s1")] == [3]
    stage.settle()
    assert stage.commit("s0") == 3


def test_row_22_vote_waits_for_the_disk() -> None:
    """Neither the request for a vote nor the vote leaves before it would survive a crash."""
    stage = Stage()
    stage.slow_disks.update(("s0", "s1"))
    stage.call_election("s0")
    stage.deliver()
    stage.deliver()
    assert not stage.letters(VoteRequest)

    stage.catch_up_disk("s0")
    assert stage["s0"].disk.state.voted_for == "s0"
    stage.deliver(lambda letter: letter.target == "s1")
    assert not stage.letters(VoteReply, source="s1")

    stage.catch_up_disk("s1")
    assert stage["s1"].disk.state.voted_for == "s0"
    assert [reply.granted for reply in stage.letters(VoteReply, source="s1")] == [True]


def test_row_22_leader_counts_its_own_disk() -> None:
    """With one follower's acknowledgement and a slow disk of its own, a leader of three has no majority."""
    stage = Stage()
    stage.elect("s0")
    stage.cut_off.add("s2")
    stage.slow_disks.add("s0")
    stage.propose("s0")
    stage.settle()
    assert stage.state("s0").engine.match_index("s1") == 3
    assert stage.commit("s0") == 2

    stage.catch_up_disk("s0")

    assert stage.commit("s0") == 3


def test_row_22_lone_server_commits_what_is_on_disk() -> None:
    """A cluster of one counts itself at once; it commits when the disk has it."""
    stage = Stage(voters=1)
    stage.elect("s0")
    stage.slow_disks.add("s0")
    stage.propose("s0")
    assert stage.commit("s0") == 2

    stage.catch_up_disk("s0")

    assert stage.commit("s0") == 3


def test_row_22_entries_leave_while_the_leader_writes() -> None:
    """An append promises nothing: followers get it while the leader's own disk works."""
    stage = Stage()
    stage.elect("s0")
    stage.slow_disks.add("s0")

    stage.propose("s0")

    assert len(stage.letters(Append, source="s0")) == 2


def test_row_22_nothing_is_said_in_a_term_that_is_not_on_disk() -> None:
    """A follower that has just learned a term speaks in it when its disk knows it too."""
    stage = Stage()
    stage.elect("s0")
    stage.slow_disks.add("s1")

    stage.hand(Letter("s2", "s1", Heartbeat(5, 1, 2)))
    assert stage.term("s1") == 5
    assert not stage.mail

    stage.catch_up_disk("s1")
    assert len(stage.mail) == 1


def test_row_22_count_ends_at_an_entry_of_this_term() -> None:
    """A leader's disk has the last term's entry and not its own no-op yet: nothing is committed (Raft, figure 8)."""
    stage = Stage()
    stage.elect("s0")
    stage.cut_off.add("s1")
    stage.propose("s0")
    stage.deliver(lambda letter: letter.target == "s2")
    stage.lose()
    stage.cut_off = {"s0"}
    stage.now += stage.timing.election_min_s
    stage.call_election("s2")
    while not stage.letters(VoteReply, source="s1") or stage["s2"].core.role != "candidate":
        stage.deliver()
    stage.slow_disks.add("s2")
    stage.settle()
    assert stage["s2"].leads
    assert stage.state("s2").engine.match_index("s1") == 4
    assert stage.state("s2").journal.durable_index == 3

    assert stage.commit("s2") == 2
    stage.catch_up_disk("s2")
    assert stage.commit("s2") == 4


def test_row_22_crash_forgets_what_was_not_written() -> None:
    """An entry that never reached the disk is gone after a restart, and was never acknowledged."""
    stage = Stage()
    stage.elect("s0")
    stage.slow_disks.add("s1")
    stage.propose("s0")
    stage.deliver(lambda letter: letter.target == "s1")

    stage.restart("s1")

    assert stage.last_index("s1") == 2
    assert not stage.letters(AppendReply, source="s1")


def test_row_22_truncation_takes_back_what_counted_as_durable() -> None:
    """Entries on disk that are truncated do not vouch for those that replace them."""
    stage = Stage()
    stage.elect("s0")
    stage.propose("s0", 3)
    stage.deliver(lambda letter: letter.target == "s1")
    stage.lose()
    assert stage.state("s1").journal.durable_index == 5
    stage.slow_disks.add("s1")

    entries = [(b"\x01", 3, 2), (b"\x00\x90", 4, 2), (b"\x00\x90", 5, 2)]
    stage.hand(Letter("s2", "s1", Append(2, 1, 2, 1, 2, entries)))

    assert stage.state("s1").journal.durable_index == 2
    assert not stage.letters(AppendReply, source="s1")
