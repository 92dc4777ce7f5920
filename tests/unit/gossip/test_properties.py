"""What holds on every run: chaos ends in agreement, nobody dies without a cause, nothing that must grow goes back."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress

import pytest

from actors.gossip.config import LAN, LOCAL
from actors.gossip.farewell import ForceLeaveError
from actors.gossip.member import Intent
from tests.unit.gossip.simnet import Host, Net

CHAOS_RUNS = 25
CALM_RUNS = 8


class Chaos:
    """One seeded run of everything that can go wrong."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(seed)
        self.net = Net(seed, LOCAL, loss=rng.choice([0, 0.05, 0.2]), delay_s=rng.choice([0.001, 0.02]))
        self.hosts = self.net.cluster(rng.randint(3, 7))
        self.steps: list[Callable[[Host], None]] = [
            self.cut,
            self.split,
            self.heal,
            self.pause,
            self.kill,
            self.vanish,
            self.restart,
            self.leave,
            self.force_leave,
        ]

    def run(self) -> None:
        """Break things for a while, then let everything work again."""
        for _ in range(self.rng.randint(5, 25)):
            self.rng.choice(self.steps)(self.rng.choice(self.hosts))
            self.net.run(self.rng.choice([0.05, 0.5, 5]))
        self.net.heal()
        self.net.loss = 0
        for host in self.hosts:
            self.restart(host)
            if host.core.own.intent is not Intent.JOIN:
                host.call(host.core.leave, "stay")

    def cut(self, host: Host) -> None:
        """One way."""
        self.net.cut(host, self.rng.choice(self.hosts))

    def split(self, host: Host) -> None:
        """Two sides."""
        hosts = self.rng.sample(self.hosts, len(self.hosts))
        at = self.rng.randint(1, len(hosts) - 1)
        self.net.split(hosts[:at], hosts[at:])

    def heal(self, host: Host) -> None:
        """All links."""
        self.net.heal()

    def pause(self, host: Host) -> None:
        """SIGSTOP."""
        host.is_paused = True

    def kill(self, host: Host) -> None:
        """SIGKILL."""
        self.net.kill(host)

    def vanish(self, host: Host) -> None:
        """The plug."""
        self.net.vanish(host)

    def restart(self, host: Host) -> None:
        """Or SIGCONT."""
        if not host.is_up:
            host.start()
        elif host.is_paused:
            host.resume()

    def leave(self, host: Host) -> None:
        """For good, or not after all."""
        if host.is_up and not host.is_paused:
            host.call(host.core.leave, "leaving")
            self.net.run(self.rng.random())
            host.call(host.core.leave, self.rng.choice(["left", "stay"]))
            if host.core.own.intent is Intent.LEFT:
                self.net.run(self.rng.random())
                self.net.kill(host)

    def force_leave(self, host: Host) -> None:
        """Of whomever."""
        other = self.rng.choice(self.hosts)
        if host.is_up and not host.is_paused and host is not other and host.core.report.named(self.net.now, other.id):
            with suppress(ForceLeaveError):
                host.carry_out(host.core.force_leave(self.net.now, other.id, prune=self.rng.random() < 0.3)[1])


@pytest.mark.parametrize("run", range(CHAOS_RUNS))
def test_chaos_ends_in_agreement(run: int, seed: int) -> None:
    """However things broke: once they work, all see the same, and no incarnation was ever used twice or went back."""
    chaos = Chaos(seed + run)

    chaos.run()

    assert chaos.net.until(lambda: chaos.net.agree(chaos.hosts), 60), [host.statuses() for host in chaos.hosts]
    for host in chaos.hosts:
        assert host.used == sorted(host.used)


@pytest.mark.parametrize("run", range(CALM_RUNS))
def test_nobody_dies_without_a_cause(run: int, seed: int) -> None:
    """A tenth of all messages lost and the rest slow, five minutes long: nobody is ever shown as failed."""
    net = Net(seed + run, random.Random(seed + run).choice([LAN, LOCAL]), loss=0.1, delay_s=0.02)
    hosts = net.cluster(3 + run % 6)

    net.run(300)

    assert [change for host in hosts for change in host.changes() if change[2] == "failed"] == []


@pytest.mark.parametrize("run", range(CALM_RUNS))
def test_a_leave_never_shows_as_failed(run: int, seed: int) -> None:
    """Many leave at once under loss, some vanish half-way."""
    net = Net(seed + run, LOCAL, loss=0.1)
    hosts = net.cluster(4 + run % 5)
    rng = random.Random(seed + run)
    leavers = rng.sample(hosts, rng.randint(1, len(hosts) - 2))
    stayers = [host for host in hosts if host not in leavers]
    for leaver in leavers:
        leaver.call(leaver.core.leave, "leaving")
    net.took(lambda: all(net.see(stayers, leaver, "leaving") for leaver in leavers), 10)
    for leaver in leavers:
        if rng.random() < 0.7:
            leaver.call(leaver.core.leave, "left")
            net.run(rng.random() / 2)
        rng.choice([net.kill, net.vanish])(leaver)

    net.took(lambda: all(net.see(stayers, leaver, "left") for leaver in leavers), 60)

    net.took(lambda: net.agree(stayers), 10)
    assert [change for host in stayers for change in host.changes() if change[2] == "failed"] == []


@pytest.mark.parametrize("run", range(CALM_RUNS))
def test_believed_incarnations_never_go_back(run: int, seed: int) -> None:
    """What a server believes of a member's incarnation only grows while it runs, replays and all."""
    chaos = Chaos(seed + run)
    seen: dict[tuple[str, int, str], int] = {}

    def watch() -> bool:
        for host in chaos.hosts:
            for member in host.core.report.members(chaos.net.now):
                key = (host.name, id(host.core), member.id)
                assert member.incarnation >= seen.get(key, 0)
                seen[key] = member.incarnation
        return False

    for _ in range(15):
        chaos.rng.choice(chaos.steps)(chaos.rng.choice(chaos.hosts))
        chaos.net.until(watch, 1)


def test_the_simulation_is_deterministic(seed: int) -> None:
    """The same seed gives the same run, so a failing one can be looked into."""

    def story() -> list[list[tuple[float, str, str]]]:
        chaos = Chaos(seed)
        chaos.run()
        return [host.changes() for host in chaos.hosts]

    assert story() == story()
