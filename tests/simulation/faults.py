"""What goes wrong in a storm, done to the servers."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from attrs import evolve

from actors.gossip.member import Status
from tests.simulation.guarded import GuardedProcess
from tests.simulation.process import Process
from tests.simulation.schedule import Fault, Strike

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

T = TypeVar("T")

LEAVE_TIMEOUT_S: Final = 6.0
LEAVE_POLL_S: Final = 0.1
DOOM_S: Final = 0.3
LEFT_S: Final = 0.5
"""How long a server that has left goes on telling so."""


class Faults:
    """Carries strikes out, while the storm lasts."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._rng: random.Random = simulation.rng

    def strike(self, strike: Strike) -> None:
        """Let something go wrong with a server that is up."""
        simulation = self._simulation
        up = [process for process in simulation.processes.values() if process.is_up]
        if not up or not simulation.is_stormy:
            return
        leaders = simulation.leaders()
        process = _pick(leaders if leaders and strike.at_leader else up, strike.whom)
        simulation.trace.note(simulation.clock.now, f"fault: {strike.fault} at {process.id}")
        if _STRIKES[strike.fault](self, process, strike) is not False:
            simulation.count(strike.fault)

    # --- machines -------------------------------------------------------------------------------------------------

    def _crash(self, process: Process, strike: Strike) -> None:
        """A process dies, now or in its next write, and comes back."""
        if strike.other < 0.5:
            self._die(process, strike)
        else:
            process.doom(partial(self._die, process, strike), DOOM_S)

    def _die(self, process: Process, strike: Strike) -> None:
        kept = int(_pick((0, 0, 1, 99), strike.how))
        self._simulation.crash(process, kept, is_torn=strike.span < 0.5)
        self._simulation.clock.later(strike.pick_span(0.05, 0.5, 2.0), partial(self._simulation.start, process))

    def _crash_all(self, _: Process, strike: Strike) -> None:
        for process in self._simulation.processes.values():
            if process.is_alive:
                self._die(process, evolve(strike, span=self._rng.random(), how=self._rng.random()))

    def _pause(self, process: Process, strike: Strike) -> None:
        process.pause()
        self._simulation.clock.later(strike.pick_span(0.1, 0.5, 2.0), process.resume)

    def _restart_raft(self, process: Process, strike: Strike) -> None:
        process.restart_raft(strike.pick_span(0.0, 0.02, 0.3))

    def _fill_disk(self, process: Process, strike: Strike) -> bool:
        if not isinstance(process, GuardedProcess):
            return False
        process.server.disk.refuses_until = self._simulation.clock.now + strike.pick_span(0.1, 1.0, 3.0)
        return True

    def _break_sync(self, process: Process, strike: Strike) -> bool:
        if not isinstance(process, GuardedProcess):
            return False
        process.server.disk.breaks_sync = strike.how < 0.5
        return True

    # --- links ----------------------------------------------------------------------------------------------------

    def _cut(self, process: Process, strike: Strike) -> None:
        other = _pick(self._others(process.id), strike.other)
        self._cut_for_a_while({(process.id, other) if strike.how < 0.5 else (other, process.id)}, strike)

    def _isolate(self, process: Process, strike: Strike) -> None:
        inbound, outbound = _pick(((True, True), (True, False), (False, True)), strike.how)
        others = self._others(process.id)
        inward = {(other, process.id) for other in others if inbound}
        self._cut_for_a_while(inward | {(process.id, other) for other in others if outbound}, strike)

    def _split(self, _: Process, strike: Strike) -> None:
        """Two halves that do not hear each other."""
        ids = list(self._simulation.processes)
        half = set(random.Random(strike.how).sample(ids, len(ids) // 2))
        apart = {(one, other) for one in ids for other in ids if (one in half) != (other in half)}
        self._cut_for_a_while(apart, strike)

    def _cut_for_a_while(self, links: set[tuple[str, str]], strike: Strike) -> None:
        self._simulation.network.cut(links)
        self._simulation.prudence.trouble(id_ for link in links for id_ in link)
        self._simulation.clock.later(strike.pick_span(0.2, 0.8, 2.0), partial(self._mend, links))

    def _mend(self, links: set[tuple[str, str]]) -> None:
        self._simulation.network.mend(links)
        self._simulation.prudence.trouble(id_ for link in links for id_ in link)

    def _others(self, id_: str) -> list[str]:
        return [other for other in self._simulation.processes if other != id_] or [id_]

    # --- hearsay --------------------------------------------------------------------------------------------------

    def _rumour(self, process: Process, _: Strike) -> bool:
        """A server is told that its leader's process is dead, which may or may not be so."""
        leader = process.server.core.state.leader if isinstance(process, GuardedProcess) else None
        if leader is not None:
            process.peer_gone(leader)
        return leader is not None

    def _slander(self, process: Process, strike: Strike) -> None:
        observer = _pick(list(self._simulation.processes), strike.other)
        self._simulation.gossip.slander(process.id, observer)

    # --- servers come and go --------------------------------------------------------------------------------------

    def _leave(self, process: Process, strike: Strike) -> bool:
        """Hand over, have the others take it out, then go; and come back later as a newcomer."""
        simulation = self._simulation
        others = [p for p in simulation.processes.values() if p.is_alive and p is not process]
        if not others or not simulation.weather.is_reconciled:
            return False
        simulation.gossip.announce(process.id, Status.LEAVING)
        self._leave_on(process, strike, simulation.clock.now + LEAVE_TIMEOUT_S)
        return True

    def _leave_on(self, process: Process, strike: Strike, deadline: float) -> None:
        simulation = self._simulation
        if simulation.gossip.statuses[process.id] is not Status.LEAVING:
            return
        if any(other.has_taken_out(process.id) for other in simulation.processes.values()):
            simulation.gossip.announce(process.id, Status.LEFT)
            simulation.clock.later(LEFT_S, partial(self._end, process, process.life))
            simulation.clock.later(LEFT_S + strike.pick_span(0.5, 2.0), partial(simulation.start, process))
        elif simulation.clock.now >= deadline or not simulation.is_stormy:
            simulation.gossip.announce(process.id, Status.ALIVE)
        else:
            if process.leads:
                process.transfer("")
            simulation.clock.later(LEAVE_POLL_S, partial(self._leave_on, process, strike, deadline))

    def _end(self, process: Process, life: int) -> None:
        if process.life == life and self._simulation.gossip.statuses[process.id] is Status.LEFT:
            self._simulation.crash(process, 99, is_torn=False)

    def _join(self, process: Process, strike: Strike) -> bool:
        """A server that was taken out, or never in, is asked for."""
        return self._ask_for("add_standby", strike)

    def _change(self, process: Process, strike: Strike) -> bool:
        """Ask a leader for any change; it refuses what may not be."""
        kind = _pick(("promote", "promote", "demote", "remove", "add_standby"), strike.how)
        return self._ask_for(kind, strike)

    def _ask_for(self, kind: str, strike: Strike) -> bool:
        leaders = self._simulation.leaders()
        if not leaders:
            return False
        leader = _pick(leaders, strike.whom)
        members, ids = leader.members(), list(self._simulation.processes)
        wanted = [id_ for id_ in ids if _makes_sense(kind, members.get(id_))]
        return leader.change(kind, _pick(wanted or ids, strike.other))

    def _move(self, process: Process, _: Strike) -> None:
        """A server comes back at another address."""
        self._simulation.move(process.id)

    # --- operators ------------------------------------------------------------------------------------------------

    def _transfer(self, process: Process, strike: Strike) -> None:
        leader = _pick(self._simulation.leaders() or [process], strike.whom)
        leader.transfer(_pick(["", *self._simulation.processes], strike.other))

    def _abdicate(self, process: Process, _: Strike) -> bool:
        if isinstance(process, GuardedProcess):
            process.abdicate()
            return True
        return False

    def _snapshot(self, process: Process, strike: Strike) -> bool:
        if isinstance(process, GuardedProcess):
            process.take_snapshot(int(_pick((0, 0, 5), strike.how)))
            return True
        return False


def _makes_sense(kind: str, votes: bool | None) -> bool:
    """Whether a change could be made of a server; votes: None if it is no member."""
    if kind == "add_standby" or votes is None:
        return kind == "add_standby" and votes is None
    return kind == "remove" or votes == (kind == "demote")


def _pick(choices: Sequence[T], number: float) -> T:
    return choices[int(number * len(choices))]


_STRIKES: Final[dict[Fault, Callable[[Faults, Process, Strike], bool | None]]] = {
    Fault.CRASH: Faults._crash,
    Fault.CRASH_ALL: Faults._crash_all,
    Fault.PAUSE: Faults._pause,
    Fault.RESTART_RAFT: Faults._restart_raft,
    Fault.FULL_DISK: Faults._fill_disk,
    Fault.BROKEN_SYNC: Faults._break_sync,
    Fault.CUT: Faults._cut,
    Fault.ISOLATE: Faults._isolate,
    Fault.SPLIT: Faults._split,
    Fault.RUMOUR: Faults._rumour,
    Fault.SLANDER: Faults._slander,
    Fault.LEAVE: Faults._leave,
    Fault.JOIN: Faults._join,
    Fault.TRANSFER: Faults._transfer,
    Fault.ABDICATE: Faults._abdicate,
    Fault.SNAPSHOT: Faults._snapshot,
    Fault.CHANGE: Faults._change,
    Fault.MOVE: Faults._move,
}
