"""User events and queries that are still to be passed on, each a limited number of times.

What lives here: the queue, and what of it goes along with a message. What does not: claims about members, which have
a queue of their own (broadcasts.py) and go first: an event is told in the room that they leave.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.gossip.dispatches import Query, UserEvent

if TYPE_CHECKING:
    from actors.gossip.config import GossipConfig
    from actors.gossip.roster import Roster

QUEUE_MAX: Final = 1024
OWN_MAX: Final = QUEUE_MAX // 2
"""With so many in the queue this server sends nothing of its own: the rest is for what others send."""
LIGHTEST: Final = 16
"""No rumour weighs less."""

Rumour = UserEvent | Query


class Rumours:
    """The queue. Fewest sends first, then the oldest: events should be heard in the order they were sent."""

    def __init__(self, roster: Roster, config: GossipConfig) -> None:
        self._roster = roster
        self._config = config
        self._levels: dict[int, list[Rumour]] = {}
        self._count = 0
        self.dropped = 0
        """Rumours that had to make room before they were told as often as they should."""

    def __len__(self) -> int:
        return self._count

    @property
    def has_new(self) -> bool:
        """Whether something was told to few so far."""
        return self._config.has_new(self._levels, self._roster.live_count)

    @property
    def is_busy(self) -> bool:
        """Whether whoever wants to send something should wait, so that nothing is lost."""
        return self._count >= OWN_MAX

    def add(self, rumour: Rumour) -> None:
        """Pass this on. When the queue is full the one that was told most often makes room."""
        if len(self._roster) == 1:
            # Nobody is there; whoever comes later gets it in an exchange, if it wants it.
            return
        if self._count >= QUEUE_MAX:
            most = max(sends for sends, level in self._levels.items() if level)
            self._levels[most].pop(0)
            self._count -= 1
            self.dropped += 1
        self._levels.setdefault(0, []).append(rumour)
        self._count += 1

    def clear(self) -> None:
        """Pass nothing on of what is known so far."""
        self._levels.clear()
        self._count = 0

    def take(self, room: int, *, alone: bool) -> list[Rumour]:
        """What goes along with one message that has this much room. alone: nothing else does, so one always fits."""
        taken: list[tuple[int, Rumour]] = []
        for sends in sorted(self._levels):
            for rumour in self._levels[sends]:
                if rumour.weight <= room or (alone and not taken):
                    taken.append((sends, rumour))
                    room -= rumour.weight
                if room < LIGHTEST:
                    break
        limit = self._config.retransmit_limit(self._roster.live_count)
        for sends, rumour in taken:
            self._levels[sends].remove(rumour)
            if sends + 1 < limit:
                self._levels.setdefault(sends + 1, []).append(rumour)
            else:
                self._count -= 1
        return [rumour for _, rumour in taken]
