"""A server whose disk refuses writes: it hands over, stands for nothing, votes for nobody, and comes back."""

from __future__ import annotations

from actors.raft.messages import AppendReply, HeartbeatReply, TimeoutNow, VoteReply, VoteRequest
from tests.unit.raft.stage import Letter, Stage


def fill_disk(stage: Stage, id_: str) -> None:
    """The disk of a server refuses from now on."""
    stage.slow_disks.add(id_)
    stage[id_].core.halt(stage.now)
    stage.step(id_)


def free_disk(stage: Stage, id_: str) -> None:
    """There is room again: what was refused is written, and the server is told."""
    stage.catch_up_disk(id_)
    stage[id_].core.resume(stage.now)
    stage.step(id_)


def leaders(stage: Stage) -> list[str]:
    """Who believes that it leads."""
    return [id_ for id_, server in stage.servers.items() if server.leads]


def test_full_leader_hands_over_at_once() -> None:
    """Without waiting for an election timeout, and without its own vote; nothing that was acknowledged is lost."""
    stage = Stage()
    stage.elect("s0")
    stage.propose("s0", 3)
    stage.settle()
    stage.propose("s0")

    fill_disk(stage, "s0")

    assert [letter.target for letter in stage.mail if isinstance(letter.message, TimeoutNow)] == ["s2"]
    stage.settle()
    assert leaders(stage) == ["s2"]
    stage.beat("s2")
    stage.propose("s2")
    stage.settle()
    assert stage.commit("s2") == stage.last_index("s2")
    assert stage.state("s0").leader == "s2", "it knows whom to forward to"


def test_full_server_neither_stands_nor_votes() -> None:
    """Whatever time passes, and whoever asks: a vote that cannot be kept is none."""
    stage = Stage()
    stage.elect("s0")
    fill_disk(stage, "s1")
    stage.cut_off.add("s0")

    stage.pass_time(20.0)
    assert leaders(stage) == []
    assert stage.term("s1") == 1

    stage.lose()
    stage.hand(Letter("s2", "s1", VoteRequest(9, 99, 9, pre=False, transfer=True)))
    stage.hand(Letter("s0", "s1", TimeoutNow(1)))
    assert not stage.letters(VoteReply, source="s1")
    assert not stage.letters(VoteRequest, source="s1")

    free_disk(stage, "s1")
    stage.pass_time(3.0)
    assert leaders(stage)


def test_full_follower_stops_nobody() -> None:
    """It acknowledges nothing, keeps no growing pile of what it could not keep, and catches up afterwards."""
    stage = Stage()
    stage.elect("s0")
    fill_disk(stage, "s2")

    for _ in range(50):
        stage.propose("s0")
        stage.pass_time(0.1)
        assert not stage.letters(AppendReply, source="s2")
    assert stage["s0"].leads
    assert stage.commit("s0") == stage.last_index("s0") == 52
    assert stage.last_index("s2") == 2
    assert not stage["s2"].disk.on_its_way

    free_disk(stage, "s2")
    stage.pass_time(1.0)
    assert stage["s2"].values == stage["s0"].values


def test_full_server_says_nothing_in_a_term_that_it_cannot_keep() -> None:
    """It follows the leader of a newer term in memory alone; its answers would pile up, so they are dropped."""
    stage = Stage()
    stage.elect("s0")
    fill_disk(stage, "s2")
    stage.cut_off.add("s2")
    stage["s0"].core.transfer(stage.now, "s1")
    stage.step("s0")
    stage.settle()
    assert stage["s1"].leads
    stage.cut_off.clear()
    heard = []

    for _ in range(30):
        stage.beat("s1")
        stage.deliver()
        heard += stage.letters(HeartbeatReply, source="s2")
        stage.settle()

    assert stage.state("s2").leader == "s1"
    assert not heard
    free_disk(stage, "s2")
    stage.beat("s1")
    stage.deliver()
    assert len(stage.letters(HeartbeatReply, source="s2")) == 1


def test_lone_server_leads_again_when_there_is_room() -> None:
    """Nobody can take over; nothing is acknowledged meanwhile, and what was refused is there afterwards."""
    stage = Stage(voters=1)
    stage.elect("s0")
    stage.slow_disks.add("s0")
    stage.propose("s0")
    fill_disk(stage, "s0")

    stage.pass_time(5.0)
    assert leaders(stage) == []
    assert stage["s0"].core.next_deadline() == float("inf")
    assert stage.commit("s0") == 2

    free_disk(stage, "s0")
    stage.pass_time(2.0)
    assert leaders(stage) == ["s0"]
    assert stage["s0"].values == [b"v1"]


def test_full_server_lets_reads_fail_at_once() -> None:
    """Its copy does not go on, so a read would wait for as long as the disk is full."""
    stage = Stage()
    stage.elect("s0")
    fill_disk(stage, "s1")

    stage.read("s1")

    assert stage["s1"].reads_failed == 1
