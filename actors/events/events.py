"""The events actor: what happens in the cluster, for those who watch it and for the commands that are run on it.

What lives here: the stream of events that clients follow, the replies to this server's queries, and starting event
handlers. What does not: how events travel (actors/gossip), and each of the parts that this puts together.

It is at the edge of a server: gossip tells it and never waits for it, so nothing here can hold gossip up.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Final

from msgspec import Struct
from msgspec.structs import replace

from actors.events.coalescing import MemberCoalescer, UserCoalescer
from actors.events.handlers import QUERY, USER, Handler, Job, member_job, query_job, self_environment, user_job
from actors.events.member_events import MemberEvent, MemberEvents
from actors.events.messages import (
    AnswerQuery,
    EventsStatusRequest,
    FollowQuery,
    QueryDoneTold,
    QueryReplyTold,
    QueryStarted,
    QueryTold,
    UserEventTold,
    WatchEvents,
)
from actors.events.rows import Row, member_row, query_row, raft_row, reply_row, restart_row, seen_at, user_row
from actors.events.runner import Outcome, Runner
from actors.gateway.streams import Feed
from actors.gossip.messages import MemberChanged, MembersRequest, MembersView
from actors.reconciler.messages import Decided
from actors.runtime.actor import Actor, AskError, Context, Sender, Timer, handles
from transport.wire import Json, message

if TYPE_CHECKING:
    from pathlib import Path

    from actors.gossip.member import Member
    from actors.identity import Identity

WAIT_S_MAX: Final = 30.0
QUERIES_KEPT: Final = 64
REPLIES_KEPT_MIN: Final = 256
"""Replies that are kept for the client of a query; two for each member that is expected to reply, if that is more."""
LOOK_TIMEOUT_S: Final = 30.0

_log = logging.getLogger("quorate.events")


@message("events.tick")
class Tick(Struct, frozen=True):
    """What was gathered for the handlers is due."""


class EventsActor(Actor):
    """One incarnation of a server's events. wall_clock: seconds since the epoch, for what people are shown."""

    def __init__(
        self,
        context: Context,
        *,
        identity: Identity,
        handlers: Iterable[Handler],
        key_file: Path | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(context)
        self._identity = identity
        self._handlers = tuple(handlers)
        self._gossip = context.ref("gossip")
        self._run = f"{identity.boot}.{context.incarnation}"
        self._feed = Feed(self._run)
        self._wall_clock = wall_clock
        self._replies: dict[int, Feed] = {}
        """To the queries of this server, by their ids."""
        self._member_events = MemberEvents()
        self._members = MemberCoalescer()
        self._users = UserCoalescer()
        self._timer: Timer | None = None
        self._timer_at = inf
        self._runner = Runner(lambda coro: context.spawn(coro, name="handler"), self._handled)
        self._key_file = key_file
        self._tags = identity.tags

    async def on_start(self) -> None:
        """Ask gossip how things stand; it may still be starting."""
        if self.context.incarnation > 1:
            self._tell(restart_row())
        self.context.spawn(self._look(), name="look")

    def on_turn_end(self) -> None:
        """Set the timer to the end of what is being gathered."""
        deadline = min(self._members.moment.deadline, self._users.moment.deadline)
        if deadline != self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = deadline
            wait_s = deadline - self.context.now()
            self._timer = self.context.after(max(0.0, wait_s), Tick()) if deadline != inf else None

    # --- what happens ---

    @handles(MembersView)
    def _on_view(self, msg: MembersView, sender: Sender) -> None:
        """How things stood when this incarnation began. To the first one of a process all of it is news."""
        # What gossip has told meanwhile is newer than its answer.
        unknown = [member for member in msg.members if not self._member_events.knows(member.id)]
        for member in unknown:
            if self.context.incarnation == 1:
                self._member_changed(member, forgotten=False)
            else:
                self._member_events.change(member, forgotten=False)

    @handles(MemberChanged)
    def _on_member(self, msg: MemberChanged, sender: Sender) -> None:
        self._member_changed(msg.member, forgotten=msg.forgotten)

    @handles(Decided)
    def _on_decided(self, msg: Decided, sender: Sender) -> None:
        self._tell(raft_row(msg))

    @handles(UserEventTold)
    def _on_user_event(self, msg: UserEventTold, sender: Sender) -> None:
        event = msg.event
        self._tell(user_row(event))
        if not self._wanted(USER, event.name):
            return
        if not (event.coalesce and self._users.add(self.context.now(), event)):
            self._run_all(USER, event.name, partial(user_job, event=event))

    @handles(QueryTold)
    def _on_query(self, msg: QueryTold, sender: Sender) -> None:
        query = msg.query
        self._tell(query_row(msg))
        self._run_all(QUERY, query.name, partial(query_job, query=query))

    @handles(Tick)
    def _on_tick(self, msg: Tick, sender: Sender) -> None:
        self._timer = None
        self._timer_at = inf
        now = self.context.now()
        if now >= self._members.moment.deadline:
            for event, members in self._members.take():
                self._run_all(event.value, "", partial(member_job, event=event, members=members))
        if now >= self._users.moment.deadline:
            for user_event in self._users.take():
                self._run_all(USER, user_event.name, partial(user_job, event=user_event))

    def _tell(self, row: Row) -> None:
        self._feed.add(seen_at(self._wall_clock(), row))

    # --- queries of this server ---

    @handles(QueryStarted)
    def _on_started(self, msg: QueryStarted, sender: Sender) -> None:
        kept = max(REPLIES_KEPT_MIN, 2 * len(msg.expected))
        self._replies[msg.query] = Feed(f"{self._run}.{msg.query}", kept=kept)
        while len(self._replies) > QUERIES_KEPT:
            del self._replies[next(iter(self._replies))]

    @handles(QueryReplyTold)
    def _on_reply(self, msg: QueryReplyTold, sender: Sender) -> None:
        self._add_reply(msg.query, reply_row(msg))

    @handles(QueryDoneTold)
    def _on_done(self, msg: QueryDoneTold, sender: Sender) -> None:
        self._add_reply(msg.query, {"type": "done", "missing": msg.missing})

    def _add_reply(self, query: int, row: Row) -> None:
        feed = self._replies.get(query)
        if feed is not None:
            feed.add(row)

    # --- clients ---

    @handles(WatchEvents)
    def _on_watch(self, msg: WatchEvents, sender: Sender) -> None:
        cursor = msg.cursor or ("" if msg.recent else self._feed.end)
        self.context.spawn(self._answer(sender, self._feed, cursor, msg.wait_s), name="watch")

    @handles(FollowQuery)
    def _on_follow(self, msg: FollowQuery, sender: Sender) -> Json | None:
        feed = self._replies.get(msg.query)
        if feed is None:
            return Json({"ok": False, "reason": f"query {msg.query} is not known here any more; ask again"})
        self.context.spawn(self._answer(sender, feed, msg.cursor, msg.wait_s), name="follow")
        return None

    @handles(EventsStatusRequest)
    def _on_status(self, msg: EventsStatusRequest, sender: Sender) -> Json:
        return Json({"commands": "; ".join(handler.text for handler in self._handlers), **self._runner.status()})

    async def _answer(self, sender: Sender, feed: Feed, cursor: str, wait_s: float) -> None:
        try:
            page = await feed.read(cursor, min(wait_s, WAIT_S_MAX))
        except AskError as error:
            self.context.reply(sender, Json({"ok": False, "reason": str(error)}))
            return
        self.context.reply(sender, Json(page.report()))

    # --- handlers ---

    def _member_changed(self, member: Member, *, forgotten: bool) -> None:
        if member.id == self._identity.id:
            self._tags = member.tags
        event = self._member_events.change(member, forgotten=forgotten)
        if event is None:
            return
        self._tell(member_row(event, member))
        if any(self._wanted(kind.value) for kind in MemberEvent):
            self._members.add(self.context.now(), event, member)

    def _wanted(self, kind: str, name: str = "") -> bool:
        return any(handler.wants(kind, name) for handler in self._handlers)

    def _run_all(self, kind: str, name: str, job: Callable[[Handler], Job]) -> None:
        own = self_environment(self._identity.name, self._identity.address, self._key_file, self._tags)
        for handler in self._handlers:
            if handler.wants(kind, name):
                made = job(handler)
                self._runner.submit(replace(made, environment={**own, **made.environment}))

    def _handled(self, job: Job, outcome: Outcome) -> None:
        """A handler has ended, or was not run at all."""
        if job.query:
            answer = b"" if outcome.error else outcome.output.removesuffix(b"\n")
            self._gossip.tell(AnswerQuery(job.query, answer, outcome.error))

    async def _look(self) -> None:
        try:
            view: MembersView = await self._gossip.ask(MembersRequest(), timeout_s=LOOK_TIMEOUT_S)
        except AskError as error:
            _log.warning("gossip does not say who is there: %s", error)
        else:
            self.context.me.tell(view)
