"""A network of gossip cores on a virtual clock: delay, loss, cuts, pauses, crashes, restarts, driven by one seed.

Every message passes through the wire codec, and what a server keeps on disk is all that a restart gets. A crash can be
seen by the links of others (`kill`) or be as silent as a lost host (`vanish`). tests/membership has it carry thousands.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from itertools import count
from math import inf

from attrs import evolve

from actors.gossip.beginning import Beginning
from actors.gossip.config import LOCAL, GossipConfig
from actors.gossip.dispatches import Dispatching
from actors.gossip.effects import (
    Adopt,
    Changed,
    Effect,
    End,
    Forget,
    Found,
    KeepClock,
    KeepClocks,
    Note,
    Remember,
    Reserve,
    Send,
)
from actors.gossip.member import REFUSED, Claim
from actors.gossip.own import CLOCK_RESERVE, RESERVE
from actors.gossip.shared import Source
from actors.gossip.swim import Swim
from transport.links.admission import JOIN_KINDS
from transport.wire import decode_body, encode_body, kind_of

SYNC_S = 0.002
EVENTS_MAX = 5_000_000


class Disk:
    """What survives a crash."""

    def __init__(self) -> None:
        self.incarnation = 0
        self.clock = 0
        self.event_clock = 0
        self.query_clock = 0
        self.cluster_id = ""
        self.members: dict[str, Claim] = {}


class Host:
    """One server: its disk, the core of its present run, and what came of it."""

    def __init__(
        self, net: Net, name: str, *, cluster_id: str, peers: Iterable[str], member_id: str = "", expect: int = 0
    ) -> None:
        self.net = net
        self.name = name
        self.id = member_id or f"id-{name}"
        self._address = f"{name}:7946"
        self.peers = tuple(peers)
        self.expect = expect
        self.app = ""
        self.disk = Disk()
        self.disk.cluster_id = cluster_id
        self.replays = False
        self.answers: set[str] = set()
        """Names of queries that somebody here answers."""
        self.links: set[str] = set()
        self.is_up = False
        self.is_paused = False
        self.inbox: list[tuple[Source, object]] = []
        self.effects: list[tuple[float, Effect]] = []
        self.used: list[int] = []
        self._run = 0
        self._alarm_at = inf

    @property
    def address(self) -> str:
        """Where it listens from its next start on."""
        return self._address

    @address.setter
    def address(self, address: str) -> None:
        self._address = address
        self.net.moved()

    def start(self) -> None:
        """Start, or start again from the disk, as the actor does."""
        first = self.disk.incarnation + 1
        self.disk.incarnation += RESERVE
        clock, self.disk.clock = self.disk.clock, self.disk.clock + CLOCK_RESERVE
        own = Claim(id=self.id, name=self.name, address=self.address, tags={}, incarnation=first, lamport=0)
        self.core = self.make_core(own, clock)
        self.is_up, self.is_paused = True, False
        self._run += 1
        self._alarm_at = inf
        self.inbox.clear()
        self.links.clear()
        remembered = list(self.disk.members.values())
        self.carry_out(self.core.start(self.net.now, hints=self.peers, remembered=remembered))

    def make_core(self, own: Claim, clock: int) -> Swim:
        """The core of a run."""
        beginning = Beginning(
            own,
            cluster_id=self.disk.cluster_id,
            clock=clock,
            reserved=self.disk.incarnation,
            expect=0 if self.disk.cluster_id else self.expect,
            dispatching=Dispatching(
                event_clock=self.disk.event_clock,
                query_clock=self.disk.query_clock,
                replay=self.replays,
                answers=lambda name: name in self.answers,
            ),
        )
        config = evolve(self.net.config, app=self.app)
        return Swim(beginning, config=config, rng=random.Random(self.net.rng.getrandbits(64)))

    def call(self, function: Callable[..., list[Effect]], *args: object) -> None:
        """Call the core at the present time, if this server runs."""
        if self.is_up and not self.is_paused:
            self.carry_out(function(self.net.now, *args))

    def receive(self, source: Source, message: object) -> None:
        """A message arrives; a paused process finds it when it goes on."""
        if self.is_paused:
            self.inbox.append((source, message))
        else:
            self.call(self.core.handle, source, message)

    def resume(self) -> None:
        """Go on after a pause: what has arrived is read before the clock is looked at."""
        self.is_paused = False
        for source, message in self.inbox:
            self.call(self.core.handle, source, message)
        self.inbox.clear()
        self.call(self.core.tick)

    def carry_out(self, effects: list[Effect]) -> None:
        """Do what the core wants done, and set the alarm."""
        for effect in effects:
            self.keep(effect)
            self._do(effect)
        used = self.core.own.incarnation
        if not self.used or self.used[-1] != used:
            self.used.append(used)
        assert used <= self.disk.incarnation, "an incarnation is used before it is on disk"
        assert self.core.own.lamport <= self.disk.clock, "a Lamport time is used before it is on disk"
        self._arm()

    def keep(self, effect: Effect) -> None:
        """Write down what the core wants done, for who asks later."""
        self.effects.append((self.net.now, effect))

    def notes(self) -> str:
        """The log."""
        return "\n".join(effect.text for _, effect in self.effects if isinstance(effect, Note))

    def changes(self, of: Host | None = None) -> list[tuple[float, str, str]]:
        """(time, name, status) of every change seen here, of one member or of all."""
        return [
            (at, effect.member.name, effect.member.status)
            for at, effect in self.effects
            if isinstance(effect, Changed) and not effect.forgotten and (of is None or effect.member.id == of.id)
        ]

    def statuses(self) -> dict[str, str]:
        """Name to status, as seen here."""
        return {member.name: member.status for member in self.core.report.members(self.net.now)}

    def _arm(self) -> None:
        """As the actor does: an alarm that comes early only looks, which is cheaper than moving it with every call."""
        deadline = max(self.net.now, self.core.next_deadline())
        if deadline < self._alarm_at:
            self._alarm_at = deadline
            self.net.at(deadline, self._ring, self._run, deadline)

    def _ring(self, run: int, alarm_at: float) -> None:
        if run != self._run or alarm_at != self._alarm_at:
            return
        self._alarm_at = inf
        if not self.is_up or self.is_paused:
            return
        if self.net.now < self.core.next_deadline():
            self._arm()
        else:
            self.call(self.core.tick)

    def _do(self, effect: Effect) -> None:
        match effect:
            case Send(address, message):
                self.net.send(self, address, message)
            case Reserve(upto):
                self.disk.incarnation = max(self.disk.incarnation, upto)
                self.net.at(self.net.now + SYNC_S, self._synced, self._run, upto)
            case Remember(claim):
                self.disk.members[claim.id] = claim
            case Forget(member_id):
                self.disk.members.pop(member_id, None)
            case KeepClock(upto):
                self.disk.clock = upto
            case KeepClocks(events, queries):
                self.disk.event_clock = max(self.disk.event_clock, events)
                self.disk.query_clock = max(self.disk.query_clock, queries)
            case Adopt(cluster_id):
                assert self.disk.cluster_id in ("", cluster_id), "a second cluster was adopted"
                self.disk.cluster_id = cluster_id
            case End():
                self.net.kill(self)
            case Found(cluster_id):
                assert self.disk.cluster_id in ("", cluster_id), "a second cluster was founded"
                self.disk.cluster_id = cluster_id
            case _:
                pass

    def _synced(self, run: int, upto: int) -> None:
        if run == self._run:
            self.call(self.core.reserved, upto)


class Net:
    """The network, the clock and the servers."""

    def __init__(self, seed: int, config: GossipConfig = LOCAL, *, loss: float = 0.0, delay_s: float = 0.002) -> None:
        self.rng = random.Random(seed)
        self.config = config
        self.loss = loss
        self.delay_s = delay_s
        self.now = 100.0
        self.hosts: dict[str, Host] = {}
        self.cuts: set[tuple[str, str]] = set()
        self.sent: dict[str, int] = {}
        self.bytes = 0
        self._events: list[tuple[float, int, Callable[..., None], tuple[object, ...]]] = []
        self._numbers = count()
        self._directory: dict[str, Host] = {}

    # --- servers ---

    def add(
        self,
        name: str,
        *,
        peers: Iterable[str] = (),
        cluster_id: str = "",
        member_id: str = "",
        expect: int = 0,
        replays: bool = False,
    ) -> Host:
        """A server that is started at once; one with a cluster id has founded that cluster."""
        host = Host(self, name, cluster_id=cluster_id, peers=peers, member_id=member_id, expect=expect)
        host.replays = replays
        self.hosts[name] = self._directory[host.address] = host
        host.start()
        return host

    def cluster(self, size: int) -> list[Host]:
        """A cluster of n0, n1, ... that has found together."""
        hosts = [self.add("n0", cluster_id="c0")]
        hosts += [self.add(f"n{number}", peers=["n0:7946"]) for number in range(1, size)]
        assert self.until(lambda: self.agree(hosts), 30), f"no agreement: {[host.statuses() for host in hosts]}"
        # Past the first rounds, so that links are there and queues are empty.
        self.run(3 * self.config.probe_interval_s)
        return hosts

    def vanish(self, host: Host) -> None:
        """The host is gone without a word: nothing answers any more, not even the kernel."""
        host.is_up = False

    def kill(self, host: Host) -> None:
        """SIGKILL: the kernel closes the sockets, and whoever has a link sees a refused connection."""
        self.vanish(host)
        for other in list(self.hosts.values()):
            if host.address in other.links:
                self._refuse(other, host.address)

    # --- faults ---

    def cut(self, source: Host, target: Host) -> None:
        """Drop what one sends to the other."""
        self.cuts.add((source.address, target.address))

    def split(self, *sides: list[Host]) -> None:
        """Cut every link between the sides, both ways."""
        for side in sides:
            for other in sides:
                if other is not side:
                    self.cuts.update((a.address, b.address) for a in side for b in other)

    def heal(self) -> None:
        """All links work again."""
        self.cuts.clear()

    # --- time ---

    def at(self, when: float, function: Callable[..., None], *args: object) -> None:
        """Call a function at a time."""
        if when != inf:
            heappush(self._events, (when, next(self._numbers), function, args))

    def run(self, seconds: float) -> None:
        """Let this much time pass."""
        self.until(lambda: False, seconds)

    def until(self, holds: Callable[[], bool], limit_s: float) -> bool:
        """Let time pass until something holds; whether it did within the limit."""
        end = self.now + limit_s
        for _ in range(EVENTS_MAX):
            if holds():
                return True
            if not self._events or self._events[0][0] > end:
                self.now = end
                return holds()
            self.now, _, function, args = heappop(self._events)
            function(*args)
        raise AssertionError("the simulation does not come to an end")

    def took(self, holds: Callable[[], bool], limit_s: float) -> float:
        """How long it takes until something holds."""
        start = self.now
        assert self.until(holds, limit_s), f"not within {limit_s} s: {[host.statuses() for host in self.up()]}"
        return self.now - start

    # --- what all see ---

    def up(self) -> list[Host]:
        """The servers that run."""
        return [host for host in self.hosts.values() if host.is_up]

    def agree(self, hosts: Iterable[Host]) -> bool:
        """Whether each of these sees exactly these alive."""
        hosts = list(hosts)
        names = {host.name for host in hosts}
        return all({name for name, status in host.statuses().items() if status == "alive"} == names for host in hosts)

    def see(self, observers: Iterable[Host], of: Host, status: str) -> bool:
        """Whether each of these sees that member in that status."""
        return all(host.statuses().get(of.name) == status for host in observers if host is not of)

    # --- messages ---

    def send(self, sender: Host, address: str, message: object) -> None:
        """Carry a message, or lose it."""
        kind = kind_of(message)
        body = encode_body(message)
        self.count(sender, kind, len(body))
        lost = self.rng.random() < self.loss or (sender.address, address) in self.cuts
        target = self._at(address)
        if lost or target is None:
            return
        if target.is_up:
            sender.links.add(address)
            target.links.add(sender.address)
        source = Source(sender.id, sender.address)
        # As the links do (transport/links/admission.py): two clusters hear nothing of each other but the handshake.
        cluster_id = "" if kind in JOIN_KINDS else sender.core.cluster_id
        self.at(
            self.now + self.travel_s(), self._arrive, source, cluster_id, target, self.unpacked(kind, body, message)
        )

    def moved(self) -> None:
        """A server listens somewhere else."""
        self._directory.clear()

    def _at(self, address: str) -> Host | None:
        if address not in self._directory:
            for host in self.hosts.values():
                self._directory.setdefault(host.address, host)
        return self._directory.get(address)

    def count(self, sender: Host, kind: str, size: int) -> None:
        """Note that a message of so many bytes was sent."""
        self.sent[kind] = self.sent.get(kind, 0) + 1
        self.bytes += size

    def travel_s(self) -> float:
        """How long the next message is on its way."""
        return self.delay_s * (0.5 + self.rng.random())

    def unpacked(self, kind: str, body: bytes, message: object) -> object:
        """What the receiver makes of the bytes."""
        return decode_body(kind, body)

    def _arrive(self, source: Source, cluster_id: str, target: Host, message: object) -> None:
        if target.is_up and (cluster_id == target.core.cluster_id or not cluster_id or not target.core.cluster_id):
            target.receive(source, message)

    def _refuse(self, observer: Host, address: str) -> None:
        if (observer.address, address) not in self.cuts:
            self.at(self.now + self.travel_s(), observer.call, observer.core.evidence, address, REFUSED)
