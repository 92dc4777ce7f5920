"""Round trips measured by the probes: what moves this server's coordinate, what must not, and what can be asked."""

from __future__ import annotations

import pytest

from actors.gossip.config import LAN, LOCAL
from actors.gossip.coordinates import ORIGIN, Coordinate, pack
from actors.gossip.messages import Ack, Ping, PingRequest
from tests.unit.gossip.lone import Lone, sent
from tests.unit.gossip.simnet import Net

ELSEWHERE = pack(Coordinate(error=0.5, height=0.02))


def probed(lone: Lone) -> tuple[str, Ping]:
    """The name of the member that is probed next, and the ping."""
    lone.silent = {"a", "b", "c"}
    (address, ping), *_ = sent(lone.wait(LAN.probe_interval_s), Ping)
    return address.partition(":")[0], ping


def test_estimates_come_near_the_network_s_round_trips() -> None:
    """Five servers, 10 to 30 ms each way: within a half after two minutes (0.69 to 1.31 of the middle in 12 seeds)."""
    net = Net(5, LOCAL, delay_s=0.02)
    hosts = net.cluster(5)
    net.run(120)

    for host in hosts:
        rtts = host.core.report.rtts()
        assert sorted(rtts) == sorted(other.id for other in hosts if other is not host)
        assert all(rtt_ms == pytest.approx(40, rel=0.5) for rtt_ms in rtts.values())
    asked = hosts[0].core.report.rtt("n3", "n4")
    assert (asked["ok"], asked["from"], asked["to"]) == (True, "n3", "n4")
    assert asked["rtt_ms"] == pytest.approx(40, rel=0.5)


def test_a_direct_answer_moves_this_server() -> None:
    """The place of the other is known then, and this server's own has moved."""
    lone = Lone("a", "b", "c")
    name, ping = probed(lone)
    lone.now += 0.05
    lone.get(Ack(ping.sequence, ping.target, [], coordinate=ELSEWHERE), name)

    assert list(lone.core.report.rtts()) == [ping.target]
    assert lone.core.report.rtt(name, "")["ok"]


def test_an_answer_through_a_relay_does_not() -> None:
    """It took another way, and whoever relays has another place."""
    lone = Lone("a", "b", "c")
    name, ping = probed(lone)
    relay = next(other for other in ("a", "b", "c") if other != name)
    lone.get(Ack(ping.sequence, ping.target, [], coordinate=ELSEWHERE), relay)

    assert lone.core.report.rtts() == {}


def test_an_answer_to_a_relay_s_ping_does_not() -> None:
    """Only the own probes are timed."""
    lone = Lone("a", "b", "c")
    ((_, ping),) = sent(lone.get(PingRequest(5, "id-b", "b:1", 0.4), "a"), Ping)
    lone.get(Ack(ping.sequence, "id-b", [], coordinate=ELSEWHERE), "b")

    assert lone.core.report.rtts() == {}


def test_an_answer_after_a_stall_does_not() -> None:
    """This process stood still: how long the answer took, nobody can tell."""
    lone = Lone("a", "b", "c")
    name, ping = probed(lone)
    lone.now += LAN.probe_timeout_s + 5 * LAN.stall_s
    lone.do(lone.core.tick(lone.now))
    lone.get(Ack(ping.sequence, ping.target, [], coordinate=ELSEWHERE), name)

    assert lone.core.report.rtts() == {}
    assert lone.core.report.status(lone.now)["counters"]["rejected coordinates"] == 1
    assert lone.status(name) == "alive"


@pytest.mark.parametrize("data", [b"", b"x", pack(ORIGIN)[:-1], b"\xff" * len(pack(ORIGIN))])
def test_40_ping_delegate_rogue_coordinate(data: bytes) -> None:
    """Counted, nothing moves, and the answer is an answer."""
    lone = Lone("a", "b", "c")
    name, ping = probed(lone)
    lone.get(Ack(ping.sequence, ping.target, [], coordinate=data), name)
    lone.wait(LAN.probe_interval_s)

    assert lone.core.report.rtts() == {}
    assert lone.core.report.status(lone.now)["counters"]["rejected coordinates"] == 1
    assert lone.status(name) == "alive"


def test_questions_without_an_answer_say_why() -> None:
    """A name nobody has, one member twice, and a member that has not been measured yet."""
    report = Lone("a", "b", "c").core.report

    assert report.rtt("nobody", "")["reason"] == "no member is called 'nobody'; 'members' lists them"
    assert report.rtt("a", "nobody")["reason"] == "no member is called 'nobody'; 'members' lists them"
    assert report.rtt("me", "")["reason"] == "me is me: name two different members"
    assert report.rtt("a", "")["reason"].startswith("me has not measured a yet")
    assert not report.rtt("b", "a")["ok"]
