"""Servers that fail (cases F): kept, replaced by standbys, removed in the end, and never too many."""

from __future__ import annotations

import pytest

from actors.reconciler.plan import Planner
from tests.unit.reconciler.stage import LATER_S, NOW, Stage, member, policy, server, view

DEAD_S = 60.0


def stage_of(voters: str, standbys: str = "", **settings: float) -> Stage:
    """A stage with clean-up, whose leader has led for long."""
    stage = Stage(voters, standbys, policy(dead_s=DEAD_S, **settings))
    stage.plan()
    stage.wait(LATER_S)
    return stage


def test_f1_a_failed_server_stays_a_voter() -> None:
    """F1: failed alone changes nothing, and it is said for how long."""
    stage = stage_of("abc")
    stage.become("failed", "c")

    assert stage.settle() == []
    assert stage.voting == "abc"
    assert stage.reasons["c"] == "failed: kept for 60 s (--dead-server-timeout), it is expected back"


def test_f2_dead_servers_are_cleaned_up() -> None:
    """F2: of five voters two die: when their time is over three are left (TestAutopilot_CleanupDeadServer)."""
    stage = stage_of("abcde")
    stage.become("failed", "d", "e")
    assert stage.settle() == []
    stage.wait(DEAD_S)

    assert stage.settle() == ["remove d", "remove e"]
    assert stage.voting == "abc"


def test_f2_a_rolling_update_ends_with_the_new_server_voting() -> None:
    """F2: a fourth joins, an old one is killed: three vote, the new one among them (TestAutopilot_RollingUpdate)."""
    stage = stage_of("abc")
    stage.members["d"] = member("d")
    stage.settle()
    stage.wait(LATER_S)
    stage.settle()
    stage.become("failed", "b")
    stage.wait(DEAD_S)
    stage.settle()

    assert stage.voting == "acd"


def test_f3_one_dead_of_five_is_cleaned_up() -> None:
    """F3: a later pass removes it: nobody has to join for that (TestAutopilot_CleanupDeadServerPeriodic)."""
    stage = stage_of("abcde")
    stage.become("failed", "e")
    stage.wait(DEAD_S)

    assert stage.settle() == ["remove e"]


def test_f4_a_dead_standby_is_cleaned_up() -> None:
    """F4: also where no voter could be spared (TestAutopilot_CleanupDeadNonvoter)."""
    stage = stage_of("abc", "d", voters_max=3)
    stage.become("failed", "d")
    assert stage.settle() == []
    assert stage.reasons["d"] == "failed: kept for 60 s (--dead-server-timeout), it is expected back"
    stage.wait(DEAD_S)

    assert stage.settle() == ["remove d"]


def test_f5_a_leftover_that_gossip_never_knew_is_removed() -> None:
    """F5: in Raft alone, and silent there (TestAutopilot_CleanupStaleRaftServer)."""
    stage = stage_of("abcd")
    del stage.members["d"]
    stage.silent.add("d")
    assert stage.settle() == []
    assert stage.reasons["d"] == "kept, although gossip does not know it"
    stage.wait(DEAD_S)

    assert stage.settle() == ["remove d"]


def test_f5_a_server_that_raft_hears_is_no_leftover() -> None:
    """F5: gossip may be late; whoever answers the leader lives."""
    stage = stage_of("abcd")
    del stage.members["d"]
    stage.plan()
    stage.wait(DEAD_S)

    assert stage.settle() == []


def test_f6_never_fewer_than_min_voters() -> None:
    """F6: of four the first dead one goes; the second stays, and it is said why (consul#5922)."""
    stage = stage_of("abcd", voters_min=3)
    stage.become("failed", "d")
    stage.wait(DEAD_S)
    assert stage.settle() == ["remove d"]
    stage.become("failed", "c")
    stage.wait(DEAD_S)

    assert stage.settle() == []
    assert stage.reasons["c"] == "dead: kept, 3 servers vote and fewer must not (--min-voters 3)"


