"""Crashes, partitions, stalls and mass events in a simulated cluster: what all see, and how soon."""

from __future__ import annotations

import random

import pytest

from actors.gossip.config import LAN, LOCAL
from actors.gossip.effects import LeaveDone
from tests.unit.gossip.simnet import Host, Net


def failures(observers: list[Host], *, but: tuple[Host, ...] = ()) -> list[tuple[str, float, str]]:
    """(observer, time, member) of everybody shown as failed, some members left out."""
    names = [host.name for host in but]
    return [
        (observer.name, at, name)
        for observer in observers
        for at, name, status in observer.changes()
        if status == "failed" and name not in names
    ]


@pytest.mark.parametrize("size", [2, 3, 5, 10, 30])
def test_a_killed_server_is_known_failed_within_a_second(size: int, seed: int) -> None:
    """Refused connections, seen by two members, need no suspicion time."""
    net = Net(seed)
    hosts = net.cluster(size)

    net.kill(hosts[-1])

    assert net.took(lambda: net.see(hosts[:-1], hosts[-1], "failed"), 10) < 1.0
    assert failures(hosts, but=(hosts[-1],)) == []


def test_two_servers_of_three_are_killed_at_once(seed: int) -> None:
    """Nobody is left to confirm what the third one sees, so its own sight is enough."""
    net = Net(seed)
    hosts = net.cluster(3)

    net.kill(hosts[1])
    net.kill(hosts[2])

    took = net.took(lambda: set(hosts[0].statuses().values()) == {"alive", "failed"}, 10)
    assert hosts[0].statuses() == {"n0": "alive", "n1": "failed", "n2": "failed"}
    assert took < 1.0


@pytest.mark.parametrize(("config", "limit_s"), [(LOCAL, 5.0), (LAN, 12.0)])
@pytest.mark.parametrize("size", [3, 10])
def test_a_silent_host_is_found_by_probes(config: object, limit_s: float, size: int, seed: int) -> None:
    """SWIM's path: probes, relays, suspicion; nobody else comes under it for long."""
    net = Net(seed, LOCAL if config is LOCAL else LAN)
    hosts = net.cluster(size)

    net.vanish(hosts[-1])

    assert net.took(lambda: net.see(hosts[:-1], hosts[-1], "failed"), 60) < limit_s
    assert failures(hosts, but=(hosts[-1],)) == []


def test_a_killed_server_that_is_back_at_once(seed: int) -> None:
    """A higher incarnation than any before; everybody sees it alive again soon."""
    net = Net(seed)
    hosts = net.cluster(3)
    net.kill(hosts[2])
    net.run(0.1)

    hosts[2].start()

    assert net.took(lambda: net.agree(hosts), 10) < 1.0
    net.run(10)
    assert net.agree(hosts)


def test_links_that_are_bound_again_bring_nobody_down(seed: int) -> None:
    """A restart of the links alone: all see refused connections for a moment, and the member objects in time."""
    net = Net(seed)
    hosts = net.cluster(3)

    for observer in hosts[:2]:
        observer.call(observer.core.evidence, hosts[2].address, "connection refused")
    net.run(10)

    assert failures(hosts) == []
    assert net.agree(hosts)


@pytest.mark.parametrize("size", [3, 5])
def test_one_bad_link_brings_nobody_down(size: int, seed: int) -> None:
    """Two members cannot reach each other, refused connections and all: both stay alive to everybody."""
    net = Net(seed)
    hosts = net.cluster(size)
    net.split(hosts[:1], hosts[1:2])

    for number in range(30):
        hosts[number % 2].call(hosts[number % 2].core.evidence, hosts[1 - number % 2].address, "connection refused")
        net.run(1)

    assert failures(hosts) == []


@pytest.mark.parametrize("size", [3, 5])
def test_a_deaf_member_brings_nobody_down_but_in_its_own_eyes(size: int, seed: int) -> None:
    """It hears nobody, its connections are refused, and it can still talk: what it says is not believed."""
    net = Net(seed)
    hosts = net.cluster(size)
    deaf, others = hosts[0], hosts[1:]
    for other in others:
        net.cut(other, deaf)
        deaf.call(deaf.core.evidence, other.address, "connection refused")

    net.run(60)

    assert failures(others, but=(deaf,)) == []


