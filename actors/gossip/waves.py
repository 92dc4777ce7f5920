"""When the next wave of gossip goes out: news at once, and what was told before at the interval.

When each of thirty members has passed on once what is new, one or two have mostly been passed over; they used to hear
of it an interval later, or two. So what has had few of its sends goes out again after a short while, to the next
members of the deck. It is sent as often as before, only sooner: the last of its sends keep their distance, for they are
there for what a broken link lost.

What lives here: the time of the next wave. What does not: what is told, and to whom (gossiper.py).

Rules:
1. While something new waits (`retransmit_limit` half unspent), a wave goes out `quick_s` after the last one.
2. A wave that is early borrows from those to come: no member is ahead of its interval by more than `AHEAD` waves, so
   that in the long run it sends no more than one in each interval, however much is new.
3. Otherwise a wave goes out each interval, as long as there is something to tell.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from actors.gossip.config import GossipConfig

AHEAD: Final = 5
"""How many waves a member may be ahead of one in each interval."""


class Waves:
    """The rhythm of one core. Nothing is told before `start`."""

    def __init__(self, config: GossipConfig) -> None:
        self._interval_s = config.gossip_interval_s
        self._quick_s = config.gossip_quick_s
        self._last_at = -inf
        self._paid_until = inf

    def start(self, now: float) -> None:
        """Begin, unless that was done: the first wave may go out at once."""
        if self._paid_until == inf:
            self._paid_until = now

    def next_at(self, *, is_new: bool) -> float:
        """When the next wave goes out. is_new: something waits that was told to few."""
        if self._paid_until == inf:
            return inf
        if not is_new:
            return self._last_at + self._interval_s
        earliest = self._paid_until - AHEAD * self._interval_s
        return max(self._last_at + self._quick_s, min(earliest, self._last_at + self._interval_s))

    def sent(self, now: float) -> None:
        """A wave went out."""
        self._last_at = now
        self._paid_until = max(self._paid_until, now) + self._interval_s

    def postpone(self, stall_s: float) -> None:
        """This server stood still for so long."""
        self._last_at += stall_s
        self._paid_until += stall_s