def test_f7_no_removal_without_a_majority_that_is_up() -> None:
    """F7: three of five dead: nobody is removed, for nobody could agree to it (quorum-instability-prevention)."""
    stage = stage_of("abcde", voters_min=1)
    stage.become("failed", "c", "d", "e")
    stage.wait(DEAD_S)

    assert stage.plan().change is None
    assert stage.reasons["c"] == "refused: only 2 of the 5 voters are up"


def test_f7_a_pass_removes_less_than_half() -> None:
    """F7: of two voters one is half, whoever thinks it is dead."""
    decision = Planner(policy(dead_s=DEAD_S, voters_min=1)).plan(
        NOW, [member("a"), member("b", "failed", age_s=DEAD_S)], view(server("a"), server("b"))
    )

    assert decision.change is None
    assert decision.reasons["b"] == "dead: kept, one of 2 voters is no minority"


def test_f7_one_change_a_pass() -> None:
    """F7: two are dead: the second goes in a pass of its own, once the first removal is committed."""
    stage = stage_of("abcdefg", voters_max=7)
    stage.become("failed", "e", "f", "g")
    stage.wait(DEAD_S)

    assert stage.step() == "remove e"
    assert stage.voting == "abcdfg"


def test_f8_the_order_of_removals() -> None:
    """F8: leftovers without a vote, leftovers with one, failed standbys, failed voters (one-of-each-removal)."""
    stage = stage_of("abcdefg", "hi", voters_max=7)
    for id_ in "fh":
        del stage.members[id_]
        stage.silent.add(id_)
    stage.become("failed", "g", "i")
    stage.plan()
    stage.wait(DEAD_S)

    assert stage.settle() == ["remove h", "remove f", "remove i", "remove g"]


def test_f9_with_an_odd_number_the_lost_voter_goes_first() -> None:
    """F9: demote, then promote: never one voter more with one of them dead (demote-single-unhealthy-voter)."""
    stage = stage_of("abc", "d")
    stage.become("failed", "c")
    stage.plan()
    stage.wait(LATER_S)

    assert stage.settle() == ["demote c", "promote d"]
    assert stage.voting == "abd"


def test_f9_with_an_even_number_the_standby_comes_first() -> None:
    """F9: a fifth voter makes four and one dead one odd (promote-first-with-even-voters)."""
    stage = stage_of("abcd", "e")
    stage.become("failed", "d")
    stage.plan()
    stage.wait(LATER_S)

    assert stage.step() == "promote e"
    assert stage.settle() == []
    assert stage.voting == "abcde"


def test_f9_without_room_the_lost_voter_goes_first() -> None:
    """F9: a standby steps up when a voter of a full cluster is lost, whether their number is odd or not."""
    for voters_max, voters, standby in ((5, "abcde", "f"), (4, "abcd", "e")):
        stage = stage_of(voters, standby, voters_max=voters_max)
        stage.become("failed", "b")
        stage.plan()
        assert stage.reasons[standby] == "waiting: takes the vote of n-b if that does not come back"
        stage.wait(LATER_S)

        assert stage.settle() == ["demote b", f"promote {standby}"]


def test_f9_who_lost_its_vote_comes_back_as_a_standby() -> None:
    """F9: and takes none away from who has it now."""
    stage = stage_of("abcde", "f")
    stage.become("failed", "b")
    stage.wait(LATER_S)
    stage.settle()
    stage.become("alive", "b")
    stage.wait(LATER_S)

    assert stage.settle() == []
    assert (stage.voting, stage.waiting) == ("acdef", "b")


def test_f9_too_many_voters_are_demoted_one_by_one() -> None:
    """F9: with --max-voters lowered, whoever is not up goes first, the leader never (demote-any)."""
    stage = stage_of("abcde", voters_max=3)
    stage.become("failed", "b")

    assert stage.settle() == ["demote b", "demote c"]
    assert stage.voting == "ade"


@pytest.mark.parametrize("status", ["failed", "suspect", "leaving", "left"])
def test_f10_only_the_healthy_are_promoted(status: str) -> None:
    """F10: an unhealthy standby never gets a vote."""
    members = [member("a"), member("b", status)]
    decision = Planner(policy()).plan(NOW, members, view(server("a"), server("b", voter=False)))

    assert decision.change is None or decision.change.kind == "remove"


