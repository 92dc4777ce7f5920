"""Joins and leaves in Lamport order: the edge cases that Serf's tests name (docs/membership-cases.md, S31 to S36)."""

from __future__ import annotations

import pytest
from attrs import evolve

from actors.gossip.config import LAN, GossipConfig
from actors.gossip.effects import Changed, Forget, LeaveDone, Remember
from actors.gossip.farewell import ForceLeaveError
from actors.gossip.member import Claim, Intent
from actors.gossip.messages import Gossip, Join, Joined, JoinRefused, Notice, NoticeAck, Ping
from tests.unit.gossip.lone import DEAD, LEAVING, LEFT, SUSPECT, Lone, changes, claim, sent, told


def force(lone: Lone, name: str) -> str:
    """Force a member to leave; the status that is answered."""
    member, effects = lone.core.force_leave(lone.now, name)
    lone.do(effects)
    return str(member.status)


def test_31_leave_intent_buffer_early() -> None:
    """A leave that is heard before the member itself holds when the older join comes."""
    lone = Lone("b")
    lone.hear(claim("a", lamport=5, intent=LEAVING))

    lone.hear(claim("a", lamport=4))

    assert lone.status("a") == "leaving"


def test_31_join_intent_buffer_early() -> None:
    """And a join that is heard first is not undone by an older leave."""
    lone = Lone("b")
    lone.hear(claim("a", lamport=6))

    lone.hear(claim("a", lamport=5, intent=LEFT))

    assert lone.status("a") == "alive"


def test_32_join_intent_reset_leaving() -> None:
    """A newer join cancels leaving: the member stays after all."""
    lone = Lone("a", "b")
    lone.hear(claim("a", lamport=5, intent=LEAVING))

    effects = lone.hear(claim("a", lamport=6))

    assert changes(effects) == [("a", "leaving", "alive")]


def test_33_avoid_infinite_leave_rebroadcast() -> None:
    """Two leaves out of order, again and again: each is told once, then there is silence (consul#8179, #7960)."""
    lone = Lone("a", "b")
    older, newer = claim("a", lamport=5, intent=LEAVING), claim("a", lamport=7, intent=LEFT)
    lone.hear(newer)
    lone.wait(5)

    for _ in range(20):
        lone.hear(older, newer, older)
        assert told(lone.wait(1), "a") == []
    assert lone.status("a") == "left"


def test_34_force_leave_failed() -> None:
    """A failed member has left then, and others hear it."""
    lone = Lone("a", "b", "c")
    lone.hear(claim("a", liveness=DEAD, accusers=("b", "c")))

    assert force(lone, "a") == "left"

    assert told(lone.wait(1), "a")[0].intent is LEAVING


def test_34_force_leave_leaving() -> None:
    """A member that is leaving goes on leaving."""
    lone = Lone("a", "b")
    lone.hear(claim("a", lamport=5, intent=LEAVING))

    assert force(lone, "a") == "leaving"


def test_34_force_leave_left() -> None:
    """A member that has left has left."""
    lone = Lone("a", "b")
    lone.hear(claim("a", lamport=5, intent=LEFT))

    assert force(lone, "a") == "left"


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ((), "a is alive and would object: run 'leave' on it .--address a:1., or stop it first"),
        ((claim("a", liveness=SUSPECT, accusers=("b",)),), "a is suspect: try again when that is settled"),
    ],
)
def test_34_force_leave_alive(claims: tuple[Claim, ...], why: str) -> None:
    """One that lives would be shown as leaving until it objects (serf#359), and lose its vote meanwhile: refused."""
    lone = Lone("a", "b", "c")
    lone.hear(*claims)

    for prune in (False, True):
        with pytest.raises(ForceLeaveError, match=why):
            lone.core.force_leave(lone.now, "a", prune=prune)

    assert all(said.intent is Intent.JOIN for said in told(lone.wait(1), "a"))


def test_34_force_leave_of_one_that_lives_after_all() -> None:
    """It had failed for whoever declared it left. It objects with a later join, and is alive to everybody again."""
    lone = Lone("a", "b", "c")
    lone.hear(claim("a", liveness=DEAD, accusers=("b", "c")))
    assert force(lone, "a") == "left"

    lone.hear(claim("a", 2, lamport=100))

    assert lone.status("a") == "alive"


