"""The rules of prudence.py are seen to be broken by reconcilers that break them."""

from __future__ import annotations

from collections.abc import Iterable
from unittest import mock

import pytest
from msgspec.structs import replace

from actors.gossip.member import Member
from actors.raft.messages import Configure, RaftView
from actors.reconciler.plan import Decision, Planner
from tests.simulation.invariants import Invariant, Violation
from tests.simulation.prudence import MISSED_S
from tests.simulation.runner import run_seed
from tests.simulation.simulation import Simulation

SEED = 51
"""Of a run with a decision when nothing has happened to a server for long."""


def _takes_somebody_out(_: Planner, now: float, members: Iterable[Member], view: RaftView) -> Decision:
    """Whoever is listed last, though it lives."""
    others = [server for server in view.servers if server.id != view.local]
    change = None
    if others and view.is_settled:
        last = others[-1]
        change = Configure("remove", view.configuration_index, last.id, last.name, last.address)
    return Decision(change, {}, look_again=True)


def test_a_living_server_is_not_taken_out() -> None:
    """A plan that takes servers out without a cause is found out, and the real one is not, by the same seed."""
    assert run_seed(SEED).held
    with mock.patch.object(Planner, "plan", _takes_somebody_out):
        assert run_seed(SEED).invariant == Invariant.CAUSE


@pytest.mark.parametrize("kind", ["demote", "remove"])
def test_the_dead_do_not_come_to_outvote_the_living(kind: str) -> None:
    """Of three voters one is dead: a vote less of the living two, and the one that is left is no majority of two."""
    simulation = Simulation(0)
    dead, leader, other = list(simulation.processes)[:3]
    for id_ in (leader, other):
        simulation.processes[id_].is_alive = True
    simulation.processes[dead].died_at = simulation.clock.now - MISSED_S - 1
    voters = tuple(replace(simulation.listed(id_), voter=True) for id_ in (dead, leader, other))
    decide = simulation.prudence.decides

    decide(simulation.processes[leader], Configure(kind, 1, dead, "", ""), voters)
    with pytest.raises(Violation, match="no majority lives then"):
        decide(simulation.processes[leader], Configure(kind, 1, other, "", ""), voters)
