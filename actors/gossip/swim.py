"""The gossip core: SWIM with Lifeguard, joins and leaves, as one object that turns messages and time into effects.

What lives here: which part a message goes to, and the order of things when time passes. What does not: the rules (the
parts have them), the parts' making (parts.py), clocks, sockets, disks, logs (gossip.py, or a simulator, has those).

How to drive it: call `start` once, then `handle` for each message and `tick` when `next_deadline` has come, and carry
out the effects that each call returns, in order. Hand over the messages that have arrived before ticking: an answer
that waits in a queue is an answer. Nothing that a message holds makes any of this raise.

When a call comes much later than the deadline (`stall_s`), this process stood still, and so did its patience: every
timer is moved by the time lost, so that what others sent meanwhile is read before anybody is called dead.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from actors.gossip.conversation import Conversation
from actors.gossip.effects import Changed, Effect
from actors.gossip.farewell import to_force
from actors.gossip.member import PROCESS_GONE, Claim, Intent, Status
from actors.gossip.messages import Join, Joined, JoinRefused, LeavePhase, Muster, Ping, Twin
from actors.gossip.parts import Parts
from actors.gossip.seeker import NO_CONNECTION
from actors.gossip.user_events import DispatchError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

    from actors.gossip.beginning import Beginning
    from actors.gossip.config import GossipConfig
    from actors.gossip.dispatches import Query, UserEvent
    from actors.gossip.queries import Asked
    from actors.gossip.shared import Source

# How many members greet one that somebody has accused of being gone: all of a small cluster, some of a large one.
_GREETERS = 8
# What a server without a cluster hears.
_UNJOINED = (Join, Joined, JoinRefused, Muster, Ping, Twin)
_REVIVED_FROM = ("", Status.FAILED.value, Status.LEFT.value)


class Swim:
    """One run of one server's gossip."""

    def __init__(self, beginning: Beginning, *, config: GossipConfig, rng: Random) -> None:
        self.config = config
        self._parts = parts = Parts(beginning, config, rng)
        self._shared = parts.shared
        self._roster = parts.shared.roster
        self._own = parts.own
        self._timed = parts.timed()
        self._handlers = {**Conversation(parts).handlers, **parts.handlers()}
        self.report = parts.report
        self._due = inf

    # --- what drives it ---

    def start(self, now: float, *, hints: Iterable[str], remembered: Iterable[Claim]) -> list[Effect]:
        """Begin. hints: peers to join. remembered: members from before, failed ones too; all are looked for again."""
        self._parts.twins.begin(now)
        self._parts.beliefs.remember(now, remembered)
        self._own.announce(now, Intent.JOIN)
        peers = list(hints)
        for peer in peers:
            self._parts.seeker.hint(now, peer)
        self._parts.mustering.begin(now, peers)
        self._parts.seeker.miss_all(now, list(self._roster.others()))
        return self._finish(now)

    def handle(self, now: float, source: Source, message: object) -> list[Effect]:
        """A message from another server."""
        self._wake(now)
        handler = self._handlers.get(type(message))
        # Without a cluster there is nothing to say but who one is.
        if handler is not None and (self.cluster_id or isinstance(message, _UNJOINED)):
            handler(now, source, message)
        else:
            self._shared.counts["ignored messages"] += 1
        return self._finish(now)

    def tick(self, now: float) -> list[Effect]:
        """Time has passed."""
        self._wake(now)
        for part in self._timed:
            part.tick(now)
        return self._finish(now)

    def next_deadline(self) -> float:
        """When `tick` is to be called, in the clock of the other calls; infinity when only messages matter."""
        return self._due

    # --- what this server's own actors say ---

    def join(self, now: float, addresses: Iterable[str]) -> list[Effect]:
        """Somebody wants these joined; a JoinDone each tells how it went."""
        self._wake(now)
        for address in addresses:
            self._parts.seeker.ask(now, address)
        self._parts.seeker.tick(now)
        return self._finish(now)

    def leave(self, now: float, phase: LeavePhase) -> list[Effect]:
        """Announce a step of leaving; a LeaveDone tells who has acknowledged it."""
        self._wake(now)
        self._parts.farewell.begin(now, phase)
        if phase == "left":
            self._parts.prober.stop()
            self._parts.seeker.stop()
            self._parts.gossiper.stop_exchanges()
        elif phase == "stay":
            self._parts.seeker.resume()
        return self._finish(now)

    def retag(self, now: float, tags: dict[str, str]) -> list[Effect]:
        """Tell others that this server has these tags now."""
        self._wake(now)
        self._own.retag(now, tags)
        return self._finish(now)

    def force_leave(self, now: float, name: str, *, prune: bool = False) -> tuple[Claim, list[Effect]]:
        """Declare a failed member left, by name or id. prune: and have it forgotten, as one that has left can be too.

        Returns what is claimed of it now, too. Raises ForceLeaveError.
        """
        member = to_force(self._roster, name, prune=prune)
        self._wake(now)
        if prune:
            self._parts.beliefs.send_away(now, member.id, Intent.PRUNED)
        elif member.status is Status.FAILED:
            self._parts.beliefs.send_away(now, member.id, Intent.LEAVING)
        return self._roster.get(member.id) or member, self._finish(now)

    def send_event(self, now: float, name: str, payload: bytes, *, coalesce: bool) -> tuple[UserEvent, list[Effect]]:
        """Tell all members something. Raises DispatchError."""
        self._must_be_ready()
        event = self._parts.herald.events.compose(name, payload, coalesce=coalesce)
        self._wake(now)
        self._parts.herald.events.send(event)
        return event, self._finish(now)

    def ask_query(self, now: float, wanted: Query) -> tuple[Asked, list[Effect]]:
        """Ask the members something, see Queries.compose; QueryReplied and a QueryDone tell what comes of it."""
        self._must_be_ready()
        query = self._parts.herald.queries.compose(wanted)
        self._wake(now)
        asked = self._parts.herald.queries.ask(now, query)
        return asked, self._finish(now)

    def answer_query(self, now: float, query_id: int, payload: bytes, error: str) -> tuple[str, list[Effect]]:
        """Answer a query that was heard; why that was not possible, or ""."""
        self._wake(now)
        fault = self._parts.herald.queries.answer(now, query_id, payload, error)
        return fault, self._finish(now)

    def evidence(self, now: float, address: str, reason: str) -> list[Effect]:
        """The links saw that the process at this address is gone. One member's sight alone brings nobody down."""
        self._wake(now)
        self._parts.seeker.unreachable(now, address, reason)
        holder = self._roster.holder(address)
        if holder is not None and self.cluster_id and self._own.claim.intent is not Intent.LEFT:
            self._parts.beliefs.accuse(now, holder.id, reason)
        return self._finish(now)

    def no_link(self, address: str, reason: str) -> None:
        """Why the links have none to this address: what is to be said if nobody answers from there."""
        self._parts.seeker.explain(address, reason)

    def undelivered(self, now: float, address: str) -> list[Effect]:
        """A message to this address was refused by the links: no connection yet, or none any more."""
        self._wake(now)
        self._parts.seeker.unreachable(now, address, NO_CONNECTION)
        return self._finish(now)

    def reserved(self, now: float, upto: int) -> list[Effect]:
        """Incarnations up to and with this one are on disk."""
        self._wake(now)
        self._own.reserved(now, upto)
        return self._finish(now)

    def observe_lag(self, lag_s: float) -> None:
        """How late the event loop runs. A laggard gives others more time, for it is slow itself (Lifeguard)."""
        self._shared.awareness.hold(int(lag_s / self.config.stall_s))

    # --- what can be asked ---

    @property
    def cluster_id(self) -> str:
        """The cluster this server belongs to, or ""."""
        return self._parts.seeker.cluster_id

    @property
    def tags(self) -> dict[str, str]:
        """This server's own tags, those included that others have not been told of yet."""
        return self._own.tags

    @property
    def own(self) -> Claim:
        """What this server says of itself."""
        return self._own.claim

    def _must_be_ready(self) -> None:
        if not self.cluster_id:
            raise DispatchError("this server has not joined a cluster yet: 'status' says whom it is looking for")
        if self._shared.rumours.is_busy:
            raise DispatchError(
                f"{len(self._shared.rumours)} events and queries are still on their way: try again soon"
            )

    # --- time ---

    def _wake(self, now: float) -> None:
        late_s = now - self._due
        if late_s > self.config.stall_s:
            self._shared.counts["stalls"] += 1
            self._shared.awareness.add(1)
            for part in self._timed:
                part.postpone(late_s)
            if late_s > self.config.suspicion_min_s(self._roster.live_count):
                self._parts.gossiper.catch_up(now)
        self._due = inf

    def _finish(self, now: float) -> list[Effect]:
        self._attend(now)
        if self.cluster_id and self._own.claim.intent is not Intent.LEFT:
            self._parts.prober.start(now)
            self._parts.gossiper.start(now)
        # A deadline that has passed already is due now, not late.
        self._due = max(now, min([part.next_deadline() for part in self._timed]))
        return self._shared.take()

    def _attend(self, now: float) -> None:
        """See to members whose status has just changed."""
        for effect in list(self._shared.out):
            if not isinstance(effect, Changed) or effect.member.id == self._roster.own_id or effect.forgotten:
                continue
            claim = self._roster.get(effect.member.id)
            if claim is None:
                continue
            self._parts.names.heed(now, claim)
            if claim.is_live and effect.old_status in _REVIVED_FROM:
                self._parts.prober.admit(claim.id)
            if claim.status is Status.FAILED:
                self._parts.seeker.miss(now, claim)
            elif claim.status is Status.SUSPECT:
                self._look_after(now, claim)

    def _look_after(self, now: float, claim: Claim) -> None:
        """Others say that its process is gone: see for ourselves, and let it know that it is accused."""
        told = any(accusation.evidence in PROCESS_GONE for accusation in claim.accusers)
        seen = any(accusation.by == self._roster.own_id for accusation in claim.accusers)
        if told and not seen and self._shared.rng.random() * self._roster.live_count < _GREETERS:
            self._parts.prober.greet(now, claim)
