"""Virtual time: what happens next, and when."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final

START_S: Final = 10.0


class Clock:
    """``now`` only moves when something is due.  What is due at the same time happens in the order of asking."""

    def __init__(self) -> None:
        self.now = START_S
        self.count = 0
        """How many events were asked for."""
        self._events: list[tuple[float, int, Callable[[], None]]] = []

    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do something in a while."""
        self.count += 1
        heapq.heappush(self._events, (self.now + delay_s, self.count, action))

    def run_until(self, time: float) -> None:
        """Let everything happen up to a time."""
        events = self._events
        while events and events[0][0] <= time:
            at, _, action = heapq.heappop(events)
            self.now = max(self.now, at)
            action()
        self.now = time
