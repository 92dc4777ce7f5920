"""What this server says of itself, and how it objects to what others say.

What lives here: the own claim's incarnation and intent, the Lamport clock, and refutation. What does not: claims about
others (beliefs.py) and the conversation of a leave (farewell.py).

An incarnation is never used before it is on disk, and a refutation must not wait for a disk. So incarnations are
reserved in blocks: the disk knows the end of the block, and a restart begins above it. Lamport times are reserved like
that too, and nobody waits for them: a clock that jumps by more than half a block, as that of a server that joins an old
cluster, could fall back if the process were killed in that very moment. Then the others' memory of what this server has
said corrects it (`answer`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from actors.gossip.effects import KeepClock, Reserve
from actors.gossip.member import Intent, Liveness

if TYPE_CHECKING:
    from actors.gossip.awareness import Awareness
    from actors.gossip.broadcasts import Broadcasts
    from actors.gossip.member import Claim
    from actors.gossip.roster import Roster
    from actors.gossip.shared import Shared
    from actors.gossip.twins import Twins

RESERVE = 32
CLOCK_RESERVE = 2**16


class Own:
    """This server as a member."""

    def __init__(self, shared: Shared, twins: Twins, *, clock: int, reserved: int) -> None:
        self.clock = clock
        self.refutations = 0
        self._shared = shared
        self.twins = twins
        self._roster: Roster = shared.roster
        self._broadcasts: Broadcasts = shared.broadcasts
        self._awareness: Awareness = shared.awareness
        self._reserved = reserved
        self._asked_upto = reserved
        self._wanted = 0
        self.tags = shared.roster.own.tags
        """What the next incarnation says; that of a change of tags may still have to wait for the disk."""
        self._clock_reserved = clock + CLOCK_RESERVE

    @property
    def claim(self) -> Claim:
        """The own claim."""
        return self._roster.own

    @property
    def is_leaving(self) -> bool:
        """Whether this server has announced that it goes."""
        return self.claim.intent is not Intent.JOIN

    def witness(self, lamport: int) -> None:
        """Move the Lamport clock past what somebody else has seen."""
        if lamport > self.clock:
            self.clock = lamport
        if self.clock + CLOCK_RESERVE // 2 > self._clock_reserved:
            self._clock_reserved = self.clock + CLOCK_RESERVE
            self._shared.out.append(KeepClock(self._clock_reserved))

    def next_time(self) -> int:
        """The Lamport time of a new event."""
        self.witness(self.clock + 1)
        return self.clock

    def announce(self, now: float, intent: Intent) -> None:
        """Say that this server joins, leaves, or has left, with a Lamport time later than any it has seen."""
        self._put(now, replace(self.claim, intent=intent, lamport=self.next_time()))

    def retag(self, now: float, tags: dict[str, str]) -> None:
        """Say that this server has other tags."""
        self.tags = tags
        self._raise(now, self.claim.incarnation + 1)

    def answer(self, now: float, claim: Claim, teller: str) -> None:
        """Object to a claim about this server that is not what it says of itself."""
        if claim.incarnation >= self.claim.incarnation:
            self._object(now, claim, teller)
        mine = self.claim
        if (claim.lamport, claim.intent) <= (mine.lamport, mine.intent) or claim.intent > mine.intent > Intent.JOIN:
            return
        if claim.intent is not Intent.JOIN and mine.intent is Intent.JOIN:
            self._note_refutation(now, teller, f"{claim.intent.name.lower()}, while it stays")
        # Also what it said itself, in a run whose clock was further on: what it says now must be the later word.
        self.announce(now, mine.intent)

    def reserved(self, now: float, upto: int) -> None:
        """Incarnations up to `upto` are on disk."""
        self._reserved = max(self._reserved, upto)
        if self.claim.incarnation < self._wanted <= self._reserved:
            self._become(now, self._wanted)

    def _object(self, now: float, claim: Claim, teller: str) -> None:
        mine = self.claim
        if claim.address != mine.address and claim.incarnation > mine.incarnation:
            self.twins.challenge(now, claim.address)
        if claim.liveness is not Liveness.ALIVE:
            if mine.intent is Intent.LEFT:
                return
            # Somebody could not reach this server in time: perhaps it is itself the slow one.
            self._awareness.add(1)
            accusers = ", ".join(
                f"{self._roster.name_of(accusation.by)} ({accusation.evidence})" for accusation in claim.accusers
            )
            self._note_refutation(now, teller, f"{claim.liveness.name.lower()}; accusers: {accusers}")
        elif claim.incarnation == mine.incarnation and _details(claim) == _details(mine):
            return
        self._raise(now, claim.incarnation + 1)

    def _note_refutation(self, now: float, teller: str, what: str) -> None:
        self.refutations += 1
        self._shared.trace(now, self.claim.id, "refuted", f"was said to be {what}", by=teller)

    def _raise(self, now: float, incarnation: int) -> None:
        self._wanted = max(self._wanted, incarnation)
        if self._wanted <= self._reserved:
            self._become(now, self._wanted)
        if self._wanted + RESERVE // 2 > self._asked_upto:
            self._asked_upto = self._wanted + RESERVE
            self._shared.out.append(Reserve(self._asked_upto))

    def _become(self, now: float, incarnation: int) -> None:
        self._put(now, replace(self.claim, incarnation=incarnation, tags=self.tags))

    def _put(self, now: float, claim: Claim) -> None:
        before = self.claim
        self._roster.put(claim, now)
        self._broadcasts.add(claim.id)
        if (claim.status, claim.tags) != (before.status, before.tags):
            self._shared.changed(now, claim, before.status.value)


def _details(claim: Claim) -> tuple[object, ...]:
    return claim.name, claim.address, claim.tags
