"""Starting one cluster together: ``--bootstrap-expect N``, for N equal servers that have no data.

What lives here: who has to agree, and when all have.  What does not: founding (the raft actor does), and joining a
cluster that there is already: the seeker asks every peer for that all the time, and whoever is let in musters no more.

How there can never be two clusters:

1. A server takes part with exactly the servers that its ``--peer``s lead to, and itself.  That is its *set*, and it
   follows from its command line.  While one of them does not answer, or they are not N, it does nothing.
2. It says that it is ready for its set only when every member has answered that it musters too, and expects as many.
3. It founds only when every member has said that it is ready for the very same set.  So no two sets that are founded
   share a server, whoever names whom: a server is ready for one set alone.
4. What is founded follows from the set alone: the cluster's id is a digest of its members' ids, names and addresses,
   and the first configuration is the set, all of them voters.  Members found it each for itself, or join by one that
   has, and it comes to the same.  Nothing is served before a majority of them has: that is Raft's election.

So a network that is split starts nothing, and a member that is replaced by a new one at its address makes a new set:
the old one, if somebody founded it, has no majority that could ever agree to anything.  Two groups that do not name
each other at all are two clusters, as they were told; when they meet they stay two, and say so (admission.py).
"""

from __future__ import annotations

from hashlib import blake2b
from math import inf
from typing import TYPE_CHECKING

from msgspec import Struct

from actors.gossip.effects import Found
from actors.gossip.member import ADDRESS_CHARS_MAX, Claim, fault_of
from actors.gossip.messages import Muster
from actors.gossip.shared import INFO, WARNING
from transport.text import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable

    from actors.gossip.seeker import Seeker
    from actors.gossip.shared import Handlers, Shared, Source

_ID_BYTES = 8
_READY_CHARS = 2 * _ID_BYTES


class _Word(Struct, frozen=True):
    """What another server has said last."""

    claim: Claim
    expect: int
    ready: str


