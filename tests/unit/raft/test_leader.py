"""The leader's window and its probes."""

from __future__ import annotations

from copy import deepcopy

import pytest

from actors.raft import leader as leader_module
from actors.raft.leader import Progress
from actors.raft.messages import Append, AppendReply, Heartbeat, HeartbeatReply
from tests.unit.raft.stage import Letter, Stage


def test_window_fills_and_empties() -> None:
    """An answer says that nothing sent before is on its way any more."""
    progress = Progress(last_ack=0.0)
    sequences = [progress.sent([(b"x" * 100, index, 1)]) for index in range(5)]
    assert sequences == [1, 2, 3, 4, 5]
    assert progress.in_flight_bytes == 500

    progress.arrived(3)
    assert (len(progress.in_flight), progress.in_flight_bytes) == (2, 200)

    progress.void()
    assert (len(progress.in_flight), progress.in_flight_bytes, progress.resent_at) == (0, 0, 5)


def test_probes_take_no_room() -> None:
    """A dead peer is probed for days: nothing is noted of it."""
    progress = Progress(last_ack=0.0)

    for _ in range(1000):
        progress.sent([])

    assert (progress.sequence, len(progress.in_flight)) == (1000, 0)


@pytest.mark.parametrize(("limit", "value"), [("WINDOW_MESSAGES", 2), ("WINDOW_BYTES", 20)])
def test_no_more_than_a_window_is_on_its_way(limit: str, value: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest waits for answers, and follows."""
    monkeypatch.setattr(leader_module, limit, value)
    stage = Stage()
    stage.elect("s0")

    stage.propose("s0", 10)
    assert len(stage.letters(Append, target="s1")) == 2

    stage.settle()
    assert stage.last_index("s1") == stage.last_index("s0")


def test_lost_append_is_found_by_a_probe() -> None:
    """The last append before a silence is lost: the next heartbeat's probe finds out."""
    stage = Stage()
    stage.elect("s0")
    stage.propose("s0")
    stage.lose()

    stage.beat("s0")
    (probe,) = stage.letters(Append, target="s1")
    assert probe.entries == []
    stage.settle()

    assert stage.last_index("s1") == 3
    assert stage.commit("s0") == 3


def test_lost_append_does_not_fill_the_window_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sent twice, the entries came late the first time, and the second append is lost: the window opens again."""
    monkeypatch.setattr(leader_module, "WINDOW_MESSAGES", 1)
    stage = Stage()
    stage.elect("s0")
    stage.propose("s0")
    late = [letter for letter in stage.mail if letter.target == "s1"]
    stage.lose()
    stage.beat("s0")
    probe = [letter for letter in stage.mail if letter.target == "s1" and isinstance(letter.message, Append)]
    stage.deliver()
    stage.deliver(lambda letter: letter.target == "s0")
    assert stage.lose(lambda letter: isinstance(letter.message, Append) and bool(letter.message.entries)) > 0
    for letter in [*late, *probe]:
        stage.hand(letter)
    stage.settle()
    assert stage.state("s0").engine.match_index("s1") == 3

    stage.propose("s0")
    stage.pass_time(0.5)

    assert stage.last_index("s1") == 4


def test_idle_follower_learns_the_commit_index() -> None:
    """With nothing more to send, a heartbeat brings it."""
    stage = Stage()
    stage.elect("s0")
    stage.propose("s0")
    stage.settle()
    assert stage.commit("s1") == 2

    stage.beat("s0")
    stage.settle()

    assert stage.commit("s1") == 3
    assert not stage.letters(Append)


def test_restarted_follower_of_an_idle_leader_learns_the_commit_index() -> None:
    """It has everything and knows of nothing: its leader has it compare once more."""
    stage = Stage()
    stage.elect("s0")
    stage.propose("s0", 3)
    stage.settle()
    stage.restart("s1")
    assert stage.commit("s1") < 5

    for _ in range(3):
        stage.beat("s0")
        stage.settle()

    assert stage.commit("s1") == 5
    assert stage["s1"].values == stage["s0"].values


def test_settled_cluster_sends_heartbeats_alone() -> None:
    """Nothing is probed that is known."""
    stage = Stage()
    stage.elect("s0")
    stage.pass_time(1.0)

    stage.beat("s0")

    assert {type(letter.message) for letter in stage.mail} == {Heartbeat}
    stage.deliver()
    assert {type(letter.message) for letter in stage.mail} == {HeartbeatReply}


def test_uncommitted_log_has_a_limit() -> None:
    """A leader that commits nothing takes no more than so many entries."""
    stage = Stage()
    stage.elect("s0")
    stage.cut_off.update(("s1", "s2"))
    core = stage["s0"].core
    taken = 0
    while core.propose(stage.now, b"\x00\x90") is not None:
        taken += 1

    assert 1000 < taken < 100_000
    assert not core.takes_proposals
    assert core.state.engine.is_leader


def test_answers_of_a_removed_peer_do_not_count() -> None:
    """Neither its acknowledgements nor its heartbeat answers."""
    stage = Stage()
    stage.elect("s0")
    assert stage.change("s0", "remove", "s2") == ""
    stage.settle()

    stage.hand(Letter("s2", "s0", AppendReply(1, 1, True, 3)))
    stage.hand(Letter("s2", "s0", HeartbeatReply(1, 1, 0)))

    assert list(stage["s0"].core.leader.progress) == ["s1"]


def test_a_peer_counts_for_what_it_has_left(caplog: pytest.LogCaptureFixture) -> None:
    """Its data directory was put back from an older copy: its log ends before what it has acknowledged (rule 8)."""
    stage = Stage()
    stage.elect("s0")
    stage.propose("s0", 3)
    stage.settle()
    stage.propose("s0")
    (sent,) = stage.letters(Append, target="s1")
    stage.lose()
    engine = stage.state("s0").engine
    assert engine.match_index("s1") == 5

    stage.hand(Letter("s1", "s0", AppendReply(1, sent.sequence, False, match=3, end=3)))

    assert engine.match_index("s1") == 3
    assert "name-s1 has lost entries 4 to 5, which it had acknowledged" in caplog.text
    again = stage.letters(Append, target="s1")
    assert [index for append in again for _, index, _ in append.entries] == [4, 5, 6]
    stage.settle()
    assert engine.match_index("s1") == 6


def test_a_refusal_from_before_takes_nothing_back(caplog: pytest.LogCaptureFixture) -> None:
    """What was sent before the leader knew what the peer has may be answered later, and says nothing about it."""
    stage = Stage()
    stage.elect("s0")
    stage.propose("s0", 3)
    sent = stage.letters(Append, target="s1")[-1]
    stage.settle()
    engine = stage.state("s0").engine

    stage.hand(Letter("s1", "s0", AppendReply(1, sent.sequence, False, match=2, end=2)))

    assert engine.match_index("s1") == 5
    assert not caplog.records


def test_a_copy_with_a_longer_log_of_an_earlier_term_is_sent_the_rest_too() -> None:
    """It ends behind what it has acknowledged, and is not the leader's log there: that counts for nothing (rule 8)."""
    stage = Stage()
    stage.elect("s0")
    stage.cut_off.add("s0")
    stage.propose("s0", 20)
    old = stage["s0"]
    copy = deepcopy((old.disk.state, old.disk.rows))
    stage.elect("s1")
    stage.cut_off.clear()
    stage.propose("s1")
    stage.pass_time(1.0)
    engine, term = stage.state("s1").engine, stage.term("s1")
    assert engine.match_index("s0") == stage.last_index("s1") < 20

    old.disk.state, old.disk.rows = copy
    stage.restart("s0")
    stage.pass_time(1.0)

    assert stage.state("s0").journal.entries(2, 30) == stage.state("s1").journal.entries(2, 30)
    assert engine.match_index("s0") == stage.last_index("s1")
    assert stage.term("s1") == term
