"""Thousands of gossip cores in virtual time: the real ones, on the network of tests/unit/gossip/simnet.py.

What lives here: what makes it fast and small enough. A crowd begins settled, each member knowing all others, with
tables that lie on common ones; messages are encoded, so that their bytes are counted, and handed over as they are,
since a claim never changes; and of the effects only the news is kept. What does not: what goes wrong (starving.py), and
what is measured (experiments.py).
"""

from __future__ import annotations

from collections import Counter
from heapq import heappop
from typing import TYPE_CHECKING
from unittest import mock

from attrs import frozen

from actors.gossip import shared
from actors.gossip.broadcasts import Broadcasts
from actors.gossip.config import LAN, GossipConfig
from actors.gossip.effects import Changed, Effect
from actors.gossip.member import DIGEST_MODULUS, Claim
from actors.gossip.roster import Roster
from tests.membership.layered import Layered
from tests.unit.gossip.simnet import Host, Net
from transport.wire import PROTOCOL_VERSION, Header, Origin, pack

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from actors.gossip.shared import Source
    from actors.gossip.swim import Swim

CLUSTER_ID = "c" * 32
LOSS = 0.01
DELAY_MIN_S, DELAY_MAX_S = 0.001, 0.003
LAG_REMEMBERED_S = 2.0
"""How long a process knows that its event loop was late (actors/runtime/watch.py)."""


@frozen
class News:
    """One change of what one member sees of another."""

    at: float
    observer: str
    name: str
    old_status: str
    status: str


class CommonView:
    """What every member of a settled crowd believes."""

    def __init__(self, claims: Sequence[Claim]) -> None:
        self.claims = {claim.id: claim for claim in claims}
        self.holders = {claim.address: claim.id for claim in claims}
        self.names = {claim.name: claim.id for claim in claims}
        self.order = list(self.claims)
        self.digest = sum(claim.digest for claim in claims) % DIGEST_MODULUS
        self.whole_digest = sum(claim.whole_digest for claim in claims) % DIGEST_MODULUS

    def lend(self, own: Claim, rng: Random) -> Roster:
        """A table that holds it."""
        return _LentRoster(self, own, rng)


class _LentRoster(Roster):
    """A table of members that lies on the common view."""

    def __init__(self, view: CommonView, own: Claim, rng: Random) -> None:
        super().__init__(own, rng)
        self._view = view
        # Known from the start, for the times that depend on it.
        self.live_count = len(view.claims)

    def settle(self) -> None:
        """Know everybody."""
        view, own = self._view, self.own
        self._claims = Layered(view.claims)
        self._holders = Layered(view.holders)
        self._names = Layered(view.names)
        self._order = [member_id for member_id in view.order if member_id != own.id]
        self.digest = view.digest
        self.whole_digest = view.whole_digest
        self.put(own, 0.0)


class Crowd(Net):
    """The network, the clock and the members."""

    def __init__(self, seed: int, config: GossipConfig = LAN, *, loss: float = LOSS) -> None:
        super().__init__(seed, config, loss=loss)
        self.members: list[Fellow] = []
        self.news: list[News] = []
        self.load: dict[str, Counter[str]] = {"messages": Counter(), "bytes": Counter()}
        """By kind of message."""
        self.broadcasts = Broadcasts
        self._heads: dict[str, int] = {}

    def settle(self, size: int) -> list[Fellow]:
        """A cluster in which everybody knows everybody, since long ago."""
        self.members = [Fellow(self, number) for number in range(size)]
        for member in self.members:
            self.enter(member)
        view = CommonView([member.first_claim() for member in self.members])
        for member in self.members:
            member.begin(view)
        return self.members

    def enter(self, member: Fellow) -> None:
        """One that will be started."""
        self.hosts[member.name] = self._directory[member.address] = member

    # --- what is cheaper than in a small network ---

    def run(self, seconds: float) -> None:
        """Let this much time pass."""
        events, end = self._events, self.now + seconds
        while events and events[0][0] <= end:
            self.now, _, function, args = heappop(events)
            function(*args)
        self.now = end

    def travel_s(self) -> float:
        """2 ms, give or take 1 ms."""
        return DELAY_MIN_S + (DELAY_MAX_S - DELAY_MIN_S) * self.rng.random()

    def unpacked(self, kind: str, body: bytes, message: object) -> object:
        """A message is as immutable as its bytes."""
        return message

    def count(self, sender: Host, kind: str, size: int) -> None:
        """Messages and bytes by kind, the frame's head included."""
        self.load["messages"][kind] += 1
        self.load["bytes"][kind] += size + self._head_bytes(sender, kind)

    def _head_bytes(self, sender: Host, kind: str) -> int:
        if kind not in self._heads:
            one = 1 << 20
            # Who is met this rarely has to be told each time who speaks.
            origin = Origin(sender.id, sender.address, CLUSTER_ID, one, one)
            header = Header(PROTOCOL_VERSION, "gossip", kind, "gossip", one, 0, origin)
            self._heads[kind] = len(pack(header, b""))
        return self._heads[kind]


class Fellow(Host):
    """One member of a crowd."""

    net: Crowd

    def __init__(self, net: Crowd, number: int, *, peers: Sequence[str] = (), cluster_id: str = CLUSTER_ID) -> None:
        super().__init__(net, f"n{number}", cluster_id=cluster_id, peers=peers, member_id=f"{number:032x}")
        self.address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}:7946"
        self._view: CommonView | None = None
        self.late_s = 0.0
        """What it hears, it hears so much later, on average; its timers are on time."""
        self._heard_until = 0.0
        self._paused_at = 0.0

    def first_claim(self) -> Claim:
        """What it says of itself when it starts on an empty disk."""
        return Claim(self.id, self.name, self.address, {}, incarnation=1, lamport=1)

    def begin(self, view: CommonView) -> None:
        """Start as a member that has been there for long."""
        self._view = view
        self.start()
        self._view = None
        common = self.core._shared
        assert isinstance(common.roster, _LentRoster)
        common.roster.settle()
        # What it says of itself when it starts is known to all.
        common.broadcasts.clear()

    def make_core(self, own: Claim, clock: int) -> Swim:
        """The core of a run."""
        roster = Roster if self._view is None else self._view.lend
        with mock.patch.multiple(shared, Roster=roster, Broadcasts=self.net.broadcasts):
            return super().make_core(own, clock)

    def keep(self, effect: Effect) -> None:
        """Only the news."""
        if isinstance(effect, Changed) and not effect.forgotten:
            member = effect.member
            self.net.news.append(News(self.net.now, self.name, member.name, effect.old_status, member.status))

    def receive(self, source: Source, message: object) -> None:
        """A message arrives, and is heard at once or in its turn."""
        if self.late_s:
            about_s = self.late_s * (0.5 + self.net.rng.random())
            self._heard_until = max(self._heard_until, self.net.now + about_s)
            self.net.at(self._heard_until, super().receive, source, message)
        else:
            super().receive(source, message)

    def pause(self) -> None:
        """Stand still, as after SIGSTOP or for want of a processor."""
        if self.is_up and not self.is_paused:
            self.is_paused = True
            self._paused_at = self.net.now

    def resume(self) -> None:
        """Go on, read what has come, and know for a while how late the event loop was."""
        if not self.is_up or not self.is_paused:
            return
        self.core.observe_lag(self.net.now - self._paused_at)
        super().resume()
        self.net.at(self.net.now + LAG_REMEMBERED_S, self._forget_lag, self._paused_at)

    def _forget_lag(self, paused_at: float) -> None:
        if not self.is_paused and paused_at == self._paused_at:
            self.core.observe_lag(0.0)
