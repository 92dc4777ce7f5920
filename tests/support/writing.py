"""Writers beside a test: how far they have come, and whether they get on.

What lives here: waiting for acknowledged writes. What does not: who writes what (load.py, tests/chaos/audience.py).
"""

from __future__ import annotations

import time

from tests.support.waiting import wait_until
from tests.support.worker import Worker


class Writing(Worker):
    """A worker that writes. writes: how many were acknowledged."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.writes = 0
        self._last_begun = 0.0
        """When the latest write that was acknowledged had been begun."""

    def more(self, count: int) -> None:
        """Wait until so many more writes were acknowledged."""
        goal = self.writes + count
        wait_until(f"{count} more writes are acknowledged", lambda: self.is_broken or self.writes >= goal)
        assert not self.is_broken, self._crash

    def serves_again(self) -> float:
        """Wait until a write that is begun from now on is acknowledged; returns for how many seconds that took."""
        now = time.monotonic()
        wait_until("writes are accepted again", lambda: self.is_broken or self._last_begun > now)
        assert not self.is_broken, self._crash
        return time.monotonic() - now

    def _written(self, begun: float) -> None:
        """In the thread: a write was acknowledged that began at this monotonic time."""
        self.writes += 1
        self._last_begun = max(self._last_begun, begun)
