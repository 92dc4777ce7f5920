"""Running seeds: one at a time, or many on every core.

What lives here: from a seed to its Outcome.  What does not: what happens in a run (simulation.py), what may not happen
(judge.py), and what is printed (__main__.py).

Workers are forked, so a part of the product that was replaced before ``run_seeds`` is replaced in them too.
"""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial

from attrs import field, frozen

from tests.simulation.simulation import Simulation
from tests.simulation.trace import SILENT, Trace

SEEDS_PER_TASK = 4


@frozen
class Outcome:
    """How the run of a seed ended.  ``digest`` is the same for two runs that made the same choices."""

    seed: int
    guard: bool = True
    invariant: str = ""
    """Which one was violated; the exception's name when the product itself broke; "" when all held."""
    message: str = ""
    counts: Counter[str] = field(factory=Counter)
    """What was injected, and what came of it, by kind."""
    simulated_s: float = 0.0
    digest: int = 0

    @property
    def held(self) -> bool:
        """Whether every invariant held and the servers were at one in the end."""
        return not self.invariant

    @property
    def replay(self) -> str:
        """The command line that shows the run again."""
        return f"python -m tests.simulation{'' if self.guard else ' --guard off'} --replay {self.seed}"


def run_seed(seed: int, *, guard: bool = True, trace: Trace = SILENT) -> Outcome:
    """Run one seed to its end or to its first violation; without the guard, with the raw engine in its place."""
    simulation = Simulation(seed, trace, guard=guard)
    invariant = message = ""
    try:
        simulation.run()
    except Exception as error:
        invariant = getattr(error, "invariant", type(error).__name__)
        message = " ".join(str(error).split())
    return Outcome(seed, guard, invariant, message, simulation.counts, simulation.elapsed_s, simulation.digest())


def run_seeds(seeds: Iterable[int], *, guard: bool = True, jobs: int = 1) -> Iterator[Outcome]:
    """Run seeds in ``jobs`` processes; outcomes come in the order of the seeds."""
    run = partial(run_seed, guard=guard)
    if jobs == 1:
        yield from map(run, seeds)
        return
    with _workers(jobs) as pool:
        yield from pool.imap(run, seeds, chunksize=SEEDS_PER_TASK)


@contextmanager
def _workers(jobs: int) -> Iterator[multiprocessing.pool.Pool]:
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        yield pool
