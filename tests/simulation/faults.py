"""What goes wrong in a storm."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from attrs import evolve

from actors.raft.configuration import Server
from actors.raft.messages import Configure
from tests.simulation.server import SimServer

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation


def listed(id_: str, *, voter: bool) -> Server:
    """A server as a configuration lists it."""
    return Server(id_, f"name-{id_}", f"10.0.0.{id_[1:]}:7946", voter)


class Faults:
    """Strikes a server of the simulation now and then, while the storm lasts."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._rng = simulation.rng

    def strike(self) -> None:
        """Let something go wrong, and again a little later."""
        simulation = self._simulation
        if not simulation.is_stormy:
            return
        up = [server for server in simulation.servers.values() if server.is_up]
        if up:
            leaders = simulation.leaders()
            server = self._rng.choice(leaders if leaders and self._rng.random() < 0.4 else up)
            fault = self._rng.choice(_FAULTS)
            kind = fault.__name__.removeprefix("_").replace("_", " ")
            simulation.faults[kind] += 1
            simulation.trace.note(simulation.now, f"fault: {kind} {server.id}")
            fault(self, server)
        simulation.later(self._rng.expovariate(1.0 / simulation.weather.fault_every_s), self.strike)

    # --- machines -------------------------------------------------------------------------------------------------

    def _crash(self, server: SimServer) -> None:
        self._simulation.crash(server)

    def _crash_all(self, _: SimServer) -> None:
        if self._rng.random() < 0.3:
            for server in self._simulation.servers.values():
                if server.running is not None:
                    self._simulation.crash(server)

    def _pause(self, server: SimServer) -> None:
        server.is_paused = True
        self._simulation.later(self._rng.choice((0.1, 0.5, 2.0)), partial(self._simulation.resume, server))

    def _fill_disk(self, server: SimServer) -> None:
        """For a while the disk takes no writes."""
        server.refuses_until = self._simulation.now + self._rng.choice((0.1, 1.0, 3.0))

    # --- links ----------------------------------------------------------------------------------------------------

    def _cut(self, server: SimServer) -> None:
        other = self._rng.choice(list(self._simulation.servers))
        self._cut_for_a_while({(server.id, other) if self._rng.random() < 0.5 else (other, server.id)})

    def _isolate(self, server: SimServer) -> None:
        inbound, outbound = self._rng.choice(((True, True), (True, False), (False, True)))
        others = [other for other in self._simulation.servers if other != server.id]
        self._cut_for_a_while(
            {(other, server.id) for other in others if inbound} | {(server.id, other) for other in others if outbound}
        )

    def _split(self, _: SimServer) -> None:
        """Two halves that do not hear each other."""
        ids = list(self._simulation.servers)
        half = set(self._rng.sample(ids, len(ids) // 2))
        self._cut_for_a_while({(one, other) for one in ids for other in ids if (one in half) != (other in half)})

    def _cut_for_a_while(self, links: set[tuple[str, str]]) -> None:
        cuts = self._simulation.network.cuts
        cuts |= links
        self._simulation.later(self._rng.choice((0.2, 0.8, 2.0)), partial(cuts.difference_update, links))

    # --- operators ------------------------------------------------------------------------------------------------

    def _transfer(self, server: SimServer) -> None:
        server = self._rng.choice(self._simulation.leaders() or [server])
        target = self._rng.choice(["", *self._simulation.servers])
        server.core.transfer(server.clock(self._simulation.now), target)
        self._simulation.wake(server)

    def _cut_short(self, server: SimServer) -> None:
        server.snapshot(self._simulation.now, 0)
        self._simulation.wake(server)

    def _rumour(self, server: SimServer) -> None:
        """A server is told that its leader's process is dead, which may or may not be so."""
        leader = server.core.state.leader
        if leader is not None:
            server.core.peer_gone(server.clock(self._simulation.now), leader)
            self._simulation.wake(server)

    def _abdicate(self, server: SimServer) -> None:
        server.core.abdicate(server.clock(self._simulation.now))
        self._simulation.wake(server)

    def _change(self, server: SimServer) -> None:
        """Ask for any change, of a leader if there is one; the core refuses what may not be."""
        server = self._rng.choice(self._simulation.leaders() or [server])
        state = server.core.state
        one = listed(self._rng.choice(list(self._simulation.servers)), voter=False)
        known = state.configuration.get(one.id)
        sensible = ("add_standby",) if known is None else ("demote", "remove") if known.voter else ("promote", "remove")
        kind = self._rng.choice((*sensible * 3, "add_standby", "promote", "demote", "remove", "update"))
        if kind == "update":
            one = evolve(one, address=f"{one.address}{self._rng.randint(0, 9)}")
        base = state.configurations.latest_index
        change = Configure(kind, base, one.id, one.name, one.address)
        server.core.configure(server.clock(self._simulation.now), change)
        self._simulation.wake(server)


_FAULTS = (
    Faults._crash,
    Faults._crash,
    Faults._crash_all,
    Faults._pause,
    Faults._fill_disk,
    Faults._cut,
    Faults._cut,
    Faults._isolate,
    Faults._isolate,
    Faults._split,
    Faults._transfer,
    Faults._transfer,
    Faults._abdicate,
    Faults._rumour,
    Faults._cut_short,
    Faults._change,
    Faults._change,
    Faults._change,
)