def test_an_event_loop_blocked_for_ten_seconds_kills_nobody(seed: int) -> None:
    """What arrived meanwhile is read before timers fire: to the blocked one, all others live."""
    net = Net(seed)
    hosts = net.cluster(4)

    hosts[0].is_paused = True
    net.run(10)
    hosts[0].resume()

    assert net.took(lambda: net.agree(hosts), 10) < 0.5
    assert failures(hosts[:1]) == []
    assert failures(hosts[1:], but=(hosts[0],)) == []
    assert hosts[0].core.report.status(net.now)["counters"]["stalls"] == 1


def test_a_machine_stopped_for_thirty_seconds_kills_nobody(seed: int) -> None:
    """All servers stand still at once: time is lost to all of them alike."""
    net = Net(seed)
    hosts = net.cluster(5)
    for host in hosts:
        host.is_paused = True
    net.run(30)
    for host in hosts:
        host.resume()
    net.run(10)

    assert failures(hosts) == []
    assert net.agree(hosts)


def test_a_stopped_server_is_back(seed: int) -> None:
    """SIGSTOP for thirty seconds: failed, and alive again soon after it goes on."""
    net = Net(seed)
    hosts = net.cluster(3)
    hosts[2].is_paused = True
    net.took(lambda: net.see(hosts[:2], hosts[2], "failed"), 10)
    net.run(30)

    hosts[2].resume()

    assert net.took(lambda: net.agree(hosts), 10) < 0.5


@pytest.mark.parametrize("minutes", [1, 20])
def test_a_partition_of_any_length_heals(minutes: int, seed: int) -> None:
    """Both sides see the other as failed, long past gossip to the dead; then they merge again (memberlist#222)."""
    net = Net(seed)
    hosts = net.cluster(5)
    left, right = hosts[:2], hosts[2:]
    net.split(left, right)
    net.run(60 * minutes)
    assert net.see(left, right[0], "failed")
    assert net.see(right, left[0], "failed")

    net.heal()

    assert net.took(lambda: net.agree(hosts), 30) < 8.0


def test_a_graceful_leave(seed: int) -> None:
    """Acknowledged by all within a blink, never shown as failed, and the process may end at once."""
    net = Net(seed)
    hosts = net.cluster(5)
    leaver, others = hosts[4], hosts[:4]

    leaver.call(leaver.core.leave, "leaving")
    assert net.took(lambda: net.see(others, leaver, "leaving"), 5) < 0.1
    leaver.call(leaver.core.leave, "left")
    assert net.took(lambda: net.see(others, leaver, "left"), 5) < 0.1
    net.kill(leaver)
    net.run(60)

    assert failures(others) == []


def test_a_leaver_that_vanishes_half_way(seed: int) -> None:
    """It announced that it leaves and was killed: it is `left`."""
    net = Net(seed, loss=0.05)
    hosts = net.cluster(5)
    leaver, others = hosts[4], hosts[:4]
    leaver.call(leaver.core.leave, "leaving")
    net.took(lambda: net.see(others, leaver, "leaving"), 5)

    net.kill(leaver)

    net.took(lambda: net.see(others, leaver, "left"), 30)
    assert failures(others) == []


def test_seven_of_ten_leave_a_second_apart(seed: int) -> None:
    """Scale-down: none may ever be reported failed."""
    net = Net(seed, LAN, loss=0.02)
    hosts = net.cluster(10)
    for leaver in hosts[3:]:
        leaver.call(leaver.core.leave, "leaving")
        net.run(0.5)
        leaver.call(leaver.core.leave, "left")
        net.run(0.4)
        net.kill(leaver)
        net.run(0.1)

    net.run(60)

    assert failures(hosts) == []
    net.took(lambda: net.agree(hosts[:3]), 10)
    assert all(net.see(hosts[:3], leaver, "left") for leaver in hosts[3:])


def test_leaving_and_joining_again(seed: int) -> None:
    """A left server that is started again is a member again, the same one."""
    net = Net(seed)
    hosts = net.cluster(3)
    hosts[2].call(hosts[2].core.leave, "left")
    net.took(lambda: net.see(hosts[:2], hosts[2], "left"), 5)
    net.kill(hosts[2])
    net.run(5)

    hosts[2].start()

    assert net.took(lambda: net.agree(hosts), 10) < 1.0


