"""What goes wrong in a run, and when: drawn from the seed before the run begins.

So the guard and the raw engine meet the very same faults at the same times, whatever either makes of them.  What does
not live here: carrying a fault out (faults.py).
"""

from __future__ import annotations

import random
from enum import StrEnum

from attrs import frozen

from tests.simulation.weather import Weather


class Fault(StrEnum):
    """A kind of fault, or something that an operator does."""

    CRASH = "crash"
    CRASH_ALL = "crash of all servers"
    PAUSE = "pause"
    RESTART_RAFT = "restart of the raft actor"
    FULL_DISK = "full disk"
    BROKEN_SYNC = "failing sync"
    CUT = "one-way cut"
    ISOLATE = "isolation"
    SPLIT = "split"
    RUMOUR = "false evidence of death"
    SLANDER = "false word of gossip"
    LEAVE = "leave"
    JOIN = "join"
    TRANSFER = "leadership transfer"
    ABDICATE = "abdication"
    SNAPSHOT = "snapshot and truncation"
    CHANGE = "operator's change of the configuration"
    MOVE = "new address"


_WEIGHTS = {
    Fault.CRASH: 3,
    Fault.CRASH_ALL: 0.4,
    Fault.PAUSE: 1,
    Fault.RESTART_RAFT: 1,
    Fault.FULL_DISK: 1,
    Fault.BROKEN_SYNC: 0.5,
    Fault.CUT: 2,
    Fault.ISOLATE: 2,
    Fault.SPLIT: 1,
    Fault.RUMOUR: 1,
    Fault.SLANDER: 0.5,
    Fault.LEAVE: 0.7,
    Fault.JOIN: 1,
    Fault.TRANSFER: 2,
    Fault.ABDICATE: 0.7,
    Fault.SNAPSHOT: 1,
    Fault.CHANGE: 3,
    Fault.MOVE: 0.3,
}


@frozen
class Strike:
    """One fault.  The numbers from 0 to 1 say what the fault makes of them: whom else, how, for how long."""

    at_s: float
    """Since the beginning of the run."""
    fault: Fault
    at_leader: bool
    """It strikes a leader, if somebody takes itself for one."""
    whom: float
    other: float
    how: float
    span: float

    def pick_span(self, *spans_s: float) -> float:
        """One of these durations."""
        return spans_s[int(self.span * len(spans_s))]


def schedule(rng: random.Random, weather: Weather) -> list[Strike]:
    """The faults of a run, in the order of their times."""
    strikes = []
    kinds, weights = list(_WEIGHTS), list(_WEIGHTS.values())
    at_s = 0.3
    while at_s < weather.storm_s:
        (fault,) = rng.choices(kinds, weights)
        strikes.append(Strike(at_s, fault, rng.random() < 0.4, rng.random(), rng.random(), rng.random(), rng.random()))
        at_s += rng.expovariate(1.0 / weather.fault_every_s)
    return strikes
