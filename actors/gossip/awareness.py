"""How well this server itself is: Lifeguard's local health (arXiv 1707.00788, section 3.1).

What lives here: the score. What does not: who raises and lowers it (probes, refutations, stalls) and who slows down for
it (prober.py).

Beside the events that raise and lower the score there is a floor under it: as long as the event loop runs late, answers
that came in time all the same do not make this server well.
"""

from __future__ import annotations


class Awareness:
    """The health score: 0 is well, `worst` is as ill as it gets."""

    def __init__(self, worst: int) -> None:
        self._worst = worst
        self._score = 0
        self._floor = 0

    @property
    def score(self) -> int:
        """How ill this server is."""
        return max(self._score, self._floor)

    def add(self, delta: int) -> None:
        """Grow worse (positive) or better (negative), inside the limits."""
        self._score = min(self._worst, max(0, self._score + delta))

    def hold(self, floor: int) -> None:
        """From now on it is at least this ill, until told otherwise."""
        self._floor = min(self._worst, max(0, floor))

    def scale(self, duration_s: float) -> float:
        """A duration as an ill server has to take it: longer, because it is slow itself."""
        return duration_s * (self.score + 1)
