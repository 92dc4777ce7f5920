"""The servers that a run of the product begins with, and what is on their disks."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from msgspec.structs import replace

from actors.raft.configuration import Configuration
from storage.raft_messages import SnapshotSave
from tests.simulation.disk import SimDisk
from tests.simulation.guarded import GuardedProcess
from tests.simulation.process import Process
from tests.simulation.server import SimServer, sessions_of

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation


def guarded_processes(simulation: Simulation, ids: list[str], rng: random.Random) -> dict[str, Process]:
    """A process for each server; the disks of voters hold their first configuration, unless one founds the cluster."""
    weather = simulation.weather
    first = Configuration(tuple(replace(simulation.listed(id_), voter=True) for id_ in ids[: weather.voters]))
    # Of servers that found together one may have joined the others instead: the first entry says the configuration.
    lacking = random.Random(f"{simulation.seed}/founding")
    processes: dict[str, Process] = {}
    for position, id_ in enumerate(ids):
        disk = simulation.judge.disks[id_] = SimDisk(id_)
        machine = sessions_of(weather.sessions)
        offset_s, rate = rng.uniform(0.0, 1e4), rng.uniform(0.95, 1.05)
        server = SimServer(id_, disk, simulation.judge, weather.timing, machine, offset_s, rate)
        if weather.is_founded:
            server.founds = first if position == 0 else None
        elif position < weather.voters and not (position > 0 and lacking.random() < 0.3):
            disk.snapshot = SnapshotSave(1, 0, first.encode(), [], 1, 0, discard_log=False)
        processes[id_] = GuardedProcess(simulation, server)
    return processes
