"""Judge a recorded history of watches, or of locks and leases: `python -m tests.histories FILE`.

Ends with 0 if every promise held, 1 if not, and 2 if the file cannot be judged.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from tests.histories.verdict import judge
from tests.linearizability.history import History, HistoryError
from tests.support.tool import run_tool

EXIT_BROKEN = 1


@click.command(help=__doc__)
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_context
def histories(ctx: click.Context, file: Path) -> None:
    """Judge the file and end with the exit code."""
    try:
        verdict = judge(History.load(file))
    except (HistoryError, OSError) as error:
        raise click.UsageError(str(error)) from None
    click.echo(str(verdict))
    ctx.exit(EXIT_BROKEN if verdict.violations else 0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    return run_tool(histories, "tests.histories", arguments)


if __name__ == "__main__":
    sys.exit(main())
