"""Servers that join (cases J): who becomes a standby, who a voter, and who is refused."""

from __future__ import annotations

import pytest

from actors.raft.messages import ServerView
from actors.reconciler.plan import Planner
from tests.unit.reconciler.stage import (
    LATER_S,
    NOW,
    Stage,
    address_of,
    change_of,
    member,
    policy,
    server,
    view,
)


def test_j1_whoever_joined_before_there_was_a_leader_is_picked_up() -> None:
    """J1: the first pass of a leader compares everything, whatever news it has missed."""
    stage = Stage("a")
    stage.members |= {"b": member("b"), "c": member("c")}
    stage.lead_anew()

    assert stage.settle() == ["add_standby b", "add_standby c", "promote b", "promote c"]


def test_j2_a_second_server_votes_as_soon_as_it_has_caught_up() -> None:
    """J2: below three voters nothing but the log is waited for."""
    stage = Stage("ab", "c")
    stage.plan()
    stage.wait(LATER_S)  # the leader is no fresh one
    stage.become("suspect", "c")
    stage.plan()
    stage.become("alive", "c")

    assert stage.step() == "promote c"


def test_j2_a_fourth_server_has_to_be_stable_first() -> None:
    """J2: from three voters on a standby must have been healthy for the stabilization time."""
    stage = Stage("abc")
    stage.plan()
    stage.wait(LATER_S)
    stage.members["d"] = member("d")

    assert stage.step() == "add_standby d"
    assert stage.step() == ""
    assert stage.reasons["d"] == "waiting: stable for 0.0 of 10 s"
    stage.wait(9.9)
    assert stage.step() == ""
    stage.wait(0.2)
    assert stage.step() == "promote d"


def test_j3_same_id_and_address_is_no_entry() -> None:
    """J3: nothing to do is nothing done."""
    assert change_of([member("a"), member("b")], view(server("a"), server("b"))) == ""


def test_j4_a_changed_address_is_an_update_in_place() -> None:
    """J4: the same id elsewhere keeps its vote."""
    stage = Stage("abc")
    stage.members["b"] = member("b", address="127.0.0.1:999")

    assert stage.settle() == ["update b"]
    assert stage.voting == "abc"
    assert [s.address for s in stage.configuration.servers if s.id == "b"] == ["127.0.0.1:999"]


def test_j4_addresses_that_go_round_are_updated_in_place() -> None:
    """J4: each of three has the next one's; and what else is due is not held up by it."""
    stage = Stage("abc")
    stage.members = {id_: member(id_, address=address_of(next_)) for id_, next_ in zip("abc", "bca", strict=True)}
    stage.members["d"] = member("d")

    assert stage.settle() == ["update a", "update b", "add_standby d", "promote d"]
    assert [s.address for s in stage.configuration.servers] == [address_of(id_) for id_ in "bcad"]


def test_j4_a_changed_name_is_an_update_in_place() -> None:
    """J4: and so is the same id under another name."""
    assert change_of([member("a"), member("b", name="new")], view(server("a"), server("b"))) == "update b"


@pytest.mark.parametrize("status", ["failed", "left"])
def test_j5_a_reused_address_belongs_to_the_newcomer(status: str) -> None:
    """J5: who held the address before goes first, at once; then the newcomer comes and votes."""
    stage = Stage("abc")
    stage.become(status, "c")
    stage.members["d"] = member("d", address=stage.configuration.servers[2].address)

    assert stage.settle() == ["remove c", "add_standby d", "promote d"]


def test_j5_an_address_is_not_taken_from_a_live_server() -> None:
    """J5: two live servers with one address: the newcomer is refused, and it is said."""
    newcomer = member("d", address=server("b").address)
    decision = Planner(policy()).plan(NOW, [member("a"), member("b"), newcomer], view(server("a"), server("b")))

    assert decision.change is None
    assert decision.reasons["d"].startswith("refused: n-b is alive at the same address")