class Mustering:
    """The muster of one server; ``expect`` 0 for one that takes no part in any."""

    def __init__(self, shared: Shared, seeker: Seeker, expect: int) -> None:
        self._shared = shared
        self._seeker = seeker
        self._expect = expect
        self._peers: dict[str, str] = {}
        """Address as it was named to the id that answered from there, "" for nobody yet."""
        self._heard: dict[str, _Word] = {}
        """By id, of those that have answered as peers: an answer comes first, then their questions count as well."""
        self._ready = ""
        """The cluster that this server is ready to found, or has founded."""
        self._next_at = inf
        self.handlers: Handlers = {Muster: self._on_muster}

    def begin(self, now: float, peers: Iterable[str]) -> None:
        """Ask these, from now on."""
        if self._expect:
            own = self._shared.roster.own.address
            self._peers = {peer: "" for peer in peers if peer != own}
            self._next_at = now

    # --- time ---

    @property
    def _is_on(self) -> bool:
        return self._expect > 0 and not self._seeker.cluster_id

    def next_deadline(self) -> float:
        """When `tick` has something to do."""
        return self._next_at if self._is_on else inf

    def tick(self, now: float) -> None:
        """Ask everybody again: a word may be lost, and a server may be another one by now."""
        if self._is_on and now >= self._next_at:
            self._ask(now)

    def postpone(self, stall_s: float) -> None:
        """This server stood still for so long."""
        self._next_at += stall_s

    def _ask(self, now: float) -> None:
        self._next_at = now + self._shared.config.join_timeout_s
        for peer in self._peers:
            self._shared.send(peer, self._word(peer, is_answer=False))

    def _word(self, asked: str, *, is_answer: bool) -> Muster:
        return Muster(self._expect, self._shared.roster.own, self._ready, asked, is_answer, self._shared.config.app)

    # --- what others say ---

    def _on_muster(self, now: float, source: Source, word: Muster) -> None:
        """Somebody asks whether this server musters, or says that it does."""
        claim, own = word.claim, self._shared.roster.own
        is_sound = len(word.ready) in (0, _READY_CHARS) and len(word.asked) <= ADDRESS_CHARS_MAX
        if not is_sound or fault_of(claim) or claim.id != source.id:
            self._shared.counts["ignored messages"] += 1
            return
        if claim.id == own.id:
            # A peer that is this server by another name.
            self._peers.pop(word.asked, None)
        elif self._seeker.cluster_id in ("", self._ready):
            # Whoever has founded goes on answering, for those that have not heard that all are ready.
            if not word.is_answer:
                self._shared.send(source.address, self._word(word.asked, is_answer=True))
            self._hear(word)
        if self._is_on:
            self._consider(now)

    def _hear(self, word: Muster) -> None:
        claim = word.claim
        if word.app != self._shared.config.app:
            self._shared.note_once(
                WARNING,
                f"{claim.name} at {claim.address} runs the app {shortened(word.app)}, and this server runs "
                f"{self._shared.config.app}: no cluster is started; give all the same --app",
            )
            return
        if word.is_answer and word.asked in self._peers:
            self._peers[word.asked] = claim.id
        if claim.id in self._peers.values():
            self._heard[claim.id] = _Word(claim, word.expect, word.ready)
        if self._is_on and word.expect != self._expect:
            self._shared.note_once(WARNING, f"{claim.name} at {claim.address} {self._difference(word.expect)}")

    def _difference(self, expect: int) -> str:
        own = f"and this server expects {self._expect}: no cluster is started; give all the same --bootstrap-expect"
        return f"expects {expect} servers {own}" if expect else f"was started without --bootstrap-expect, {own}"

    # --- what follows ---

    def _consider(self, now: float) -> None:
        members = self._set()
        ready = _cluster_id(members) if members else ""
        if ready != self._ready:
            self._ready = ready
            self._ask(now)
        others = [member for member in members if member.id != self._shared.roster.own_id]
        if ready and all(self._heard[other.id].ready == ready for other in others):
            self._found(now, members)

    def _set(self) -> list[Claim]:
        """This server and all that its peers lead to, by id; empty while somebody is missing."""
        words = [self._heard.get(member_id) for member_id in dict.fromkeys(self._peers.values())]
        if any(word is None or word.expect != self._expect for word in words):
            return []
        members = [self._shared.roster.own, *(word.claim for word in words if word is not None)]
        if len(members) != self._expect:
            self._shared.note_once(
                WARNING,
                f"{len(members)} servers are named and {self._expect} are expected: no cluster is started; "
                "name exactly those that are to start it, or give them the right --bootstrap-expect",
            )
            return []
        for what, values in (("name", [m.name for m in members]), ("address", [m.address for m in members])):
            twice = next((value for value in values if values.count(value) > 1), None)
            if twice is not None:
                self._shared.note_once(WARNING, f"two servers have the {what} {twice}: no cluster is started")
                return []
        return sorted(members, key=lambda member: member.id)

    def _found(self, now: float, members: list[Claim]) -> None:
        names = ", ".join(member.name for member in members)
        self._shared.note(INFO, f"all {self._expect} servers are ready ({names}): starting cluster {self._ready}")
        self._seeker.cluster_id = self._ready
        self._seeker.hurry(now)
        self._shared.out.append(Found(self._ready, tuple(members)))

    # --- what can be asked ---

    def missing(self) -> list[str]:
        """For people: what this server waits for, a line a peer."""
        return [f"{peer}: {self._want(member_id)}" for peer, member_id in self._peers.items()] if self._is_on else []

    def _want(self, member_id: str) -> str:
        word = self._heard.get(member_id)
        if word is None:
            return "no answer yet"
        if word.expect != self._expect:
            return f"expects {word.expect} servers, not {self._expect}"
        return "is ready" if word.ready and word.ready == self._ready else "waits for others"


def _cluster_id(members: Iterable[Claim]) -> str:
    text = "\n".join(f"{member.id}\t{member.name}\t{member.address}" for member in members)
    return blake2b(text.encode(), digest_size=_ID_BYTES).hexdigest()
