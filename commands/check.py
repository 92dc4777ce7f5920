"""`check DIR`: is a data directory as it was written?

What lives here: the command, its exit codes and how findings look.  What does not: looking (storage/data_check.py).
"""

from __future__ import annotations

from pathlib import Path

import click
from msgspec import to_builtins

from commands.options import to_json
from commands.paths import FOLDER_THAT_EXISTS
from storage.data_check import DataCheck, check_data_dir
from storage.errors import StorageError
from transport.errors import QuorateError

FORMATS = ("text", "json")


class CorruptDataError(QuorateError):
    """Something in the directory is not as it was written."""


class CannotCheckError(QuorateError):
    """The directory cannot be checked, and nothing is known about it."""

    exit_code = 2


@click.command()
@click.argument("directory", metavar="DIR", type=FOLDER_THAT_EXISTS)
@click.option("--format", "form", type=click.Choice(FORMATS), default=FORMATS[0], help="json for scripts.")
def check(directory: Path, form: str) -> None:
    """Check the data directory of a stopped server: every checksum, the order of the log, and whether its files fit.

    One line a finding.  The exit code is 0 when all is well, 1 when something is corrupt, and 2 when DIR cannot be
    checked: it is no data directory, or a running server has it.
    """
    try:
        result = check_data_dir(directory.absolute())
    except StorageError as error:
        raise CannotCheckError(str(error)) from error
    click.echo(to_json(to_builtins(result), indent=2) if form == "json" else _text(directory, result))
    if result.findings:
        raise CorruptDataError(
            f"{directory} is corrupt. Restore this server from another one: move the "
            "directory away, and start it again with --peer HOST:PORT of a running server"
        )


def _text(directory: Path, result: DataCheck) -> str:
    if result.findings:
        return "\n".join(f"{finding.file}: {finding.what}" for finding in result.findings)
    server = result.server
    return (
        f"{directory} is sound: server {server['name']} ({str(server['id'])[:8]}), term {server['term']}, "
        f"{server['log_entries']} log entries up to {server['last_index']}, "
        f"snapshot at {server['snapshot_index']} ({server['snapshot_bytes']} bytes)"
    )
