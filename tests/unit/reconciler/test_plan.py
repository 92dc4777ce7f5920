"""The reconciler's plan, case by case: the rows of Consul's and Nomad's reconcile that the first version holds.

Each test names the case it stands for: J join, F fail, L leave, Q quorum.
"""

import pytest

from actors.gossip.member import Member
from actors.raft.messages import RaftView, ServerView
from actors.reconciler.plan import Planner, Policy

NOW = 100.0
LEADER = "a"


def member(server_id: str, status: str = "alive", *, name: str = "", address: str = "") -> Member:
    """A member as gossip shows it; its address follows from its id."""
    return Member(
        id=server_id,
        name=name or f"n-{server_id}",
        address=address or f"127.0.0.1:{ord(server_id)}",
        status=status,
        tags={},
        incarnation=1,
        lamport=1,
    )


def server(server_id: str, *, voter: bool = True, match: int | None = 50, heard: float | None = 0.0) -> ServerView:
    """A server of the configuration, healthy unless said otherwise."""
    return ServerView(server_id, f"n-{server_id}", f"127.0.0.1:{ord(server_id)}", voter, match, heard)


def view(*servers: ServerView, settled: bool = True) -> RaftView:
    """Raft as its leader ``a`` sees it."""
    return RaftView(LEADER, True, settled, 7, 50, list(servers))


def planner(voters_max: int = 5, stable_s: float = 0.5) -> Planner:
    """A planner without memory."""
    return Planner(Policy(voters_max, stable_s))


def change_of(members: list[Member], raft: RaftView, *, using: Planner | None = None, now: float = NOW) -> str:
    """The one change of a pass as text, "" for none."""
    decision = (using or planner()).plan(now, members, raft)
    return f"{decision.change.kind} {decision.change.id}" if decision.change else ""


def test_j1_a_joined_server_becomes_a_standby_first() -> None:
    """J1, J2: whoever is alive and not in the configuration is added without a vote."""
    assert change_of([member("a"), member("b")], view(server("a"))) == "add_standby b"


def test_j2_a_second_server_votes_as_soon_as_it_has_caught_up() -> None:
    """J2: below three voters nothing but the log is waited for."""
    assert change_of([member("a"), member("b")], view(server("a"), server("b", voter=False))) == "promote b"


def test_j2_a_fourth_server_has_to_be_stable_first() -> None:
    """J2: from three voters on a standby must have been alive for the stabilization time."""
    members = [member(i) for i in "abcd"]
    raft = view(server("a"), server("b"), server("c"), server("d", voter=False))
    plan = planner(stable_s=10.0)

    assert change_of(members, raft, using=plan, now=NOW) == ""
    assert change_of(members, raft, using=plan, now=NOW + 9.9) == ""
    assert change_of(members, raft, using=plan, now=NOW + 10.0) == "promote d"


def test_j2_stability_begins_again_after_a_failure() -> None:
    """F17, J2: a member that was failed in between has not been stable."""
    healthy = [member(i) for i in "abcd"]
    flapping = [*healthy[:3], member("d", "failed")]
    raft = view(server("a"), server("b"), server("c"), server("d", voter=False))
    plan = planner(stable_s=10.0)
    change_of(healthy, raft, using=plan, now=NOW)
    change_of(flapping, raft, using=plan, now=NOW + 5)

    assert change_of(healthy, raft, using=plan, now=NOW + 11) == ""


@pytest.mark.parametrize(
    ("standby", "reason"),
    [
        (server("b", voter=False, match=0), "catching up"),
        (server("b", voter=False, match=None), "not heard from"),
        (server("b", voter=False, heard=5.0), "not heard from"),
    ],
)
def test_f10_an_unhealthy_standby_is_not_promoted(standby: ServerView, reason: str) -> None:
    """F10: a standby votes only when it is heard from and has the log."""
    decision = planner().plan(NOW, [member("a"), member("b")], view(server("a"), standby))

    assert decision.change is None
    assert reason in decision.reasons["b"]


