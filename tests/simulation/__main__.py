"""Run the simulator: `python -m tests.simulation --seeds 0-1999`, or one seed with its whole trace: `--replay 17`.

Ends with 0 if every seed held, 1 if one did not, 2 for wrong usage, and 130 when interrupted.
"""

from __future__ import annotations

import logging
import os
import sys
from collections import Counter
from collections.abc import Sequence
from time import monotonic

import click

from tests.simulation.runner import Outcome, run_seed, run_seeds
from tests.simulation.schedule import Fault
from tests.simulation.trace import Trace
from tests.support.tool import run_tool, show
from transport.text import counted

EXIT_VIOLATED = 1
SEEDS_MAX = 10_000_000


class SeedRange(click.ParamType[range]):
    """``A-B``, both included, or a single seed."""

    name = "A-B"

    def convert(self, value: str | range, param: click.Parameter | None, ctx: click.Context | None) -> range:
        """The seeds as a range."""
        if isinstance(value, range):
            return value
        first, dash, last = value.partition("-")
        if not (first.isdecimal() and (last.isdecimal() or not dash)):
            self.fail(f"{value!r} is no range of seeds: write A-B, such as 0-1999", param, ctx)
        seeds = range(int(first), int(last or first) + 1)
        if not 0 < len(seeds) <= SEEDS_MAX:
            self.fail(f"{value!r} has {len(seeds)} seeds: 1 to {SEEDS_MAX} can be run at a time", param, ctx)
        return seeds


@click.command(help=__doc__)
@click.option("--seeds", type=SeedRange(), default=range(200), show_default="0-199", help="Which seeds to run.")
@click.option("--replay", type=click.IntRange(min=0), metavar="SEED", help="Run one seed and print its trace.")
@click.option(
    "--jobs", type=click.IntRange(1, 256), default=os.cpu_count() or 1, show_default=True, help="Worker processes."
)
@click.option(
    "--guard", type=click.Choice(["on", "off"]), default="on", show_default=True, help="off: the raw engine instead."
)
@click.pass_context
def simulate(ctx: click.Context, seeds: range, replay: int | None, jobs: int, guard: str) -> None:
    """Run what is asked for and end with the exit code."""
    is_guarded = guard == "on"
    ctx.exit(_run(seeds, is_guarded, jobs) if replay is None else _replay(replay, is_guarded))


def _replay(seed: int, guard: bool) -> int:
    outcome = run_seed(seed, guard=guard, trace=Trace(show))
    print(_line(outcome))
    return 0 if outcome.held else EXIT_VIOLATED


def _run(seeds: range, guard: bool, jobs: int) -> int:
    began = monotonic()
    counts: Counter[str] = Counter()
    failed = 0
    simulated_s = 0.0
    outcomes = run_seeds(seeds, guard=guard, jobs=min(jobs, len(seeds)))
    with click.progressbar(
        outcomes, length=len(seeds), label="seeds", show_pos=True, file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:
        for outcome in bar:
            counts += outcome.counts
            simulated_s += outcome.simulated_s
            if not outcome.held:
                failed += 1
                print(_line(outcome), flush=True)
    _print(counts)
    verdict = f"{counted(failed, 'seed')} did not hold" if failed else "every seed held"
    took = monotonic() - began
    print(f"{counted(len(seeds), 'seed')}, {simulated_s:.0f} simulated seconds in {took:.0f} s: {verdict}")
    return EXIT_VIOLATED if failed else 0


def _line(outcome: Outcome) -> str:
    if outcome.held:
        return f"seed {outcome.seed}: held"
    return f"seed {outcome.seed}: {outcome.invariant}: {outcome.message}; replay: {outcome.replay}"


def _print(counts: Counter[str]) -> None:
    width = max(map(len, counts), default=0)
    injected = [kind for kind in counts if kind in set(Fault) or kind.startswith(("message:", "crash:", "clock:"))]
    for title, kinds in (("faults injected:", injected), ("what came of it:", counts.keys() - set(injected))):
        print(title)
        for kind in sorted(kinds):
            print(f"  {kind:{width}}  {counts[kind]:>10,}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    # Servers would say hundreds of times that a disk is full; without a handler Python prints it.
    for name in ("quorate", "pysyncobj"):
        logging.getLogger(name).addHandler(logging.NullHandler())
    return run_tool(simulate, "tests.simulation", arguments)


if __name__ == "__main__":
    sys.exit(main())
