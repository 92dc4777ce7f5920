"""Queries: a question to all members, or to some, and their answers to the one that asks.

What lives here: the queries of this server until their time is up, those of others that this server may still answer,
filters, acknowledgements, and copies of answers that are carried for others. What does not: how a query travels
(gossiper.py), and what the answer is (actors/events).

As in Serf a query goes out by gossip and the replies come straight back. A member says in its acknowledgement whether
an answer is to follow, so a query ends as soon as everybody who was meant has spoken, and its timeout is only for those
who do not. Names that begin with _quorate_ are answered here, or by nobody.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from actors.gossip.dispatches import (
    ANSWER_BYTES_MAX,
    INTERNAL,
    PING,
    Query,
    QueryRelay,
    QueryReply,
    query_fault,
    reply_fault,
)
from actors.gossip.effects import KeepClocks, QueryDone, QueryHeard, QueryReplied
from actors.gossip.member import Status
from actors.gossip.pattern import compiled
from actors.gossip.recent import Recent
from actors.gossip.shared import WARNING
from actors.gossip.user_events import DispatchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from actors.gossip.member import Claim
    from actors.gossip.shared import Shared, Source

ASKED_MAX: Final = 64
"""Queries of this server that wait for replies."""
OPEN_MAX: Final = 512
"""Queries of others that this server may still answer."""
KEPT_MAX: Final = 512
KEPT_BYTES_MAX: Final = 1024 * 1024
QUERIES_PER_MESSAGE: Final = 64


class Asked(Struct):
    """One query of this server. Sets of ids of members."""

    query: Query
    until: float
    expected: set[str]
    acked: set[str]
    answering: set[str]
    answered: set[str]

    @property
    def is_done(self) -> bool:
        """Whether everybody has spoken who was meant or said that it would."""
        return self.query.ack and self.expected <= self.acked and self.answering <= self.answered


class Open(Struct):
    """A query of another member, or of this one, that this server may answer once."""

    query: Query
    until: float


class Queries:
    """The queries of one core. clock: the highest time heard before; answers: whether somebody here answers a name."""

    def __init__(self, shared: Shared, *, clock: int, answers: Callable[[str], bool]) -> None:
        self._shared = shared
        self._roster = shared.roster
        self._answers = answers
        self._recent: Recent[None] = Recent(clock, count_max=KEPT_MAX, bytes_max=KEPT_BYTES_MAX)
        self._asked: dict[int, Asked] = {}
        self._open: dict[int, Open] = {}

    @property
    def clock(self) -> int:
        """The highest Lamport time of a query heard of."""
        return self._recent.clock

    # --- asking ---

    def compose(self, wanted: Query) -> Query:
        """A question of this server, not sent yet. Raises DispatchError.

        Of `wanted` the time, the id and the origin are filled in here, and the timeout if it is 0.
        """
        live = self._roster.live_count
        query = Query(
            self._recent.next_time(),
            self._shared.sequence(),
            self._roster.own_id,
            wanted.name,
            wanted.payload,
            wanted.timeout_s or self._shared.config.query_s(live),
            wanted.nodes,
            wanted.tags,
            wanted.ack,
            wanted.relays,
        )
        fault = query_fault(query)
        if not fault and query.name.startswith(INTERNAL) and query.name != PING:
            fault = f"names that begin with {INTERNAL} are Quorate's own"
        if not fault and len(self._asked) >= ASKED_MAX:
            fault = f"{ASKED_MAX} queries of this server wait for answers already; try again later"
        if fault:
            raise DispatchError(f"query {query.name[:40]!r}: {fault}")
        for node in query.nodes:
            if not self._roster.named(node):
                raise DispatchError(f"no member is called {node!r}; 'members' lists them")
        return query

    def ask(self, now: float, query: Query) -> Asked:
        """Ask all members that the filters let through, this one included."""
        expected = {claim.id for claim in self._roster if claim.is_live and _is_meant(query, claim)}
        asked = self._asked[query.id] = Asked(query, now + query.timeout_s, expected, set(), set(), set())
        self._take(now, query)
        self._end_if_done(query.id)
        return asked

    def begin(self, clock: int) -> None:
        """This server, new in the cluster, is let in at this time of the clock."""
        self._recent.forget_before(clock)
        self.witness(clock)
        self._shared.out.append(KeepClocks(queries=clock))

    def witness(self, clock: int) -> None:
        """Somebody has heard of this time, perhaps in another run: what this server asks from now on is later."""
        self._recent.witness(clock)

    def on_reply(self, now: float, source: Source, reply: QueryReply) -> None:
        """A member, or one that carries for it, says something about a query of this server."""
        self._hear(reply)

    def _hear(self, reply: QueryReply) -> None:
        asked = self._asked.get(reply.query)
        if asked is None or reply_fault(reply) or self._roster.get(reply.responder) is None:
            self._shared.counts["ignored query replies"] += 1
            return
        seen = asked.acked if reply.is_ack else asked.answered
        if reply.responder in seen:
            return
        seen.add(reply.responder)
        if reply.answering:
            asked.answering.add(reply.responder)
        self._shared.out.append(QueryReplied(reply.query, reply.responder, reply.is_ack, reply.payload, reply.error))
        self._end_if_done(reply.query)

    # --- answering ---

    def learn(self, now: float, queries: list[Query], teller: str) -> None:
        """Queries that somebody passes on."""
        for query in queries[:QUERIES_PER_MESSAGE]:
            fault = query_fault(query)
            if fault:
                self._shared.counts["unsound queries"] += 1
                self._shared.note_once(WARNING, f"dropped a query of {self._roster.name_of(teller)}: {fault}")
            else:
                self._take(now, query)

    def answer(self, now: float, query_id: int, payload: bytes, error: str) -> str:
        """Answer a query that was heard; why not, or ""."""
        opened = self._open.pop(query_id, None)
        if opened is None or opened.until <= now:
            return "it was answered before, or its time is up"
        if len(payload) > ANSWER_BYTES_MAX:
            payload, error = b"", f"the answer has {len(payload)} bytes: at most {ANSWER_BYTES_MAX} are allowed"
        own = self._roster.own_id
        self._reply(opened.query, QueryReply(query_id, own, is_ack=False, payload=payload, error=error[:200]))
        return error

    def on_relay(self, now: float, source: Source, relay: QueryRelay) -> None:
        """Carry a copy of somebody's reply."""
        target = self._roster.get(relay.target)
        if target is None or not target.is_live or reply_fault(relay.reply):
            self._shared.counts["ignored query relays"] += 1
        elif target.id == self._roster.own_id:
            self._hear(relay.reply)
        else:
            self._shared.send(target.address, relay.reply)

    # --- time ---

    def next_deadline(self) -> float:
        """When `tick` has something to do."""
        return min((asked.until for asked in self._asked.values()), default=inf)

    def tick(self, now: float) -> None:
        """Wait no longer for those who have not replied."""
        for query_id in [query_id for query_id, asked in self._asked.items() if asked.until <= now]:
            self._end(query_id)

    def postpone(self, stall_s: float) -> None:
        """This server stood still for so long: the replies are in its mailbox."""
        for asked in self._asked.values():
            asked.until += stall_s

    # --- one query ---

    def _take(self, now: float, query: Query) -> None:
        if not self._recent.add(query.ltime, (query.origin, query.id), None, query.weight):
            return
        self._shared.rumours.add(query)
        self._shared.out.append(KeepClocks(queries=query.ltime))
        if not _is_meant(query, self._roster.own):
            return
        is_internal = query.name.startswith(INTERNAL)
        answering = not is_internal and self._answers(query.name)
        if query.ack:
            self._reply(query, QueryReply(query.id, self._roster.own_id, is_ack=True, answering=answering))
        if not is_internal:
            self._keep_open(now, query)
            self._shared.out.append(QueryHeard(query))

    def _keep_open(self, now: float, query: Query) -> None:
        self._open = {key: opened for key, opened in self._open.items() if opened.until > now}
        if len(self._open) < OPEN_MAX:
            self._open[query.id] = Open(query, now + query.timeout_s)

    def _reply(self, query: Query, reply: QueryReply) -> None:
        origin = self._roster.get(query.origin)
        if origin is None:
            self._shared.counts["queries of strangers"] += 1
        elif origin.id == self._roster.own_id:
            self._hear(reply)
        else:
            self._shared.send(origin.address, reply)
            for carrier in self._roster.choose(
                query.relays, lambda claim: claim.status is Status.ALIVE and claim.id != origin.id
            ):
                self._shared.send(carrier.address, QueryRelay(origin.id, reply))

    def _end_if_done(self, query_id: int) -> None:
        asked = self._asked.get(query_id)
        if asked is not None and asked.is_done:
            self._end(query_id)

    def _end(self, query_id: int) -> None:
        asked = self._asked.pop(query_id)
        missing = asked.expected - asked.acked if asked.query.ack else set[str]()
        self._shared.out.append(QueryDone(query_id, tuple(sorted(missing))))


def _is_meant(query: Query, claim: Claim) -> bool:
    """Whether the filters of a query let a member through: any of the names, and all of the tags."""
    if query.nodes and claim.name not in query.nodes and claim.id not in query.nodes:
        return False
    return all(name in claim.tags and compiled(value).matches(claim.tags[name]) for name, value in query.tags.items())