def test_a_mass_restart(seed: int) -> None:
    """All servers crash and start within a second: incarnations go on where the disk says (memberlist#311)."""
    net = Net(seed, LAN)
    hosts = net.cluster(20)
    rng = random.Random(seed)
    before = {host.name: host.core.own.incarnation for host in hosts}
    for host in hosts:
        net.vanish(host)
    for host in hosts:
        net.run(rng.random() / 20)
        host.start()

    assert net.took(lambda: net.agree(hosts), 30) < 5.0
    assert all(host.core.own.incarnation > before[host.name] for host in hosts)


def test_force_leave_of_a_failed_server(seed: int) -> None:
    """Everybody sees it as left; when it is back it is alive again."""
    net = Net(seed)
    hosts = net.cluster(4)
    net.kill(hosts[3])
    net.took(lambda: net.see(hosts[:3], hosts[3], "failed"), 10)

    hosts[0].carry_out(hosts[0].core.force_leave(net.now, "n3")[1])
    assert net.took(lambda: net.see(hosts[:3], hosts[3], "left"), 5) < 0.5

    hosts[3].start()
    assert net.took(lambda: net.agree(hosts), 10) < 1.0


def test_force_leave_of_a_living_server(seed: int) -> None:
    """One that was cut off is forced out by the others; when it hears that it objects, and is alive to everybody."""
    net = Net(seed)
    hosts = net.cluster(4)
    net.split(hosts[:3], hosts[3:])
    net.took(lambda: net.see(hosts[:3], hosts[3], "failed"), 20)

    hosts[0].carry_out(hosts[0].core.force_leave(net.now, "n3")[1])
    net.took(lambda: net.see(hosts[:3], hosts[3], "left"), 5)
    net.heal()

    assert net.took(lambda: net.agree(hosts), 20) < 8.0


def test_34_a_pruned_server_is_forgotten_everywhere_and_may_come_back(seed: int) -> None:
    """One member forgets nothing because it was away: it hears of it when it is back. The pruned one joins anew."""
    net = Net(seed)
    hosts = net.cluster(5)
    pruned, away = hosts[4], hosts[3]
    net.kill(pruned)
    net.took(lambda: net.see(hosts[:4], pruned, "failed"), 10)
    net.vanish(away)

    hosts[0].carry_out(hosts[0].core.force_leave(net.now, "n4", prune=True)[1])
    net.took(lambda: all("n4" not in host.statuses() for host in hosts[:3]), 5)
    away.start()

    net.took(lambda: net.agree(hosts[:4]), 20)
    net.run(30)
    assert all("n4" not in host.statuses() for host in hosts[:4])
    assert all(pruned.id not in host.disk.members for host in hosts[:4])
    pruned.start()
    assert net.took(lambda: net.agree(hosts), 20) < 2.0


def test_seven_of_ten_leave_at_once(seed: int) -> None:
    """All of them in the same moment, in both steps, under loss: acknowledged, and never shown as failed."""
    net = Net(seed, LAN, loss=0.02)
    hosts = net.cluster(10)
    stayers, leavers = hosts[:3], hosts[3:]
    for phase in ("leaving", "left"):
        for leaver in leavers:
            leaver.call(leaver.core.leave, phase)
        net.took(lambda phase=phase: all(net.see(stayers, leaver, phase) for leaver in leavers), 5)  # type: ignore[misc]
    net.run(LAN.leave_timeout_s + 0.1)
    for leaver in leavers:
        done = [effect for _, effect in leaver.effects if isinstance(effect, LeaveDone)]
        assert [effect.phase for effect in done] == ["leaving", "left"]
        assert not set(done[1].missing) & {stayer.id for stayer in stayers}
        net.kill(leaver)

    net.run(60)

    assert failures(stayers) == []
    net.took(lambda: net.agree(stayers), 10)


def test_what_gossip_misses_is_found_by_digests(seed: int) -> None:
    """Members that are cut off while a change is told have it a few probes after, not at the next full exchange."""
    net = Net(seed, LAN)
    hosts = net.cluster(6)
    # Too short for a suspicion, long enough for the news to have been told.
    late = Host(net, "late", cluster_id="", peers=["n1:7946"])
    net.split(hosts[:1], [*hosts[1:], late])
    net.hosts["late"] = late
    late.start()
    net.run(2.5)
    assert "late" not in hosts[0].statuses()

    net.heal()

    assert net.took(lambda: hosts[0].statuses().get("late") == "alive", 30) < 5.0
