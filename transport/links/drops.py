"""Counting and logging what the link layer does not carry.

Whatever a peer sends is counted by reason; the log gets one line per reason and period, so that nobody fills a disk by
sending garbage.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable

_log = logging.getLogger("quorate.links")


class Drops:
    """Counters by reason, with one log line per reason every `log_period_s` seconds."""

    def __init__(self, clock: Callable[[], float], log_period_s: float = 30.0) -> None:
        self._clock = clock
        self._log_period_s = log_period_s
        self._counts: Counter[str] = Counter()
        self._logged: dict[str, tuple[float, int]] = {}

    def count(self, reason: str, detail: object = "", *, level: int = logging.WARNING) -> None:
        """Count one dropped thing. `reason` is one of a small fixed set; `detail` is for people."""
        self._counts[reason] += 1
        now = self._clock()
        logged_at, logged_count = self._logged.get(reason, (-self._log_period_s, 0))
        if now - logged_at >= self._log_period_s:
            since = self._counts[reason] - logged_count
            self._logged[reason] = (now, self._counts[reason])
            _log.log(level, "dropped (%s, %d since the last such line): %s", reason, since, detail)

    def quietly(self, reason: str) -> None:
        """Count one dropped thing that is part of normal operation."""
        self._counts[reason] += 1

    def counts(self) -> dict[str, int]:
        """How many were dropped, by reason."""
        return dict(self._counts)
