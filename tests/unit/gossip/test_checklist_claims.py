"""The edge cases of claims about members that memberlist's tests name (docs/membership-cases.md, S1 to S11)."""

from __future__ import annotations

from msgspec.structs import replace

from actors.gossip.config import LAN
from actors.gossip.coordinates import ORIGIN, pack
from actors.gossip.effects import KeepClock
from actors.gossip.member import Intent
from actors.gossip.messages import Ack, Gossip, Ping, Sync
from actors.gossip.own import CLOCK_RESERVE
from tests.unit.gossip.lone import DEAD, LEFT, ME, SUSPECT, Lone, changes, claim, notes, sent, told


def test_1_alive_node_idempotent() -> None:
    """The same claim twice: no event, and it is not told again."""
    lone = Lone("a", "b")
    lone.wait(5)

    effects = lone.hear(claim("a")) + lone.wait(1)

    assert changes(effects) == []
    assert told(effects, "a") == []


def test_2_alive_node_change_meta() -> None:
    """A higher incarnation with other tags is one update, and told."""
    lone = Lone("a", "b")

    effects = lone.hear(claim("a", 2, tags={"role": "db"}))
    effects += lone.hear(claim("a", 2, tags={"role": "db"})) + lone.wait(1)

    assert changes(effects) == [("a", "alive", "alive")]
    assert told(effects, "a")[0].tags == {"role": "db"}


def test_3_alive_node_refute() -> None:
    """Somebody says of this server what it does not say of itself: it speaks up with a higher incarnation."""
    lone = Lone("a")
    before = lone.incarnation("me")

    effects = lone.hear(claim("me", before, tags={"role": "other"})) + lone.wait(1)

    assert lone.incarnation("me") == before + 1
    assert told(effects, "me")[0].tags == {}


def test_4_alive_node_conflict() -> None:
    """Two live servers with one name are two members; both are shown, and the log says what to do."""
    lone = Lone("a", "b")

    effects = lone.hear(replace(claim("a", address="elsewhere:1"), id="id-other"))

    assert [member.id for member in lone.core.report.named(lone.now, "a")] == ["id-a", "id-other"]
    assert "two live servers are named a" in notes(effects)


def test_4_a_moved_server_is_the_same_member() -> None:
    """Another address with a higher incarnation is an update once the old one had time to object, not a conflict."""
    lone = Lone("a", "b")

    move = claim("a", 2, address="new:1")
    assert sent(lone.hear(move), Gossip) == [("a:1", Gossip([move]))]
    assert [member.address for member in lone.core.report.named(lone.now, "a")] == ["a:1"]
    effects = lone.wait(LAN.join_timeout_s)

    assert changes(effects) == [("a", "alive", "alive")]
    assert [member.address for member in lone.core.report.named(lone.now, "a")] == ["new:1"]


def test_5_suspect_node_no_node_and_dead_node_no_node() -> None:
    """Evidence against an address that nobody has is ignored; a claim tells all that is known of a stranger."""
    lone = Lone("a")

    effects = lone.evidence("nobody:1")
    effects += lone.hear(claim("x", liveness=SUSPECT, accusers=("a",)))
    effects += lone.hear(claim("y", liveness=DEAD, accusers=("a", "x")))

    assert changes(effects) == [("x", "", "suspect"), ("y", "", "failed")]


def test_6_old_suspect_and_old_dead() -> None:
    """Claims about a lower incarnation are ignored."""
    lone = Lone("b", "c")
    lone.hear(claim("a", 5))

    effects = lone.hear(claim("a", 4, liveness=SUSPECT, accusers=("b",)))
    effects += lone.hear(claim("a", 4, liveness=DEAD, accusers=("b", "c")))

    assert changes(effects) == []
    assert lone.status("a") == "alive"


def test_7_double_suspect() -> None:
    """A suspicion from the same source changes nothing the second time, and is not told again."""
    lone = Lone("a", "b", "c")
    suspect = claim("a", liveness=SUSPECT, accusers=("b",))
    lone.hear(suspect)
    lone.wait(2)

    effects = lone.hear(suspect)

    assert effects == []


def test_8_suspect_node_refute() -> None:
    """A suspicion of this server is refuted at once, with a higher incarnation; and it may well be its own fault."""
    lone = Lone("a", "b")
    before = lone.incarnation("me")

    effects = lone.hear(claim("me", before, liveness=SUSPECT, accusers=("a",))) + lone.wait(0)

    assert lone.incarnation("me") == before + 1
    assert told(effects, "me")[0].incarnation == before + 1
    assert lone.core.report.status(lone.now)["health_score"] == 1
    assert "refuted by peer: was said to be suspect; accusers: a" in lone.why("me").replace("id-peer", "peer")


