"""User events: what somebody tells all members, heard once by each.

What lives here: their Lamport clock, which of them are new, and those kept for whoever missed them. What does not: how
they travel (gossiper.py carries them), and what they lead to (actors/events).

Who hears what: a member that was down or cut off gets what it missed with the next state exchange, as far as it is kept
(512 events, 256 KiB; Serf keeps 512 Lamport times). A newcomer gets nothing of what was before it, unless it asks
(`start --replay`). No restart delivers anything again: the clock is kept in serf.db.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.gossip.dispatches import INTERNAL, UserEvent, event_fault
from actors.gossip.effects import EventHeard, KeepClocks
from actors.gossip.member import DIGEST_MODULUS
from actors.gossip.messages import EventSync
from actors.gossip.recent import Recent
from actors.gossip.shared import WARNING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from actors.gossip.shared import Shared

KEPT_MAX: Final = 512
KEPT_BYTES_MAX: Final = 256 * 1024


class DispatchError(ValueError):
    """An event or a query that cannot be sent; the text says why."""


class UserEvents:
    """The user events of one core. clock: the highest time heard before; replay: a newcomer wants earlier ones too."""

    def __init__(self, shared: Shared, *, clock: int, replay: bool) -> None:
        self._shared = shared
        self._replay = replay
        self._told_before = 0
        self._recent: Recent[UserEvent] = Recent(clock, count_max=KEPT_MAX, bytes_max=KEPT_BYTES_MAX)

    @property
    def clock(self) -> int:
        """The highest Lamport time of an event heard of."""
        return self._recent.clock

    def compose(self, name: str, payload: bytes, *, coalesce: bool) -> UserEvent:
        """An event of this server, not sent yet. Raises DispatchError."""
        event = UserEvent(self._recent.next_time(), name, payload, coalesce)
        fault = event_fault(event)
        if fault:
            raise DispatchError(f"event {name[:40]!r}: {fault}")
        if name.startswith(INTERNAL):
            raise DispatchError(f"event {name[:40]!r}: names that begin with {INTERNAL} are Quorate's own")
        return event

    def send(self, event: UserEvent) -> None:
        """Tell all members, this one included."""
        self._take(event)

    def learn(self, events: list[UserEvent], teller: str) -> None:
        """Events that somebody passes on."""
        for event in events[:KEPT_MAX]:
            fault = event_fault(event)
            if fault:
                self._shared.counts["unsound events"] += 1
                name = self._shared.roster.name_of(teller)
                self._shared.note_once(WARNING, f"dropped a user event of {name}: {fault}")
            else:
                self._take(event)

    def begin(self, clock: int) -> None:
        """This server, new in the cluster, is let in at this time of the clock."""
        self._told_before = clock
        self.witness(clock)
        self._shared.out.append(KeepClocks(events=clock))
        if not self._replay:
            self._recent.forget_before(clock)

    def witness(self, clock: int) -> None:
        """Somebody has heard of this time, perhaps in another run: what this server says from now on is later."""
        # Not kept: at the next start all up to what is kept is old, and this server may not have heard it yet.
        self._recent.witness(clock)

    # --- those who missed some ---

    def question(self) -> EventSync:
        """Has the other side heard the same? What either missed is sent then; mostly that is nothing."""
        return self._sync(0, [])

    def answer(self, teller: str, sync: EventSync) -> EventSync | None:
        """Take what was missed; what the other side has missed, if it has."""
        self.learn(sync.events, teller)
        mine = [event for event in self._recent if event.ltime > sync.floor]
        if sync.step == 0 and _digest(mine) != sync.digest:
            return self._sync(1, mine)
        missed = [event for event in mine if event not in sync.events]
        return self._sync(2, missed) if sync.step == 1 and missed else None

    def nothing(self) -> EventSync:
        """The answer to somebody who has missed nothing: the times that go along with it are all there is to say."""
        return self._sync(2, [])

    def _sync(self, step: int, events: list[UserEvent]) -> EventSync:
        return EventSync(step, self._recent.floor, _digest(self._recent), events)

    def _take(self, event: UserEvent) -> None:
        key = (event.name, event.payload)
        if self._recent.add(event.ltime, key, event, event.weight):
            # What was told before this server came is news to nobody else.
            if event.ltime > self._told_before:
                self._shared.rumours.add(event)
            self._shared.out.append(KeepClocks(events=event.ltime))
            self._shared.out.append(EventHeard(event))


def _digest(events: Iterable[UserEvent]) -> int:
    total: int = sum(event.digest for event in events) % DIGEST_MODULUS
    return total
