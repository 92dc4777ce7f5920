"""More servers than a configuration holds: those that are in it get their votes, whoever has to stay out."""

from __future__ import annotations

import random
from unittest import mock

import pytest
from attrs import evolve

from actors.raft import configuration
from actors.reconciler.policy import Policy
from tests.simulation.clock import START_S
from tests.simulation.simulation import Simulation
from tests.simulation.weather import Weather

FOUNDED = evolve(
    Weather.of(random.Random(0)),
    voters=1,
    spares=4,
    is_founded=True,
    is_reconciled=True,
    policy=Policy(voters_max=5, stable_s=0.2),
)
SERVERS_MAX = 3
LONG_S = 8.0


@pytest.mark.parametrize("seed", range(3))
def test_who_finds_no_room_keeps_nobody_from_voting(seed: int) -> None:
    """One server founds a cluster and four join, of whom two find room: these vote, and the others are refused."""
    with (
        mock.patch.object(Weather, "of", return_value=FOUNDED),
        mock.patch.object(configuration, "SERVERS_MAX", SERVERS_MAX),
    ):
        simulation = Simulation(seed)
        with simulation.virtual_world():
            for process in simulation.processes.values():
                process.start()
            simulation.clock.run_until(START_S + LONG_S)

    (leader,) = simulation.leaders()
    votes = leader.members()
    assert (len(votes), set(votes.values())) == (SERVERS_MAX, {True})
