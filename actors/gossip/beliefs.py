"""What this server believes of the others: claims are weighed and merged, suspicions run, the dead are declared.

What lives here: the rules. What does not: what a claim is (member.py), how long a suspicion lasts (suspicion.py), how
this server objects to claims about itself (own.py).

The rule that keeps one member's bad link from bringing another down: a death is taken on somebody's word only when two
members have accused the dead one, each of its own experience. Told by one, or in a state exchange (it may be news from
the other side of a healed partition), it is an accusation like any other, and the accused has time to object.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from msgspec.structs import replace

from actors.gossip.deadlines import Deadlines
from actors.gossip.effects import Forget, Remember
from actors.gossip.member import (
    ADDRESS_TAKEN,
    PROCESS_GONE,
    Accusation,
    Intent,
    Liveness,
    Status,
    add_accusers,
    fault_of,
    merge,
)
from actors.gossip.moves import Moves
from actors.gossip.shared import WARNING
from actors.gossip.suspicion import Suspicion, Terms
from transport.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from actors.gossip.member import Claim
    from actors.gossip.own import Own
    from actors.gossip.shared import Shared

MEMBERS_MAX = 20_000
WITNESSES = 2
EXCHANGED = "said to be dead in a state exchange"
UNHEARD = "no objection heard in time"
REMEMBERED = "known from before the restart, not heard since"
_REAP_PERIOD_S = 5.0


class Beliefs:
    """The claims about others, and what becomes of them."""

    def __init__(self, shared: Shared, own: Own) -> None:
        self._shared = shared
        self._own = own
        self._roster = shared.roster
        self._suspicions: dict[str, Suspicion] = {}
        self._deadlines = Deadlines()
        self._moves = Moves(shared)
        self._reap_at = inf

    # --- what comes in ---

    def learn(self, now: float, claim: Claim, teller: str, *, tell: bool = True) -> None:
        """Take somebody's claim. tell: whether what is new of it is passed on."""
        known = self._roster.get(claim.id)
        if claim == known:
            # Most of what a state exchange brings.
            return
        fault = fault_of(claim)
        if fault:
            self._shared.counts["unsound claims"] += 1
            self._shared.note_once(WARNING, f"dropped a claim of {self._roster.name_of(teller)}: {fault}")
            return
        self._own.witness(claim.lamport)
        if claim.id == self._roster.own_id:
            self._own.answer(now, claim, teller)
            return
        if known is None:
            self._meet(now, claim, teller, tell=tell)
        elif not self._moves.holds(now, known, claim):
            self._take(now, known, claim, teller, tell=tell)

    def _take(self, now: float, known: Claim, claim: Claim, teller: str, *, tell: bool = True) -> None:
        merged = merge(known, self._weigh(known, claim))
        if merged != known:
            self._settle(now, known, merged, teller, tell=tell)

    def exchanged(self, now: float, claim: Claim, teller: str, *, tell: bool = True) -> None:
        """Take a claim out of a state exchange: the dead in it may live on our side of a partition."""
        known = self._roster.get(claim.id)
        lives = known is not None and known.is_live and claim.id != self._roster.own_id
        if lives and claim.liveness is Liveness.DEAD:
            claim = replace(claim, liveness=Liveness.SUSPECT, accusers=(Accusation(teller, EXCHANGED),))
        self.learn(now, claim, teller, tell=tell)

    def accuse(self, now: float, member_id: str, evidence: str) -> None:
        """This server's own testimony against a member."""
        known = self._roster.get(member_id)
        if known is None or not known.is_live or member_id == self._roster.own_id:
            return
        accusers = add_accusers(known.accusers, (Accusation(self._roster.own_id, evidence),))
        if accusers is not known.accusers or known.liveness is Liveness.ALIVE:
            accused = replace(known, liveness=Liveness.SUSPECT, accusers=accusers)
            self._settle(now, known, accused, self._roster.own_id)

    def remember(self, now: float, claims: Iterable[Claim]) -> None:
        """Members from before a restart. Any word of their present incarnation counts as newer than this.

        One that was alive then is taken for suspect, so it is not shown as failed before it could answer.
        """
        me = Accusation(self._roster.own_id, REMEMBERED)
        sound = [claim for claim in claims if not fault_of(claim) and claim.id != self._roster.own_id]
        for claim in sound:
            liveness = max(claim.liveness, Liveness.SUSPECT)
            known = replace(claim, incarnation=max(0, claim.incarnation - 1), liveness=liveness, accusers=(me,))
            self._roster.put(known, now)
            self._watch_reaping(now, known)
            self._shared.trace(now, claim.id, known.status.value, REMEMBERED)
        for claim in sound:
            known_now = self._roster.get(claim.id)
            if known_now is not None:
                self._watch_suspicion(now, known_now)

    def send_away(self, now: float, member_id: str, intent: Intent) -> None:
        """Say for another member that it leaves or has left. It objects if it lives and means to stay."""
        claim = self._roster.get(member_id)
        if claim is not None and member_id != self._roster.own_id:
            gone = replace(claim, intent=intent, lamport=self._own.next_time())
            self._settle(now, claim, gone, self._roster.own_id)

    # --- time ---

    def next_deadline(self) -> float:
        """When `tick` has something to do."""
        return min(self._reap_at, self._deadlines.earliest(), self._moves.next_deadline())

    def tick(self, now: float) -> None:
        """Declare those dead who have not objected in time, and forget those who are long gone."""
        for claim in self._moves.due(now):
            known = self._roster.get(claim.id)
            if known is not None:
                self._take(now, known, claim, claim.id)
        due = self._deadlines.due(now)
        for member_id in due:
            self._declare_dead(now, member_id)
        if due:
            self._review(now)
        if now >= self._reap_at:
            self._reap(now)

    def postpone(self, stall_s: float) -> None:
        """This server stood still for so long."""
        for suspicion in self._suspicions.values():
            suspicion.postpone(stall_s)
        self._deadlines.postpone(stall_s)
        self._moves.postpone(stall_s)
        self._reap_at += stall_s

    # --- rules ---

    def _weigh(self, known: Claim, claim: Claim) -> Claim:
        """The claim as far as it is to be believed."""
        told_dead = claim.liveness is Liveness.DEAD and claim.incarnation >= known.incarnation
        if not told_dead or known.liveness is Liveness.DEAD or len(claim.accusers) >= WITNESSES:
            return claim
        return replace(claim, liveness=Liveness.SUSPECT)

    def _meet(self, now: float, claim: Claim, teller: str, *, tell: bool) -> None:
        """A member that was not known."""
        if not claim.is_live and claim.age_s >= self._reap_limit_s(claim):
            return
        if len(self._roster) >= MEMBERS_MAX:
            self._shared.note_once(WARNING, f"more than {MEMBERS_MAX} members are known: new ones are not let in")
            return
        if claim.intent is not Intent.PRUNED:
            self._shared.trace(now, claim.id, "met", f"{claim.status.value} at {claim.address}", by=teller)
        self._put(now, None, replace(claim, age_s=0), since=now - claim.age_s, tell=tell)

    def _settle(self, now: float, known: Claim, merged: Claim, teller: str, *, tell: bool = True) -> None:
        """Replace a claim by a newer one, with all that follows."""
        self._trace(now, known, merged, teller)
        if merged.incarnation > known.incarnation:
            self._end_suspicion(merged.id)
        self._put(now, known, merged, since=now, tell=tell)

    def _put(self, now: float, known: Claim | None, claim: Claim, *, since: float, tell: bool) -> None:
        previous = self._roster.holder(claim.address)
        self._roster.put(claim, since)
        self._watch_reaping(now, claim)
        self._watch_suspicion(now, claim)
        if tell:
            self._shared.broadcasts.add(claim.id)
        self._report(now, known, claim)
        moved = known is None or known.address != claim.address or not known.is_live
        if moved and claim.liveness is Liveness.ALIVE and previous is not None and previous.id != claim.id:
            self._displace(now, previous, claim)

    def _watch_suspicion(self, now: float, claim: Claim) -> None:
        if claim.liveness is not Liveness.SUSPECT or claim.intent >= Intent.LEFT:
            self._end_suspicion(claim.id)
            return
        suspicion = self._suspicions.get(claim.id)
        if suspicion is None:
            terms = Terms.of(self._shared.config, self._roster.live_count)
            suspicion = self._suspicions[claim.id] = Suspicion(terms, now)
        self._heed(now, claim, suspicion)

    def _heed(self, now: float, claim: Claim, suspicion: Suspicion) -> None:
        suspicion.heed(claim.accusers, self._witnesses(), now)
        self._deadlines.set(claim.id, suspicion.deadline)

    def _end_suspicion(self, member_id: str) -> None:
        self._suspicions.pop(member_id, None)
        self._deadlines.drop(member_id)

    def _witnesses(self) -> int:
        """How many have to see that a process is gone: one alone if nobody is there to see it too."""
        unsuspected = self._roster.live_count - 1 - len(self._suspicions)
        return WITNESSES if unsuspected > 0 else 1

    def _review(self, now: float) -> None:
        """Somebody died: perhaps nobody is left to confirm what this server sees of the other suspects."""
        for member_id, suspicion in self._suspicions.items():
            claim = self._roster.get(member_id)
            if claim is not None:
                self._heed(now, claim, suspicion)

    def _report(self, now: float, known: Claim | None, claim: Claim) -> None:
        """Tell the rest of the server, and keep it for the next start."""
        if known is not None and known.intent is Intent.PRUNED:
            # Forgotten: should it come back, it is new.
            known = None
        if claim.intent is Intent.PRUNED:
            if known is not None:
                self._shared.changed(now, claim, known.status.value, forgotten=True)
            self._shared.out.append(Forget(claim.id))
            return
        before = _shown(known) if known is not None else None
        if before != _shown(claim):
            self._shared.changed(now, claim, known.status.value if known is not None else "")
        if claim.status is Status.LEFT:
            self._shared.out.append(Forget(claim.id))
        elif before != _shown(claim) or (known is not None and known.incarnation != claim.incarnation):
            self._shared.out.append(Remember(claim))

    def _displace(self, now: float, previous: Claim, newcomer: Claim) -> None:
        """An address belongs to one server, and to the newcomer."""
        if previous.id == self._roster.own_id:
            self._shared.note_once(
                WARNING, f"{newcomer.name} ({newcomer.id}) claims this server's own address {newcomer.address}"
            )
        elif previous.is_live:
            self.accuse(now, previous.id, ADDRESS_TAKEN)

    def _declare_dead(self, now: float, member_id: str) -> None:
        known = self._roster.get(member_id)
        if known is None:
            self._end_suspicion(member_id)
            return
        me = Accusation(self._roster.own_id, UNHEARD)
        dead = replace(known, liveness=Liveness.DEAD, accusers=add_accusers(known.accusers, (me,)))
        self._settle(now, known, dead, self._roster.own_id)

    # --- the long gone ---

    def _reap_limit_s(self, claim: Claim) -> float:
        config = self._shared.config
        return config.left_reap_s if claim.status is Status.LEFT else config.failed_reap_s

    def _watch_reaping(self, now: float, claim: Claim) -> None:
        if self._reap_at == inf and not claim.is_live:
            self._reap_at = now + _REAP_PERIOD_S

    def _reap(self, now: float) -> None:
        gone = False
        for claim in self._roster.others():
            if claim.is_live:
                continue
            gone = True
            if self._roster.age_s(claim.id, now) >= self._reap_limit_s(claim):
                self._forget(now, claim)
        self._reap_at = now + _REAP_PERIOD_S if gone else inf

    def _forget(self, now: float, claim: Claim) -> None:
        if claim.intent is not Intent.PRUNED:
            self._shared.changed(now, claim, claim.status.value, forgotten=True)
        self._roster.remove(claim.id)
        self._end_suspicion(claim.id)
        self._shared.broadcasts.drop(claim.id)
        self._shared.trails.forget(claim.id)
        self._shared.coordinates.forget(claim.id)
        self._shared.out.append(Forget(claim.id))

    # --- why ---

    def _trace(self, now: float, known: Claim, merged: Claim, teller: str) -> None:
        by = "" if teller == self._roster.own_id else teller
        for accusation in merged.accusers if merged.liveness is not Liveness.ALIVE else ():
            if accusation not in known.accusers or merged.incarnation > known.incarnation:
                accuser = "" if accusation.by == self._roster.own_id else accusation.by
                self._shared.trace(now, merged.id, "accused", accusation.evidence, by=accuser)
        if merged.status is not known.status or merged.incarnation > known.incarnation:
            event = merged.status.value
            self._shared.trace(now, merged.id, event, self._reason(now, known, merged), by=by)

    def _reason(self, now: float, known: Claim, merged: Claim) -> str:
        if merged.liveness is Liveness.ALIVE and merged.incarnation > known.incarnation:
            return f"says so itself, incarnation {merged.incarnation}"
        suspicion = self._suspicions.get(merged.id)
        if merged.liveness is Liveness.SUSPECT and known.liveness is not Liveness.SUSPECT:
            longest_s = Terms.of(self._shared.config, self._roster.live_count).timeout_s(0)
            return f"incarnation {merged.incarnation} has up to {longest_s:.1f} s to object"
        if merged.liveness is Liveness.DEAD and known.liveness is not Liveness.DEAD:
            waited = f" after {now - suspicion.started:.1f} s of suspicion" if suspicion is not None else ""
            gone = sum(accusation.evidence in PROCESS_GONE for accusation in merged.accusers)
            return f"{counted(len(merged.accusers), 'accuser')}, {gone} saw its process gone{waited}"
        return f"{merged.intent.name.lower()} announced at Lamport time {merged.lamport}"


def _shown(claim: Claim) -> tuple[object, ...]:
    return claim.status, claim.name, claim.address, claim.tags
