"""Whom this server tries to reach, and when: peers it was told to join, and members it has lost. It never gives up.

What lives here: one seek per address with its back-off, and what can be said about it. What does not: the conversation
of a join and who is let in (admission.py).

A server without a cluster asks one address at a time: asking two that belong to different clusters at once could make
it a member of both.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from msgspec import Struct

from actors.gossip.deadlines import Deadlines
from actors.gossip.effects import JoinDone
from actors.gossip.member import Status
from actors.gossip.messages import MYSELF, Join
from actors.gossip.shared import INFO

if TYPE_CHECKING:
    from actors.gossip.member import Claim
    from actors.gossip.shared import Shared

SEEKS_MAX = 10_000
ASKED_ATTEMPTS = 3
AT_ONCE = 8
NO_CONNECTION = "no connection"


class Seek(Struct):
    """One address that is tried until it answers."""

    address: str
    next_at: float
    kept: bool = False
    """A peer named on the command line or by the user: tried again whenever nobody live is there."""
    asked: bool = False
    """Somebody waits for the outcome."""
    member_id: str = ""
    """Who is expected there, or has answered from there."""
    nonce: int = 0
    """The attempt under way, or 0."""
    until: float = inf
    attempts: int = 0
    delay_s: float = 0.0
    error: str = ""


class Seeker:
    """The addresses to try."""

    def __init__(self, shared: Shared) -> None:
        self.cluster_id = ""
        self.has_met = False
        """Whether this server has been among others of its cluster in this run."""
        self._shared = shared
        self._config = shared.config
        self._roster = shared.roster
        self._seeks: dict[str, Seek] = {}
        self._deadlines = Deadlines()
        self._stopped = False

    # --- whom ---

    def hint(self, now: float, address: str) -> None:
        """A peer to be joined and, for ever, to be found again."""
        if address == self._roster.own.address:
            # No warning: a fleet may have one line for every server, and `start` refuses one with no other peer.
            self._shared.note(INFO, f"peer {address} is this server itself, and is ignored")
        else:
            self._seek(now, address).kept = True

    def ask(self, now: float, address: str) -> None:
        """A peer somebody wants joined now; JoinDone tells the outcome."""
        if address == self._roster.own.address:
            self._shared.out.append(JoinDone(address, "that is this server itself"))
            return
        seek = self._seek(now, address)
        seek.asked = True
        seek.attempts = 0
        seek.next_at = now
        self._watch(seek)

    def miss(self, now: float, member: Claim) -> None:
        """A member that is not heard of: it, or what has taken its place, is looked for at its last address."""
        if member.address not in self._seeks and len(self._seeks) < SEEKS_MAX:
            self._seek(now, member.address).member_id = member.id

    def hurry(self, now: float) -> None:
        """There is a cluster of a sudden: meet its members at once."""
        for seek in self._seeks.values():
            seek.next_at = now

    def miss_all(self, now: float, members: list[Claim]) -> None:
        """All of these, as after a restart: a few at a time, for the first that answers tells of the others."""
        self._shared.rng.shuffle(members)
        for number, member in enumerate(members):
            self.miss(now + number // AT_ONCE * self._config.join_retry_min_s, member)

    def stop(self) -> None:
        """This server has left: look for nobody."""
        self._stopped = True

    def resume(self) -> None:
        """This server stays after all."""
        self._stopped = False

    # --- time ---

    def next_deadline(self) -> float:
        """When `tick` has something to do."""
        if self._stopped:
            return inf
        if self._must_wait():
            return min(seek.until for seek in self._seeks.values() if seek.nonce)
        return self._deadlines.earliest()

    def tick(self, now: float) -> None:
        """Give up attempts that got no answer, and begin those that are due."""
        if self._stopped:
            return
        due = [self._seeks[address] for address in self._deadlines.due(now)]
        idle = [seek for seek in due if not seek.nonce]
        for seek in due:
            if seek.nonce:
                self._fail(now, seek, seek.error or f"no answer within {self._config.join_timeout_s:g} s")
        for seek in idle:
            if not self._must_wait():
                self._consider(now, seek)

    def postpone(self, stall_s: float) -> None:
        """This server stood still for so long: the answers are in its mailbox."""
        for seek in self._seeks.values():
            seek.until += stall_s
            seek.next_at += stall_s
        self._deadlines.postpone(stall_s)

    # --- answers ---

    def answered(self, now: float, nonce: int, member_id: str) -> bool:
        """An attempt was welcomed. False for an attempt that is not under way."""
        seek = self._under_way(nonce)
        if seek is None:
            return False
        if seek.asked:
            self._shared.out.append(JoinDone(seek.address, ""))
        self._drop(seek)
        if seek.kept:
            later = now + self._config.join_retry_max_s
            self._keep(Seek(seek.address, later, kept=True, member_id=member_id))
        return True

    def refused(self, now: float, nonce: int, code: str, reason: str) -> bool:
        """An attempt was refused. False for an attempt that is not under way."""
        seek = self._under_way(nonce)
        if seek is None:
            return False
        if seek.asked:
            self._shared.out.append(JoinDone(seek.address, reason))
            seek.asked = False
        if code == MYSELF or not (seek.kept or seek.member_id):
            self._drop(seek)
        else:
            self._fail(now, seek, reason)
        return True

    def unreachable(self, now: float, address: str, reason: str) -> None:
        """The links say that nobody is at this address, so an attempt to it will not be answered."""
        seek = self._seeks.get(address)
        if seek is not None and seek.nonce:
            # An earlier refusal says more than the link that is down since.
            self._fail(now, seek, seek.error if reason == NO_CONNECTION and seek.error else reason)

    def explain(self, address: str, reason: str) -> None:
        """Why there is no link to this address so far. It may still come up, so an attempt under way goes on."""
        seek = self._seeks.get(address)
        if seek is not None:
            seek.error = reason

    def report(self, now: float) -> list[dict[str, object]]:
        """What is being tried, for status."""
        return [
            {
                "address": seek.address,
                "attempts": seek.attempts,
                "error": seek.error,
                "next_try_s": None if seek.nonce else round(max(0.0, seek.next_at - now), 1),
            }
            for seek in self._seeks.values()
            if seek.nonce or self._is_needed(seek)
        ]

    # --- one seek ---

    def _seek(self, now: float, address: str) -> Seek:
        return self._seeks.get(address) or self._keep(Seek(address, now))

    def _keep(self, seek: Seek) -> Seek:
        self._seeks[seek.address] = seek
        self._watch(seek)
        return seek

    def _drop(self, seek: Seek) -> None:
        del self._seeks[seek.address]
        self._deadlines.drop(seek.address)

    def _watch(self, seek: Seek) -> None:
        self._deadlines.set(seek.address, seek.until if seek.nonce else seek.next_at)

    def _under_way(self, nonce: int) -> Seek | None:
        return next((seek for seek in self._seeks.values() if seek.nonce and seek.nonce == nonce), None)

    def _must_wait(self) -> bool:
        return not self.cluster_id and any(seek.nonce for seek in self._seeks.values())

    def _is_needed(self, seek: Seek) -> bool:
        if seek.asked or not self.cluster_id:
            return True
        if seek.address == self._roster.own.address:
            return False
        holder = self._roster.holder(seek.address)
        expected = self._roster.get(seek.member_id)
        if seek.kept:
            return all(claim is None or claim.status is not Status.ALIVE for claim in (holder, expected))
        # A member that was lost: it is looked for where it was, unless somebody lives there or it has turned up.
        lost = expected is not None and expected.status in (Status.FAILED, Status.SUSPECT)
        return lost and expected is not None and expected.address == seek.address

    def _consider(self, now: float, seek: Seek) -> None:
        if self._is_needed(seek):
            self._attempt(now, seek)
        elif seek.kept:
            seek.next_at = now + self._config.join_retry_max_s
            self._watch(seek)
        else:
            self._drop(seek)

    def _attempt(self, now: float, seek: Seek) -> None:
        seek.nonce = self._shared.sequence()
        seek.until = now + self._config.join_timeout_s
        seek.attempts += 1
        self._watch(seek)
        self._shared.counts["join attempts"] += 1
        if seek.attempts == 1:
            self._shared.note(INFO, f"asking {seek.address} to {'join' if not self.cluster_id else 'meet again'}")
        join = Join(seek.nonce, self.cluster_id, self._roster.own, self._shared.config.app, self.has_met)
        self._shared.send(seek.address, join)

    def _fail(self, now: float, seek: Seek, error: str) -> None:
        seek.nonce = 0
        seek.until = inf
        seek.error = error
        config = self._config
        seek.delay_s = min(config.join_retry_max_s, max(config.join_retry_min_s, 2 * seek.delay_s))
        # Jittered: a cluster that lost a member should not call it in chorus.
        distance_s = seek.delay_s * (0.75 + self._shared.rng.random() / 2)
        if not seek.kept:
            distance_s *= config.reconnect_factor(self._roster.live_count)
        seek.next_at = now + distance_s
        if seek.asked and seek.attempts >= ASKED_ATTEMPTS:
            seek.asked = False
            self._shared.out.append(JoinDone(seek.address, error))
        elif seek.asked:
            seek.next_at = now + config.join_retry_min_s
        self._watch(seek)
        # The first failures, then ever fewer: it goes on for ever.
        if seek.attempts & (seek.attempts - 1) == 0:
            self._shared.note(
                INFO,
                f"no way to {seek.address} yet ({error}), attempt {seek.attempts}; next in {distance_s:.1f} s",
            )