def test_f11_a_fresh_leader_waives_stability() -> None:
    """F11: it has not looked on for long enough to have seen anybody stable; health is asked for all the same."""
    stage = Stage("abc", "d")
    assert stage.step() == "promote d"

    stage = Stage("abc", "d")
    stage.silent.add("d")
    stage.wait(10.9)
    assert stage.step() == ""


def test_f12_never_two_kinds_of_change_in_a_pass() -> None:
    """F12: a leave, a join, a promotion and a demotion are due: each pass does one, leaves first."""
    stage = stage_of("abcdef", "g", voters_max=5)
    stage.become("leaving", "b")
    stage.become("failed", "c")
    stage.members["h"] = member("h")
    stage.wait(LATER_S)

    assert stage.settle() == ["remove b", "add_standby h", "demote c", "promote g"]


def test_f13_without_a_timeout_dead_servers_stay() -> None:
    """F13: --dead-server-timeout 0: neither the failed nor leftovers are ever removed."""
    stage = Stage("abcde", "f")
    del stage.members["f"]
    stage.silent.add("f")
    stage.become("failed", "e")
    stage.plan()
    stage.wait(1e7)

    assert stage.settle() == []
    assert stage.reasons["e"] == "failed: kept, it is expected back"


def test_f14_a_leadership_begins_without_memory() -> None:
    """F14: a leader that comes, goes and comes again has seen nobody stable and nobody unknown for long."""
    stage = stage_of("abc", "d", stable_s=10.0)
    del stage.members["d"]
    stage.silent.add("d")
    stage.plan()
    for _ in range(3):
        stage.wait(DEAD_S - 1)
        stage.lead_anew()
        assert stage.settle() == []


def test_f15_a_dead_server_is_replaced_by_a_new_one() -> None:
    """F15: three, one dead, one new: three again; and so on until every server is another one (RollRaftServer)."""
    stage = stage_of("abc")
    for old, new in ("bd", "ce"):
        stage.become("failed", old)
        stage.members[new] = member(new)
        for _ in range(20):
            stage.settle()
            stage.wait(LATER_S)
        assert old not in stage.voting + stage.waiting
    assert (stage.voting, stage.waiting) == ("ade", "")


def test_f16_reboots_faster_than_stabilization_keep_the_quorum() -> None:
    """F16: each voter is gone for a while and back, one after the other: no entry at all (consul#8118)."""
    stage = stage_of("abcde", "f")
    for id_ in "bcde":
        stage.become("failed", id_)
        stage.settle()
        stage.wait(9.0)
        stage.settle()
        stage.become("alive", id_)
        stage.settle()

    assert stage.changes == []


def test_f16_slow_reboots_keep_the_quorum_too() -> None:
    """F16: slower than that, a standby takes each vote, and a majority is up all the time (`Stage.make` sees to it)."""
    stage = stage_of("abcde", "f")
    for id_ in "bcde":
        stage.become("failed", id_)
        stage.wait(LATER_S)
        stage.settle()
        stage.become("alive", id_)
        stage.wait(LATER_S)
        stage.settle()

    assert len(stage.voting) == 5
    assert len(stage.changes) == 8


def test_f17_a_flap_before_the_clean_up_makes_no_entry() -> None:
    """F17: failed, and alive again in time, again and again."""
    stage = stage_of("abcd")
    for _ in range(5):
        stage.become("failed", "d")
        stage.settle()
        stage.wait(DEAD_S - 1)
        stage.settle()
        stage.become("alive", "d")
        stage.settle()

    assert stage.changes == []


def test_f17_stability_begins_again_after_a_failure() -> None:
    """F17: a member that was failed in between has not been stable."""
    stage = stage_of("abc", "d", voters_max=5)
    stage.become("failed", "d")
    stage.plan()
    stage.become("alive", "d")
    stage.plan()
    stage.wait(9.0)
    assert stage.step() == ""
    stage.wait(1.0)
    assert stage.step() == "promote d"
