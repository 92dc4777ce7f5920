"""What users of Serf and memberlist have reported, as stories that end well (docs/membership-cases.md, P1 to P6)."""

from __future__ import annotations

import random

import pytest

from actors.gossip.effects import Changed
from actors.gossip.shared import Source
from tests.unit.gossip.simnet import Host, Net


def test_an_address_that_another_cluster_reuses(seed: int) -> None:
    """A dead server's address comes to a server of another cluster: neither takes the other in, and both go on."""
    net = Net(seed)
    hosts = net.cluster(3)
    dead = hosts[2]
    net.vanish(dead)
    del net.hosts["n2"]
    foreign = Host(net, "foreign", cluster_id="c1", peers=())
    foreign.address = dead.address
    net.hosts["foreign"] = foreign
    net.moved()
    foreign.start()

    net.took(lambda: net.see(hosts[:2], dead, "failed"), 20)
    net.run(120)

    assert all(host.statuses() == {"n0": "alive", "n1": "alive", "n2": "failed"} for host in hosts[:2])
    assert foreign.statuses() == {"foreign": "alive"}
    assert "two clusters never merge" in foreign.notes()
    assert "two clusters never merge" in hosts[0].notes() + hosts[1].notes()


@pytest.mark.parametrize("what", ["restart", "failure"])
def test_replayed_packets_change_nothing(what: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that a server was ever sent comes again, in disorder: old incarnations and times say nothing new."""
    net = Net(seed)
    hosts = net.cluster(4)
    received: list[tuple[Source, object]] = []
    receive = hosts[0].receive

    def record(source: Source, message: object) -> None:
        received.append((source, message))
        receive(source, message)

    monkeypatch.setattr(hosts[0], "receive", record)
    net.run(10)
    net.kill(hosts[3])
    net.took(lambda: net.see(hosts[:3], hosts[3], "failed"), 20)
    if what == "restart":
        hosts[0].start()
        hosts[3].start()
        net.took(lambda: net.agree(hosts), 20)
    else:
        net.run(20)
    expected = hosts[0].statuses()
    seen = len(hosts[0].effects)

    assert len(received) > 20
    replayed = random.Random(seed).sample(received, len(received))
    for source, message in replayed:
        receive(source, message)
    net.run(20)

    assert hosts[0].statuses() == expected
    statuses = {e.member.status for _, e in hosts[0].effects[seen:] if isinstance(e, Changed)}
    assert statuses <= {"suspect", "alive"}
