"""What gossip says and knows of one server: the claim, and the status that follows from it.

What lives here: `Claim`, the only thing members tell each other about members; its limits; how two claims about the
same server become one; and `Member`, what the rest of this server is told. What does not: who is believed, and what
happens when a claim changes (beliefs.py).

A claim has two parts, and each part only ever goes up, so the order in which claims arrive does not matter:
1. liveness: a higher incarnation replaces everything (name, address, tags); within one incarnation dead beats suspect
   beats alive. Only the server itself raises its incarnation, which is how it objects to a suspicion (SWIM, 4.2).
2. intent: the Lamport time of the last join or leave, and which it was. A later one replaces an earlier one.
"""

from enum import IntEnum, StrEnum
from hashlib import blake2b

from msgspec import Struct
from msgspec.structs import replace

ID_CHARS_MAX = 64
NAME_CHARS_MAX = 128
ADDRESS_CHARS_MAX = 255
TAG_CHARS_MAX = 512
EVIDENCE_CHARS_MAX = 200
ACCUSERS_MAX = 8
# Well inside 64 bits: whoever counts on from a claim of ours must still fit.
COUNTER_MAX = 2**53
_DIGEST_BYTES = 8
DIGEST_MODULUS = 2 ** (8 * _DIGEST_BYTES)
AGE_S_MAX = 10 * 365 * 24 * 3600

# What an accuser may have seen when it saw more than silence. These words mean that the process itself is gone.
REFUSED = "connection refused"
ADDRESS_TAKEN = "its address belongs to another server now"
PROCESS_GONE = frozenset((REFUSED, ADDRESS_TAKEN))


class Status(StrEnum):
    """How a member is shown."""

    ALIVE = "alive"
    SUSPECT = "suspect"
    FAILED = "failed"
    LEAVING = "leaving"
    LEFT = "left"


class Liveness(IntEnum):
    """How much is left of an incarnation. The numbers are on the wire: only append."""

    ALIVE = 0
    SUSPECT = 1
    DEAD = 2


class Intent(IntEnum):
    """What a member, or an operator for it, announced last. The numbers are on the wire: only append."""

    JOIN = 0
    LEAVING = 1
    LEFT = 2
    PRUNED = 3
    """Left, and to be forgotten at once. What is kept of it keeps stale news from bringing it back."""


class Accusation(Struct, frozen=True, array_like=True):
    """One member's testimony against another."""

    by: str
    """Id of the accuser."""
    evidence: str


class Claim(Struct, frozen=True, array_like=True):
    """What is known of one server, in the form it travels in.

    An array-like msgspec Struct: a thousand of these are in one state exchange. Claims are immutable and shared.
    """

    id: str
    name: str
    address: str
    tags: dict[str, str]
    incarnation: int
    lamport: int
    liveness: Liveness = Liveness.ALIVE
    intent: Intent = Intent.JOIN
    accusers: tuple[Accusation, ...] = ()
    """Who accuses this incarnation: at most ACCUSERS_MAX."""
    age_s: int = 0
    """For how long the sender has known it dead or left. A duration, since no two clocks are ever compared."""

    @property
    def status(self) -> Status:
        """How the two parts of the claim are shown together: a leaver that vanishes has left, it has not failed."""
        if self.intent >= Intent.LEFT:
            return Status.LEFT
        if self.intent is Intent.LEAVING:
            return Status.LEFT if self.liveness is Liveness.DEAD else Status.LEAVING
        return (Status.ALIVE, Status.SUSPECT, Status.FAILED)[self.liveness]

    @property
    def is_live(self) -> bool:
        """Whether this server is worth talking to: neither failed nor left."""
        return self.intent < Intent.LEFT and self.liveness is not Liveness.DEAD

    @property
    def digest(self) -> int:
        """A number that differs when the claim does, for a live member. Suspicion is left out: it comes and goes."""
        text = f"{self.id} {self.incarnation} {self.intent} {self.lamport}"
        return int.from_bytes(blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest(), "big")

    @property
    def whole_digest(self) -> int:
        """A number that differs when anything of the claim does that an exchange would tell: all but its age."""
        accusers = sorted(accusation.by for accusation in self.accusers)
        text = f"{self.id} {self.incarnation} {self.intent} {self.lamport} {self.liveness} {accusers}"
        return int.from_bytes(blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest(), "big")

    @property
    def weight(self) -> int:
        """About how many bytes this is on the wire."""
        tags = sum(len(key) + len(value) + 4 for key, value in self.tags.items())
        accusers = sum(len(accusation.by) + len(accusation.evidence) + 4 for accusation in self.accusers)
        return len(self.id) + len(self.name) + len(self.address) + tags + accusers + 32