def test_j6_a_name_under_a_new_id_belongs_to_the_newcomer() -> None:
    """J6: a failed server whose name is taken can never come back under it: it is replaced at once."""
    stage = Stage("abc")
    stage.become("failed", "c")
    stage.members["d"] = member("d", name="n-c")

    assert stage.settle() == ["remove c", "add_standby d", "promote d"]


def test_j6_a_newcomer_with_a_name_is_let_in_where_the_old_one_cannot_go() -> None:
    """J6: nothing but the name is in common, so a removal that has to wait keeps nobody out."""
    stage = Stage("abc", policy=policy(stable_s=0.0))
    stage.become("failed", "c")
    stage.silent.add("b")
    stage.members["d"] = member("d", name="n-c")

    decision = stage.plan()

    assert decision.change is not None
    assert (decision.change.kind, decision.change.id) == ("add_standby", "d")
    assert decision.reasons["c"] == "refused: only 1 of the 3 voters are up"


def test_j7_an_unsafe_replacement_is_refused() -> None:
    """J7: of two voters the gone one is needed to agree; its address must wait, and both are told so."""
    stage = Stage("ab")
    stage.become("failed", "b")
    stage.members["d"] = member("d", address=server("b").address)

    assert stage.step() == ""
    assert stage.reasons["b"] == "refused: only 1 of the 2 voters are up"
    assert stage.reasons["d"] == "waiting: n-b has to be out first, which had its address"


def test_j8_a_standby_may_always_go() -> None:
    """J8: nobody needs the vote of a server that has none."""
    stage = Stage("ab", "c")
    stage.become("left", "c")
    stage.silent.add("b")

    assert stage.plan().change is not None


def test_j9_nothing_is_added_before_the_removal_has_come_about() -> None:
    """J9: a removal that Raft refuses is tried again, and its successor is not added meanwhile."""
    stage = Stage("abc")
    stage.become("failed", "c")
    stage.members["d"] = member("d", address=server("c").address)

    for _ in range(3):  # Raft refuses each
        change = stage.plan().change
        assert change is not None
        assert (change.kind, change.id) == ("remove", "c")


def test_j10_a_single_voters_own_new_address_is_an_update() -> None:
    """J10: the leader updates itself in place; nomad#19553 had to remove itself first, and could not."""
    stage = Stage("a")
    stage.members["a"] = member("a", address="127.0.0.1:1")

    assert stage.settle() == ["update a"]
    assert stage.voting == "a"


def test_j12_nothing_is_planned_on_an_unsettled_configuration() -> None:
    """J12: while Raft cannot say what the configuration is going to be, there is no change, and another pass comes."""
    decision = Planner(policy()).plan(NOW, [member("a"), member("b")], view(server("a"), settled=False))

    assert decision.change is None
    assert decision.look_again


def test_j13_a_pass_needs_no_events() -> None:
    """J13: whatever order news came in, or did not, the plan depends on the two views alone."""
    stage = Stage("abc", policy=policy(stable_s=0.0))
    stage.become("left", "c")
    stage.members["d"] = member("d")

    assert stage.settle() == ["remove c", "add_standby d", "promote d"]


@pytest.mark.parametrize(
    ("standby", "reason"),
    [
        (server("b", voter=False, match=0), "catching up"),
        (server("b", voter=False, match=None), "not heard from"),
        (server("b", voter=False, heard=5.0), "not heard from"),
        (server("b", voter=False, match=4_000), "catching up, 1000 entries behind"),
    ],
)
def test_j2_an_unhealthy_standby_is_not_promoted(standby: ServerView, reason: str) -> None:
    """J2: whoever has not answered or has not the log does not vote."""
    decision = Planner(policy()).plan(NOW, [member("a"), member("b")], view(server("a"), standby))

    assert decision.change is None
    assert reason in decision.reasons["b"]
