"""The replicated clock: what time it is, as far as the log says.

What lives here: the time that a leader writes into its entries, and when it has to write one although nobody asks for
anything.  What does not: what ends by time (storage/leases.py).

The log's time is its last entry's time plus, with each entry, the monotonic time that has passed since its leader took
over.  So it never goes back, no two clocks are ever compared, and every server that applies an entry reads the same
time.  While nobody leads it stands still: a lease loses nothing by an election, which errs on the side of its holder.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from actors.raft.applier import Applier
from actors.raft.core import RaftCore
from actors.raft.entries import encode_commands, time_of
from actors.raft.journal import FRESH_ANCHOR_INDEX

END_RETRY_S = 0.1
"""An entry that ends something is proposed again after so long, if that has not been applied by then."""


class LogClock:
    """One server's."""

    def __init__(self, core: RaftCore, applier: Applier) -> None:
        self._core = core
        self._applier = applier
        self._term = -1
        self._base_ms = 0
        self._since = 0.0
        self._end_entry_at = -inf

    @property
    def is_known(self) -> bool:
        """Whether the log's time can be told: not while the snapshot that holds it is still being restored."""
        anchor = self._core.state.journal.anchor_index
        return anchor == FRESH_ANCHOR_INDEX or self._applier.applied >= anchor

    def entry(self, now: float, commands: Sequence[bytes]) -> bytes:
        """An entry with these commands, for a leader that appends it now."""
        return encode_commands(commands, self._now_ms(now))

    def is_end_due(self, now: float) -> bool:
        """Whether something has ended and an entry has to say so; asked once, it is not due again for a while."""
        if self.next_deadline(now) > now:
            return False
        self._end_entry_at = now
        return True

    def next_deadline(self, now: float) -> float:
        """When an entry has to be written at the latest; infinity where nothing ends, or another server leads."""
        end_ms = self._applier.next_end_ms
        if end_ms is None or not self._core.state.engine.is_leader or not self.is_known:
            return inf
        return max(now + (end_ms - self._now_ms(now)) / 1000, self._end_entry_at + END_RETRY_S)

    def _now_ms(self, now: float) -> int:
        term = self._core.state.engine.term
        if term != self._term:
            self._term, self._base_ms, self._since = term, self._last_ms(), now
        return self._base_ms + int((now - self._since) * 1000)

    def _last_ms(self) -> int:
        """Of the last entry that has one."""
        journal = self._core.state.journal
        for data, _, _ in reversed(journal.entries(journal.anchor_index + 1, journal.last_index)):
            time_ms = time_of(data)
            if time_ms is not None:
                return max(time_ms, self._applier.time_ms)
        return self._applier.time_ms
