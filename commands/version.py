"""The command version."""

from __future__ import annotations

import platform

import click

from commands.options import FORMATS, to_json
from quorate.version import __version__


@click.command()
@click.option("--format", "form", type=click.Choice(FORMATS), default=FORMATS[0], help="json names the parts too.")
def version(form: str) -> None:
    """Print the release of this program."""
    if form == "table":
        click.echo(f"quorate {__version__}")
        return
    from actors.gateway.reports import version_report

    click.echo(to_json({**version_report(), "python": platform.python_version()}))
