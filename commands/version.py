"""The command version."""

from __future__ import annotations

import click

from actors.views import fields
from commands.options import FORMATS, to_json


@click.command()
@click.option("--format", "form", type=click.Choice(FORMATS), default=FORMATS[0], help="json for scripts.")
def version(form: str) -> None:
    """Print the release of this program, and of the parts that matter in a bug report."""
    from actors.gateway.reports import version_report

    parts = version_report()
    if form == "table":
        click.echo(fields([("quorate", parts.pop("version")), *parts.items()]))
    else:
        click.echo(to_json(parts))
