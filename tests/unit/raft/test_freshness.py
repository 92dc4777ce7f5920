"""The age of what a server has: since when it has not been level with the leader, and never less."""

from __future__ import annotations

from math import inf

import pytest

from actors.raft.freshness import Freshness
from actors.raft.messages import Append, Heartbeat
from tests.unit.raft.stage import Stage


def age_s(stage: Stage, id_: str) -> float:
    """The age of what a server has."""
    return stage.now - stage[id_].core.leader.level_at()


def led(stage: Stage) -> Stage:
    """With s0 leading, and something written."""
    stage.elect("s0")
    stage.propose("s0")
    stage.settle()
    for _ in range(2):  # of which every other one is answered
        stage.beat("s0")
        stage.settle()
    return stage


def test_everybody_is_level_after_two_heartbeats() -> None:
    """The leader by its majority's answers, the others by what it says is committed."""
    stage = led(Stage())

    assert [age_s(stage, id_) for id_ in ("s0", "s1", "s2")] == [0.0] * 3


def test_a_server_that_hears_nobody_ages() -> None:
    """Without end, and also once it knows no leader any more."""
    stage = led(Stage())
    stage.cut_off.add("s2")
    stage.pass_time(10.0)

    assert age_s(stage, "s2") == pytest.approx(10.0)
    assert age_s(stage, "s1") <= stage.timing.heartbeat_s


def test_a_cut_off_leader_ages_and_goes_on_ageing_when_it_leads_no_more() -> None:
    """It counts from the last answers of a majority; the answers of a minority do not keep it young."""
    stage = led(Stage(voters=5))
    stage.cut_off.update(("s2", "s3", "s4"))
    stage.pass_time(0.3)
    assert stage["s0"].core.role == "leader"
    assert age_s(stage, "s0") == pytest.approx(0.3)

    stage.pass_time(9.7)
    assert stage["s0"].core.role != "leader"
    assert age_s(stage, "s0") == pytest.approx(10.0)


def test_a_server_that_hears_its_leader_and_gets_no_entries_ages() -> None:
    """Heartbeats come on a lane of their own: that the leader lives does not make what one has newer."""
    stage = led(Stage())
    stage.propose("s0")
    stage.deliver(lambda letter: letter.target != "s2")
    stage.lose()
    for _ in range(20):
        stage.beat("s0")
        stage.lose(lambda letter: isinstance(letter.message, Append) and letter.target == "s2")
        stage.settle()
    assert stage.state("s2").hears_leader()
    assert age_s(stage, "s2") > 18 * stage.timing.heartbeat_s

    stage.pass_time(1.0)
    assert age_s(stage, "s2") <= stage.timing.heartbeat_s


def test_a_server_that_was_started_has_no_age_until_it_is_level() -> None:
    """What is on its disk may be of any age."""
    stage = led(Stage())
    stage.restart("s2")
    assert age_s(stage, "s2") == inf

    stage.beat("s0")
    stage.deliver(lambda letter: isinstance(letter.message, Heartbeat))
    assert age_s(stage, "s2") == inf

    stage.pass_time(1.0)
    assert age_s(stage, "s2") <= stage.timing.heartbeat_s


def test_a_lone_server_is_always_level() -> None:
    """It is its own majority."""
    stage = Stage(voters=1)
    stage.call_election("s0")
    stage.pass_time(5.0)

    assert age_s(stage, "s0") <= stage.timing.heartbeat_s


def test_under_load_a_follower_is_level_with_what_was_said_a_moment_ago() -> None:
    """New entries are committed before the ones announced are applied: it is never level, and still not old."""
    freshness = Freshness()
    for at in range(1, 100):
        freshness.heard(float(at), commit=10 * at)
        freshness.applied(10 * at - 15)

    assert 97.0 <= freshness.level_at < 99.0
