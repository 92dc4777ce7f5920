"""When gossip goes out: what is new soon, the rest at the interval, and never more than is owed in the long run."""

from __future__ import annotations

from itertools import pairwise
from math import inf

import pytest

from actors.gossip.config import LAN, LOCAL
from actors.gossip.waves import AHEAD, Waves
from tests.unit.gossip.simnet import Net

INTERVAL_S = LAN.gossip_interval_s
QUICK_S = LAN.gossip_quick_s


def started(now: float = 100.0) -> Waves:
    """A rhythm that has just begun."""
    waves = Waves(LAN)
    waves.start(now)
    return waves


def go_out(waves: Waves, times: int, *, is_new: bool) -> list[float]:
    """When so many waves go out one after the other, each as soon as it may."""
    out: list[float] = []
    for _ in range(times):
        out.append(max(100.0, waves.next_at(is_new=is_new)))
        waves.sent(out[-1])
    return out


def distances(times: list[float]) -> list[float]:
    """How far apart they are."""
    return [later - earlier for earlier, later in pairwise(times)]


def test_before_the_start_nothing_goes_out() -> None:
    """A server that has no cluster tells nobody."""
    assert Waves(LAN).next_at(is_new=True) == inf


def test_the_first_wave_goes_out_at_once() -> None:
    """Whoever has told nothing for a while does not wait."""
    assert started().next_at(is_new=False) <= 100.0


def test_what_was_told_goes_out_each_interval() -> None:
    """As memberlist's."""
    assert distances(go_out(started(), 4, is_new=False)) == pytest.approx([INTERVAL_S] * 3)


def test_what_is_new_goes_out_again_soon() -> None:
    """A tenth of the interval later, to others."""
    assert distances(go_out(started(), 3, is_new=True)) == pytest.approx([QUICK_S] * 2)


def test_in_the_long_run_no_more_than_one_goes_out_each_interval() -> None:
    """However much is new: a storm of events costs the network what memberlist's would."""
    out = go_out(started(), 50, is_new=True)

    for count in range(AHEAD + 1, 50):
        assert out[count] - out[0] >= (count - AHEAD) * INTERVAL_S - QUICK_S
    assert distances(out)[-1] == pytest.approx(INTERVAL_S)


def test_who_was_silent_may_be_quick_again() -> None:
    """What was borrowed is paid back after a second."""
    waves = started()
    last = go_out(waves, 20, is_new=True)[-1]
    waves.sent(last + (AHEAD + 1) * INTERVAL_S)

    assert waves.next_at(is_new=True) == pytest.approx(last + (AHEAD + 1) * INTERVAL_S + QUICK_S)


def test_a_stall_moves_the_next_wave() -> None:
    """A process that stood still reads what came meanwhile before it speaks."""
    waves = started()
    waves.sent(100.0)
    waves.postpone(7.0)

    assert waves.next_at(is_new=False) == pytest.approx(107.0 + INTERVAL_S)


@pytest.mark.parametrize(("n", "sends"), [(3, 2), (9, 2), (10, 4), (99, 4), (100, 6)])
def test_a_change_is_new_for_half_its_sends(n: int, sends: int) -> None:
    """The other half keeps its distance: it is for what a broken link lost."""
    assert [count for count in range(20) if LAN.is_new(count, n)] == list(range(sends))
    assert 2 * sends == LAN.retransmit_limit(n)


def test_thirty_members_know_long_before_the_interval_is_over() -> None:
    """Told on once by each, one of 30 is passed over in most runs; told twice, in hardly any."""
    took_s = [_join_of_thirty(seed) for seed in range(10)]

    assert sum(took < INTERVAL_S / 2 for took in took_s) >= 8, took_s


def _join_of_thirty(seed: int) -> float:
    net = Net(seed, LAN)
    hosts = net.cluster(30)
    net.run(3)
    newcomer = net.add("newcomer", peers=[hosts[0].address])
    return net.took(lambda: net.see(hosts, newcomer, "alive"), 5.0)


def test_the_local_profile_is_as_quick() -> None:
    """A tenth of its own interval."""
    assert pytest.approx(LOCAL.gossip_interval_s / 10) == LOCAL.gossip_quick_s
