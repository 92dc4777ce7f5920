"""The time a suspected member has to object: Lifeguard's shrinking timer (arXiv 1707.00788, section 3.2).

What lives here: one suspicion and its deadline. What does not: who suspects and what follows (beliefs.py), and what the
deadline's ends are (config.py).

Two things shorten it. Each independent accuser takes it nearer to its minimum, by a logarithm: silence seen from many
sides. And evidence that the process itself is gone (a refused connection), seen by two members, leaves only a short
grace: nobody waits out a suspicion of a process that has no socket any more. Seen by one member alone, it shortens
nothing: that may be the member's own bad link.
"""

from __future__ import annotations

from math import floor, inf, log
from typing import TYPE_CHECKING

from msgspec import Struct

from actors.gossip.member import PROCESS_GONE

if TYPE_CHECKING:
    from actors.gossip.config import GossipConfig
    from actors.gossip.member import Accusation


class Terms(Struct, frozen=True):
    """The ends of a suspicion in a cluster of a given size."""

    confirmations: int
    """How many accusers beyond the first take it to the minimum; 0 when nobody is there to confirm."""
    min_s: float
    max_s: float
    grace_s: float

    @classmethod
    def of(cls, config: GossipConfig, n: int) -> Terms:
        """The terms among n live members."""
        return cls(
            confirmations=config.confirmations(n),
            min_s=config.suspicion_min_s(n),
            max_s=config.suspicion_max_s(n),
            grace_s=config.process_gone_grace_s,
        )

    def timeout_s(self, confirmed: int) -> float:
        """How long a suspicion lasts that has been confirmed this often."""
        if self.confirmations < 1:
            return self.min_s
        share = log(confirmed + 1) / log(self.confirmations + 1)
        # Whole milliseconds, as memberlist cuts them.
        timeout_s = floor(1000 * (self.max_s - share * (self.max_s - self.min_s))) / 1000
        return max(self.min_s, timeout_s)


class Suspicion:
    """One incarnation of one member under suspicion."""

    def __init__(self, terms: Terms, now: float) -> None:
        self.started = now
        self._terms = terms
        self._confirmed = 0
        self._gone_since = inf

    @property
    def deadline(self) -> float:
        """When the member is declared dead unless it objects."""
        slow = self.started + self._terms.timeout_s(self._confirmed)
        return min(slow, self._gone_since + self._terms.grace_s)

    def heed(self, accusers: tuple[Accusation, ...], witnesses: int, now: float) -> None:
        """Take all accusations so far into account. One that is heard again changes nothing.

        witnesses: how many have to have seen that the process is gone.
        """
        self._confirmed = max(self._confirmed, len(accusers) - 1)
        if sum(accusation.evidence in PROCESS_GONE for accusation in accusers) >= witnesses:
            self._gone_since = min(self._gone_since, now)

    def postpone(self, stall_s: float) -> None:
        """This server stood still for so long: nobody could have objected meanwhile."""
        self.started += stall_s
        self._gone_since += stall_s
