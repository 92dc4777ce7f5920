"""What members tell each other beside themselves: user events and queries, as one part of the core.

What lives here: the two together, for the parts that carry them. What does not: the rules of either (user_events.py,
queries.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from actors.gossip.dispatches import QueryRelay, QueryReply
from actors.gossip.member import COUNTER_MAX
from actors.gossip.messages import EventSync
from actors.gossip.queries import Queries
from actors.gossip.user_events import UserEvents

if TYPE_CHECKING:
    from actors.gossip.dispatches import Dispatching
    from actors.gossip.messages import Gossip, Joined
    from actors.gossip.shared import Handlers, Shared, Source


class Herald:
    """User events and queries of one core."""

    def __init__(self, shared: Shared, dispatching: Dispatching) -> None:
        self._shared = shared
        self.events = UserEvents(shared, clock=dispatching.event_clock, replay=dispatching.replay)
        self.queries = Queries(shared, clock=dispatching.query_clock, answers=dispatching.answers)
        self.handlers: Handlers = {
            EventSync: self._on_sync,
            QueryReply: self.queries.on_reply,
            QueryRelay: self.queries.on_relay,
        }

    def learn(self, now: float, gossip: Gossip, teller: str) -> None:
        """What gossip brings beside claims."""
        self.events.learn(gossip.events, teller)
        self.queries.learn(now, gossip.queries, teller)

    def exchange(self, address: str) -> None:
        """See whether a member has heard the same events, and let it know of the times this server has heard of."""
        self._sync(address, self.events.question())

    def _on_sync(self, now: float, source: Source, sync: EventSync) -> None:
        self.events.witness(min(sync.event_clock, COUNTER_MAX))
        self.queries.witness(min(sync.query_clock, COUNTER_MAX))
        answer = self.events.answer(source.id, sync)
        if answer is None and sync.step == 0 and sync.event_clock < self.events.clock:
            # Nothing is missing, but who has heard of less would ask again after each probe.
            answer = self.events.nothing()
        if answer is not None:
            self._sync(source.address, answer)

    def _sync(self, address: str, sync: EventSync) -> None:
        clocked = replace(sync, event_clock=self.events.clock, query_clock=self.queries.clock)
        self._shared.send(address, clocked)

    def begin(self, joined: Joined) -> None:
        """This server, new in the cluster, is let in."""
        self.events.begin(min(joined.event_clock, COUNTER_MAX))
        self.queries.begin(min(joined.query_clock, COUNTER_MAX))
