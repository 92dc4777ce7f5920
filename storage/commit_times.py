"""How long commits took: a count for each of a few limits, as Prometheus has histograms.

What lives here: the counts of one file, and the question for those of all files.  What does not: taking the time
(actors/persistence.py) and how it is shown (actors/gateway/metrics.py).
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import Any, Final

from attrs import define, field
from msgspec import Struct

from transport.wire import message

LIMITS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
"""From a disk with a battery behind its cache to one that fails."""


@message("persistence.status")
class PersistenceStatusRequest(Struct, frozen=True):
    """What has been written (an ask, answered by Json)?

    {"commits": {file: {"buckets": [[limit, commits within it], …], "count", "sum_s"}}, "bytes": {file: size}}.
    """


@define
class CommitTimes:
    """The commits of one file."""

    sum_s: float = 0.0
    _counts: list[int] = field(factory=lambda: [0] * (len(LIMITS_S) + 1))

    def add(self, elapsed_s: float) -> None:
        """One more commit."""
        self.sum_s += elapsed_s
        self._counts[bisect_left(LIMITS_S, elapsed_s)] += 1

    def report(self) -> dict[str, Any]:
        """Plain data; the counts are of all commits within a limit."""
        totals = list(accumulate(self._counts))
        return {"buckets": [list(pair) for pair in zip(LIMITS_S, totals, strict=False)], "count": totals[-1]} | {
            "sum_s": self.sum_s
        }