def test_8_dead_node_refute() -> None:
    """So is the claim that it is dead, though two members say so."""
    lone = Lone("a", "b")

    lone.hear(claim("me", 15, liveness=DEAD, accusers=("a", "b")))

    assert (lone.status("me"), lone.incarnation("me")) == ("alive", 16)


def test_9_dead_node_alive_replay() -> None:
    """Alive at the same incarnation after dead stays dead: only the member itself can object."""
    lone = Lone("a", "b", "c")
    lone.hear(claim("a", 3, liveness=DEAD, accusers=("b", "c")))

    lone.hear(claim("a", 3))
    assert lone.status("a") == "failed"

    lone.hear(claim("a", 4))
    assert lone.status("a") == "alive"


def test_10_dead_node_left() -> None:
    """A member that has left frees its name and its address at once."""
    lone = Lone("a", "b")
    lone.hear(claim("a", lamport=9, intent=LEFT))

    effects = lone.hear(replace(claim("a"), id="id-new"))

    assert changes(effects) == [("a", "", "alive")]
    assert notes(effects) == ""


def test_11_merge_state() -> None:
    """Dead in a state exchange becomes suspect: it may be news from the other side of a partition."""
    lone = Lone("a", "b", "c")

    lone.get(Sync([claim("a", liveness=DEAD, accusers=("b", "c"))], reply=False), sender="b")

    assert lone.status("a") == "suspect"
    assert "said to be dead in a state exchange" in lone.why("a")


def test_a_death_told_by_one_is_a_suspicion() -> None:
    """One member's word brings nobody down; two members' does."""
    lone = Lone("a", "b", "c", "d")

    lone.hear(claim("a", liveness=DEAD, accusers=("b",)), teller="b")
    assert lone.status("a") == "suspect"

    lone.hear(claim("a", liveness=DEAD, accusers=("b", "c")), teller="c")
    assert lone.status("a") == "failed"


def test_whoever_is_not_alive_here_is_told_with_the_ack() -> None:
    """A member that everybody has given up learns it from the first answer it gets, and can object."""
    lone = Lone("a", "b", "c")
    lone.hear(claim("a", liveness=DEAD, accusers=("b", "c")))
    lone.wait(60)

    effects = lone.get(Ping(1, ME, []), sender="a")

    ((_, ack),) = sent(effects, Ack)
    assert [(said.name, said.liveness) for said in ack.claims] == [("a", DEAD)]


def test_a_server_without_a_cluster_says_nothing_and_believes_nothing() -> None:
    """Before it was let in, whatever it hears may be another cluster's."""
    lone = Lone(cluster_id="")

    effects = lone.hear(claim("a")) + lone.get(Sync([claim("b")], reply=True))
    effects += lone.get(Ping(1, ME, [claim("c")]))

    assert [member.name for member in lone.core.report.members(lone.now)] == ["me"]
    assert [message for _, message in sent(effects, Ack)] == [
        Ack(1, ME, [], digest=lone.core.own.digest, coordinate=pack(ORIGIN))
    ]
    assert sent(effects, Gossip) == []


def test_what_an_earlier_run_said_does_not_stand_above_what_this_one_says() -> None:
    """Others know a join of this server with a later time than its own: it says so again, later (and once)."""
    lone = Lone("a", "b")

    lone.hear(claim("me", 10, lamport=1_000_000))
    lone.hear(claim("me", 10, lamport=1_000_000))

    own = lone.core.own
    assert (own.intent, own.lamport, own.incarnation) == (Intent.JOIN, 1_000_001, 10)
    assert lone.core.report.status(lone.now)["refutations"] == 0


def test_lamport_times_are_reserved_ahead() -> None:
    """A block is on disk when this server starts; long before it is used up, and at every jump, the next one is."""
    lone = Lone("a")

    assert not [effect for effect in lone.hear(claim("a", lamport=20_000)) if isinstance(effect, KeepClock)]
    assert KeepClock(40_000 + CLOCK_RESERVE) in lone.hear(claim("a", lamport=40_000))
    assert KeepClock(10**9 + CLOCK_RESERVE) in lone.hear(claim("a", lamport=10**9))
    assert not [effect for effect in lone.hear(claim("a", lamport=10**9 + 10)) if isinstance(effect, KeepClock)]
