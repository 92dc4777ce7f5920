"""The reconciler actor: when this server leads, it brings the Raft configuration in line with gossip.

What lives here: when to look, whom to ask, and carrying out the one change that the plan allows (plan.py).  Gossip's
events only wake it; the truth is the comparison of two whole views, made again on gaining leadership and every
``PASS_EVERY_S``, so a lost or early event costs time and never a server (the pattern of Consul and Nomad).  What does
not: the rules themselves.  On a server that does not lead nothing happens.
"""

import logging
from typing import Any

from actors.gossip.messages import MemberChanged, MembersRequest, MembersView
from actors.raft.messages import Configure, LeaderChanged, RaftView, ViewRequest
from actors.reconciler.messages import Decided, Pass, ReconcilerStatusRequest, RemoveServer
from actors.reconciler.plan import Decision, Planner
from actors.reconciler.policy import Policy
from actors.runtime.actor import Actor, AskError, Context, Sender, Timer, handles
from transport.wire import Json

PASS_EVERY_S = 2.0
NEXT_PASS_S = 0.03
WAITING_PASS_S = 0.1
ASK_TIMEOUT_S = 2.0
REFUSED = "refused: "

_log = logging.getLogger("quorate.reconciler")


class Reconciler(Actor):
    """One change at a time, and a reason for every server."""

    def __init__(self, context: Context, *, policy: Policy) -> None:
        super().__init__(context)
        self._policy = policy
        self._planner = Planner(policy)
        self._leads = False
        self._is_looking = False
        self._look_again = False
        self._next_look: Timer | None = None
        """The one that is due before the regular one."""
        self._reasons: dict[str, str] = {}
        self._events = context.ref("events")

    async def on_start(self) -> None:
        """Look every few seconds, whatever happens."""
        self.context.every(PASS_EVERY_S, Pass())

    @handles(LeaderChanged)
    def _on_leader(self, msg: LeaderChanged, sender: Sender) -> None:
        led, self._leads = self._leads, msg.is_me and msg.ready
        if self._leads and not led:
            # What an earlier leadership saw is no knowledge of what happened since.
            self._planner = Planner(self._policy)
        if self._leads:
            self._wake()
        else:
            self._reasons = {}

    @handles(MemberChanged)
    def _on_member(self, msg: MemberChanged, sender: Sender) -> None:
        self._wake()

    @handles(Pass)
    def _on_pass(self, msg: Pass, sender: Sender) -> None:
        self._wake()

    @handles(ReconcilerStatusRequest)
    def _on_status(self, msg: ReconcilerStatusRequest, sender: Sender) -> Json:
        return Json(self._reasons)

    @handles(RemoveServer)
    async def _on_remove(self, msg: RemoveServer, sender: Sender) -> Json:
        reason = await self._remove(msg.name)
        return Json({"ok": not reason, "reason": reason})

    def _wake(self) -> None:
        if not self._leads:
            return
        if self._is_looking:
            self._look_again = True
        else:
            self._is_looking = True
            if self._next_look is not None:
                self._next_look.cancel()
            self.context.spawn(self._look(), name="pass")

    async def _look(self) -> None:
        try:
            next_pass_s = await self._pass()
        except AskError as error:
            _log.warning("a pass was given up, the next comes in %g s: %s", PASS_EVERY_S, error)
            next_pass_s = PASS_EVERY_S
        self._is_looking = False
        if self._look_again:
            self._look_again = False
            next_pass_s = NEXT_PASS_S
        if next_pass_s < PASS_EVERY_S:
            self._next_look = self.context.after(next_pass_s, Pass())

    async def _pass(self) -> float:
        """Compare, and make the change that is due; returns how long until the next look, in seconds."""
        members, view = await self._views()
        if not view.is_leader:
            return PASS_EVERY_S
        decision = self._planner.plan(self.context.now(), [*members.members, *members.pruned], view)
        self._note(decision, members, view)
        change = decision.change
        if change is not None:
            refusal = await self._configure(change, decision.why)
            if not refusal:
                # It has to be committed before the next one: come back when it probably is.
                return NEXT_PASS_S
            self._planner.refused(change, refusal)
        return WAITING_PASS_S if decision.look_again else PASS_EVERY_S

    async def _views(self) -> tuple[MembersView, RaftView]:
        members: MembersView = await self.context.ref("gossip").ask(MembersRequest(), timeout_s=ASK_TIMEOUT_S)
        view: RaftView = await self.context.ref("raft").ask(ViewRequest(), timeout_s=ASK_TIMEOUT_S)
        return members, view

    async def _configure(self, change: Configure, why: str) -> str:
        answer: Json = await self.context.ref("raft").ask(change, timeout_s=ASK_TIMEOUT_S)
        outcome: dict[str, Any] = answer.value
        if outcome["ok"]:
            _log.info("%s (%s): %s", change.name, change.address, why)
            self._events.tell(Decided(change.kind, change.id, change.name, change.address, why))
        return str(outcome["reason"])

    def _note(self, decision: Decision, members: MembersView, view: RaftView) -> None:
        known = {server.id: (server.name, server.address) for server in view.servers}
        known |= {member.id: (member.name, member.address) for member in members.members}
        for server, reason in decision.reasons.items():
            if self._reasons.get(server) == reason:
                continue
            name, address = known[server]
            _log.log(logging.WARNING if reason.startswith(REFUSED) else logging.DEBUG, "%s: %s", name, reason)
            if reason.startswith(REFUSED):
                self._events.tell(Decided("refused", server, name, address, reason))
        self._reasons = dict(decision.reasons)

    async def _remove(self, name: str) -> str:
        members, view = await self._views()
        server = next((s for s in view.servers if s.name == name), None)
        if not view.is_leader:
            return "this server is not the leader"
        if not view.is_settled:
            return "another change is under way, or this leader is new and does not know who answers it: try again soon"
        if server is None:
            return f"there is no server named {name} in the Raft configuration"
        member = next((member for member in members.members if member.id == server.id), None)
        if member is not None and member.status in ("alive", "suspect"):
            return f"{name} is {member.status} and would be added again: run leave on it instead"
        refusal = self._planner.why_not_remove(server, members.members, view, self.context.now())
        if refusal:
            return refusal
        change = Configure("remove", view.configuration_index, server.id, server.name, server.address)
        return await self._configure(change, "removing: an operator wants it")
