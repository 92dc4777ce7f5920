"""How long requests took, counted in buckets: cheap to note, and enough for any quantile over any time.

What lives here: one histogram.  What does not: clocks, and which requests are noted (core.py).

Counters only grow, as Prometheus' do: who looks twice takes the difference, and has the quantiles of the time between.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any, Final

FIRST_BOUND_S: Final = 0.0001
GROWTH: Final = 1.5
BOUNDS_S: Final = tuple(float(f"{FIRST_BOUND_S * GROWTH**step:.3g}") for step in range(33))
"""0.1 ms to 43 s: a quantile is found to a factor of 1.5, and better by interpolation."""


class Histogram:
    """Durations of requests.  commands: what was in them, which may be more than one each."""

    __slots__ = ("_buckets", "_sum_s", "commands")

    def __init__(self) -> None:
        self._buckets = [0] * (len(BOUNDS_S) + 1)
        self._sum_s = 0.0
        self.commands = 0

    def add(self, duration_s: float, commands: int) -> None:
        """Note one request."""
        self._buckets[bisect_left(BOUNDS_S, duration_s)] += 1
        self._sum_s += duration_s
        self.commands += commands

    def report(self) -> dict[str, Any]:
        """Counts since the start; `buckets` has one for each bound, whose durations are up to it, and one beyond."""
        return {
            "requests": sum(self._buckets),
            "commands": self.commands,
            "sum_s": round(self._sum_s, 6),
            "buckets": list(self._buckets),
        }
