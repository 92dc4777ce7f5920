"""Network coordinates: they find the network they are on, and nothing a peer says leads them into nonsense.

docs/membership-cases.md, S40 (PingDelegateRogueCoordinate, NaN_Defense).
"""

from __future__ import annotations

import random
import struct
from itertools import combinations
from math import dist, isfinite

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.gossip.coordinates import (
    DIMENSIONS,
    ERROR_MAX,
    HEIGHT_MIN_S,
    ORIGIN,
    PLACE_MAX_S,
    RTT_MAX_S,
    Coordinate,
    Coordinates,
    pack,
    unpack,
)

ROUNDS = 60
NODES_MAX = 12

lengths = st.floats(-PLACE_MAX_S, PLACE_MAX_S)
places = st.builds(
    Coordinate,
    vector=st.lists(lengths, min_size=DIMENSIONS, max_size=DIMENSIONS).map(tuple),
    error=st.floats(0, ERROR_MAX),
    adjustment=lengths,
    height=st.floats(0, PLACE_MAX_S),
)


def plane(rng: random.Random, nodes: int) -> list[list[float]]:
    """A latency matrix: hosts on a plane 100 ms wide, each with up to 5 ms of last mile."""
    spots = [(rng.random() * 0.1, rng.random() * 0.1) for _ in range(nodes)]
    miles = [rng.random() * 0.005 + 0.0005 for _ in range(nodes)]
    return [[dist(spots[a], spots[b]) + miles[a] + miles[b] for b in range(nodes)] for a in range(nodes)]


def converge(matrix: list[list[float]], rng: random.Random, *, late_s: float = 0.0) -> list[Coordinates]:
    """Everybody measures everybody, in a random order, again and again; one answer in three is `late_s` late."""
    hosts = [Coordinates(random.Random(rng.getrandbits(64))) for _ in matrix]
    for turn in range(ROUNDS):
        pairs = [(a, b) for a in range(len(hosts)) for b in range(len(hosts)) if a != b]
        rng.shuffle(pairs)
        for a, b in pairs:
            rtt_s = matrix[a][b] + (late_s if turn % 3 == 2 else 0.0)
            assert hosts[a].observe(str(b), pack(hosts[b].own), rtt_s)
    return hosts


