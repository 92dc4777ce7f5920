"""What was heard lately, so that nothing is heard twice: by Lamport time, within limits, and a floor below it.

What lives here: one Lamport clock and the latest things that bear its times. What does not: what they are.

Whatever has to make room takes its Lamport time with it: at or below that floor all is old. So the limits can cost a
straggler, and never deliver something again.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

T = TypeVar("T")


class Recent(Generic[T]):
    """The latest items of a kind. clock: the highest Lamport time heard of in earlier runs; all up to it is old."""

    def __init__(self, clock: int, *, count_max: int, bytes_max: int) -> None:
        self.clock = clock
        self.floor = clock
        self._count_max = count_max
        self._bytes_max = bytes_max
        self._by_time: dict[int, dict[Hashable, T]] = {}
        self._times: list[int] = []
        self._sizes: dict[int, int] = {}
        self._count = 0
        self._bytes = 0

    def __iter__(self) -> Iterator[T]:
        """All that is kept, in the order of their times."""
        for ltime in sorted(self._by_time):
            yield from self._by_time[ltime].values()

    def next_time(self) -> int:
        """A time later than any heard of."""
        return self.clock + 1

    def witness(self, ltime: int) -> None:
        """Move the clock to a time heard of."""
        self.clock = max(self.clock, ltime)

    def forget_before(self, ltime: int) -> None:
        """All up to this time is old from now on."""
        self.floor = max(self.floor, ltime)

    def add(self, ltime: int, key: Hashable, item: T, size: int) -> bool:
        """Keep an item; False when it is old or known already."""
        self.witness(ltime)
        if ltime <= self.floor or key in self._by_time.get(ltime, ()):
            return False
        if ltime not in self._by_time:
            self._by_time[ltime] = {}
            self._sizes[ltime] = 0
            heappush(self._times, ltime)
        self._by_time[ltime][key] = item
        self._sizes[ltime] += size
        self._count += 1
        self._bytes += size
        while len(self._times) > 1 and (self._count > self._count_max or self._bytes > self._bytes_max):
            self._make_room()
        return True

    def _make_room(self) -> None:
        oldest = heappop(self._times)
        self._count -= len(self._by_time.pop(oldest))
        self._bytes -= self._sizes.pop(oldest)
        self.floor = max(self.floor, oldest)
