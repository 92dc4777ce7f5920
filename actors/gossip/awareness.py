"""How well this server itself is: Lifeguard's local health (arXiv 1707.00788, section 3.1).

What lives here: the score. What does not: who raises and lowers it (probes, refutations, a lagging event loop) and who
slows down for it (prober.py).
"""

from __future__ import annotations


class Awareness:
    """The health score: 0 is well, `worst` is as ill as it gets."""

    def __init__(self, worst: int) -> None:
        self.score = 0
        self._worst = worst

    def add(self, delta: int) -> None:
        """Grow worse (positive) or better (negative), inside the limits."""
        self.score = min(self._worst, max(0, self.score + delta))

    def scale(self, duration_s: float) -> float:
        """A duration as an ill server has to take it: longer, because it is slow itself."""
        return duration_s * (self.score + 1)
