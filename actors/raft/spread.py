"""Whom a leader lets wait for a new entry: those without whom it is committed as soon.

What lives here: who waits, and until when.  What does not: sending (leader.py), and when an entry is committed: that is
the engine's business, and is not changed by this.

A follower spends half a millisecond of a processor on an append, be there one entry in it or ten, and nobody waits for
an answer that comes after a majority's.  So a lone entry goes to a bare majority at once, to the voters whose answers
have made one last, and to everybody else ``spread_s`` later, with what has come meanwhile.  Rules:

1. Only a lone entry: under load there are several to an append anyway.
2. Only while such entries are committed within ``QUICK`` of ``spread_s``.  Where a disk or the network is slower, the
   first answer of many comes sooner than that of a chosen one.
3. Whoever is chosen and does not answer is overtaken when the others get the entry, and not chosen again.
4. Nobody waits for what a leadership begins with, or for a change of the configuration, or when it has asked for an
   index to read at.
"""

from collections.abc import Collection
from math import inf

from attrs import define

from actors.raft.state import RaftState

QUICK = 0.2

_WEIGHT = 1 / 8
"""Of the latest time in the smoothed one: a few late answers in a hundred are nothing."""


@define
class Spread:
    """One leader's.  ``due_at``: when those who wait get what they lack; infinity when nobody waits."""

    state: RaftState
    due_at: float = inf
    _commit_s: float = 0.0
    """How long a lone entry takes to be committed, smoothed."""
    _timed: tuple[int, float] = (0, inf)
    """The lone entry that is being timed: its index, and when it was first sent."""

    def begin(self) -> None:
        """A leadership begins."""
        self.due_at, self._commit_s, self._timed = inf, 0.0, (0, inf)

    def waiting(self, others: Collection[str]) -> Collection[str]:
        """Those who get nothing now, of the peers that lack something and are not of the chosen majority."""
        timing, now = self.state.timing, self.state.now
        if not others or not self._is_lone() or self._commit_s > QUICK * timing.spread_s or now >= self.due_at:
            self.due_at = inf
            return ()
        self.due_at = min(self.due_at, now + timing.spread_s)
        return others

    def observe(self) -> None:
        """Time lone entries; to be called whenever the commit index may have moved, and before anything is sent."""
        index, since = self._timed
        if index <= self.state.engine.commit:
            if since < inf:
                self._commit_s += (self.state.now - since - self._commit_s) * _WEIGHT
            last = self.state.journal.last_index
            self._timed = (last, self.state.now) if last == self.state.engine.commit + 1 else (0, inf)

    def _is_lone(self) -> bool:
        state = self.state
        is_settled = state.configurations.latest_index <= state.engine.commit
        return is_settled and state.timing.spread_s > 0 and state.journal.last_index <= state.engine.commit + 1
