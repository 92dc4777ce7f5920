"""Raft as a whole, in simulation: whatever the seed, nothing that was acknowledged is lost, and in the end all agree.

QUORATE_SEEDS=5000 runs that many seeds, QUORATE_SEED=17 that one alone.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.raft.harness import Simulation

ROOT = Path(__file__).parents[3]
SEEDS = int(os.environ.get("QUORATE_SEEDS", "60"))
SEEDS_PER_TEST = 10
# Per test; thousands of seeds share a test.
TIMEOUT_S = 60 + 10 * SEEDS


def _seeds() -> list[range]:
    if "QUORATE_SEED" in os.environ:
        only = int(os.environ["QUORATE_SEED"])
        return [range(only, only + 1)]
    return [range(start, min(start + SEEDS_PER_TEST, SEEDS)) for start in range(0, SEEDS, SEEDS_PER_TEST)]


@pytest.mark.timeout(TIMEOUT_S)
@pytest.mark.parametrize("seeds", _seeds(), ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
def test_storm_and_calm(seeds: range) -> None:
    """Every invariant of the judge holds in the storm; in the calm the cluster converges and serves."""
    for seed in seeds:
        Simulation(seed).run()


def test_seed_replays_run() -> None:
    """A seed gives the same run, message for message, in another process with another order of sets."""
    program = "from tests.unit.raft.harness import Simulation; s = Simulation(7); s.run(); print(s.trace)"
    traces = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    simulation = Simulation(7)
    simulation.run()
    assert traces == {f"{simulation.trace}\n"}
