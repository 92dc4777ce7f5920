"""Servers that leave (cases L), as far as the plan decides it; what `leave` itself does is in tests/cluster."""

from __future__ import annotations

import pytest

from tests.unit.reconciler.stage import Stage, change_of, member, policy, server, view


@pytest.mark.parametrize("status", ["left", "leaving"])
def test_l1_l3_whoever_left_is_removed(status: str) -> None:
    """L1, L3: a server that leaves, or is declared left, is out at once: two are left."""
    stage = Stage("abc")
    stage.become("left" if status == "left" else "alive", "c")
    stage.members["c"] = member("c", status)

    assert stage.settle() == ["remove c"]
    assert stage.voting == "ab"


def test_l1_many_may_leave_at_once() -> None:
    """L1: servers that are leaving still count for the changes that let them go, one after the other."""
    stage = Stage("abcde")
    for id_ in "bcde":
        stage.members[id_] = member(id_, "leaving")

    assert stage.settle() == ["remove b", "remove c", "remove d", "remove e"]
    assert stage.voting == "a"


def test_l2_the_next_leader_removes_the_one_that_left() -> None:
    """L2: who was the leader is a follower by the time it is removed."""
    stage = Stage("abc")
    stage.members["b"] = member("b", "leaving")
    stage.lead_anew()

    assert stage.settle() == ["remove b"]


def test_l4_whom_gossip_has_forgotten_is_removed() -> None:
    """L4: a member that was reaped is in Raft alone, and goes as a leftover."""
    stage = Stage("abcd", policy=policy(dead_s=72 * 3600.0))
    stage.become("failed", "d")
    stage.plan()
    del stage.members["d"]
    stage.plan()
    assert stage.settle() == []
    stage.wait(60.0)

    assert stage.settle() == ["remove d"]


@pytest.mark.parametrize("status", ["left", "leaving", "failed", "unknown"])
def test_l5_the_leader_never_removes_itself(status: str) -> None:
    """L5: news of one's own leave is not for oneself to act on (LeftMember_IgnoreSelf); leadership goes first."""
    members = [member("a", status), member("b"), member("c")] if status != "unknown" else [member("b"), member("c")]
    settings = policy(dead_s=0.0, voters_min=1)

    assert change_of(members, view(server("a"), server("b"), server("c")), using=settings) == ""


def test_l6_a_leave_that_would_cost_the_quorum_is_refused() -> None:
    """L6: of three one has failed and one wants to go: it stays, and `raft peers` says why."""
    stage = Stage("abc")
    stage.become("failed", "b")
    stage.members["c"] = member("c", "leaving")

    assert stage.settle() == []
    assert stage.reasons["c"] == "refused: only 1 of the 2 voters left would be up"


def test_l7_who_left_and_is_back_comes_as_a_newcomer() -> None:
    """L7: with its old data, under its old id: a standby, then a voter."""
    stage = Stage("abc")
    stage.become("left", "c")
    stage.settle()
    stage.become("alive", "c")

    assert stage.settle() == ["add_standby c", "promote c"]
