"""Times at which something is due, by key: the earliest is found at once, however many there are.

What lives here: a heap in which a time that was replaced stays until it comes up. What does not: what is due.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from math import inf


class Deadlines:
    """One time a key."""

    def __init__(self) -> None:
        self._times: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def set(self, key: str, time: float) -> None:
        """From now on this is the key's time."""
        if self._times.get(key) != time:
            self._times[key] = time
            heappush(self._heap, (time, key))

    def drop(self, key: str) -> None:
        """Nothing is due for this key."""
        self._times.pop(key, None)

    def earliest(self) -> float:
        """The first of all times; infinity when there is none."""
        heap, times = self._heap, self._times
        while heap and times.get(heap[0][1]) != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else inf

    def due(self, now: float) -> list[str]:
        """The keys whose time has come, the earliest first. They keep it until it is set anew or dropped."""
        if self.earliest() > now:
            return []
        due = [key for key, time in self._times.items() if time <= now]
        return sorted(due, key=self._times.__getitem__)

    def postpone(self, delay_s: float) -> None:
        """Move all times."""
        self._times = {key: time + delay_s for key, time in self._times.items()}
        self._heap = [(time, key) for key, time in self._times.items()]
        heapify(self._heap)
