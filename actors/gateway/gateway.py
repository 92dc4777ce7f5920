"""The gateway actor: where clients' requests come in and their answers go out.

What lives here: carrying messages to the core and its effects out, one timer, and starting operators' requests.  What
does not: decisions about requests (core.py), operations (admin.py), HTTP (http/; it is a client of this actor).

Data never waits and never costs a task: handlers only note, and `on_turn_end` sends what a whole batch of messages led
to, so that the puts of a turn reach Raft as one message.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from actors.gateway.admin import Admin
from actors.gateway.calls import DATA, NOT_LEADER, OVERLOADED
from actors.gateway.core import GatewayCore
from actors.gateway.effects import Answer, Effect, ToRaft
from actors.gateway.leaderless import Leaderless
from actors.gateway.limits import GatewayLimits
from actors.gateway.messages import AdminForward, Forward, Forwarded, Tick
from actors.gateway.metrics import gateway_samples
from actors.gateway.watches import WATCH, Watches
from actors.gossip.messages import MemberChanged
from actors.raft.messages import Follow, LeaderChanged, RaftStatusRequest, Read, Results, Stirred
from actors.runtime.actor import Actor, Context, Died, Sender, handles
from actors.runtime.asks import AskError
from transport.client.protocol import Code, Request, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from actors.gateway.control import Control
    from actors.gateway.metrics import Samples

FOLLOWED: Final = frozenset({"monitor", "event.watch", "query.follow"})
"""Operations that are asked again and again: a line about each would lead to the next."""

_GONE: Final = frozenset({"failed", "left"})
_LEADER_TIMEOUT_S: Final = 1.0
log = logging.getLogger("quorate.gateway")

_KEYS_PER_INCARNATION_BITS: Final = 40
"""Keys of two incarnations never meet: no incarnation answers 2**40 commands."""


class Gateway(Actor):
    """One incarnation of the gateway of a server."""

    def __init__(self, context: Context, control: Control, limits: GatewayLimits | None = None) -> None:
        super().__init__(context)
        self._limits = limits or GatewayLimits()
        first_key = context.incarnation << _KEYS_PER_INCARNATION_BITS
        self._core = GatewayCore(self._limits, epoch=control.identity.boot, first_key=first_key)
        self._watches = Watches(self._limits, first_key)
        self._leaderless = Leaderless(context, control.identity)
        self._admin = Admin(context, control, self._core, self._leaderless, self._samples)
        self._operations = 0
        self._ticking = False
        self._raft_has_spoken = False

    async def on_start(self) -> None:
        """Learn who leads from Raft, which said so before this incarnation began."""
        self.context.watch("raft")
        self.context.spawn(self._learn_leader(), name="learn leader")

    # --- data -------------------------------------------------------------------------------------------------------

    @handles(Request)
    def on_request(self, msg: Request, sender: Sender) -> None:
        """From a client, or from an actor of this server that asks on a client's behalf."""
        if msg.op in DATA:
            self._core.request(self.context.now(), sender, msg)
        elif msg.op == WATCH:
            self._watches.request(self.context.now(), sender, msg)
        else:
            self._operate(AdminForward(msg.op, msg.payload, msg.timeout_ms), sender, msg.id, hop=True)

    @handles(Forward)
    def on_forward(self, msg: Forward, sender: Sender) -> None:
        """From another server's gateway."""
        self._core.forward(self.context.now(), sender, msg)

    @handles(Forwarded)
    def on_forwarded(self, msg: Forwarded, sender: Sender) -> None:
        """From the leader's gateway."""
        self._core.forwarded(self.context.now(), msg)

    @handles(Results)
    def on_results(self, msg: Results, sender: Sender) -> None:
        """From this server's Raft."""
        if self._watches.count:
            msg = replace(msg, batch=self._watches.results(msg.batch))
        self._core.results(self.context.now(), msg)

    @handles(Stirred)
    def on_stirred(self, msg: Stirred, sender: Sender) -> None:
        """This server's Raft has applied something."""
        self._watches.stirred(msg.applied)

    @handles(LeaderChanged)
    def on_leader_changed(self, msg: LeaderChanged, sender: Sender) -> None:
        """From this server's Raft, or what it answered when this incarnation asked."""
        asked = sender.actor == self.context.name
        if asked and self._raft_has_spoken:
            # What Raft says unasked is newer: the answer may have waited behind it in the mailbox.
            return
        self._raft_has_spoken = not asked
        self._core.leader_changed(self.context.now(), msg)

    @handles(MemberChanged)
    def on_member_changed(self, msg: MemberChanged, sender: Sender) -> None:
        """From gossip."""
        if msg.member.status in _GONE:
            self._core.server_gone(self.context.now(), msg.member.address)

    @handles(Died)
    def on_died(self, msg: Died, sender: Sender) -> None:
        """Raft of this server died, and with it the answers it owed."""
        self._core.raft_died(self.context.now())
        self._watches.raft_died()

    @handles(Tick)
    def on_tick(self, msg: Tick, sender: Sender) -> None:
        """Deadlines."""
        self._ticking = False
        self._core.tick(self.context.now())
        self._watches.tick(self.context.now())

    def on_turn_end(self) -> None:
        """Send what this batch of messages led to."""
        now = self.context.now()
        # What is refused leads to further effects, which are answers or wait: this ends.
        while effects := self._core.flush(now):
            for effect in effects:
                self._carry_out(now, effect)
        for of_watches in self._watches.flush():
            self._carry_out_watch(of_watches)
        if (self._core.busy or self._watches.count) and not self._ticking:
            self._ticking = True
            self.context.after(self._limits.tick_s, Tick())

    def _carry_out(self, now: float, effect: Effect) -> None:
        if isinstance(effect, Answer):
            if effect.response.code == Code.NO_LEADER:
                self._leaderless.answer(effect)
            else:
                self.context.reply(effect.sender, effect.response)
        elif isinstance(effect, ToRaft):
            if not self.context.ref("raft").tell(effect.message):
                self._core.refused(now, [item[0] for item in effect.message.batch], OVERLOADED)
        elif not self.context.ref(self.context.name, effect.address).tell(effect.message) and isinstance(
            effect.message, Forward
        ):
            self._core.refused(now, [key for key, _ in effect.message.batch], NOT_LEADER)

    def _carry_out_watch(self, effect: Answer | Read | Follow) -> None:
        if isinstance(effect, Answer):
            self.context.reply(effect.sender, effect.response)
        elif not self.context.ref("raft").tell(effect):
            self._watches.refused(effect)

    async def _learn_leader(self) -> None:
        try:
            answer = await self.context.ref("raft").ask(RaftStatusRequest(), timeout_s=_LEADER_TIMEOUT_S)
        except AskError:
            # Raft is starting: it will say who leads as soon as it knows.
            return
        self.context.me.tell(leader_of(answer.value))

    # --- operators --------------------------------------------------------------------------------------------------

    @handles(AdminForward)
    def on_admin(self, msg: AdminForward, sender: Sender) -> None:
        """From another gateway, which took the one hop already, or from the console of this server."""
        self._operate(msg, sender, 0, hop=not sender.address)

    def _samples(self) -> Samples:
        return gateway_samples(self._core, self._watches.count)

    def _operate(self, request: AdminForward, sender: Sender, request_id: int, *, hop: bool) -> None:
        if self._operations >= self._limits.admin_max:
            why = f"{self._operations} operators' requests are in progress; try again later"
            self.context.reply(sender, Response(request_id, Code.OVERLOADED, b"", why))
            return
        self._operations += 1
        self.context.spawn(self._run_operation(request, sender, request_id, hop=hop), name=request.op)

    async def _run_operation(self, request: AdminForward, sender: Sender, request_id: int, *, hop: bool) -> None:
        try:
            answer = await self._admin.answer(request, hop=hop)
        finally:
            self._operations -= 1
        if request.op not in FOLLOWED:
            log.debug("%s: %s", request.op, answer.message or answer.code)
        self.context.reply(sender, Response(request_id, answer.code, answer.payload, answer.message))


def leader_of(raft: Mapping[str, Any]) -> LeaderChanged:
    """Who leads, from the answer to a status request."""
    is_me = raft["role"] == "leader"
    return LeaderChanged(
        raft["term"], raft["leader_id"], raft["leader_address"], is_me=is_me, ready=is_me and raft["established"]
    )