def test_j3_nothing_to_do_is_nothing_done() -> None:
    """J3: same id and address: no entry."""
    assert change_of([member("a"), member("b")], view(server("a"), server("b"))) == ""


def test_j4_a_changed_address_is_an_update_in_place() -> None:
    """J4, J10: the same id elsewhere keeps its vote, the leader's own address included."""
    moved = member("b", address="127.0.0.1:999")

    assert change_of([member("a"), moved], view(server("a"), server("b"))) == "update b"
    assert change_of([member("a", address="127.0.0.1:1")], view(server("a"))) == "update a"


def test_j5_a_reused_address_belongs_to_the_newcomer() -> None:
    """J5: who held the address before goes first, then the newcomer comes."""
    servers = [server(i) for i in "abc"]
    newcomer = member("d", address=servers[2].address)
    members = [member("a"), member("b"), member("c", "failed"), newcomer]

    assert change_of(members, view(*servers)) == "remove c"
    assert change_of(members, view(*servers[:2])) == "add_standby d"


def test_j5_an_address_is_not_taken_from_a_live_server() -> None:
    """J5: two live servers with one address: the newcomer is refused, and it is said."""
    newcomer = member("d", address=server("b").address)
    decision = planner().plan(NOW, [member("a"), member("b"), newcomer], view(server("a"), server("b")))

    assert decision.change is None
    assert decision.reasons["d"].startswith("refused")


def test_f1_a_failed_server_stays() -> None:
    """F1: failed changes nothing by itself."""
    decision = planner().plan(NOW, [member("a"), member("b", "failed")], view(server("a"), server("b")))

    assert decision.change is None
    assert decision.reasons["b"] == "failed: kept, it is expected back"


@pytest.mark.parametrize("status", ["left", "leaving"])
def test_l1_l3_whoever_left_is_removed(status: str) -> None:
    """L1, L3: a server that leaves, or was made to, is removed at once."""
    members = [member("a"), member("b"), member("c", status)]

    assert change_of(members, view(server("a"), server("b"), server("c"))) == "remove c"


@pytest.mark.parametrize("status", ["left", "leaving"])
def test_l5_the_leader_never_removes_itself(status: str) -> None:
    """L5: news of one's own leave is not for oneself to act on; leadership is handed over first."""
    assert change_of([member("a", status), member("b")], view(server("a"), server("b"))) == ""


def test_q_removal_is_refused_when_no_majority_would_be_alive() -> None:
    """Q2: of three voters one has failed and one has left: removing it would leave two voters with one alive."""
    members = [member("a"), member("b", "failed"), member("c", "left")]
    decision = planner().plan(NOW, members, view(server("a"), server("b"), server("c")))

    assert decision.change is None
    assert "only 1 of the 2 voters" in decision.reasons["c"]


def test_a_suspect_voter_does_not_count_as_alive_for_a_removal() -> None:
    """Q2: nobody is removed on the word of a server that may be dead itself."""
    members = [member("a"), member("b", "suspect"), member("c", "left")]

    assert change_of(members, view(server("a"), server("b"), server("c"))) == ""


def test_one_change_a_pass_and_removals_come_first() -> None:
    """F12: one change at a time; a leave is not kept waiting by a join."""
    members = [member("a"), member("b"), member("c", "left"), member("d")]

    assert change_of(members, view(server("a"), server("b"), server("c"))) == "remove c"


def test_no_change_before_the_last_one_is_committed() -> None:
    """R4: the view says when the configuration is settled."""
    assert change_of([member("a"), member("b")], view(server("a"), settled=False)) == ""


def test_standbys_stay_standbys_beyond_the_maximum_of_voters() -> None:
    """DESIGN §8: at most --max-voters voters, and the reason says so."""
    raft = view(server("a"), server("b", voter=False))
    decision = planner(voters_max=1).plan(NOW, [member("a"), member("b")], raft)

    assert decision.change is None
    assert "--max-voters 1" in decision.reasons["b"]
