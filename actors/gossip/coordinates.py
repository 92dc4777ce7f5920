"""Where this server is on the network: Vivaldi coordinates, from which the round trip between any two is estimated.

What lives here: the coordinate and its algebra (Dabek et al., "Vivaldi", SIGCOMM 2004), with what Serf adds to it: a
height for the way to the network itself, an adjustment term (Lee et al., "On Suitability of Euclidean Embedding"), a
median filter against single late answers and a pull to the origin (Ledlie et al., "Network Coordinates in the Wild").
Constants and formulas are those of Serf's coordinate package.  What does not: who is measured, and when (prober.py).

All lengths are seconds.  Nothing is kept over a restart: a place that was true yesterday pulls others the wrong way.
What a peer sends is checked, so that neither a NaN nor a place beyond the moon reaches the arithmetic; should it end in
nonsense all the same, this server begins anew at the origin.
"""

from __future__ import annotations

import struct
from collections import deque
from math import dist, isfinite, sqrt
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    from random import Random

DIMENSIONS: Final = 8
ERROR_MAX: Final = 1.5
CE: Final = 0.25
CC: Final = 0.25
ADJUSTMENT_WINDOW: Final = 20
HEIGHT_MIN_S: Final = 10e-6
LATENCY_FILTER: Final = 3
GRAVITY_RHO_S: Final = 150.0
RTT_MAX_S: Final = 10.0
PLACE_MAX_S: Final = 10 * RTT_MAX_S
"""No component of an honest place is larger: no round trip that counts is longer than RTT_MAX_S."""
_NEAR_S: Final = 1e-6
_WIRE: Final = struct.Struct(f"<{DIMENSIONS + 3}f")

Vector = tuple[float, ...]


class Coordinate(Struct, frozen=True, gc=False):
    """A place; no concern of the garbage collector, since three are made of each answer.

    error: how far off its estimates are, as a share of the round trip; ERROR_MAX knows nothing yet.
    """

    vector: Vector = (0.0,) * DIMENSIONS
    error: float = ERROR_MAX
    adjustment: float = 0.0
    height: float = HEIGHT_MIN_S

    @property
    def is_sound(self) -> bool:
        """Whether it can be the place of a server."""
        # Written so that a NaN fits nowhere; min and max may pass one over, a sum does not.
        fits = abs(self.adjustment) <= PLACE_MAX_S and 0 <= self.error <= ERROR_MAX and 0 <= self.height <= PLACE_MAX_S
        vector = self.vector
        return fits and isfinite(sum(vector)) and -PLACE_MAX_S <= min(vector) <= max(vector) <= PLACE_MAX_S

    def raw_distance_s(self, other: Coordinate) -> float:
        """The distance without the adjustments."""
        return dist(self.vector, other.vector) + self.height + other.height

    def distance_s(self, other: Coordinate) -> float:
        """The estimated round trip."""
        raw_s = self.raw_distance_s(other)
        adjusted_s = raw_s + self.adjustment + other.adjustment
        return adjusted_s if adjusted_s > 0 else raw_s


ORIGIN: Final = Coordinate()


def pack(coordinate: Coordinate) -> bytes:
    """44 bytes: single precision is a millionth of a round trip."""
    return _WIRE.pack(*coordinate.vector, coordinate.error, coordinate.adjustment, coordinate.height)


def unpack(data: bytes) -> Coordinate | None:
    """The coordinate in a message; None for what is none, or none that a server can have."""
    if len(data) != _WIRE.size:
        return None
    *vector, error, adjustment, height = _WIRE.unpack(data)
    coordinate = Coordinate(tuple(vector), error, adjustment, height)
    return coordinate if coordinate.is_sound else None