def errors(matrix: list[list[float]], hosts: list[Coordinates]) -> list[float]:
    """How far off each estimate is, as a share of the round trip."""
    return sorted(
        abs(hosts[a].own.distance_s(hosts[b].own) - matrix[a][b]) / matrix[a][b]
        for a, b in combinations(range(len(hosts)), 2)
    )


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32), nodes=st.integers(3, NODES_MAX))
def test_the_estimates_converge(seed: int, nodes: int) -> None:
    """Vivaldi on a plane with last miles: half of the estimates within 5 %, nearly all within 25 %."""
    rng = random.Random(seed)
    matrix = plane(rng, nodes)
    off = errors(matrix, converge(matrix, rng))

    assert off[len(off) // 2] < 0.05
    assert off[int(len(off) * 0.9)] < 0.25


def test_single_late_answers_move_nobody() -> None:
    """The latency filter: every third answer waits 5 s somewhere, and the estimates are as good as without."""
    matrix = plane(random.Random(7), 8)
    calm, late = (converge(matrix, random.Random(7), late_s=late_s) for late_s in (0.0, 5.0))

    assert [host.own for host in late] == [host.own for host in calm]


def test_gravity_keeps_the_cluster_at_the_origin() -> None:
    """A cluster that starts far away comes nearer, step by step, and keeps its distances."""
    rng = random.Random(3)
    hosts = [Coordinates(random.Random(seed)) for seed in range(3)]
    far = Coordinate(vector=(0.5,) * DIMENSIONS, error=0.1)
    for host in hosts:
        host.own = far
    for _ in range(2000):
        a, b = rng.sample(range(3), 2)
        hosts[a].observe(str(b), pack(hosts[b].own), 0.02)

    assert ORIGIN.distance_s(hosts[0].own) < 0.98 * ORIGIN.distance_s(far)
    assert hosts[0].own.distance_s(hosts[1].own) == pytest.approx(0.02, rel=0.3)


def axes(*parts: float, height: float = HEIGHT_MIN_S, adjustment: float = 0.0) -> Coordinate:
    """A place of which the first components matter."""
    return Coordinate(parts + (0.0,) * (DIMENSIONS - len(parts)), ERROR_MAX, adjustment, height)


def test_distances_and_forces_are_serf_s() -> None:
    """The vectors of Serf's coordinate_test.go (DistanceTo, ApplyForce)."""
    one, two = axes(-0.5, 1.3, 2.4, height=0.7), axes(1.2, -2.3, 3.4, height=0.1)
    assert one.distance_s(two) == pytest.approx(4.104875150354758 + 0.8)
    one, two = axes(-0.5, 1.3, 2.4, height=0, adjustment=0.1), axes(1.2, -2.3, 3.4, height=0, adjustment=0.2)
    assert one.distance_s(two) == pytest.approx(4.104875150354758 + 0.3)
    far_off = axes(-0.5, 1.3, 2.4, height=0, adjustment=-90.0)
    assert far_off.distance_s(two) == pytest.approx(4.104875150354758)

    force = Coordinates(random.Random(1))._forced
    above = axes(0.0, 0.0, 2.9, height=0)
    pushed = force(ORIGIN, above, 5.3, ERROR_MAX)
    assert pushed.vector[:3] == pytest.approx((0.0, 0.0, -5.3))
    assert pushed.height == pytest.approx(HEIGHT_MIN_S + 5.3 * HEIGHT_MIN_S / 2.9)
    assert force(pushed, axes(3.4, 0.0, -5.3, height=0), 2.0, ERROR_MAX).vector[:3] == pytest.approx((-2.0, 0.0, -5.3))
    assert force(ORIGIN, above, -5.3, ERROR_MAX).height == HEIGHT_MIN_S
    assert dist(force(ORIGIN, ORIGIN, 1.0, ERROR_MAX).vector, ORIGIN.vector) == pytest.approx(1.0)


@given(places, places, places)
def test_distances_are_distances(a: Coordinate, b: Coordinate, c: Coordinate) -> None:
    """Symmetric, never negative, and no way round is shorter."""
    assert a.distance_s(b) == pytest.approx(b.distance_s(a), rel=1e-9)
    assert a.distance_s(b) >= 0
    assert a.raw_distance_s(c) <= a.raw_distance_s(b) + b.raw_distance_s(c) + 1e-9


@given(places)
def test_a_place_survives_its_message(place: Coordinate) -> None:
    """Within single precision."""
    heard = unpack(pack(place))

    assert heard is not None
    assert heard.vector == pytest.approx(place.vector, rel=1e-6, abs=1e-30)
    assert (heard.error, heard.height) == pytest.approx((place.error, place.height), rel=1e-6, abs=1e-30)


@given(st.lists(st.tuples(st.binary(min_size=44, max_size=44) | st.binary(max_size=60), st.floats()), max_size=30))
def test_no_bytes_and_no_time_break_it(answers: list[tuple[bytes, float]]) -> None:
    """Whatever a peer sends, the own place stays one that others accept (S40)."""
    coordinates = Coordinates(random.Random(1))
    for number, (data, rtt_s) in enumerate(answers):
        coordinates.observe(str(number % 3), data, rtt_s)
        assert unpack(pack(coordinates.own)) is not None


@given(st.lists(st.tuples(places, st.floats(0, RTT_MAX_S)), max_size=40))
def test_no_rogue_place_breaks_it(answers: list[tuple[Coordinate, float]]) -> None:
    """Places at the limits, in any order: the own one stays finite, or begins anew and counts that."""
    coordinates = Coordinates(random.Random(1))
    for place, rtt_s in answers:
        before = coordinates.resets
        coordinates.observe("rogue", pack(place), rtt_s)
        assert coordinates.own.is_sound
        assert all(map(isfinite, coordinates.own.vector))
        assert coordinates.resets == before or coordinates.own == ORIGIN


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 3e38, -3e38, 101.0])
@pytest.mark.parametrize("at", range(DIMENSIONS + 3))
def test_40_nan_defense(value: float, at: int) -> None:
    """NaN, infinity and places that no server can have, in every position: refused, and nothing moves (S40)."""
    numbers = [0.0] * DIMENSIONS + [1.0, 0.0, 0.001]
    numbers[at] = value
    coordinates = Coordinates(random.Random(1))

    assert not coordinates.observe("rogue", struct.pack("<11f", *numbers), 0.01)
    assert coordinates.own == ORIGIN
    assert coordinates.of("rogue") is None


@pytest.mark.parametrize("rtt_s", [-0.001, RTT_MAX_S + 0.001, float("nan"), float("inf"), float("-inf")])
def test_a_round_trip_that_cannot_be_is_refused(rtt_s: float) -> None:
    """More than 10 s, less than nothing, no number (S40)."""
    coordinates = Coordinates(random.Random(1))

    assert not coordinates.observe("other", pack(ORIGIN), rtt_s)
    assert coordinates.own == ORIGIN


def test_40_nan_defense_of_the_own_place() -> None:
    """A height that explodes beside somebody who is almost at the same place (S40, NaN_Defense)."""
    coordinates = Coordinates(random.Random(1))
    coordinates.own = Coordinate(vector=(2e-6,) + (0.0,) * 7, height=0.5)
    coordinates.observe("near", pack(Coordinate(error=0.0)), RTT_MAX_S)

    assert (coordinates.own, coordinates.resets) == (ORIGIN, 1)


def test_a_forgotten_member_has_no_place() -> None:
    """It is measured anew if it comes back."""
    coordinates = Coordinates(random.Random(1))
    coordinates.observe("other", pack(ORIGIN), 0.01)
    coordinates.forget("other")

    assert coordinates.of("other") is None
    assert coordinates.own.height >= HEIGHT_MIN_S
