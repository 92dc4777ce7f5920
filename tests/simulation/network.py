"""A network out of a seed: when a message arrives, how often, and whether at all.

Three kinds: ``reliable`` keeps the order of each lane and loses nothing; ``lanes`` is what links between servers give:
the urgent lane reorders, repeats and loses, the bulk lane loses but keeps its order; ``wild`` does all of it to both.
A cut link loses everything in one direction.
"""

from __future__ import annotations

import random
from collections import Counter

from attrs import define, field

from transport.wire import is_urgent, kind_of

KINDS = ("reliable", "lanes", "wild")


def is_urgent_frame(message: object) -> bool:
    """Whether it takes the urgent lane; all that the raw engine says is one ordered stream."""
    return not isinstance(message, dict) and is_urgent(kind_of(message))


@define
class Network:
    """Delays in simulated seconds."""

    rng: random.Random
    kind: str
    loss: float
    repeat: float
    delay_s: float
    late: float
    """The share of messages that take up to a hundred times ``delay_s``."""
    faults: Counter[str]
    cuts: set[tuple[str, str]] = field(factory=set)
    _last_arrival: dict[tuple[str, str, bool], float] = field(factory=dict)

    def arrivals(self, now: float, source: str, target: str, message: object, *, at_most_once: bool) -> list[float]:
        """When the message arrives: never, once or twice."""
        if (source, target) in self.cuts:
            self.faults["message: cut off"] += 1
            return []
        lane = (source, target, is_urgent_frame(message))
        keeps_order = self.kind == "reliable" or (self.kind == "lanes" and not lane[2])
        if self.kind != "reliable" and self.rng.random() < self.loss:
            self.faults["message: lost"] += 1
            return []
        arrival = now + self._delay()
        if keeps_order:
            arrival = max(arrival, self._last_arrival.get(lane, 0.0) + 1e-6)
            self._last_arrival[lane] = arrival
            return [arrival]
        if arrival < self._last_arrival.get(lane, 0.0):
            self.faults["message: overtaken"] += 1
        else:
            self._last_arrival[lane] = arrival
        if not at_most_once and self.rng.random() < self.repeat:
            self.faults["message: repeated"] += 1
            # A second copy may come when everybody has moved on.
            return [arrival, now + self._delay() * (self.rng.uniform(1.0, 100.0) if self.rng.random() < 0.3 else 1.0)]
        return [arrival]

    def cut(self, links: set[tuple[str, str]]) -> None:
        """From now on nothing passes from the first to the second of each pair."""
        self.cuts |= links

    def mend(self, links: set[tuple[str, str]]) -> None:
        """Whatever cut them, everything passes again."""
        self.cuts -= links

    def are_apart(self, one: str, other: str) -> bool:
        """Whether a direction between the two is cut."""
        return (one, other) in self.cuts or (other, one) in self.cuts

    def between(self) -> float | None:
        """How long a client's frame takes to a server or back; None: the connection loses it."""
        if self.kind != "reliable" and self.rng.random() < self.loss:
            self.faults["client: frame lost"] += 1
            return None
        return self._delay()

    def heal(self) -> None:
        """From now on a good network; what is on its way still arrives."""
        self.cuts.clear()
        self.loss = self.repeat = self.late = 0.0
        self.delay_s = min(self.delay_s, 0.005)

    @property
    def drained_at(self) -> float:
        """When everything that was sent so far, and what a late message holds up, has arrived."""
        return max(self._last_arrival.values(), default=0.0)

    def _delay(self) -> float:
        delay = self.rng.uniform(0.1, 1.0) * self.delay_s
        if self.rng.random() < self.late:
            self.faults["message: late"] += 1
            return delay * self.rng.uniform(1.0, 100.0)
        return delay