class Coordinates:
    """This server's own place, the places it has heard of, and what it has measured.  By the members' ids."""

    def __init__(self, rng: Random) -> None:
        self.own = ORIGIN
        self.resets = 0
        """How often the own place had become nonsense."""
        self._rng = rng
        # Small, for there may be thousands: places as they came, and few round trips.
        self._known: dict[str, bytes] = {}
        self._round_trips: dict[str, tuple[float, ...]] = {}
        self._misses: deque[float] = deque([0.0] * ADJUSTMENT_WINDOW, maxlen=ADJUSTMENT_WINDOW)

    def of(self, member_id: str) -> Coordinate | None:
        """The last known place of another member."""
        return unpack(self._known.get(member_id, b""))

    def forget(self, member_id: str) -> None:
        """The member is gone for good."""
        self._known.pop(member_id, None)
        self._round_trips.pop(member_id, None)

    def observe(self, member_id: str, data: bytes, rtt_s: float) -> bool:
        """A member has answered after `rtt_s` and said where it is.  False when that cannot be, and nothing changes."""
        other = unpack(data)
        if other is None or not 0 <= rtt_s <= RTT_MAX_S:
            return False
        self._known[member_id] = data
        rtt_s = self._filtered_s(member_id, rtt_s)
        place = self._pulled(self._adjusted(self._moved(other, rtt_s), other, rtt_s))
        if place.is_sound:
            self.own = place
        else:
            self.resets += 1
            self.own = ORIGIN
        return True

    def _filtered_s(self, member_id: str, rtt_s: float) -> float:
        """The median of the last few: one answer that waited for a busy process moves nobody."""
        samples = (*self._round_trips.get(member_id, ())[1 - LATENCY_FILTER :], rtt_s)
        self._round_trips[member_id] = samples
        return sorted(samples)[len(samples) // 2]

    def _moved(self, other: Coordinate, rtt_s: float) -> Coordinate:
        """One step of Vivaldi: nearer or further, and the further the less sure of itself this server is."""
        own = self.own
        rtt_s = max(rtt_s, _NEAR_S)
        distance_s = own.distance_s(other)
        weight = own.error / max(own.error + other.error, _NEAR_S)
        wrongness = abs(distance_s - rtt_s) / rtt_s
        error = min(ERROR_MAX, CE * weight * wrongness + own.error * (1 - CE * weight))
        return self._forced(own, other, CC * weight * (rtt_s - distance_s), error)

    def _adjusted(self, place: Coordinate, other: Coordinate, rtt_s: float) -> Coordinate:
        """Half of what the last estimates were off on average: what no place in eight dimensions can express."""
        self._misses.append(rtt_s - place.raw_distance_s(other))
        adjustment = sum(self._misses) / (2 * ADJUSTMENT_WINDOW)
        return Coordinate(place.vector, place.error, adjustment, place.height)

    def _pulled(self, place: Coordinate) -> Coordinate:
        """Gravity: without it the whole cluster drifts away together."""
        return self._forced(place, ORIGIN, -((ORIGIN.distance_s(place) / GRAVITY_RHO_S) ** 2), place.error)

    def _forced(self, place: Coordinate, other: Coordinate, force_s: float, error: float) -> Coordinate:
        """Pushed away from another place, or pulled towards it by a negative force."""
        apart_s = dist(place.vector, other.vector)
        if apart_s > _NEAR_S:
            share = force_s / apart_s
            vector = tuple([mine + (mine - its) * share for mine, its in zip(place.vector, other.vector, strict=True)])
            height = max(HEIGHT_MIN_S, place.height + (place.height + other.height) * share)
        else:
            away = self._any_direction()
            vector = tuple([mine + along * force_s for mine, along in zip(place.vector, away, strict=True)])
            height = place.height
        return Coordinate(vector, error, place.adjustment, height)

    def _any_direction(self) -> Vector:
        """Two that share a place part in a random direction."""
        parts = [self._rng.random() - 0.5 for _ in range(DIMENSIONS)]
        length = sqrt(sum(part * part for part in parts))
        return tuple(part / length for part in parts) if length > _NEAR_S else (1.0, *(0.0,) * (DIMENSIONS - 1))
