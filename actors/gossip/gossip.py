"""The gossip actor: carries out what the gossip core (swim.py) wants done.

What lives here: the way of messages, time, disk writes and news between the core and the other actors. What does not:
any rule of membership.

What must not go back (incarnations, the Lamport clock) is reserved in blocks; what is only good to know after a restart
(members) is gathered and written a little later, so that gossip does not make the disk busy that Raft needs.
"""

import asyncio
import logging
from collections import deque
from math import inf

from msgspec import Struct
from tenacity import AsyncRetrying, retry_if_exception_type, wait_fixed

from actors.events.messages import AnswerQuery, SendEvent, SendQuery
from actors.gossip.beginning import Beginning, Wanted, outlook, own_claim
from actors.gossip.config import GossipConfig
from actors.gossip.dispatches import Dispatching, Query
from actors.gossip.effects import (
    Adopt,
    Changed,
    Effect,
    End,
    EventHeard,
    Forget,
    Found,
    JoinDone,
    KeepClock,
    KeepClocks,
    LeaveDone,
    Note,
    QueryDone,
    QueryHeard,
    QueryReplied,
    Remember,
    Reserve,
    Send,
)
from actors.gossip.farewell import ForceLeaveError
from actors.gossip.join_asks import JoinAsks
from actors.gossip.keeper import Keep, Keeper
from actors.gossip.memory import claims_of
from actors.gossip.messages import (
    BETWEEN_SERVERS,
    ChangeTags,
    ForceLeave,
    GossipStatusRequest,
    Join,
    JoinPeers,
    LeaveRequest,
    MembersRequest,
    MembersView,
    NoLink,
    RttRequest,
    RttsRequest,
    SuspectDead,
)
from actors.gossip.news import News
from actors.gossip.own import RESERVE
from actors.gossip.process import IdentityTakenError, Process
from actors.gossip.shared import Source
from actors.gossip.swim import Swim
from actors.gossip.tags import TagsError, changed
from actors.gossip.user_events import DispatchError
from actors.identity import Identity
from actors.raft.configuration import Configuration, Server
from actors.raft.messages import FoundCluster
from actors.runtime.actor import Actor, AskError, Context, Sender, Timer, handles
from storage.serf_db import SerfWrite
from transport.wire import Json, message

LAG_PERIOD_S = 1.0
FOUND_TIMEOUT_S = 10.0
FOUND_RETRY_S = 0.5
_TIMER_SLACK_S = 0.001
_TIMER_EARLY_S = 0.1

_log = logging.getLogger("quorate.gossip")


@message("gossip.tick")
class Tick(Struct, frozen=True):
    """The core's deadline has come."""


