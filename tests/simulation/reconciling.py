"""The reconciler of a simulated process: the real plan, with the view of the real gossip.

It does what the actor does (actors/reconciler/reconciler.py), whose passes are asks that take a while.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from actors.raft.messages import Configure, LeaderChanged
from actors.raft.status import raft_view
from actors.reconciler.plan import Planner
from actors.reconciler.reconciler import NEXT_PASS_S, PASS_EVERY_S, WAITING_PASS_S

if TYPE_CHECKING:
    from tests.simulation.guarded import GuardedProcess


class Reconciling:
    """The reconciler of one life of a process."""

    def __init__(self, process: GuardedProcess) -> None:
        self._process = process
        self._planner = Planner(process.simulation.weather.policy)
        self._is_ready = False
        self._passes = 0

    def leader_changed(self, news: LeaderChanged) -> None:
        """Raft says who leads."""
        was_ready, self._is_ready = self._is_ready, news.is_me and news.ready
        if self._is_ready and not was_ready:
            self._planner = Planner(self._process.simulation.weather.policy)
        if self._is_ready:
            self.wake()

    def wake(self) -> None:
        """Look, soon."""
        self._look_in(NEXT_PASS_S)

    def _look_in(self, delay_s: float) -> None:
        self._passes += 1
        self._process.later(delay_s, partial(self._pass, self._passes))

    def _pass(self, number: int) -> None:
        process, simulation = self._process, self._process.simulation
        if number != self._passes or not self._is_ready or not process.is_up or not simulation.weather.is_reconciled:
            return
        view = raft_view(process.server.core)
        if not view.is_leader:
            return
        decision = self._planner.plan(process.local_now(), simulation.gossip.seen_by(process.id), view)
        if decision.change is None:
            self._look_in(WAITING_PASS_S if decision.look_again else PASS_EVERY_S)
        else:
            simulation.prudence.decides(process, decision.change, process.server.configuration.servers)
            delay_s = simulation.rng.choice((0.0, 0.0, 0.02))
            process.later(delay_s, partial(self._change, decision.change, look_again=decision.look_again))

    def _change(self, change: Configure, *, look_again: bool) -> None:
        refusal = self._process.configure(change)
        if refusal:
            self._planner.refused(change, refusal)
            self._look_in(WAITING_PASS_S if look_again else PASS_EVERY_S)
        else:
            self._look_in(NEXT_PASS_S)