@pytest.mark.parametrize("status", ["failed", "left"])
def test_34_remove_failed_node_prune(status: str) -> None:
    """Forgotten at once, here and by whoever hears it; the rest of this server is told so, and the disk."""
    lone = Lone("a", "b", "c")
    gone = claim("a", lamport=5, intent=LEFT) if status == "left" else claim("a", liveness=DEAD, accusers=("b", "c"))
    lone.hear(gone)
    lone.effects.clear()

    lone.do(lone.core.force_leave(lone.now, "a", prune=True)[1])

    assert lone.status("a") == ""
    (change,) = [effect for effect in lone.effects if isinstance(effect, Changed)]
    assert (change.member.id, change.forgotten) == ("id-a", True)
    assert Forget("id-a") in lone.effects
    assert lone.core.report.status(lone.now)["members"] == 3
    (member,) = lone.core.report.pruned(lone.now)
    assert (member.id, member.status) == ("id-a", "left")
    heard = told(lone.wait(1), "a")[0]
    other = Lone("a", "b")
    assert [(e.member.id, e.forgotten) for e in other.hear(heard) if isinstance(e, Changed)] == [("id-a", True)]
    assert other.status("a") == ""


def test_34_stale_news_does_not_bring_a_pruned_member_back() -> None:
    """What is kept of it, for as long as of one that left, stands against it; after that nobody knows it any more."""
    lone = Lone("a", "b", "c", config=evolve(LAN, left_reap_s=60.0))
    dead = claim("a", liveness=DEAD, accusers=("b", "c"))
    lone.hear(dead)
    lone.do(lone.core.force_leave(lone.now, "a", prune=True)[1])

    assert changes(lone.hear(claim("a"), dead)) == []
    assert lone.status("a") == ""
    effects = lone.wait(70)
    assert not [effect for effect in effects if isinstance(effect, Changed) and effect.member.id == "id-a"]
    assert lone.core.report.pruned(lone.now) == []


def test_34_a_pruned_member_that_comes_back_is_new() -> None:
    """It hears that it was sent away, and objects."""
    lone = Lone("a", "b", "c")
    lone.hear(claim("a", liveness=DEAD, accusers=("b", "c")))
    lone.do(lone.core.force_leave(lone.now, "a", prune=True)[1])

    assert changes(lone.hear(claim("a", 2, lamport=100))) == [("a", "", "alive")]


def test_34_force_leave_of_this_server_by_another() -> None:
    """The objection itself: a join with a later Lamport time."""
    lone = Lone("a", "b")

    effects = lone.hear(claim("me", lamport=50, intent=LEFT)) + lone.wait(0)

    assert lone.status("me") == "alive"
    assert told(effects, "me")[0].lamport > 50


@pytest.mark.parametrize(("name", "line"), [("me", "is this server itself"), ("nobody", "no member is named nobody")])
def test_34_remove_failed_node_ourself(name: str, line: str) -> None:
    """This server leaves, it is not forced; and a name that nobody has is an error."""
    lone = Lone("a")

    with pytest.raises(ForceLeaveError, match=line):
        lone.core.force_leave(lone.now, name)


def test_34_two_failed_members_of_one_name() -> None:
    """The name says not enough then; the id does."""
    lone = Lone("b", "c")
    dead = claim("a", liveness=DEAD, accusers=("b", "c"))
    for number in range(2):
        lone.hear(type(dead)(f"id-{number}", "a", f"a:{number}", {}, 1, 1, DEAD, accusers=dead.accusers))

    with pytest.raises(ForceLeaveError, match=r"2 members are named a: give the id of one of them .id-0, id-1"):
        lone.core.force_leave(lone.now, "a")

    assert force(lone, "id-1") == "left"


