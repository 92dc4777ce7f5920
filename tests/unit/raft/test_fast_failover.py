"""Fast failover by a refused connection: quick where the evidence is, harmless where it is false."""

from __future__ import annotations

from actors.raft.messages import VoteReply
from tests.unit.raft.stage import Stage


def led_stage() -> Stage:
    """Three servers under the leader s0, which everybody has just heard."""
    stage = Stage()
    stage.elect("s0")
    stage.settle()
    return stage


def refuse(stage: Stage, *ids: str) -> None:
    """The port of s0 refuses these servers' connections."""
    for id_ in ids:
        stage[id_].core.peer_gone(stage.now, "s0")
        stage.step(id_)


def test_two_servers_with_evidence_elect_a_leader_within_a_heartbeat() -> None:
    """Nobody waits for an election timeout when the leader's process is known to be dead."""
    stage = led_stage()
    stage.cut_off.add("s0")
    refuse(stage, "s1", "s2")

    stage.now += stage.timing.heartbeat_s
    stage.tick("s1")
    stage.settle()

    assert stage.state("s1").engine.is_leader
    assert stage.timing.heartbeat_s < stage.timing.election_min_s


def test_evidence_of_one_server_deposes_nobody() -> None:
    """Whoever hears the leader refuses, and the leader's term does not move: one bad link costs nothing."""
    stage = led_stage()
    term = stage.state("s0").engine.term
    refuse(stage, "s1")

    stage.now += stage.timing.heartbeat_s
    stage.tick("s1")
    stage.deliver(lambda letter: letter.source == "s1")
    assert [reply.granted for reply in stage.letters(VoteReply, target="s1")] == [False, False]
    stage.settle()

    assert stage.state("s0").engine.is_leader
    assert {stage.state(id_).engine.term for id_ in stage.servers} == {term}


def test_a_leader_that_is_heard_again_is_the_leader() -> None:
    """A frame of the leader after the evidence takes the evidence back."""
    stage = led_stage()
    refuse(stage, "s1")

    stage.now += stage.timing.heartbeat_s
    stage.tick("s0")
    stage.settle()

    assert not stage.state("s1").leader_is_gone
    assert stage.state("s1").hears_leader()


def test_evidence_about_another_server_than_the_leader_changes_nothing() -> None:
    """A follower that dies is gossip's business."""
    stage = led_stage()
    deadline = stage["s1"].core.next_deadline()

    stage["s1"].core.peer_gone(stage.now, "s2")

    assert stage["s1"].core.next_deadline() == deadline
    assert not stage.state("s1").leader_is_gone
