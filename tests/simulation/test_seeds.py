"""Quorate's Raft in simulation: whatever the seed, every invariant holds, and in the end all servers are at one.

``make simulate`` runs thousands; `python -m tests.simulation --replay SEED` shows one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from tests.simulation.runner import Outcome, run_seeds
from tests.simulation.schedule import Fault
from tests.unit.project.sources import ROOT

SEEDS = int(os.environ.get("QUORATE_SEEDS", "150"))
RAW_SEEDS = 150
TIMEOUT_S = 300
JOBS = os.cpu_count() or 1
REPLAYED_SEED = 7

KINDS = (
    *Fault,
    "clock: skew and drift",
    "crash: writes lost",
    "crash: torn write",
    "sync failed",
    "refused connection heard of",
    "message: lost",
    "message: late",
    "message: repeated",
    "message: overtaken",
    "message: cut off",
    "client: frame lost",
    "snapshot taken",
    "snapshot restored",
    "snapshot restored, a leader's",
    "restore overtaken",
    "configuration: add standby",
    "configuration: promote",
    "configuration: demote",
    "configuration: remove",
    "configuration: update",
    "client: asked again after silence",
    "client: session expired",
    "client: stale read",
    "client: write of many",
    "client: read of many",
    "client: stale read of many",
    "lock: acquired",
    "lock: released",
    "lock: stood still",
    "lock: died",
    "lock: write under it",
    "lock: late write refused",
    "history: linearizable",
)


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    """How each of the seeds ended."""
    return list(run_seeds(range(SEEDS), jobs=JOBS))


def failures(outcomes: list[Outcome]) -> list[str]:
    """One line for each seed that did not hold."""
    return [f"{one.seed}: {one.invariant}: {one.message}; {one.replay}" for one in outcomes if not one.held]


@pytest.mark.timeout(TIMEOUT_S)
def test_storm_and_calm(outcomes: list[Outcome]) -> None:
    """Every invariant of the judge holds in the storm; in the calm the cluster converges and serves."""
    assert failures(outcomes) == []


@pytest.mark.timeout(TIMEOUT_S)
def test_every_kind_of_fault_is_injected(outcomes: list[Outcome]) -> None:
    """And what follows from one comes about: lost writes, snapshots that travel, sessions that expire."""
    counts = sum((outcome.counts for outcome in outcomes), Counter[str]())

    assert [kind for kind in KINDS if not counts[kind]] == []


@pytest.mark.timeout(TIMEOUT_S)
def test_the_raw_engine_violates_what_the_guard_holds() -> None:
    """The same faults without the guard: committed entries change, and servers never agree again.

    Else nothing above would say anything.
    """
    found = {outcome.invariant for outcome in run_seeds(range(RAW_SEEDS), guard=False, jobs=JOBS) if not outcome.held}

    assert found & {"leader completeness", "state machine safety", "no acknowledged write lost", "log matching"}
    assert "convergence" in found


@pytest.mark.parametrize("guard", ["on", "off"])
def test_seed_replays_run(guard: str) -> None:
    """A seed gives the same trace, byte for byte, in another process with another order of sets."""
    traces = [
        subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--guard", guard, "--replay", str(REPLAYED_SEED)],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=False,
        ).stdout
        for hash_seed in ("1", "2", "2")
    ]

    assert traces[0] == traces[1] == traces[2]
    assert traces[0].count(b"\n") > 500
