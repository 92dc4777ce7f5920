"""Gossip among the servers of a simulation: the real core of each, in the simulation's time, over its cuts.

What lives here: when a server's core begins and ends, and how its messages travel. What does not: how a core is driven
(tests/unit/gossip/simnet.py), and gossip among many (tests/membership).

The messages have a network of their own, as bad as that of Raft's and cut where it is, which draws from a stream of its
own: what gossip says changes nothing about the luck of Raft's messages.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Final

from attrs import evolve

from actors.gossip.config import LOCAL
from actors.gossip.effects import Changed, Effect
from actors.gossip.member import Accusation, Claim, Liveness, Member, Status
from actors.gossip.messages import Gossip
from actors.gossip.shared import Source
from tests.unit.gossip.simnet import Host, Net

if TYPE_CHECKING:
    from actors.gossip.messages import LeavePhase
    from tests.simulation.simulation import Simulation

CLUSTER_ID: Final = "c0"
_GONE: Final = frozenset({Status.FAILED, Status.LEFT})
_PHASES: Final[dict[Status, LeavePhase]] = {Status.LEAVING: "leaving", Status.LEFT: "left", Status.ALIVE: "stay"}
_MADE_UP: Final = (Accusation("nobody", "no answer to a probe"), Accusation("no one", "no answer to a probe"))


class _Server(Host):
    """The gossip of one server."""

    net: SimGossip

    def keep(self, effect: Effect) -> None:
        """The rest of the server hears the news."""
        if isinstance(effect, Changed):
            self.net.tell(self.id, effect.member)


class SimGossip(Net):
    """All cores. ``statuses``: what each server means to be; only it can know."""

    def __init__(self, simulation: Simulation, ids: Iterable[str]) -> None:
        self._simulation = simulation
        super().__init__(0, LOCAL)
        self.rng = random.Random(f"{simulation.seed}/gossip")
        self.statuses = dict.fromkeys(ids, Status.ALIVE)
        self._network = evolve(simulation.network, rng=self.rng, faults=Counter(), last_arrival={})
        self._servers: dict[str, _Server] = {}
        addresses = [simulation.address_of(id_) for id_ in self.statuses]
        for position, id_ in enumerate(self.statuses):
            # Those outside the first configuration join the cluster; the others have founded it together.
            is_founder = position < simulation.weather.voters
            server = _Server(
                self,
                f"name-{id_}",
                cluster_id=CLUSTER_ID if is_founder else "",
                peers=[address for address in addresses if address != addresses[position]],
                member_id=id_,
            )
            server.address = addresses[position]
            self._servers[id_] = self.hosts[server.name] = server

    # --- servers ------------------------------------------------------------------------------------------------------

    def begin(self, id_: str) -> None:
        """A process starts, and its gossip in a moment."""
        self._simulation.prudence.trouble([id_])
        self.statuses[id_] = Status.ALIVE
        life = self._simulation.processes[id_].life
        self._simulation.clock.later(0.0, partial(self._begin, id_, life))

    def _begin(self, id_: str, life: int) -> None:
        if self._simulation.processes[id_].life == life:
            self._servers[id_].start()
            self._servers[id_].is_paused = self._simulation.processes[id_].is_paused

    def end(self, id_: str) -> None:
        """A process ends."""
        self._simulation.prudence.trouble([id_])
        self._servers[id_].is_up = False

    def pause(self, id_: str) -> None:
        """A process stands still."""
        self._simulation.prudence.trouble([id_])
        self._servers[id_].is_paused = True

    def resume(self, id_: str) -> None:
        """And goes on."""
        self._simulation.prudence.trouble([id_])
        if self._servers[id_].is_up:
            self._servers[id_].resume()

    def move(self, id_: str) -> None:
        """A server listens somewhere else, and its gossip begins anew there."""
        server = self._servers[id_]
        self._simulation.prudence.trouble([id_])
        server.address = self._simulation.address_of(id_)
        if server.is_up and not server.is_paused:
            server.start()

    def announce(self, id_: str, status: Status) -> None:
        """A server leaves, has left, or stays after all."""
        self._simulation.prudence.trouble([id_])
        changes, self.statuses[id_] = self.statuses[id_] is not status, status
        server = self._servers[id_]
        if changes and server.is_up:
            server.call(server.core.leave, _PHASES[status])

    def refused(self, observer: str, dead: str) -> None:
        """A server's links find nobody at another's address."""
        server = self._servers[observer]
        if server.is_up:
            server.call(server.core.evidence, self._servers[dead].address, "connection refused")

    def slander(self, id_: str, observer: str) -> None:
        """One server is told that another is dead, on the word of two that there are not."""
        self._simulation.prudence.trouble([id_])
        server = self._servers[observer]
        if not server.is_up:
            return
        for known in server.core.report.named(self.now, id_):
            dead = Claim(
                id_,
                known.name,
                known.address,
                known.tags,
                known.incarnation,
                known.lamport,
                Liveness.DEAD,
                accusers=_MADE_UP,
            )
            server.receive(Source("nobody", "10.9.9.9:7946"), Gossip([dead]))

    def heal(self) -> None:
        """From now on a good network."""
        self._network.heal()

    def seen_by(self, id_: str) -> list[Member]:
        """A server's view."""
        server = self._servers[id_]
        return server.core.report.members(self.now) if server.is_up else []

    def tell(self, observer: str, member: Member) -> None:
        """A server hears of a change."""
        process = self._simulation.processes[observer]
        process.do(partial(process.member_changed, member.address, is_gone=member.status in _GONE))

    # --- what a network does ------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """The simulation's time."""
        return self._simulation.clock.now

    @now.setter
    def now(self, now: float) -> None:
        """It passes by itself."""

    def at(self, when: float, function: Callable[..., None], *args: object) -> None:
        """Call a function at a time."""
        if when != inf:
            self._simulation.clock.later(max(0.0, when - self.now), partial(function, *args))

    def send(self, sender: Host, address: str, message: object) -> None:
        """Carry a message, lose it, or carry it twice."""
        target = self._at(address)
        if target is None:
            return
        source = Source(sender.id, sender.address)
        for at in self._network.arrivals(self.now, sender.id, target.id, message, at_most_once=False):
            self.at(at, self._arrive, source, sender.core.cluster_id, target, message)