class Member(Struct, frozen=True):
    """A member as the other actors of this server see it."""

    id: str
    name: str
    address: str
    status: str
    """One of `Status`."""
    tags: dict[str, str]
    incarnation: int
    lamport: int
    status_age_s: float = 0.0
    """For how long it has been failed, left or suspect here; 0 for an alive member."""


def fault_of(claim: Claim) -> str:
    """Which limit a claim breaks, or "". A claim that breaks one is dropped: no member sends such a thing."""
    if not (0 < len(claim.id) <= ID_CHARS_MAX and 0 < len(claim.name) <= NAME_CHARS_MAX):
        return "id or name has a wrong length"
    if not 0 < len(claim.address) <= ADDRESS_CHARS_MAX:
        return "the address has a wrong length"
    if sum(len(key) + len(value) for key, value in claim.tags.items()) > TAG_CHARS_MAX:
        return f"the tags have more than {TAG_CHARS_MAX} characters"
    if not all(map(str.isprintable, _texts(claim))):
        # They are shown on terminals and written into logs, where a line break would begin a line of its own.
        return "the name, the address or a tag has characters that cannot be printed"
    if not (0 <= claim.incarnation <= COUNTER_MAX and 0 <= claim.lamport <= COUNTER_MAX):
        return "a counter is out of range"
    if len(claim.accusers) > ACCUSERS_MAX or not all(map(_is_sound, claim.accusers)):
        return "the accusers are too many, too long or not printable"
    return "" if 0 <= claim.age_s <= AGE_S_MAX else "the age is out of range"


def merge(known: Claim, claim: Claim) -> Claim:
    """The one claim that says what both say; `known` itself when the other one adds nothing."""
    if claim.incarnation > known.incarnation:
        merged = replace(claim, lamport=known.lamport, intent=known.intent, age_s=0)
    elif claim.incarnation < known.incarnation:
        merged = known
    else:
        merged = _merge_liveness(known, claim)
    if (claim.lamport, claim.intent) > (known.lamport, known.intent):
        merged = replace(merged, lamport=claim.lamport, intent=claim.intent)
    return merged


def _merge_liveness(known: Claim, claim: Claim) -> Claim:
    accusers = known.accusers
    # The dead need no further accusers, and a list that cannot grow any more cannot be told for ever.
    if claim.liveness is not Liveness.ALIVE and known.liveness is not Liveness.DEAD:
        accusers = add_accusers(accusers, claim.accusers)
    liveness = max(known.liveness, claim.liveness)
    if (liveness, accusers) == (known.liveness, known.accusers):
        return known
    return replace(known, liveness=liveness, accusers=accusers)


def add_accusers(known: tuple[Accusation, ...], more: tuple[Accusation, ...]) -> tuple[Accusation, ...]:
    """Both lists without repetition. Evidence that a process is gone replaces an accuser's word for its silence."""
    by = {accusation.by: accusation for accusation in known}
    for accusation in more:
        before = by.get(accusation.by)
        better = before is not None and accusation.evidence in PROCESS_GONE and before.evidence not in PROCESS_GONE
        if better or (before is None and len(by) < ACCUSERS_MAX):
            by[accusation.by] = accusation
    return known if tuple(by.values()) == known else tuple(by.values())


def _texts(claim: Claim) -> tuple[str, ...]:
    return claim.id, claim.name, claim.address, *claim.tags, *claim.tags.values()


def _is_sound(accusation: Accusation) -> bool:
    is_short = 0 < len(accusation.by) <= ID_CHARS_MAX and len(accusation.evidence) <= EVIDENCE_CHARS_MAX
    return is_short and accusation.by.isprintable() and accusation.evidence.isprintable()
