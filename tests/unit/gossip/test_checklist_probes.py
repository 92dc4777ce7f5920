"""Lifeguard's health, and memberlist's edge cases of probing (docs/membership-cases.md, S15 to S20)."""

from __future__ import annotations

import random
from itertools import pairwise
from math import nan

import pytest

from actors.gossip.config import LAN
from actors.gossip.messages import Ack, Nack, Ping, PingRequest, Stranger
from actors.gossip.roster import Roster
from tests.unit.gossip.lone import DEAD, ME, SUSPECT, Lone, changes, claim, sent


def health(lone: Lone) -> int:
    """The health score."""
    score: int = lone.core.report.status(lone.now)["health_score"]
    return score


def until_relays_are_asked(lone: Lone) -> list[tuple[str, PingRequest]]:
    """Let time pass until the first probe goes without a direct answer."""
    for _ in range(100):
        requests = sent(lone.wait(0.05), PingRequest)
        if requests:
            return requests
    raise AssertionError("no indirect probe")


def test_a_round_probes_everybody_once() -> None:
    """Shuffled round robin: at most 2n - 1 intervals lie between two probes of one member (SWIM, 4.3)."""
    names = [f"m{number}" for number in range(8)]
    lone = Lone(*names)

    probed = [address for address, _ in sent(lone.wait(100 * LAN.probe_interval_s), Ping)]

    assert len(probed) == pytest.approx(100, abs=1)
    for name in names:
        at = [number for number, address in enumerate(probed) if address == f"{name}:1"]
        assert max(later - earlier for earlier, later in pairwise(at)) <= 2 * len(names) - 1


def test_15_an_answer_by_way_of_a_relay_counts() -> None:
    """The direct way is broken, a relay reaches the member: it is not suspected."""
    lone = Lone("a", "b", "c")
    lone.silent = {"a", "b", "c"}
    (address, request), *_ = until_relays_are_asked(lone)

    lone.get(Ack(request.sequence, request.target, []), address.partition(":")[0])
    effects = lone.wait(LAN.probe_interval_s / 2)

    assert changes(effects) == []


def test_16_awareness_degrades_by_silent_relays() -> None:
    """No answer and no nacks: it is this server that hears badly, so it grows patient."""
    lone = Lone("a", "b", "c", "d")
    lone.silent = {"a", "b", "c", "d"}
    until_relays_are_asked(lone)

    lone.wait(LAN.probe_interval_s)

    assert health(lone) >= 3


def test_16_awareness_missed_nack() -> None:
    """Each relay that sends no nack counts, each that sends one does not."""
    lone = Lone("a", "b", "c", "d")
    lone.silent = {"a", "b", "c", "d"}
    requests = until_relays_are_asked(lone)
    assert len(requests) == LAN.indirect_probes

    for address, request in requests[:2]:
        lone.get(Nack(request.sequence, request.target), address.partition(":")[0])
    effects = lone.wait(LAN.probe_timeout_s)

    assert health(lone) == 1
    assert [new for _, _, new in changes(effects)] == ["suspect"]


def test_16_awareness_improves() -> None:
    """An answered probe makes it better."""
    lone = Lone("a", "b", "c")
    lone.hear(claim("me", 20, liveness=SUSPECT, accusers=("a",)))
    assert health(lone) == 1

    lone.wait(3 * LAN.probe_interval_s)

    assert health(lone) == 0


def test_16_an_ill_server_probes_slowly_and_waits_longer() -> None:
    """Interval and timeout both grow with the score (Lifeguard, LHA-Probe)."""
    lone = Lone("a", "b", "c")
    lone.silent = {"a", "b", "c"}
    lone.core.observe_lag(4 * LAN.stall_s)
    lone.wait(LAN.probe_interval_s)

    assert sent(lone.wait(4 * LAN.probe_timeout_s - LAN.probe_interval_s), PingRequest) == []
    assert len(sent(lone.effects, Ping)) == 1


def test_a_late_event_loop_is_ill_as_long_as_it_is_late() -> None:
    """The more, the later; answers that come in time all the same do not heal it."""
    lone = Lone("a", "b", "c")
    lone.core.observe_lag(2 * LAN.stall_s)
    lone.wait(20)
    assert health(lone) == 2
    lone.core.observe_lag(1000)
    assert health(lone) == LAN.health_max

    # The event loop is never exactly on time.
    lone.core.observe_lag(LAN.stall_s / 2)
    assert health(lone) == 0


def test_17_probe_node_buddy() -> None:
    """A suspect hears of the suspicion with the ping itself, and its ack brings the objection."""
    lone = Lone("a", "b")
    lone.hear(claim("a", liveness=SUSPECT, accusers=("b",)))

    pings = [ping for address, ping in sent(lone.wait(2 * LAN.probe_interval_s), Ping) if address == "a:1"]

    assert pings[0].claims[0].name == "a"
    assert pings[0].claims[0].liveness is SUSPECT


def test_17_ack_carries_the_objection() -> None:
    """The other side of it."""
    lone = Lone("a", "b")
    accused = claim("me", lone.incarnation("me"), liveness=SUSPECT, accusers=("b",))

    effects = lone.get(Ping(7, ME, [accused]), "a")

    ((_, ack),) = sent(effects, Ack)
    assert [said.incarnation for said in ack.claims if said.name == "me"] == [accused.incarnation + 1]


