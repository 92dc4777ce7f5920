"""The table of members: who is known, at which address, since when in this status, and how many are live.

What lives here: the table and random choices from it. What does not: whether a claim is to be believed (beliefs.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from actors.gossip.member import DIGEST_MODULUS, Intent, Member, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    from actors.gossip.member import Claim

# Up to this many members a choice looks at each; above, it draws until it has enough (memberlist's kRandomNodes).
_SMALL = 64
_DRAWS_PER_CHOICE = 4
FLICKER_S = 1.0
"""Gone for less than this, a member keeps its place among those who bear its name."""


class Roster:
    """All members by id, this server included."""

    def __init__(self, own: Claim, rng: Random) -> None:
        self.own_id = own.id
        self.live_count = 1
        self.digest = own.digest
        """Sum of the digests of all live members, modulo 2**64: equal for two servers that see the same."""
        self.whole_digest = own.whole_digest
        """The same of all members and all that is told of them: two for whom it is equal have nothing to exchange."""
        self._claims: dict[str, Claim] = {own.id: own}
        self._since: dict[str, float] = {}
        self._holders: dict[str, str] = {own.address: own.id}
        self._names: dict[str, str] = {own.name: own.id}
        # Further ones who bear a name, in the order in which they came; few names have any.
        self._namesakes: dict[str, list[str]] = {}
        self._order: list[str] = []
        self._rng = rng

    def __len__(self) -> int:
        return len(self._claims)

    def __iter__(self) -> Iterator[Claim]:
        return iter(list(self._claims.values()))

    @property
    def own(self) -> Claim:
        """This server's own claim."""
        return self._claims[self.own_id]

    def get(self, member_id: str) -> Claim | None:
        """The claim of that id."""
        return self._claims.get(member_id)

    def shown(self) -> Iterator[Claim]:
        """All members but those that are to be forgotten."""
        return (claim for claim in self if claim.intent is not Intent.PRUNED)

    def pruned(self) -> Iterator[Claim]:
        """Those that are to be forgotten."""
        return (claim for claim in self if claim.intent is Intent.PRUNED)

    def others(self) -> Iterator[Claim]:
        """All members but this server."""
        return (claim for claim in self if claim.id != self.own_id)

    def named(self, name: str) -> list[Claim]:
        """The members of that name or id, live ones first."""
        found = [claim for claim in self.shown() if name in (claim.name, claim.id)]
        return sorted(found, key=lambda claim: (not claim.is_live, claim.id))

    def holder(self, address: str) -> Claim | None:
        """The member that claimed an address last, if it still holds it."""
        claim = self._claims.get(self._holders.get(address, ""))
        return claim if claim is not None and claim.address == address else None

    def bearer(self, name: str) -> Claim | None:
        """The live member that was first seen alive under a name.

        Whoever was gone for a moment only, as half a cluster may seem to be when a partition heals, is not behind those
        who came meanwhile.
        """
        claims = map(self._claims.get, self._bearers(name))
        return next((claim for claim in claims if claim is not None and claim.is_live), None)

    def namesake(self, claim: Claim) -> Claim | None:
        """The bearer of a server's name, if it is another server at another address."""
        other = self.bearer(claim.name)
        return None if other is None or other.id == claim.id or other.address == claim.address else other

    def name_of(self, member_id: str) -> str:
        """The name for people; the id of an unknown member."""
        claim = self._claims.get(member_id)
        return claim.name if claim is not None else member_id

    def put(self, claim: Claim, since: float) -> None:
        """Add or replace a member. since: when its status began, if the claim changes it."""
        known = self._claims.get(claim.id)
        if known is None:
            self._order.append(claim.id)
        self._count(known, -1)
        self._count(claim, 1)
        if known is not None and (known.name != claim.name or claim.intent >= Intent.LEFT):
            self._give_up(known)
        if claim.is_live and (known is None or not known.is_live or known.name != claim.name):
            self._bear(claim, since)
        if known is None or known.status is not claim.status:
            self._since[claim.id] = since
        if claim.is_live:
            self._holders[claim.address] = claim.id
        self._claims[claim.id] = claim

    def remove(self, member_id: str) -> None:
        """Forget a member."""
        claim = self._claims.pop(member_id)
        self._count(claim, -1)
        self._since.pop(member_id, None)
        self._order.remove(member_id)
        if self._holders.get(claim.address) == member_id:
            del self._holders[claim.address]
        self._give_up(claim)

    def _bearers(self, name: str) -> list[str]:
        return [self._names[name], *self._namesakes.get(name, ())] if name in self._names else []

    def _set_bearers(self, name: str, bearers: list[str]) -> None:
        self._names.pop(name, None)
        self._namesakes.pop(name, None)
        if bearers:
            self._names[name] = bearers[0]
        if len(bearers) > 1:
            self._namesakes[name] = bearers[1:]

    def _bear(self, claim: Claim, now: float) -> None:
        bearers = [other for other in self._bearers(claim.name) if self._holds_on(other, now)]
        if claim.id not in bearers:
            bearers.append(claim.id)
        self._set_bearers(claim.name, bearers)

    def _holds_on(self, member_id: str, now: float) -> bool:
        claim = self._claims.get(member_id)
        return claim is not None and (claim.is_live or self.age_s(member_id, now) < FLICKER_S)

    def _give_up(self, claim: Claim) -> None:
        bearers = self._bearers(claim.name)
        if claim.id in bearers:
            bearers.remove(claim.id)
            self._set_bearers(claim.name, bearers)

    def _count(self, claim: Claim | None, sign: int) -> None:
        if claim is None:
            return
        self.whole_digest = (self.whole_digest + sign * claim.whole_digest) % DIGEST_MODULUS
        if claim.is_live:
            self.live_count += sign
            self.digest = (self.digest + sign * claim.digest) % DIGEST_MODULUS

    def age_s(self, member_id: str, now: float) -> float:
        """For how long a member has had its status."""
        return max(0.0, now - self._since.get(member_id, now))

    def view(self, claim: Claim, now: float) -> Member:
        """A claim as the rest of the server sees it."""
        status = claim.status
        return Member(
            id=claim.id,
            name=claim.name,
            address=claim.address,
            status=status.value,
            tags=claim.tags,
            incarnation=claim.incarnation,
            lamport=claim.lamport,
            status_age_s=0.0 if status is Status.ALIVE else round(self.age_s(claim.id, now), 3),
        )

    def choose(self, count: int, fits: Callable[[Claim], bool]) -> list[Claim]:
        """Up to `count` different other members that fit, at random."""
        if len(self._order) <= _SMALL:
            found = [claim for claim in self.others() if fits(claim)]
            return found if len(found) <= count else self._rng.sample(found, count)
        chosen: dict[str, Claim] = {}
        for _ in range(_DRAWS_PER_CHOICE * count + _SMALL):
            claim = self._claims[self._rng.choice(self._order)]
            if fits(claim):
                chosen[claim.id] = claim
            if len(chosen) == count:
                break
        return list(chosen.values())
