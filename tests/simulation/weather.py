"""What a simulated run is like: how many servers, how slow the disks, how bad the network; all drawn from the seed."""

from __future__ import annotations

import random
from collections import Counter
from math import inf

from attrs import evolve, frozen

from actors.config import RaftTiming
from actors.raft import leader as leader_module
from actors.reconciler.policy import Policy
from storage.sessions import SessionLimits
from tests.simulation.network import KINDS, Network

# More elections in the same time, some of them because a message was merely late.
_HASTY = RaftTiming(heartbeat_s=0.03, election_min_s=0.15, election_max_s=0.3)


@frozen
class Weather:
    """The conditions of one run; times in simulated seconds."""

    voters: int
    spares: int
    """Servers that run, and are in no configuration yet."""
    is_founded: bool
    """The first server founds the cluster alone, on an empty disk; else the voters start with one configuration."""
    is_reconciled: bool
    """The leader brings the configuration in line with gossip; else only operators change it."""
    policy: Policy
    storm_s: float
    disk_s: float
    turn_s: float
    """How long events may wait for a turn that they share."""
    entries_max: int
    """How many entries a turn applies."""
    snapshot_every: int
    tail: int
    chunk_bytes: int
    """Of a snapshot."""
    fault_every_s: float
    window_messages: int
    batch_bytes: int
    """How much of the log one message to a follower carries."""
    uses_codec: bool
    timing: RaftTiming
    clients: int
    keys: int
    think_s: float
    """How long a caller waits before its next operation, on average."""
    attempt_s: float
    """How long a client waits for a server before it asks another one."""
    sessions: SessionLimits
    is_eager: bool
    """Operators ask a leader for a change as soon as there is one, before it may make any."""

    @classmethod
    def of(cls, rng: random.Random) -> Weather:
        """The weather of a run."""
        is_founded = rng.random() < 0.3
        timing = rng.choice((RaftTiming(), _HASTY))
        weather = cls(
            voters=1 if is_founded else rng.choice((1, 2, 3, 3, 4, 5, 5)),
            spares=rng.randint(1, 4) if is_founded else rng.choice((0, 0, 1, 2)),
            is_founded=is_founded,
            is_reconciled=rng.random() < 0.5,
            policy=_policy(rng),
            storm_s=rng.uniform(5.0, 12.0),
            disk_s=rng.choice((0.0, 0.002, 0.005, 0.02, 0.05, 0.2)),
            turn_s=rng.choice((0.0, 0.002, 0.03)),
            entries_max=rng.choice((1, 3, 64)),
            snapshot_every=rng.choice((5, 20, 100, 10_000)),
            tail=rng.choice((0, 2, 10, 30)),
            chunk_bytes=rng.choice((64, 256, 256 << 10)),
            fault_every_s=rng.choice((0.3, 0.8, 2.0)),
            window_messages=rng.choice((1, 4, 512)),
            batch_bytes=rng.choice((100, 1_000, leader_module.BATCH_BYTES)),
            uses_codec=rng.random() < 0.1,
            timing=timing,
            clients=rng.choice((2, 3, 5)),
            keys=rng.choice((1, 2, 4)),
            think_s=rng.choice((0.02, 0.1, 0.3)),
            attempt_s=rng.choice((0.3, 1.0)),
            sessions=SessionLimits(sessions_max=rng.choice((2, 4, 4_096))),
            is_eager=rng.random() < 0.3,
        )
        return evolve(weather, timing=evolve(timing, spread_s=rng.choice((0.0, 0.005, 0.05))))


def _policy(rng: random.Random) -> Policy:
    """An operator in a hurry: servers are given up while they may yet come back."""
    return Policy(
        voters_max=rng.choice((1, 3, 3, 5, 5)),
        stable_s=rng.choice((0.2, 1.0)),
        voters_min=rng.choice((1, 3)),
        lost_s=rng.choice((0.2, 1.0)),
        dead_s=rng.choice((0.5, 2.0, inf)),
    )


def network_of(rng: random.Random, faults: Counter[str]) -> Network:
    """The network of a run, which counts what it does to messages."""
    return Network(
        faults=faults,
        rng=rng,
        kind=rng.choice(KINDS),
        loss=rng.choice((0.0, 0.01, 0.03, 0.1)),
        repeat=rng.choice((0.0, 0.05, 0.3)),
        delay_s=rng.choice((0.001, 0.005, 0.03)),
        late=rng.choice((0.0, 0.01, 0.05)),
    )
