"""The formulas of the settings give the figures of memberlist and the Lifeguard paper; Sn: docs/membership-cases.md."""

from __future__ import annotations

from math import inf

import pytest

from actors.gossip.awareness import Awareness
from actors.gossip.config import LAN, LOCAL, WAN, gossip_config
from actors.gossip.member import Accusation
from actors.gossip.suspicion import Suspicion, Terms

REFUSED = "connection refused"


def accusers(count: int, evidence: str = "silent") -> tuple[Accusation, ...]:
    """So many accusers with the same evidence."""
    return tuple(Accusation(f"a{number}", evidence) for number in range(count))


def test_profiles() -> None:
    """The three words of --profile, each with its own patience."""
    assert (gossip_config("lan"), gossip_config("wan"), gossip_config("local")) == (LAN, WAN, LOCAL)
    assert LOCAL.suspicion_min_s(3) < LAN.suspicion_min_s(3) < WAN.suspicion_min_s(3)


@pytest.mark.parametrize(
    ("n", "shortest", "longest"), [(3, 4, 24), (10, 4, 24), (30, 4.95, 29.7), (100, 6, 36), (1000, 8, 48)]
)
def test_suspicion_bounds_of_lan(n: int, shortest: float, longest: float) -> None:
    """memberlist's 4 and 24 s up to ten members; above, ours grow half as fast (actors/gossip/config.py)."""
    assert LAN.suspicion_min_s(n) == pytest.approx(shortest, abs=0.05)
    assert LAN.suspicion_max_s(n) == pytest.approx(longest, abs=0.1)


@pytest.mark.parametrize(("n", "sends"), [(1, 4), (9, 4), (10, 8), (99, 8), (100, 12), (999, 12)])
def test_retransmit_limit(n: int, sends: int) -> None:
    """A change is sent 4 * ceil(log10(n + 1)) times."""
    assert LAN.retransmit_limit(n) == sends


@pytest.mark.parametrize(("n", "seconds"), [(3, 30), (32, 30), (33, 60), (100, 90), (1000, 180)])
def test_push_pull_is_rarer_in_large_clusters(n: int, seconds: float) -> None:
    """The load of full exchanges stays bounded."""
    assert LAN.push_pull_s(n) == seconds


def test_reconnecting_is_shared() -> None:
    """A failed member is tried by all, so each tries more rarely when there are many."""
    assert LAN.reconnect_factor(3) == 1
    assert LAN.reconnect_factor(800) == 100


@pytest.mark.parametrize(
    ("n", "confirmed", "seconds"),
    [
        # S12, ProbeNode_Suspect_Dogpile, in this code's k: three members cannot confirm for one another.
        (3, 0, 4.0),
        (4, 0, 24.0),
        (5, 0, 24.0),
        (5, 1, 11.381),
        (5, 2, 4.0),
        (5, 9, 4.0),
    ],
)
def test_probenode_suspect_dogpile(n: int, confirmed: int, seconds: float) -> None:
    """More independent accusers, less time: from the longest suspicion to the shortest."""
    suspicion = Suspicion(Terms.of(LAN, n), 0.0)
    suspicion.heed(accusers(confirmed + 1), 2, 0.0)

    assert suspicion.deadline == pytest.approx(seconds, abs=0.001)


def test_suspicion_timer_zero_k() -> None:
    """S13: with nobody to confirm, the shortest suspicion is taken at once."""
    assert Terms(confirmations=0, min_s=2, max_s=30, grace_s=1).timeout_s(0) == 2


def test_suspicion_timer_immediate() -> None:
    """S13: a confirmation that comes after the shorter time has passed ends the suspicion at once."""
    suspicion = Suspicion(Terms(confirmations=1, min_s=2, max_s=30, grace_s=1), 0.0)
    suspicion.heed(accusers(1), 2, 0.0)
    assert suspicion.deadline == 30

    suspicion.heed(accusers(2), 2, 20.0)

    assert suspicion.deadline <= 20


@pytest.mark.parametrize(
    ("confirmed", "elapsed", "remaining"), [(0, 0, 30), (1, 2, 14), (2, 3, 4.81), (3, 4, -2), (4, 5, -3)]
)
def test_remaining_suspicion_time(confirmed: int, elapsed: float, remaining: float) -> None:
    """S14: memberlist's table for k = 3, two to thirty seconds."""
    timeout_s = Terms(confirmations=3, min_s=2, max_s=30, grace_s=1).timeout_s(confirmed)

    assert timeout_s - elapsed == pytest.approx(remaining, abs=0.005)


def test_double_suspect() -> None:
    """S7: hearing the same accuser again does not move the deadline."""
    suspicion = Suspicion(Terms.of(LAN, 10), 0.0)
    suspicion.heed(accusers(2), 2, 1.0)
    before = suspicion.deadline

    suspicion.heed(accusers(2), 2, 3.0)

    assert suspicion.deadline == before


def test_a_process_gone_takes_two_witnesses() -> None:
    """One refused connection shortens nothing; a second one, elsewhere, leaves the grace."""
    suspicion = Suspicion(Terms.of(LAN, 10), 0.0)
    suspicion.heed(accusers(1, REFUSED), 2, 0.0)
    assert suspicion.deadline == 24

    suspicion.heed(accusers(2, REFUSED), 2, 1.0)

    assert suspicion.deadline == 1.0 + LAN.process_gone_grace_s


def test_a_single_witness_is_enough_when_nobody_else_is_there() -> None:
    """Two members: the one that is left decides alone."""
    suspicion = Suspicion(Terms.of(LAN, 2), 0.0)

    suspicion.heed(accusers(1, REFUSED), 1, 0.0)

    assert suspicion.deadline == LAN.process_gone_grace_s


def test_a_stall_moves_the_deadline() -> None:
    """Time in which this server stood still is not held against anybody."""
    suspicion = Suspicion(Terms.of(LAN, 2), 0.0)
    suspicion.heed(accusers(1), 1, 0.0)

    suspicion.postpone(10)

    assert suspicion.deadline == 14
    assert suspicion.deadline < inf


def test_health_score_stays_within_its_limits() -> None:
    """S16: worse and better by one, never under 0 nor above the limit; durations scale with it."""
    awareness = Awareness(8)
    awareness.add(-1)
    assert (awareness.score, awareness.scale(2.0)) == (0, 2.0)

    awareness.add(20)

    assert (awareness.score, awareness.scale(2.0)) == (8, 18.0)
