"""One id, one live server: a process that runs on a copy of another one's data directory ends, and both say so."""

from __future__ import annotations

import random
from copy import deepcopy
from functools import partial

import pytest

from actors.gossip.config import LAN
from actors.gossip.effects import Effect, End
from actors.gossip.messages import Twin
from actors.gossip.shared import Source
from tests.unit.gossip.lone import ME, Lone, claim, sent
from tests.unit.gossip.simnet import Disk, Host, Net

CHAOS_RUNS = 8
ELSEWHERE = "copy:7946"


def copy_of(net: Net, host: Host, disk: Disk, *peers: str) -> Host:
    """A server that is started on a copy of another one's data directory, at another address."""
    twin = Host(net, host.name, cluster_id="", peers=peers, member_id=host.id)
    twin.disk = disk
    twin.address = ELSEWHERE
    net.hosts["copy"] = twin
    twin.start()
    return twin


def ends(of: Host | Lone) -> list[str]:
    """Why its process ended, if gossip ended it."""
    effects = of.effects if isinstance(of, Lone) else [effect for _, effect in of.effects]
    return [effect.reason for effect in effects if isinstance(effect, End)]


def all_see(net: Net, hosts: list[Host]) -> bool:
    """Whether each of these sees exactly these alive, where they are."""
    there = {(host.id, host.address) for host in hosts}
    return all(
        {(m.id, m.address) for m in host.core.report.members(net.now) if m.status == "alive"} == there for host in hosts
    )


def is_over(net: Net, hosts: list[Host], twin: Host) -> bool:
    """Whether the copy is gone and forgotten."""
    return not twin.is_up and all_see(net, hosts)


@pytest.mark.parametrize("peers", [(), ("n0:7946",), ("n2:7946",)], ids=["no hint", "a member", "the original"])
def test_a_copy_of_a_live_server_ends(peers: tuple[str, ...], seed: int) -> None:
    """Within a second, with one line that says what to do; the original stays where it was, and says so in status."""
    net = Net(seed)
    hosts = net.cluster(3)

    began = net.now
    twin = copy_of(net, hosts[2], deepcopy(hosts[2].disk), *peers)

    assert net.took(lambda: not twin.is_up, 10) < 2.0
    (line,) = ends(twin)
    assert line.startswith("the server id-n2 runs at n2:7946 already, for ")
    assert "the data directory of n2 at copy:7946 is a copy of its. Start the copy with an empty --data-dir" in line
    net.took(lambda: all_see(net, hosts), 5)
    net.run(5)
    assert "copy:7946 has the same id id-n2 as n2 at n2:7946: one data directory is a copy" in hosts[2].notes()
    turned_away = hosts[2].core.report.status(net.now)["turned_away"]
    assert [(one["address"], one["name"]) for one in turned_away] == [(ELSEWHERE, "n2")]
    assert all_see(net, hosts)
    assert not any(ends(host) for host in hosts)
    assert all(host.changes(hosts[2])[-1][0] < began for host in hosts[:2]), "the copy was believed for a moment"


def test_a_copy_from_a_backup_ends_too(seed: int) -> None:
    """What it says is older than all that the original has said since, which cannot be taken for the copy by that."""
    net = Net(seed)
    hosts = net.cluster(3)
    backup = deepcopy(hosts[2].disk)
    for _ in range(3):
        net.kill(hosts[2])
        net.run(1)
        hosts[2].start()
        net.run(1)
    net.took(lambda: all_see(net, hosts), 10)

    twin = copy_of(net, hosts[2], backup)

    assert net.took(lambda: not twin.is_up, 10) < 2.0
    net.run(5)
    assert all_see(net, hosts)
    assert not ends(hosts[2])


def test_a_server_that_moves_is_no_copy(seed: int) -> None:
    """Also when nobody has noticed yet that it is gone from where it was."""
    net = Net(seed, LAN)
    hosts = net.cluster(3)
    net.vanish(hosts[2])
    hosts[2].address = ELSEWHERE
    hosts[2].start()

    net.run(30)

    assert all_see(net, hosts)
    assert not ends(hosts[2])


def test_copies_under_loss_and_delay(seed: int) -> None:
    """Whatever the network does, one is left, and that is the older one."""
    for run in range(CHAOS_RUNS):
        rng = random.Random(f"{seed} {run}")
        net = Net(rng.getrandbits(32), loss=0.1, delay_s=rng.choice((0.002, 0.05)))
        hosts = net.cluster(rng.randint(2, 5))
        original = rng.choice(hosts)
        twin = copy_of(net, original, deepcopy(original.disk))
        assert net.until(partial(is_over, net, hosts, twin), 30), f"seed {seed}, run {run}"
        assert not ends(original), f"seed {seed}, run {run}"


def test_who_goes_is_who_has_run_for_less() -> None:
    """A challenge is answered, an answer is not; and of another server's id nothing follows."""
    lone = Lone("a")
    lone.hear(claim("me", 999, address=ELSEWHERE))
    ((address, challenge),) = sent(lone.effects, Twin)
    assert (address, challenge.is_answer) == (ELSEWHERE, False)

    lone.wait(5.0)
    assert sent(lone.get(Twin(100.0), "a"), Twin) == []
    ((address, answer),) = sent(hear(lone, Twin(4.0)), Twin)
    assert (address, answer) == (ELSEWHERE, Twin(5.0, is_answer=True))
    assert sent(hear(lone, Twin(4.0, is_answer=True)), Twin) == []
    assert not ends(lone)

    hear(lone, Twin(6.0))
    assert len(ends(lone)) == 1


def hear(lone: Lone, twin: Twin) -> list[Effect]:
    """Something said by the process elsewhere that has the same id."""
    return lone.do(lone.core.handle(lone.now, Source(ME, ELSEWHERE), twin))
