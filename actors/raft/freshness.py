"""How old may be what this server has: the age of a stale read.

What lives here: since when a follower has been level with its leader.  What does not: reads that wait until they are
current (reads.py), and a leader's own freshness, which is a majority's answers (leader.py).

A follower is level when it has applied everything that was committed, as its leader said, when it heard it.  So a
server that hears its leader and gets no entries ages too.  A leader that is cut off does not know at once that others
commit without it, nor does a follower that hears it alone.  It steps down within an election timeout, and by so much
can an age be too small.
"""

from math import inf

from attrs import define, field


@define
class Freshness:
    """level_at: when this server was last level with a leader; minus infinity if it never was."""

    level_at: float = -inf
    _applied: int = 0
    _waiting: tuple[int, float] | None = field(default=None, init=False)
    """The commit index of a leader that was heard, and when: the oldest that is not applied yet."""
    _latest: tuple[int, float] = field(default=(0, -inf), init=False)

    def heard(self, now: float, commit: int) -> None:
        """A leader said what is committed."""
        if commit <= self._applied:
            self.level(now)
            return
        self._latest = (commit, now)
        self._waiting = self._waiting or self._latest

    def applied(self, index: int) -> None:
        """The state machine has everything up to there."""
        self._applied = index
        if self._latest[0] <= index:
            self.level(self._latest[1])
        if self._waiting is not None and self._waiting[0] <= index:
            self.level(self._waiting[1])
            self._waiting = self._latest if self._latest[0] > index else None

    def level(self, at: float) -> None:
        """This server was level at that time."""
        self.level_at = max(self.level_at, at)
