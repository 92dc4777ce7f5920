"""Joining: what two servers say when they meet, for the first time or again, and who is turned away.

What lives here: the handshake, its refusals, and the exchange of everything known. What does not: whom to ask and when
(seeker.py).

Two clusters never merge: each side keeps its cluster id and says in its log that, and why, it turned the other away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.gossip.effects import Adopt
from actors.gossip.member import Intent, Status, fault_of
from actors.gossip.messages import (
    ID_TAKEN,
    MYSELF,
    NAME_TAKEN,
    NOT_READY,
    OTHER_APP,
    OTHER_CLUSTER,
    UNSOUND,
    Compare,
    Join,
    Joined,
    JoinRefused,
    Sync,
)
from actors.gossip.shared import INFO, WARNING
from transport.text import escaped, shortened

if TYPE_CHECKING:
    from actors.gossip.beliefs import Beliefs
    from actors.gossip.herald import Herald
    from actors.gossip.member import Claim
    from actors.gossip.names import Names
    from actors.gossip.own import Own
    from actors.gossip.seeker import Seeker
    from actors.gossip.shared import Handlers, Shared, Source

# Claims in one message: a state of any size travels in parts that mean something on their own.
CLAIMS_PER_PART = 500
REASON_CHARS_MAX = 500


class Admission:
    """Lets servers in, is let in, and keeps the cluster id."""

    def __init__(
        self, shared: Shared, own: Own, beliefs: Beliefs, seeker: Seeker, herald: Herald, names: Names
    ) -> None:
        self._shared = shared
        self._roster = shared.roster
        self._own = own
        self._beliefs = beliefs
        self._seeker = seeker
        self._herald = herald
        self._names = names
        self._host = ""
        """Who has let this server in when it knew nobody."""
        self.handlers: Handlers = {
            Join: self._on_join,
            Joined: self._on_joined,
            JoinRefused: self._on_refused,
            Sync: self._on_sync,
            Compare: self._on_compare,
        }

    @property
    def cluster_id(self) -> str:
        """The cluster this server belongs to, or ""."""
        return self._seeker.cluster_id

    def _on_join(self, now: float, source: Source, join: Join) -> None:
        """Somebody asks to be let in, or was lost and is back."""
        code, reason = self._refusal(now, source, join)
        if code:
            self._refuse(now, source, join, code, reason)
            if code == ID_TAKEN:
                self._own.twins.challenge(now, source.address)
            return
        claim = join.claim
        self._seeker.has_met = True
        self._shared.turned_away.remove(source.address)
        self._beliefs.learn(now, claim, claim.id)
        first, *rest = self._parts(now)
        clocks = self._herald.events.clock, self._herald.queries.clock
        self._shared.send(source.address, Joined(join.nonce, self.cluster_id, first, *clocks))
        for part in rest:
            self._shared.send(source.address, Sync(part, reply=False, welcome=True))

    def _on_joined(self, now: float, source: Source, joined: Joined) -> None:
        """A member lets this server in."""
        if not joined.cluster_id:
            return
        if self.cluster_id and self.cluster_id != joined.cluster_id:
            self._decline(now, source, joined)
            return
        if not self.cluster_id:
            self._seeker.cluster_id = joined.cluster_id
            self._shared.out.append(Adopt(joined.cluster_id))
            self._herald.begin(joined)
        self._seeker.has_met = True
        met = self._roster.get(source.id)
        alone = len(self._roster) == 1
        self._host = source.id if alone else ""
        for claim in joined.claims[:CLAIMS_PER_PART]:
            # To a newcomer all is new, and nothing of it is news to the others.
            self._beliefs.exchanged(now, claim, source.id, tell=not alone)
        if self._seeker.answered(now, joined.nonce, source.id) and (met is None or not met.is_live):
            self._shared.note(INFO, f"met {self._roster.name_of(source.id)} at {source.address}")
        if not alone:
            self.exchange(now, source.address, reply=False)
        self._herald.exchange(source.address)

    def _on_refused(self, now: float, source: Source, refusal: JoinRefused) -> None:
        """A server turns this one away, or has found out that it belongs elsewhere after it was let in."""
        reason = escaped(refusal.reason[:REASON_CHARS_MAX])
        if self._seeker.refused(now, refusal.nonce, refusal.code, f"refused: {reason}"):
            if refusal.code not in (MYSELF, NOT_READY):
                self._shared.note_once(WARNING, f"{source.address} refused this server: {reason}")
            # Once it was let in, a refusal is not the end of it: others may have seen more.
            if refusal.code == NAME_TAKEN and not self._seeker.has_met:
                self._names.refused(reason)
            return
        elsewhere = refusal.code == OTHER_CLUSTER and refusal.cluster_id != self.cluster_id
        member = self._roster.get(source.id)
        if elsewhere and member is not None and member.is_live:
            self._shared.note(WARNING, f"{member.name} at {source.address} belongs to cluster {refusal.cluster_id}")
            self._beliefs.send_away(now, source.id, Intent.LEFT)

    def compare(self, address: str) -> None:
        """Exchange everything known with a member, if it is not the same already: mostly it is."""
        self._shared.send(address, Compare(self._roster.whole_digest))

    def _on_compare(self, now: float, source: Source, compare: Compare) -> None:
        """Somebody has said what it knows; if that is the same, it need not be told."""
        if compare.digest != self._roster.whole_digest:
            self.exchange(now, source.address, reply=True)

    def exchange(self, now: float, address: str, *, reply: bool) -> None:
        """Send everything known. reply: and ask for everything known there."""
        parts = self._parts(now)
        for number, part in enumerate(parts, start=1):
            self._shared.send(address, Sync(part, reply=reply and number == len(parts)))

    def _on_sync(self, now: float, source: Source, sync: Sync) -> None:
        """Take what somebody knows, and answer with the same if asked to."""
        is_news = not (sync.welcome and source.id == self._host)
        for claim in sync.claims[:CLAIMS_PER_PART]:
            self._beliefs.exchanged(now, claim, source.id, tell=is_news)
        if sync.reply:
            self.exchange(now, source.address, reply=False)

    def _parts(self, now: float) -> list[list[Claim]]:
        claims = [self._shared.broadcasts.aged(claim, now) for claim in self._roster]
        return [claims[start : start + CLAIMS_PER_PART] for start in range(0, len(claims), CLAIMS_PER_PART)]

    def _refusal(self, now: float, source: Source, join: Join) -> tuple[str, str]:
        """The code and the line of a refusal, or two empty strings."""
        claim, own = join.claim, self._roster.own
        fault = fault_of(claim) or ("" if claim.id == source.id else "the claim is about another server")
        if fault:
            return UNSOUND, fault
        if claim.id == own.id and claim.address == own.address:
            return MYSELF, "that is this server itself"
        if claim.id == own.id:
            return ID_TAKEN, (
                f"{own.name} at {own.address} has the same id {own.id}: one data directory is a copy of the other. "
                "Start the copy with an empty --data-dir"
            )
        if join.cluster_id and self.cluster_id and join.cluster_id != self.cluster_id:
            return OTHER_CLUSTER, self._other_cluster(claim, join.cluster_id)
        if join.app != self._shared.config.app:
            return OTHER_APP, (
                f"{claim.name} at {claim.address} runs the app {shortened(join.app)} and {own.name} at {own.address} "
                f"runs {self._shared.config.app}: all servers of a cluster run the same (start --app)"
            )
        if not self.cluster_id:
            return NOT_READY, f"{own.name} at {own.address} has not joined a cluster itself yet"
        if self._own.is_leaving:
            return NOT_READY, f"{own.name} at {own.address} is leaving"
        return ("", "") if join.has_met else self._name_taken(now, claim)

    def _name_taken(self, now: float, claim: Claim) -> tuple[str, str]:
        namesake = self._roster.namesake(claim)
        known = self._roster.get(claim.id)
        # A live member may meet again under the name that it has: it is one of us already.
        is_member = known is not None and known.is_live and known.name == claim.name
        if namesake is None or is_member:
            return "", ""
        taken = (
            f"the name {claim.name} is taken by {namesake.id} at {namesake.address}, which is {namesake.status.value}"
        )
        if namesake.status is not Status.ALIVE:
            return NOT_READY, taken
        if not self._names.lives(now, namesake):
            return NOT_READY, f"{taken}, and is asked whether it still lives"
        return NAME_TAKEN, f"{taken}. Start {claim.address} with another --name, or stop the other server"

    def _other_cluster(self, claim: Claim, cluster_id: str) -> str:
        return (
            f"{claim.name} at {claim.address} belongs to cluster {cluster_id} and {self._roster.own.name} at "
            f"{self._roster.own.address} to cluster {self.cluster_id}: two clusters never merge. To move a server, "
            "start it with an empty --data-dir"
        )

    def _refuse(self, now: float, source: Source, join: Join, code: str, reason: str) -> None:
        self._shared.counts["refused joins"] += 1
        if code not in (MYSELF, NOT_READY):
            self._shared.note_once(WARNING, f"refused to let {source.address} in: {reason}")
            # A claim that is not sound may hold anything.
            self._shared.turned_away.add(now, source.address, "" if code == UNSOUND else join.claim.name, reason)
        self._shared.send(source.address, JoinRefused(join.nonce, self.cluster_id, code, reason))

    def _decline(self, now: float, source: Source, joined: Joined) -> None:
        """An answer from a second cluster: it counts this server as a member by now, and must hear that it is none."""
        reason = (
            f"{source.address} belongs to cluster {joined.cluster_id} and this server, {self._roster.own.name}, to "
            f"cluster {self.cluster_id}: two clusters never merge"
        )
        self._seeker.refused(now, joined.nonce, OTHER_CLUSTER, reason)
        self._shared.note_once(WARNING, reason)
        self._shared.send(source.address, JoinRefused(joined.nonce, self.cluster_id, OTHER_CLUSTER, reason))
