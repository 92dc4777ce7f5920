"""Quorate's Raft in simulation: whatever the seed, every invariant holds, and in the end all servers are at one.

``make simulate`` runs thousands; `python -m tests.simulation --replay SEED` shows one.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.simulation.runner import run_seed
from tests.unit.project.sources import ROOT

SEEDS = int(os.environ.get("QUORATE_SEEDS", "100"))
SEEDS_PER_TEST = 20
REPLAYED_SEED = 7


def _seeds() -> list[range]:
    return [range(start, min(start + SEEDS_PER_TEST, SEEDS)) for start in range(0, SEEDS, SEEDS_PER_TEST)]


@pytest.mark.parametrize("seeds", _seeds(), ids=lambda seeds: f"{seeds.start}-{seeds.stop - 1}")
def test_storm_and_calm(seeds: range) -> None:
    """Every invariant of the judge holds in the storm; in the calm the cluster converges and serves."""
    for seed in seeds:
        outcome = run_seed(seed)
        assert outcome.held, f"{outcome.invariant}: {outcome.message}; replay: {outcome.replay}"


def test_seed_replays_run() -> None:
    """A seed gives the same trace, byte for byte, in another process with another order of sets."""
    traces = [
        subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--replay", str(REPLAYED_SEED)],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2", "2")
    ]

    assert traces[0] == traces[1] == traces[2]
    assert traces[0].count(b"\n") > 1_000
