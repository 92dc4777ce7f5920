"""The command monitor: a server's log, live."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from commands.follow import follow
from commands.options import Remote, remote_command, to_json
from transport.text import escaped_lines

LEVELS = ("debug", "info", "warning", "error")


@click.command()
@click.option(
    "--log-level",
    type=click.Choice(LEVELS),
    default="info",
    show_default=True,
    help="Finer than its own, too.",
)
@remote_command()
def monitor(remote: Remote, log_level: str) -> None:
    """Follow a server's log: its last lines, then each as it is written.

    Ends when interrupted, or when the server goes away.  As json and jsonl alike, each line is an object.
    """
    for entry in follow(remote, "monitor", {"level": log_level}, "lines"):
        click.echo(_line(entry) if remote.form == "table" else to_json(entry))


def _line(entry: dict[str, Any]) -> str:
    """As the server writes it, in this machine's time."""
    clock = datetime.fromisoformat(entry["time"]).astimezone().strftime("%H:%M:%S.%f")[:-3]
    text = f"{clock} {entry['level'].upper():<7} {entry['logger']}: {entry['message']}"
    return escaped_lines(f"{text}\n{entry['traceback']}" if "traceback" in entry else text)
