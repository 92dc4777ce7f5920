"""How the tools among the tests end, `python -m tests.simulation` and the like: one line for an error, and its code.

What lives here: running a click command as a process ends.  What does not: the commands.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from commands.output import is_output_lost, output_lost

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


def run_tool(command: click.Command, name: str, arguments: Sequence[str] | None = None) -> int:
    """Run a command line of `python -m NAME`; returns its exit code."""
    try:
        result = command.main(arguments, prog_name=f"python -m {name}", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        print(f"error: {error.format_message()}", file=sys.stderr)
        return EXIT_USAGE
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except OSError as error:
        if not is_output_lost(error):
            raise
        return output_lost(error)
    return int(result or 0)


def show(line: str) -> None:
    """Print a line from the midst of what is being tried: a lost output must not pass for its failure."""
    try:
        print(line)
    except OSError as error:
        raise SystemExit(output_lost(error)) from None
