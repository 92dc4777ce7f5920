"""Operations about events and queries: send one, and follow what comes.

What lives here: one method an operation, as in admin.py, which has these among its own. What does not: what an event is
(actors/gossip), and the stream of them (actors/events).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from actors.events.messages import FollowQuery, SendEvent, SendQuery, WatchEvents
from actors.gateway.arguments import Arguments

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Operation = Callable[[Any, float], Awaitable[Any]]
    Ask = Callable[[str, object, float], Awaitable[Any]]

ANSWER_MARGIN_S: Final = 1.0
"""What a wait leaves of the time of its request, so that the answer comes in time."""


class EventArguments(Arguments, frozen=True):
    """A user event."""

    name: str
    payload: bytes = b""
    coalesce: bool = True


class QueryArguments(Arguments, frozen=True):
    """A query; nodes and tags are filters, timeout_s 0 is the usual one."""

    name: str
    payload: bytes = b""
    timeout_s: float = 0.0
    nodes: list[str] = msgspec.field(default_factory=list)
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    ack: bool = True
    relays: int = 0


class WatchArguments(Arguments, frozen=True):
    """Where a watcher is in the stream; recent: whether one that begins wants what is kept."""

    cursor: str = ""
    wait_s: float = 0.0
    recent: bool = False


class FollowArguments(Arguments, frozen=True):
    """Where a client is in the replies to its query."""

    query: int
    cursor: str = ""
    wait_s: float = 0.0


class EventOperations:
    """The operations of one gateway. ask: puts a question to an actor of this server, see Admin."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self.operations: dict[str, tuple[type[Arguments], Operation]] = {
            "event.send": (EventArguments, self._send),
            "event.watch": (WatchArguments, self._watch),
            "query.send": (QueryArguments, self._query),
            "query.follow": (FollowArguments, self._follow),
        }

    async def _send(self, arguments: EventArguments, timeout_s: float) -> Any:
        message = SendEvent(arguments.name, arguments.payload, arguments.coalesce)
        return await self._ask("gossip", message, timeout_s)

    async def _watch(self, arguments: WatchArguments, timeout_s: float) -> Any:
        wait_s = _wait_s(arguments.wait_s, timeout_s)
        return await self._ask("events", WatchEvents(arguments.cursor, wait_s, arguments.recent), timeout_s)

    async def _query(self, arguments: QueryArguments, timeout_s: float) -> Any:
        message = SendQuery(
            arguments.name,
            arguments.payload,
            arguments.timeout_s,
            arguments.nodes,
            arguments.tags,
            arguments.ack,
            arguments.relays,
        )
        return await self._ask("gossip", message, timeout_s)

    async def _follow(self, arguments: FollowArguments, timeout_s: float) -> Any:
        wait_s = _wait_s(arguments.wait_s, timeout_s)
        return await self._ask("events", FollowQuery(arguments.query, arguments.cursor, wait_s), timeout_s)


def _wait_s(wanted_s: float, timeout_s: float) -> float:
    return max(0.0, min(wanted_s, timeout_s - ANSWER_MARGIN_S))