def test_a_leaver_that_vanishes_has_left() -> None:
    """It said that it goes, and went: that is no failure."""
    lone = Lone("a", "b", "c")
    lone.hear(claim("a", lamport=5, intent=LEAVING))

    effects = lone.hear(claim("a", lamport=5, intent=LEAVING, liveness=DEAD, accusers=("b", "c")))

    assert changes(effects) == [("a", "leaving", "left")]
    assert [effect for effect in effects if isinstance(effect, Forget)] == [Forget("id-a")]


def test_a_leaver_under_suspicion_is_shown_as_leaving() -> None:
    """Suspicion does not hide what the member itself has announced."""
    lone = Lone("a", "b", "c")
    lone.hear(claim("a", lamport=5, intent=LEAVING))

    assert changes(lone.hear(claim("a", lamport=5, intent=LEAVING, liveness=SUSPECT, accusers=("b",)))) == []


def test_35_reconnect() -> None:
    """A failed member is asked to meet again, for ever, ever more rarely up to the limit."""
    lone = Lone("a", "b", "c")
    lone.silent = {"a"}
    lone.hear(claim("a", liveness=DEAD, accusers=("b", "c")))

    first = [address for address, _ in sent(lone.wait(60), Join)]
    lone.wait(3600)
    later = [address for address, _ in sent(lone.wait(60), Join)]

    assert set(first) == {"a:1"} == set(later)
    assert len(first) > len(later) >= 60 / (1.5 * LAN.join_retry_max_s + LAN.join_timeout_s)


def test_35_reconnect_ends_when_it_is_back() -> None:
    """Its objection is enough."""
    lone = Lone("a", "b", "c")
    lone.hear(claim("a", liveness=DEAD, accusers=("b", "c")))
    lone.wait(5)

    lone.hear(claim("a", 2))
    lone.wait(LAN.join_retry_max_s * 2)

    assert sent(lone.wait(600), Join) == []


def test_35_reconnect_same_ip() -> None:
    """Several servers of one host differ by their ports: each is looked for at its own until it is back."""
    lone = Lone("b", "c", "d")
    for port in (1, 2):
        lone.hear(claim(f"m{port}", address=f"host:{port}"))
    for port in (1, 2):
        lone.hear(claim(f"m{port}", liveness=DEAD, accusers=("b", "c"), address=f"host:{port}"))

    assert {address for address, _ in sent(lone.wait(LAN.join_retry_max_s), Join)} == {"host:1", "host:2"}
    lone.hear(claim("m1", 2, address="host:1"), teller="m1")
    lone.wait(LAN.join_timeout_s)

    assert {address for address, _ in sent(lone.wait(3 * LAN.join_retry_max_s), Join)} == {"host:2"}


def test_36_leave_rejoin_different_role() -> None:
    """Back after a leave with other tags, another name and another address: that is what it is shown with."""
    lone = Lone("a", "b")
    lone.hear(claim("a", 1, lamport=5, intent=LEFT, tags={"role": "web"}))

    effects = lone.hear(claim("a", 2, lamport=6, tags={"role": "db"}, address="new:1"))

    assert changes(effects) == [("a", "left", "alive")]
    (member,) = lone.core.report.named(lone.now, "a")
    assert (member.tags, member.address) == ({"role": "db"}, "new:1")


def test_36_join_leave_join() -> None:
    """A member that left and is back is alive, with what it says of itself now."""
    lone = Lone("a", "b")
    lone.hear(claim("a", 3, lamport=5, intent=LEFT))

    effects = lone.hear(claim("a", 4, lamport=9, tags={"role": "db"}))

    assert changes(effects) == [("a", "left", "alive")]
    assert [effect.claim.tags for effect in effects if isinstance(effect, Remember)] == [{"role": "db"}]


def test_a_rejoin_that_knows_nothing_of_its_leave() -> None:
    """A server that was forced out while it was off sees so when it joins, and objects."""
    lone = Lone(cluster_id="")
    known = claim("me", 2, lamport=40, intent=LEFT)

    effects = lone.get(Joined(1, "c0", [claim("a"), known]), "a") + lone.wait(0)

    assert lone.status("me") == "alive"
    assert told(effects, "me")[0].lamport > 40


