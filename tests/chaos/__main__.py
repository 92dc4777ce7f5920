"""Chaos under the linearizability checker: `python -m tests.chaos --rounds 30 --seconds 60`.

Each round is a cluster of real processes that are killed, stopped and cut off while many clients read, write and
compare-and-set; then the history of their answers is judged. Ends with 0 if all that must hold did in every round, 1 if
not, 2 for wrong usage, and 130 when interrupted. What a failed round leaves is in the report's folder.
"""

from __future__ import annotations

import secrets
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import get_args

import click

from tests.chaos.doors import Consistency
from tests.chaos.run import Account, Plan, run
from tests.linearizability.checker import Answer
from tests.support.tool import run_tool
from transport.text import counted

EXIT_FAILED = 1
SERVERS = (3, 5)


@click.command(help=__doc__)
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True, help="How many runs.")
@click.option("--seconds", type=click.FloatRange(min=1.0), default=60.0, show_default=True, help="Of faults, each.")
@click.option("--servers", type=click.IntRange(1, 9), help="In each run; 3 and 5 in turns if not given.")
@click.option(
    "--seed", type=click.IntRange(min=0), help="Of the first run; the next has the next. Random if not given."
)
@click.option(
    "--reads",
    type=click.Choice(get_args(Consistency)),
    default="linearizable",
    show_default=True,
    help="stale: reads of what a server has; that has to be found not linearizable, or the checker sees nothing.",
)
@click.option(
    "--report", type=click.Path(path_type=Path), default=Path("chaos-report"), show_default=True, help="The folder."
)
@click.pass_context
def chaos(
    ctx: click.Context,
    rounds: int,
    seconds: float,
    servers: int | None,
    seed: int | None,
    reads: Consistency,
    report: Path,
) -> None:
    """Run what is asked for and end with the exit code."""
    first = secrets.randbits(32) if seed is None else seed
    plans = [
        Plan(number, servers or SERVERS[number % len(SERVERS)], seconds, report / f"seed-{number}", reads)
        for number in range(first, first + rounds)
    ]
    taken = [str(plan.folder) for plan in plans if plan.folder.exists()]
    if taken:
        raise click.UsageError(f"{taken[0]} is there from an earlier run: remove it, or give another --report")
    began = monotonic()
    accounts = []
    for number, plan in enumerate(plans, start=1):
        accounts.append(run(plan))
        click.echo(f"{number}/{rounds} {accounts[-1]}")
    click.echo(_sum(accounts, monotonic() - began))
    ctx.exit(0 if all(account.held for account in accounts) else EXIT_FAILED)


def _sum(accounts: Sequence[Account], took_s: float) -> str:
    answers = Counter(account.answer for account in accounts)
    troubled = sum(bool(account.trouble) for account in accounts)
    operations = sum(account.outcomes.total() for account in accounts)
    faults = sum(account.strikes.total() for account in accounts)
    return (
        f"{counted(len(accounts), 'run')}, {operations} operations, {faults} faults in {took_s:.0f} s: "
        f"{answers[Answer.YES]} linearizable, {answers[Answer.NO]} not, {answers[Answer.UNDECIDED]} undecided; "
        f"{troubled} with other trouble"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    return run_tool(chaos, "tests.chaos", arguments)


if __name__ == "__main__":
    # Whoever ends it so means its servers too, which are in sessions of their own.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
