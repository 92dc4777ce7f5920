"""A stall of half a minute, of one server and of all at once (Lifeguard: a slow member must not accuse the others)."""

from __future__ import annotations

from functools import partial

import pytest

from actors.gossip.config import LAN, LOCAL, GossipConfig
from tests.unit.gossip.simnet import Host, Net

STALL_S = 30.0
WHOLE_MAX_S = 10.0
SEEDS = range(4)


def blamed(hosts: list[Host]) -> set[str]:
    """Everybody who was ever shown as failed by any."""
    return {name for host in hosts for _, name, status in host.changes() if status == "failed"}


@pytest.mark.parametrize("config", [LAN, LOCAL], ids=["lan", "local"])
@pytest.mark.parametrize("size", [3, 5, 9])
def test_one_server_stands_still(config: GossipConfig, size: int) -> None:
    """The others take it for failed, it takes nobody for failed, and soon after it goes on all are alive to all."""
    for seed in SEEDS:
        net = Net(seed, config)
        hosts = net.cluster(size)
        sleeper = net.rng.choice(hosts)
        sleeper.is_paused = True
        net.run(STALL_S)
        assert blamed(hosts) == {sleeper.name}, seed
        sleeper.resume()
        assert net.until(partial(net.agree, hosts), WHOLE_MAX_S), seed
        assert blamed(hosts) == {sleeper.name}, seed


@pytest.mark.parametrize("config", [LAN, LOCAL], ids=["lan", "local"])
@pytest.mark.parametrize("size", [3, 5, 9])
def test_the_whole_machine_stands_still(config: GossipConfig, size: int) -> None:
    """All stop and go on one after the other: nobody is called failed by anybody."""
    for seed in SEEDS:
        net = Net(seed, config)
        hosts = net.cluster(size)
        for host in hosts:
            host.is_paused = True
        net.run(STALL_S)
        for host in hosts:
            host.resume()
            net.run(net.rng.uniform(0, 0.05))
        net.run(WHOLE_MAX_S)
        assert net.agree(hosts), seed
        assert not blamed(hosts), seed
