"""What the reconciler may not do: take out a server that lives, or bring the cluster nearer to losing its majority.

What lives here: the two rules, held against what is true at the moment of a decision, which no server can know. What
does not: the plan (actors/reconciler/plan.py). Whatever has happened to a server lately is a cause: gossip and the
leader may not have found out yet that it is gone, or that it is back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from actors.gossip.member import Status
from tests.simulation.invariants import Invariant, violated

if TYPE_CHECKING:
    from collections.abc import Iterable

    from actors.raft.configuration import Server
    from actors.raft.messages import Configure
    from tests.simulation.process import Process
    from tests.simulation.simulation import Simulation

FOUND_OUT_S: Final = 6.0
"""Within which gossip finds out what is true: probes, suspicion, and the search for those who were lost."""
MISSED_S: Final = 1.5
"""Within which a leader misses the answers of a dead server, whatever gossip says of it."""


class Prudence:
    """Watches over the changes that a reconciler decides on."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._troubled: dict[str, float] = {}

    def trouble(self, ids: Iterable[str]) -> None:
        """Something happens to these servers or to their links."""
        self._troubled.update(dict.fromkeys(ids, self._simulation.clock.now))

    def decides(self, leader: Process, change: Configure, servers: tuple[Server, ...]) -> None:
        """A leader's reconciler wants a change of a configuration."""
        simulation = self._simulation
        self.trouble(process.id for process in simulation.processes.values() if not self._is_well(process))
        dead_s = simulation.weather.policy.dead_s
        patience_s = FOUND_OUT_S + (dead_s if dead_s < FOUND_OUT_S else 0.0)
        if change.kind == "remove" and self._is_sound(change.id, patience_s):
            violated(Invariant.CAUSE, f"{leader.id} is to remove {change.id}, which has lived for {patience_s:g} s")
        before = [server.id for server in servers if server.voter]
        after = _voters_after(change, before)
        if self._has_quorum(before) and not self._has_quorum(after):
            violated(
                Invariant.QUORUM, f"{leader.id} is to {change.kind} {change.id} of {before}: no majority lives then"
            )

    def _has_quorum(self, voters: list[str]) -> bool:
        """Whether a majority lives, as far as anybody can know."""
        return sum(not self._is_missed(id_) for id_ in voters) > len(voters) // 2

    def _is_missed(self, id_: str) -> bool:
        process = self._simulation.processes[id_]
        return not process.is_alive and process.died_at < self._simulation.clock.now - MISSED_S

    def _is_sound(self, id_: str, patience_s: float) -> bool:
        since = self._simulation.clock.now - patience_s
        return id_ in self._simulation.processes and self._troubled.get(id_, 0.0) < since

    def _is_well(self, process: Process) -> bool:
        simulation = self._simulation
        means_to_stay = simulation.gossip.statuses[process.id] is Status.ALIVE
        is_cut = any(process.id in link for link in simulation.network.cuts)
        return process.is_up and means_to_stay and not is_cut


def _voters_after(change: Configure, before: list[str]) -> list[str]:
    if change.kind == "promote":
        return [*before, change.id]
    return [id_ for id_ in before if change.kind not in ("remove", "demote") or id_ != change.id]