def test_a_leave_is_told_to_all_and_ends_when_all_have_heard() -> None:
    """Directly, with acknowledgements; the last one ends it."""
    lone = Lone("a", "b")

    effects = lone.do(lone.core.leave(lone.now, "leaving"))
    notices = sent(effects, Notice)
    assert sorted(address for address, _ in notices) == ["a:1", "b:1"]
    assert {notice.claim.status for _, notice in notices} == {"leaving"}

    sequence = notices[0][1].sequence
    assert [effect for effect in lone.get(NoticeAck(sequence), "a") if isinstance(effect, LeaveDone)] == []
    assert lone.get(NoticeAck(sequence), "b")[-1:] == [LeaveDone("leaving", ("id-a", "id-b"), ())]


def test_a_leave_is_told_again_and_gives_up_in_time() -> None:
    """Lost notices are repeated; a silent member does not hold the leave for ever."""
    lone = Lone("a", "b")
    lone.do(lone.core.leave(lone.now, "left"))

    effects = lone.wait(LAN.leave_timeout_s)

    assert len(sent(effects, Notice)) > 4
    assert LeaveDone("left", (), ("id-a", "id-b")) in effects


def test_an_alone_server_leaves_at_once() -> None:
    """There is nobody to wait for."""
    lone = Lone()

    assert LeaveDone("left", (), ()) in lone.do(lone.core.leave(lone.now, "left"))


def test_who_has_left_probes_nobody_and_objects_to_nothing() -> None:
    """It only passes on that it has left."""
    lone = Lone("a", "b")
    lone.do(lone.core.leave(lone.now, "left"))
    lone.wait(LAN.leave_timeout_s)
    before = lone.incarnation("me")

    effects = lone.hear(claim("me", before, liveness=SUSPECT, accusers=("a",))) + lone.wait(60)

    assert sent(effects, Ping) == []
    assert lone.incarnation("me") == before
    refusal = sent(lone.get(Join(1, "c0", claim("x")), "x"), JoinRefused)[0][1]
    assert refusal.code == "not_ready"


def test_a_server_that_stays_after_all() -> None:
    """stay undoes leaving, and left too: a newer join, and probing goes on."""
    lone = Lone("a", "b")
    lone.do(lone.core.leave(lone.now, "leaving"))
    lone.do(lone.core.leave(lone.now, "left"))

    effects = lone.do(lone.core.leave(lone.now, "stay"))

    assert changes(effects) == [("me", "left", "alive")]
    assert sent(lone.wait(10), Ping)


def test_22_gossip_to_dead() -> None:
    """A failed member is told what is new for a while, then no more."""
    lone = Lone("a", "b", "c")
    lone.hear(claim("a", liveness=DEAD, accusers=("b", "c")))
    assert "a:1" in [address for address, _ in sent(lone.wait(1), Gossip)]

    lone.wait(LAN.gossip_to_dead_s)
    lone.hear(claim("b", 2))

    assert "a:1" not in [address for address, _ in sent(lone.wait(5), Gossip)]


def test_23_reaping() -> None:
    """Who has left is forgotten after a while, who failed later; the rest of the server hears it."""
    config = GossipConfig(left_reap_s=60, failed_reap_s=180)
    lone = Lone("a", "b", "c", config=config)
    lone.hear(claim("a", liveness=DEAD, accusers=("b", "c")), claim("b", lamport=9, intent=LEFT))

    effects = lone.wait(70)
    assert Forget("id-b") in effects
    assert (lone.status("a"), lone.status("b")) == ("failed", "")

    effects = lone.wait(120)
    assert [effect.member.name for effect in effects if isinstance(effect, Changed) and effect.forgotten] == ["a"]
    assert lone.status("a") == ""


def test_23_a_forgotten_member_does_not_come_back() -> None:
    """Its age travels with the claim, so no two servers keep it alive for each other."""
    lone = Lone("b")

    lone.hear(claim("a", lamport=9, intent=LEFT, age_s=int(LAN.left_reap_s)))
    assert lone.status("a") == ""

    lone.hear(claim("a", lamport=9, intent=LEFT, age_s=int(LAN.left_reap_s) - 60))
    lone.wait(70)
    assert lone.status("a") == ""