class GossipActor(Actor):
    """One incarnation of this server's gossip."""

    def __init__(
        self,
        context: Context,
        *,
        identity: Identity,
        config: GossipConfig,
        process: Process,
        wanted: Wanted,
    ) -> None:
        super().__init__(context)
        self._identity = identity
        self._config = config
        self._process = process
        self._wanted = wanted
        self._lag_at = 0.0
        self._keeper = Keeper(context)
        self._swim: Swim
        self._news: News
        self._timer: Timer | None = None
        self._timer_at = inf
        self._joins: JoinAsks[Sender] = JoinAsks()
        self._leavers: deque[Sender] = deque()
        self._tagging = asyncio.Lock()

    # --- life ---

    async def on_start(self) -> None:
        """Take up where serf.db ends, with an incarnation that has never been used, and look for the others."""
        wanted = self._wanted
        state = await self._keeper.begin(self._identity)
        beginning = Beginning(
            own_claim(self._identity, state.incarnation + 1, state.tags),
            cluster_id=self._identity.cluster_id,
            clock=state.clock,
            reserved=state.incarnation + RESERVE,
            expect=wanted.expect,
            dispatching=Dispatching(
                event_clock=state.event_clock,
                query_clock=state.query_clock,
                replay=wanted.replay,
                answers=wanted.answers,
            ),
        )
        self._swim = Swim(beginning, config=self._config, rng=self.context.rng)
        self._news = News(self.context, self._swim.report)
        remembered = claims_of(state.members)
        cluster_id = self._identity.cluster_id
        _log.info("%s", outlook(cluster_id, wanted.peers, expect=wanted.expect, remembered=len(remembered)))
        self._carry_out(self._swim.start(self.context.now(), hints=wanted.peers, remembered=remembered))
        self.on_turn_end()

    def on_turn_end(self) -> None:
        """Set the timers to what the core waits for now."""
        self._arm()
        self._keeper.soon()

    async def on_stop(self) -> None:
        """Write down what was to be written a little later."""
        self._keeper.keep()

    # --- from other servers ---

    @handles(*BETWEEN_SERVERS)
    def _on_peer(self, msg: object, sender: Sender) -> None:
        if sender.address:
            self._carry_out(self._swim.handle(self.context.now(), Source(sender.server, sender.address), msg))

    # --- from this server ---

    @handles(Tick)
    def _on_tick(self, msg: Tick, sender: Sender) -> None:
        self._timer = None
        self._timer_at = inf
        now = self.context.now()
        if now - self._lag_at >= LAG_PERIOD_S:
            self._lag_at = now
            self._swim.observe_lag(self._process.loop_lag_s())
        self._carry_out(self._swim.tick(now))

    @handles(SuspectDead)
    def _on_suspect_dead(self, msg: SuspectDead, sender: Sender) -> None:
        self._carry_out(self._swim.evidence(self.context.now(), msg.address, msg.reason))

    @handles(NoLink)
    def _on_no_link(self, msg: NoLink, sender: Sender) -> None:
        self._swim.no_link(msg.address, msg.reason)

    @handles(MembersRequest)
    def _on_members(self, msg: MembersRequest, sender: Sender) -> MembersView:
        now = self.context.now()
        report = self._swim.report
        why = report.why(now, msg.why) if msg.why else {}
        return MembersView(report.members(now), self._identity.id, why, report.pruned(now))

    @handles(GossipStatusRequest)
    def _on_status(self, msg: GossipStatusRequest, sender: Sender) -> Json:
        return Json(self._swim.report.status(self.context.now()))

    @handles(RttRequest)
    def _on_rtt(self, msg: RttRequest, sender: Sender) -> Json:
        return Json(self._swim.report.rtt(msg.start, msg.to))

    @handles(RttsRequest)
    def _on_rtts(self, msg: RttsRequest, sender: Sender) -> Json:
        return Json(self._swim.report.rtts())

    @handles(ChangeTags)
    async def _on_change_tags(self, msg: ChangeTags, sender: Sender) -> Json:
        async with self._tagging:
            before = self._swim.tags
            try:
                tags = changed(before, msg.put, msg.remove)
            except TagsError as error:
                return Json({"ok": False, "reason": str(error)})
            if tags != before:
                refusal = await self._keeper.refusal(SerfWrite(tags=tags))
                if refusal:
                    self._keeper.tell(SerfWrite(tags=before))
                    return Json({"ok": False, "reason": f"the tags were not changed: {refusal}"})
                self._carry_out(self._swim.retag(self.context.now(), tags))
                self._arm()
        return Json(
            {
                "ok": True,
                "name": self._identity.name,
                "tags": tags,
                "incarnation": self._swim.own.incarnation,
            }
        )

    @handles(JoinPeers)
    def _on_join_peers(self, msg: JoinPeers, sender: Sender) -> None:
        sound = self._joins.add(sender, msg.peers)
        self._carry_out(self._swim.join(self.context.now(), sound))
        self._answer_joins()

    @handles(LeaveRequest)
    def _on_leave(self, msg: LeaveRequest, sender: Sender) -> None:
        self._leavers.append(sender)
        self._keeper.tell(SerfWrite(left=msg.phase == "left"))
        self._carry_out(self._swim.leave(self.context.now(), msg.phase))

    @handles(ForceLeave)
    def _on_force_leave(self, msg: ForceLeave, sender: Sender) -> Json:
        now = self.context.now()
        try:
            member, effects = self._swim.force_leave(now, msg.name, prune=msg.prune)
        except ForceLeaveError as error:
            return Json({"ok": False, "reason": str(error)})
        self._carry_out(effects)
        return Json({"ok": True, "id": member.id, "name": member.name, "status": member.status.value})

    @handles(SendEvent)
    def _on_send_event(self, msg: SendEvent, sender: Sender) -> Json:
        try:
            event, effects = self._swim.send_event(self.context.now(), msg.name, msg.payload, coalesce=msg.coalesce)
        except DispatchError as error:
            return Json({"ok": False, "reason": str(error)})
        self._carry_out(effects)
        return Json({"ok": True, "ltime": event.ltime})

    @handles(SendQuery)
    def _on_send_query(self, msg: SendQuery, sender: Sender) -> Json:
        wanted = Query(0, 0, "", msg.name, msg.payload, msg.timeout_s, tuple(msg.nodes), msg.tags, msg.ack, msg.relays)
        try:
            asked, effects = self._swim.ask_query(self.context.now(), wanted)
        except DispatchError as error:
            return Json({"ok": False, "reason": str(error)})
        self._news.started(asked)
        self._carry_out(effects)
        return Json(self._swim.report.asked(asked))

    @handles(AnswerQuery)
    def _on_answer_query(self, msg: AnswerQuery, sender: Sender) -> None:
        fault, effects = self._swim.answer_query(self.context.now(), msg.query, msg.payload, msg.error)
        if fault and fault != msg.error:
            _log.info("an answer to a query was not sent: %s", fault)
        self._carry_out(effects)

    @handles(Keep)
    def _on_keep(self, msg: Keep, sender: Sender) -> None:
        self._keeper.keep()

    # --- effects ---

    def _carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send():
                    self._send(effect)
                case Changed():
                    self._news.member(effect)
                case EventHeard() | QueryHeard() | QueryReplied() | QueryDone():
                    self._news.said(effect)
                case Remember() | Forget() | KeepClock() | KeepClocks():
                    self._keeper.carry_out(effect)
                case Reserve(upto):
                    self.context.spawn(self._reserve(upto), name="reserve")
                case Adopt() | Found():
                    self._belong(effect)
                case JoinDone(address, reason):
                    self._joins.done(address, reason)
                    self._answer_joins()
                case LeaveDone():
                    self._leave_done(effect)
                case End(reason):
                    self._process.end(IdentityTakenError(reason))
                case Note(level, text):
                    _log.log(level, "%s", text)

    def _send(self, effect: Send) -> None:
        told = self.context.ref("gossip", effect.address).tell(effect.message)
        if not told and isinstance(effect.message, Join):
            self._carry_out(self._swim.undelivered(self.context.now(), effect.address))

    def _belong(self, effect: Adopt | Found) -> None:
        if isinstance(effect, Found):
            self.context.spawn(self._found(effect), name="found")
        elif self._identity.adopt_cluster(effect.cluster_id):
            self.context.spawn(self._keeper.adopt(effect.cluster_id), name="adopt")
            _log.info("joined cluster %s", effect.cluster_id)

    async def _found(self, found: Found) -> None:
        """Have Raft found the cluster, and keep its id once that is on its way to the disk."""
        servers = tuple(Server(one.id, one.name, one.address, voter=True) for one in found.members)
        request = FoundCluster(found.cluster_id, Configuration(servers).encode())
        await AsyncRetrying(retry=retry_if_exception_type(AskError), wait=wait_fixed(FOUND_RETRY_S))(
            self.context.ref("raft").ask, request, timeout_s=FOUND_TIMEOUT_S
        )
        await self._keeper.written(SerfWrite(cluster_id=found.cluster_id))

    async def _reserve(self, upto: int) -> None:
        await self._keeper.written(SerfWrite(incarnation=upto))
        self._carry_out(self._swim.reserved(self.context.now(), upto))
        self._arm()

    def _answer_joins(self) -> None:
        for ask in self._joins.take_answered():
            self.context.reply(ask.asker, Json(ask.answer))

    def _leave_done(self, done: LeaveDone) -> None:
        value = self._swim.report.left(done)
        if value["missing"]:
            _log.warning("%s: not acknowledged by %s", done.phase, ", ".join(value["missing"]))
        if self._leavers:
            self.context.reply(self._leavers.popleft(), Json(value))

    # --- small things ---

    def _arm(self) -> None:
        deadline = self._swim.next_deadline()
        # One that fires a little early only looks and is set again: cheaper than moving it with every message.
        if self._timer_at - _TIMER_SLACK_S <= deadline <= self._timer_at + _TIMER_EARLY_S:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        delay_s = max(0.0, deadline - self.context.now())
        self._timer = None if deadline == inf else self.context.after(delay_s, Tick())
