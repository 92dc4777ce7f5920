"""Switch each guard off in turn: `python -m tests.simulation.mutate [--rows 1,2] [--seeds-max N] [--jobs N]`.

A mutation has to be caught: by a simulated run that violates an invariant, does not converge or breaks the product; or,
where its harm cannot show in a simulation, by the story of its row.  Ends with 0 if every one was, 1 if one survived, 2
for wrong usage, and 130 when interrupted.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
from collections.abc import Generator
from contextlib import closing, nullcontext, redirect_stderr, redirect_stdout
from io import StringIO
from itertools import chain

import click
import pytest

from tests.simulation.mutations import ALL
from tests.simulation.mutations.table import Mutation
from tests.simulation.runner import Outcome, run_seed, run_seeds
from tests.support.tool import run_tool
from transport.text import counted

EXIT_SURVIVED = 1
SEEDS_MAX = 400
_NO_LONGER_FITS = (TypeError.__name__, AttributeError.__name__)
"""What a run, or a story, ends with under a mutation of code that has changed since: nothing is said of the guard."""


class Rows(click.ParamType[frozenset[int]]):
    """Rows of the table, such as 1,2,20."""

    name = "ROWS"

    def convert(
        self, value: str | frozenset[int], param: click.Parameter | None, ctx: click.Context | None
    ) -> frozenset[int]:
        """The numbers."""
        if isinstance(value, frozenset):
            return value
        known = {one.row for one in ALL}
        rows = {int(part) for part in value.split(",") if part.isdecimal()}
        if not rows or len(rows) != len(value.split(",")) or rows - known:
            self.fail(f"{value!r} names no rows: write some of {','.join(map(str, sorted(known)))}", param, ctx)
        return frozenset(rows)


@click.command(help=__doc__)
@click.option("--rows", type=Rows(), default=None, help="Which rows of the table in docs/design.md; all if not given.")
@click.option(
    "--seeds-max", type=click.IntRange(min=1), default=SEEDS_MAX, show_default=True, help="Runs tried for each."
)
@click.option("--jobs", type=click.IntRange(1, 256), default=os.cpu_count() or 1, show_default=True, help="Processes.")
@click.pass_context
def mutate(ctx: click.Context, rows: frozenset[int] | None, seeds_max: int, jobs: int) -> None:
    """Try every mutation and say how it was caught."""
    wanted = [one for one in ALL if rows is None or one.row in rows]
    survived = 0
    for one in wanted:
        verdict = caught(one, seeds_max, jobs)
        survived += not verdict
        click.echo(f"row {one.row:>2}  {one.name}: {verdict or 'SURVIVED'}")
    click.echo(
        f"{counted(len(wanted), 'mutation')}: " + (f"{survived} survived" if survived else "every one was caught")
    )
    ctx.exit(EXIT_SURVIVED if survived else 0)


def caught(one: Mutation, seeds_max: int, jobs: int) -> str:
    """How a mutation was caught, in words; "" when it survived."""
    if one.story:
        return f"caught by its story, {one.story}" if _fails(one) else ""
    with one.apply(), closing(_outcomes(one.seed, seeds_max, jobs)) as outcomes:
        for tried, outcome in enumerate(outcomes, start=1):
            if outcome.invariant in _NO_LONGER_FITS:
                return ""
            if not outcome.held:
                return f"caught by seed {outcome.seed}, the {tried}. tried: {outcome.invariant}: {outcome.message}"
    return ""


def _outcomes(first: int, seeds_max: int, jobs: int) -> Generator[Outcome]:
    yield run_seed(first)
    yield from run_seeds(chain(range(first), range(first + 1, seeds_max)), jobs=jobs)


def _fails(one: Mutation) -> bool:
    """Whether the mutation's story fails under it, and only then: in a process of its own, since pytest keeps much."""
    context = multiprocessing.get_context("fork")
    with context.Pool(1, maxtasksperchild=1) as pool:
        return pool.map(_run_story, [(one, False), (one, True)], chunksize=1) == [
            pytest.ExitCode.OK,
            pytest.ExitCode.TESTS_FAILED,
        ]


class _Failure:
    """What a story failed with, noted by pytest's hook."""

    kind = ""

    def pytest_exception_interact(self, call: pytest.CallInfo[object]) -> None:
        if call.excinfo is not None:
            self.kind = call.excinfo.typename


def _run_story(task: tuple[Mutation, bool]) -> int:
    one, is_mutated = task
    arguments = ["-q", "-x", "-p", "no:cacheprovider", f"tests/unit/{one.story}"]
    failure = _Failure()
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()), one.apply() if is_mutated else nullcontext():
        code = pytest.main(arguments, plugins=[failure])
    return pytest.ExitCode.INTERNAL_ERROR if failure.kind in _NO_LONGER_FITS else code


def main() -> None:
    """Run the command."""
    for name in ("quorate", "pysyncobj"):
        logging.getLogger(name).addHandler(logging.NullHandler())
    sys.exit(run_tool(mutate, "tests.simulation.mutate"))


if __name__ == "__main__":
    main()
