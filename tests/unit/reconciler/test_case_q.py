"""A quorum that is lost or in danger (cases Q): nothing is changed, and it is said."""

from __future__ import annotations

from tests.unit.reconciler.stage import LATER_S, Stage, member, policy


def test_q1_two_of_three_gone_changes_nothing() -> None:
    """Q1: no removal, no demotion, no promotion, however long it lasts."""
    stage = Stage("abc", "d", policy(dead_s=1.0, voters_min=1, voters_max=3))
    stage.become("failed", "b", "c")
    for _ in range(5):
        stage.plan()
        stage.wait(LATER_S)

    assert stage.plan().change is None
    assert stage.reasons["b"].startswith("refused")


def test_q2_a_removal_that_leaves_no_majority_is_refused() -> None:
    """Q2: one has failed and one has left: nobody could agree to anything."""
    stage = Stage("abc")
    stage.become("failed", "b")
    stage.become("left", "c")

    assert stage.settle() == []
    assert stage.reasons["c"] == "refused: only 1 of the 3 voters are up"


def test_q2_a_suspect_voter_does_not_count() -> None:
    """Q2: nobody is removed on the word of a server that may be dead itself."""
    stage = Stage("abc")
    stage.become("suspect", "b")
    stage.become("left", "c")

    assert stage.settle() == []


def test_q2_a_voter_that_raft_does_not_hear_does_not_count() -> None:
    """Q2: alive in gossip and silent in Raft, as behind a link that is cut one way."""
    stage = Stage("abc")
    stage.silent.add("b")
    stage.become("left", "c")

    assert stage.settle() == []


def test_q2_a_demotion_that_leaves_no_majority_is_refused() -> None:
    """Q2: the rule is the same for votes."""
    stage = Stage("abcd", policy=policy(voters_max=3))
    stage.silent |= {"b", "c"}

    assert stage.plan().change is None
    assert stage.reasons["b"] == "refused: only 2 of the 4 voters are up"


def test_q2_a_promotion_that_leaves_no_majority_is_refused() -> None:
    """Q2: one vote more to wait for, where a majority is not up already (etcd's strict-reconfig-check)."""
    stage = Stage("abc", "d")
    for id_ in "bc":
        stage.members[id_] = member(id_, "suspect")

    assert stage.plan().change is None
    assert stage.reasons["d"] == "refused: only 2 of the 4 voters would be up"