def test_18_handle_ping_wrong_node() -> None:
    """A ping for another id is not acknowledged: that server does not live here any more."""
    lone = Lone("a")

    effects = lone.get(Ping(7, "id-former", []), "a")

    assert sent(effects, Ack) == []
    assert sent(effects, Stranger) == [("a:1", Stranger(7, "id-former"))]


def test_18_a_stranger_at_the_address_is_evidence() -> None:
    """Whoever answers for somebody else says that that one is gone; one member's word, so far."""
    lone = Lone("a", "b", "c")
    lone.silent = {"a", "b", "c"}
    (address, ping), *_ = sent(lone.wait(LAN.probe_interval_s), Ping)

    lone.get(Stranger(ping.sequence, ping.target), "newcomer")

    name = address.partition(":")[0]
    assert lone.status(name) == "suspect"
    assert "its address belongs to another server now" in lone.why(name)


def test_19_handle_indirect_ping() -> None:
    """A relay pings and passes the answer on."""
    lone = Lone("a", "b")
    ((address, ping),) = sent(lone.get(PingRequest(5, "id-b", "b:1", 0.4), "a"), Ping)
    assert address == "b:1"

    effects = lone.get(Ack(ping.sequence, "id-b", []), "b")

    ((asker, ack),) = sent(effects, Ack)
    assert (asker, ack.sequence, ack.target) == ("a:1", 5, "id-b")


def test_19_nack() -> None:
    """A relay without an answer says so in time."""
    lone = Lone("a", "b")
    lone.silent = {"b"}
    lone.get(PingRequest(5, "id-b", "b:1", 0.4), "a")

    effects = lone.wait(0.4)

    assert sent(effects, Nack) == [("a:1", Nack(5, "id-b"))]


def test_19_a_relay_passes_on_that_a_stranger_answers() -> None:
    """So the asker learns more than silence."""
    lone = Lone("a", "b")
    ((_, ping),) = sent(lone.get(PingRequest(5, "id-b", "b:1", 0.4), "a"), Ping)

    effects = lone.get(Stranger(ping.sequence, "id-b"), "x")

    assert sent(effects, Stranger) == [("a:1", Stranger(5, "id-b"))]


@pytest.mark.parametrize("wait_s", [0.0, -1.0, nan, 1e9])
def test_19_a_senseless_request_is_dropped(wait_s: float) -> None:
    """No relay keeps a request for ever."""
    lone = Lone("a", "b")

    assert lone.get(PingRequest(5, "id-b", "b:1", wait_s), "a") == []


def test_late_acks_are_dropped() -> None:
    """An answer after the deadline tells of the past; so does one to a probe of a previous run."""
    lone = Lone("a", "b", "c")
    lone.silent = {"a", "b", "c"}
    (address, ping), *_ = sent(lone.wait(LAN.probe_interval_s), Ping)
    name = address.partition(":")[0]
    lone.wait(LAN.probe_interval_s)
    assert lone.status(name) == "suspect"

    lone.get(Ack(ping.sequence, ping.target, []), name)
    lone.get(Ack(1, ping.target, []), name)

    assert lone.status(name) == "suspect"
    assert lone.core.report.status(lone.now)["counters"]["late acks"] == 2


def test_a_probe_of_an_older_incarnation_accuses_nobody() -> None:
    """The member came up again while the probe ran: it has just been heard of."""
    lone = Lone("a")
    lone.silent = {"a"}
    assert sent(lone.wait(LAN.probe_interval_s), Ping)

    lone.hear(claim("a", 2), teller="a")
    lone.wait(LAN.probe_interval_s / 2)

    assert lone.status("a") == "alive"


def test_why_tells_who_probed_and_who_relayed() -> None:
    """members --why: the probe, its relays and what they said, the accusers, whose health it was."""
    lone = Lone("a", "b", "c")
    lone.silent = {"a", "b", "c"}
    requests = until_relays_are_asked(lone)
    name = requests[0][1].target.removeprefix("id-")
    for address, request in requests:
        lone.get(Nack(request.sequence, request.target), address.partition(":")[0])

    lone.wait(LAN.probe_interval_s)

    why = lone.why(name)
    assert "probed by me: no answer; relays: " in why
    assert "(no answer either)" in why
    assert "own health score" in why
    assert "accused by me: no answer to a probe" in why


def test_20_failed_remote() -> None:
    """What this server's own links could not send is its own trouble; a refused connection tells of the other side."""
    lone = Lone("a", "b", "c")

    lone.do(lone.core.undelivered(lone.now, "a:1"))
    assert lone.status("a") == "alive"

    lone.evidence("a:1")
    assert lone.status("a") == "suspect"


@pytest.mark.parametrize(("members", "wanted", "found"), [(0, 3, 0), (1, 3, 1), (2, 3, 2), (5, 3, 3), (200, 3, 3)])
def test_23_k_random_nodes(members: int, wanted: int, found: int) -> None:
    """Different ones, none of them this server, and those alone that fit; in a large cluster too, and when few do."""
    roster = Roster(claim("me"), random.Random(members))
    for number in range(members):
        roster.put(claim(f"m{number}"), 0.0)
        roster.put(claim(f"dead{number}", liveness=DEAD), 0.0)

    for _ in range(50):
        chosen = roster.choose(wanted, lambda one: one.is_live)
        assert len({one.id for one in chosen}) == len(chosen) == found
        assert all(one.is_live and one.id != "id-me" for one in chosen)
