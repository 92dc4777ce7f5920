"""What SWIM and Lifeguard claim of many members, held by the real core in virtual time, by fixed seeds.

`make gossip-scale` measures the same at sizes and in numbers that would take too long here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from statistics import median

import pytest

from tests.membership.experiments import detect, leaves, load, mass_restart, partition, spread, starved
from tests.membership.starving import Hunger
from tests.unit.project.sources import ROOT

LATE = Hunger(late_s=8)


def test_swim_3_detection_of_a_silent_host_at_100_members() -> None:
    """SWIM, section 3: a silent host is found within a few periods and the suspicion, and nobody else comes to harm."""
    found = [detect(seed, 100) for seed in range(3)]

    assert median(one.all_s for one in found) <= 10.0
    assert max(one.all_s for one in found) <= 12.5
    assert sum(one.false_deaths for one in found) == 0


def test_swim_3_the_load_of_a_member_does_not_depend_on_their_number() -> None:
    """SWIM, section 3. Everything known is exchanged where it differs only, and at rest it does not."""
    few, many = (load(1, size, 10.0) for size in (50, 300))

    for of_few, of_many in ((few.messages, many.messages), (few.bytes, many.bytes)):
        assert sum(of_many.values()) <= 1.2 * sum(of_few.values())


def test_swim_4_1_a_join_reaches_all_within_seconds() -> None:
    """SWIM, section 4.1: dissemination takes a time that grows with the logarithm of the members' number."""
    times = spread(1, 300)

    assert times[int(0.99 * len(times))] <= 2.0


def test_lifeguard_3_slow_members_bring_down_no_healthy_one() -> None:
    """Lifeguard, section 3: a member that hears everything late accuses others; without Lifeguard they die of it."""
    with_lifeguard, without = (starved(1, 20, LATE, lifeguard=lifeguard) for lifeguard in (True, False))

    assert with_lifeguard.healthy == 0
    assert without.healthy > 0


def test_scale_down_shows_nobody_failed() -> None:
    """P2 of docs/membership-cases.md: 7 of 10 leave, one a second."""
    found = [leaves(seed) for seed in range(3)]

    assert sum(one.failed for one in found) == 0
    assert max(one.known_s for one in found) < 1.0


def test_mass_restart_takes_no_incarnation_twice() -> None:
    """memberlist#311: all start again at once, above every incarnation they ever had, and find each other."""
    found = mass_restart(1, 60, off_s=30.0)

    assert found.whole_s < 10.0
    assert (found.backward, found.failed_after) == (0, 0)
    # Not one for each member that it remembers: every answer holds all members.
    assert found.joins < 35


def test_partition_heals_long_after_all_are_dead_on_both_sides() -> None:
    """memberlist#222: longer than gossip is sent to the dead."""
    found = partition(1, 20, apart_s=120.0)

    assert found.lost_s < 60.0
    assert found.whole_s < 30.0


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_a_seed_gives_the_same_run(hash_seed: str) -> None:
    """Byte for byte, under any order of sets and dictionaries."""
    print_run = "from tests.membership.trace import digest; print(digest(7))"
    outputs = [
        subprocess.run(
            [sys.executable, "-c", print_run],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": value},
            capture_output=True,
            check=True,
        ).stdout
        for value in ("0", hash_seed)
    ]

    assert outputs[0] == outputs[1] != b""
